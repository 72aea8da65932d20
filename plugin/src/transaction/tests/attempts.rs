//! Which transaction an attempt belongs to.

use super::gateway::{count, Disk, Gateway};

#[test]
fn an_end_that_could_not_be_written_is_written_before_the_next_transaction() {
    let gateway = Gateway::new();
    let mut engine = gateway.engine();
    count(&mut engine, 1, "first");
    count(&mut engine, 2, "first");
    assert_eq!(engine.memory().attempts, 2);

    let disk = Disk::under(&mut engine);
    disk.fails(true);
    engine.abandon().unwrap_err();
    disk.fails(false);
    // The state machine has forgotten it whatever the disk said.
    count(&mut engine, 1, "second");
    let open = gateway.journal().transaction.unwrap();
    assert_eq!((open.id.as_str(), open.attempts), ("second", 1));
    assert_eq!(engine.memory().transaction.as_deref(), Some("second"));
}
