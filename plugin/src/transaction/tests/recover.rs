//! What a restart keeps, and what it sweeps up.

use super::gateway::{applied, Gateway};
use crate::transaction::Engine;

#[test]
fn the_plan_of_a_journal_that_was_set_aside_is_kept_for_as_long_as_that() {
    let gateway = Gateway::new();
    applied(&mut gateway.engine(), "t");
    let (plan, journal) = (
        gateway.file("staging/t.plan"),
        gateway.file("journal.jsonl"),
    );
    let sealed = std::fs::read(&plan).unwrap();
    let mut damaged = std::fs::read(&journal).unwrap();
    damaged[30] ^= 1;
    std::fs::write(&journal, damaged).unwrap();
    let said = Engine::open(gateway.clone(), "prov").err().unwrap();
    let aside = gateway.file("journal.jsonl.corrupt");
    assert!(said.message.contains("journal.jsonl.corrupt"), "{said}");

    let litter = gateway.file("staging/.t.plan.1-2-3.tmp");
    for _ in 0..2 {
        std::fs::write(&litter, "half").unwrap();
        std::fs::create_dir_all(gateway.file("staging/t")).unwrap();
        gateway.engine().recover().unwrap();
        assert_eq!(std::fs::read(&plan).unwrap(), sealed);
        assert!(!litter.exists() && !gateway.file("staging/t").exists());
    }
    // Another transaction leaves it alone, and keeps no plan of its own.
    let mut engine = gateway.engine();
    applied(&mut engine, "other");
    engine.undo().unwrap();
    assert!(plan.exists() && !gateway.file("staging/other.plan").exists());
    std::fs::remove_file(aside).unwrap();
    gateway.engine().recover().unwrap();
    assert!(!plan.exists());
}
