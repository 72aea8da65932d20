//! What the database promises.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use provision_platform::secret::Secret;
use std::os::unix::fs::PermissionsExt;

use provision_platform::store::{Attachment, JobState, NewRequest, Store, Window};

fn new(client: &str) -> NewRequest {
    NewRequest::new(client, &format!("user-{client}"), "canary-password", "acme")
}

#[test]
fn a_request_reads_back_and_no_secret_is_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let id = store
        .create_request(&NewRequest {
            activation_key: Some(Secret::new("canary-key")),
            expires_on: Some(2_000),
            activates_on: Some(1_000),
            max_attempts: Some(3),
            configurations: vec![Attachment {
                name: "site.xml".into(),
                content: b"canary-configuration".to_vec(),
            }],
            ..new("AABBCCDDEEFF")
        })
        .unwrap();
    let request = Store::open(dir.path())
        .unwrap()
        .request(id)
        .unwrap()
        .unwrap();
    assert_eq!(request.password.expose(), "canary-password");
    assert_eq!(
        request.activation_key.as_ref().unwrap().expose(),
        "canary-key"
    );
    assert_eq!(request.target.username, "device-AABBCCDDEEFF");
    assert_eq!(request.target.password.expose().len(), 32);
    assert_eq!(
        store.attachments(id).unwrap()[0].content,
        b"canary-configuration"
    );
    assert_eq!(request.window(999), Window::NotActive);
    assert_eq!(request.window(1_000), Window::Active);
    assert_eq!(request.window(2_000), Window::Expired);
    assert!(!format!("{request:?}").contains("canary"));
    let target = request.target.password.expose();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", entry.path().display());
        let bytes = std::fs::read(entry.path()).unwrap();
        let has = |s: &str| bytes.windows(s.len()).any(|w| w == s.as_bytes());
        assert!(!has("canary") && !has(target));
    }
}

#[test]
fn a_second_request_for_a_client_or_a_user_needs_overwrite() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.create_request(&new("one")).unwrap();
    let error = store.create_request(&new("one")).unwrap_err().to_string();
    assert!(error.contains("client-id \"one\""), "{error}");
    let same_user = NewRequest {
        username: "user-one".into(),
        ..new("two")
    };
    let error = store.create_request(&same_user).unwrap_err().to_string();
    assert!(error.contains("username \"user-one\""), "{error}");
    store
        .create_request(&NewRequest {
            overwrite: true,
            ..new("one")
        })
        .unwrap();
    assert_eq!(store.requests().unwrap().len(), 1);
}

#[test]
fn a_wrong_request_is_refused_with_the_name_of_the_field() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let cases = [
        ("client-id", new("a/b")),
        ("client-id", new("")),
        (
            "username",
            NewRequest {
                username: String::new(),
                ..new("a")
            },
        ),
        (
            "password",
            NewRequest {
                password: Secret::new(""),
                ..new("a")
            },
        ),
        (
            "account",
            NewRequest {
                account: "a b".into(),
                ..new("a")
            },
        ),
        (
            "max attempts",
            NewRequest {
                max_attempts: Some(0),
                ..new("a")
            },
        ),
        (
            "expires on",
            NewRequest {
                activates_on: Some(2),
                expires_on: Some(1),
                ..new("a")
            },
        ),
    ];
    for (field, request) in cases {
        let error = store.create_request(&request).unwrap_err().to_string();
        assert!(error.starts_with(field), "{field}: {error}");
    }
    assert!(store.requests().unwrap().is_empty());
}

#[test]
fn a_transaction_keeps_its_job_and_another_one_abandons_it() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let request = store.create_request(&new("one")).unwrap();
    assert_eq!(
        store.current_job(request).unwrap().unwrap().state,
        JobState::Created
    );
    let first = store.find_or_start_job(request, "t1").unwrap();
    store.set_documents(first.id, &[b"doc".to_vec()]).unwrap();
    store.set_state(first.id, JobState::Running).unwrap();
    store.fail_job(first.id, "proof.failed", "no").unwrap();
    let again = store.find_or_start_job(request, "t1").unwrap();
    assert_eq!((again.id, again.state), (first.id, JobState::Failed));
    assert_eq!(store.documents(first.id).unwrap(), [b"doc"]);
    let other = store.find_or_start_job(request, "t2").unwrap();
    assert_ne!(other.id, first.id);
    assert_eq!(
        store.job(first.id).unwrap().unwrap().state,
        JobState::Abandoned
    );
    assert_eq!(store.jobs(request).unwrap().len(), 2);
}

#[test]
fn a_completed_job_stays_completed() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let request = store.create_request(&new("one")).unwrap();
    let job = store.find_or_start_job(request, "t1").unwrap().id;
    store.set_state(job, JobState::Completed).unwrap();
    store.fail_job(job, "platform.silent", "late").unwrap();
    store.set_state(job, JobState::Running).unwrap();
    assert_eq!(store.job(job).unwrap().unwrap().state, JobState::Completed);
    assert_eq!(store.states(job).unwrap(), [JobState::Completed]);
}

#[test]
fn another_connection_notices_a_change() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = Store::open(dir.path()).unwrap();
    let reader = Store::open(dir.path()).unwrap();
    let before = reader.version().unwrap();
    writer.create_request(&new("one")).unwrap();
    assert_ne!(reader.version().unwrap(), before);
}

#[test]
fn two_processes_that_write_at_once_wait_for_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let writers: Vec<_> = (0..4)
        .map(|writer| {
            let mut store = Store::open(folder.path()).unwrap();
            std::thread::spawn(move || {
                for number in 0..25 {
                    let new = new(&format!("dev-{writer}-{number}"));
                    store.create_request(&new).unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.join().unwrap();
    }
    let store = Store::open(folder.path()).unwrap();
    assert_eq!(store.requests().unwrap().len(), 100);
}

#[test]
fn refused_devices_are_counted_in_series_and_take_a_row_for_each_request_at_most() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    store.create_request(&new("dev")).unwrap();
    let hour = 3_600_000;
    store.note_knock(Some("stranger"), 1, 10).unwrap();
    store.note_knock(None, 2, 20).unwrap();
    let anybody = store.knock("dev", 0).unwrap().unwrap();
    assert_eq!((anybody.named, anybody.count), (false, 3));
    assert_eq!((anybody.first_on, anybody.last_on), (10, 20));
    // Its own go before those of whoever it was.
    store.note_knock(Some("dev"), 1, 15).unwrap();
    let own = store.knock("dev", 0).unwrap().unwrap();
    assert_eq!((own.named, own.count, own.last_on), (true, 1, 15));
    assert_eq!(store.knock("dev", 16).unwrap().unwrap(), anybody);
    // A new series.
    store.note_knock(Some("dev"), 1, 16 + hour).unwrap();
    let own = store.knock("dev", 0).unwrap().unwrap();
    assert_eq!((own.count, own.first_on), (1, 16 + hour));
}
