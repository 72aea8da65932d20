//! What a restart keeps, and what it sweeps up.

use std::os::unix::fs::MetadataExt;

use super::gateway::{applied, Gateway};
use crate::transaction::journal::Phase;
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

/// What is read back may be in memory alone, if its sync failed in a process that has ended since.
#[test]
fn a_commit_record_is_written_anew_before_a_start_goes_forward_from_it() {
    let gateway = Gateway::new();
    let mut engine = gateway.engine();
    applied(&mut engine, "t");
    engine.commit(7).unwrap();
    drop(engine);
    let journal = gateway.file("journal.jsonl");
    let old = std::fs::File::open(&journal).unwrap();
    let mut engine = gateway.engine();
    assert!(engine.recover().unwrap().committed);
    let inode = std::fs::metadata(&journal).unwrap().ino();
    assert_ne!(inode, old.metadata().unwrap().ino());
    assert_eq!(
        gateway.journal().transaction.unwrap().phase,
        Phase::Committed
    );
    // It goes on in the new file.
    engine.finish().unwrap();
    assert!(gateway.journal().transaction.is_none());
}
