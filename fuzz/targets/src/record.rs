//! The provisioning record: `provisioning_service::transaction::record::verify`, and appending to
//! whatever is there.

use provisioning_service::transaction::record::{append, verify, Entry, FILE, SUCCESS};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let Ok(entries) = verify(None, &text) else {
        return;
    };
    if entries.is_empty() || !text.ends_with('\n') {
        return;
    }
    // A record that holds goes on to hold, with one entry more.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(FILE);
    std::fs::write(&path, text.as_bytes()).unwrap();
    let entry = Entry {
        attempt: 7,
        outcome: "platform.silent".into(),
        ..Entry::default()
    };
    append(folder.path(), entry.clone()).unwrap();
    let longer = std::fs::read_to_string(&path).unwrap();
    assert!(longer.starts_with(&*text));
    let after = verify(None, &longer).expect("an appended record holds");
    assert_eq!(after.len(), entries.len() + 1);
    assert_eq!(after.last(), Some(&entry));
}

pub(crate) fn seeds() -> Vec<Seed> {
    let folder = tempfile::tempdir().unwrap();
    for (attempt, outcome) in [(1, "tls.expired"), (2, SUCCESS)] {
        let entry = Entry {
            time: "2026-11-24T06:00:00Z".into(),
            transaction: "t-1".into(),
            attempt,
            broker: "mqtts://broker.example.com".into(),
            account: "acme".into(),
            client_id: "gw-1".into(),
            username: "gw-1-4711".into(),
            chain: vec!["00".repeat(32)],
            manifest: "11".repeat(32),
            packages: vec!["heater 1.0".into()],
            bytes_sent: 1234,
            bytes_received: 5678,
            outcome: outcome.into(),
        };
        append(folder.path(), entry).unwrap();
    }
    let whole = std::fs::read(folder.path().join(FILE)).unwrap();
    vec![
        ("two", whole.clone()),
        ("torn", whole[..whole.len() - 9].to_vec()),
        ("empty", Vec::new()),
    ]
}
