//! What the journal says after a restart, and whom it believes.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]
use super::*;

fn started() -> Record {
    Record::Started {
        transaction: "t".into(),
        client_id: "c".into(),
        username: "u".into(),
        parameters: "p".into(),
    }
}

fn whole() -> Vec<Record> {
    vec![
        started(),
        Record::Attempt { n: 1, at_ms: 5 },
        Record::Sealed,
        Record::Undone,
        Record::Attempt { n: 2, at_ms: 6 },
        Record::Sealed,
        Record::Committed { at_ms: 6 },
        Record::Finished {
            root_verified: true,
        },
    ]
}

#[test]
fn what_was_appended_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    for record in whole() {
        let mut journal = Journal::open(dir.path()).unwrap();
        journal.append(std::slice::from_ref(&record)).unwrap();
        let said = journal.summary().clone();
        drop(journal);
        assert_eq!(Journal::open(dir.path()).unwrap().summary(), &said);
    }
    let journal = Journal::open(dir.path()).unwrap();
    assert!(journal.summary().provisioned_before);
    assert_eq!(journal.summary().last_attempts, 2);
}

#[test]
fn a_record_torn_at_any_byte_counts_as_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[started()]).unwrap();
    let before = fs::read(&path).unwrap();
    let said = journal.summary().clone();
    journal
        .append(&[Record::Attempt { n: 1, at_ms: 5 }])
        .unwrap();
    let after = fs::read(&path).unwrap();
    for end in before.len()..after.len() {
        fs::write(&path, &after[..end]).unwrap();
        let mut journal = Journal::open(dir.path()).unwrap();
        assert_eq!(journal.summary(), &said, "cut at {end}");
        journal
            .append(&[Record::Attempt { n: 1, at_ms: 5 }])
            .unwrap();
        assert_eq!(fs::read(&path).unwrap(), after);
    }
}

#[test]
fn a_damaged_line_before_the_last_is_moved_aside_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[started()]).unwrap();
    journal
        .append(&[Record::Attempt { n: 1, at_ms: 5 }])
        .unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[30] ^= 1;
    fs::write(&path, bytes).unwrap();
    let Err(JournalError::Corrupt { kept, .. }) = Journal::open(dir.path()) else {
        panic!("not refused");
    };
    assert!(kept.exists() && !path.exists());
    assert_eq!(
        Journal::open(dir.path()).unwrap().summary(),
        &Summary::default()
    );
}

#[test]
fn records_out_of_order_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    assert!(journal
        .append(&[Record::Finished {
            root_verified: true
        }])
        .is_err());
    journal.append(&[started()]).unwrap();
    assert!(journal.append(&[started()]).is_err());
    assert!(journal.append(&[Record::Committed { at_ms: 1 }]).is_err());
    assert_eq!(
        journal.summary().transaction.as_ref().unwrap().phase,
        Phase::Open
    );
}

#[test]
fn keys_of_an_attempt_are_known_after_a_restart_until_they_are_gone() {
    let dir = tempfile::tempdir().unwrap();
    let key = Made {
        keystore: "SSLKeystore".into(),
        alias: "device".into(),
    };
    let mut journal = Journal::open(dir.path()).unwrap();
    let attempt = Record::Attempt { n: 1, at_ms: 5 };
    journal.append(&[started(), attempt]).unwrap();
    journal.append(&[Record::Key(key.clone())]).unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let open = journal.summary().transaction.clone().unwrap();
    assert_eq!(open.keys, [key]);
    assert!(journal.append(&[Record::Abandoned]).is_err());
    journal.append(&[Record::Undone]).unwrap();
    let open = journal.summary().transaction.clone().unwrap();
    assert_eq!(open.keys, []);
    journal.append(&[Record::Abandoned]).unwrap();
}

/// A summary as versions write it that know nothing of giving up.
const OLDER: &str = r#"{"summary":{"transaction":null,"provisioned_before":true,"good_time_ms":7,"last_attempts":2,"last_transaction":"t0","root_verified":true}}"#;

#[test]
fn that_it_gave_up_is_kept_until_the_next_start_and_older_versions_read_past_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    let older: Record = serde_json::from_str(OLDER).unwrap();
    let attempt = Record::Attempt { n: 1, at_ms: 5 };
    journal.append(&[older, started(), attempt]).unwrap();
    let gave_up = GaveUp {
        transaction: "t1".into(),
        parameters: "p".into(),
        attempts: 1,
        at_ms: 9,
        fault: None,
    };
    let summary = Summary {
        gave_up: Some(Box::new(gave_up.clone())),
        ..journal.summary().clone()
    };
    let record = Record::Summary(Box::new(summary));
    journal.append(&[record, Record::Abandoned]).unwrap();
    let mut journal = Journal::open(dir.path()).unwrap();
    assert_eq!(journal.summary().gave_up.as_deref(), Some(&gave_up));
    assert_eq!(journal.summary().transaction, None);
    // What it says beside that is what an older version would have said.
    let mut json = serde_json::to_value(journal.summary()).unwrap();
    json.as_object_mut().unwrap().remove("gave_up").unwrap();
    let older: serde_json::Value = serde_json::from_str(OLDER).unwrap();
    assert_eq!(json, older["summary"]);
    journal.append(&[started()]).unwrap();
    assert_eq!(journal.summary().gave_up, None);
}

#[test]
fn a_long_journal_is_rewritten_as_its_summary() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.jsonl");
    let mut journal = Journal::open(dir.path()).unwrap();
    journal.append(&[started()]).unwrap();
    // Also without a restart.
    let mut longest = 0;
    for n in 1..1000 {
        journal.append(&[Record::Attempt { n, at_ms: 5 }]).unwrap();
        longest = longest.max(fs::symlink_metadata(&path).unwrap().len());
    }
    assert!(longest < COMPACT_ABOVE as u64 + 1000, "{longest}");
    let said = journal.summary().clone();
    drop(journal);
    assert_eq!(Journal::open(dir.path()).unwrap().summary(), &said);
}
