//! Back to how it was, also from a disk that fails and past what others have changed.

use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;

use super::gateway::{applied, staged, Disk, Gateway, ABSENT, KEY, KEYSTORE, ROOT, THEIRS};
use crate::transaction::apply::undo;
use crate::transaction::journal::Phase;
use crate::transaction::plan::Operation;

/// From now on nothing of the host may change while the journal says something that a start would
/// take for the way forward, or for a plan that is gone.
fn nothing_changes_in_phase(gateway: &Arc<Gateway>, phase: Phase) {
    let weak = Arc::downgrade(gateway);
    *gateway.watch.lock().unwrap() = Some(Box::new(move |what| {
        let open = weak.upgrade().unwrap().journal().transaction.unwrap();
        assert_ne!(open.phase, phase, "{what}");
    }));
}

#[test]
fn a_commit_record_that_may_have_survived_is_cut_off_before_anything_is_taken_back() {
    let gateway = Gateway::new();
    let before = gateway.entries().clone();
    let mut engine = gateway.engine();
    applied(&mut engine, "t");
    let after = gateway.entries().clone();
    nothing_changes_in_phase(&gateway, Phase::Committed);

    let disk = Disk::under(&mut engine);
    disk.fails(true);
    engine.commit(7).unwrap_err();
    // It is on the disk all the same, and cannot be cut off.
    assert_eq!(
        gateway.journal().transaction.unwrap().phase,
        Phase::Committed
    );
    engine.undo().unwrap_err();
    // Were the power lost now, the next start would complete: so this must be the new world yet.
    assert_eq!(*gateway.entries(), after);
    assert_eq!(
        gateway.journal().transaction.unwrap().phase,
        Phase::Committed
    );

    disk.fails(false);
    engine.undo().unwrap();
    assert_eq!(*gateway.entries(), before);
    assert_eq!(gateway.journal().transaction.unwrap().phase, Phase::Open);
}

#[test]
fn a_sealed_record_that_may_have_survived_keeps_its_plan_until_it_is_cut_off() {
    let gateway = Gateway::new();
    let before = gateway.entries().clone();
    let mut engine = gateway.engine();
    staged(&mut engine, "t");
    let plan = gateway.file("staging/t.plan");

    let disk = Disk::under(&mut engine);
    disk.fails(true);
    engine.seal("", false, "", &[]).unwrap_err();
    engine.undo().unwrap_err();
    assert!(plan.exists());
    // The power is lost.
    drop(engine);
    let mut next = gateway.engine();
    assert!(!next.recover().unwrap().committed);
    assert_eq!(*gateway.entries(), before);
    assert!(!plan.exists());
}

#[test]
fn what_somebody_changed_in_the_keystore_meanwhile_is_left_alone_and_the_rest_goes_back() {
    type Change = fn(&Gateway);
    let changes: [(&str, Change); 5] = [
        (KEY, |g| drop(g.entries().remove(KEY))),
        (KEY, |g| g.replace(KEY, true, THEIRS)),
        (KEY, |g| g.replace(KEY, false, THEIRS)),
        (ROOT, |g| g.replace(ROOT, true, THEIRS)),
        (ABSENT, |g| g.replace(ABSENT, true, THEIRS)),
    ];
    for (number, (alias, change)) in changes.into_iter().enumerate() {
        let gateway = Gateway::new();
        let mut wanted = gateway.entries().clone();
        let mut engine = gateway.engine();
        applied(&mut engine, "t");
        change(&gateway);
        match gateway.entries().get(alias) {
            Some(theirs) => drop(wanted.insert(alias.to_owned(), theirs.clone())),
            None => drop(wanted.remove(alias)),
        }
        engine.undo().unwrap();
        assert_eq!(*gateway.entries(), wanted, "{number}");
        assert_eq!(gateway.journal().transaction.unwrap().phase, Phase::Open);
    }
}

#[test]
fn what_cannot_be_put_back_is_named() {
    let gateway = Gateway::new();
    gateway.entries().remove(KEY);
    let chain = |before: &str| Operation::PutChain {
        keystore: KEYSTORE.into(),
        alias: KEY.into(),
        pem: "new true".into(),
        before: before.into(),
    };
    let left = undo(&chain("old true"), "k", &*gateway).unwrap().unwrap();
    assert!(left.contains("key device of SSLKeystore"), "{left}");
    assert!(left.contains("no such key"), "{left}");
    // One that was made for this transaction, and went with it.
    assert_eq!(undo(&chain(""), "k", &*gateway).unwrap(), None);
    // A host that is out of order is asked again.
    *gateway.refuses.lock().unwrap() = Some(CallError::new(status::E_IO, "", "the disk"));
    undo(&chain("old true"), "k", &*gateway).unwrap_err();
}
