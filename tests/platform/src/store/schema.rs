//! The tables.

use super::StoreError;
use rusqlite::Connection;

/// What makes each version out of the one before. Times are milliseconds since 1970; `sealed`
/// columns are opened by the vault.
const STEPS: [&str; 4] = [REQUESTS_AND_JOBS, KEYS_AND_PACKAGES, CONTROL, KNOCKS];

const REQUESTS_AND_JOBS: &str = "
CREATE TABLE request (
    id INTEGER PRIMARY KEY,
    client_id TEXT NOT NULL UNIQUE,
    username TEXT NOT NULL UNIQUE,
    password_sealed BLOB NOT NULL,
    activation_key_sealed BLOB,
    activates_on INTEGER,
    expires_on INTEGER,
    max_attempts INTEGER,
    attempts INTEGER NOT NULL DEFAULT 0,
    enabled INTEGER NOT NULL DEFAULT 1,
    account TEXT NOT NULL,
    target_client_id TEXT NOT NULL,
    target_username TEXT NOT NULL,
    target_password_sealed BLOB NOT NULL,
    created_on INTEGER NOT NULL
);
CREATE TABLE attachment (
    request INTEGER NOT NULL REFERENCES request(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    content_sealed BLOB NOT NULL,
    PRIMARY KEY (request, position)
);
CREATE TABLE job (
    id INTEGER PRIMARY KEY,
    request INTEGER NOT NULL REFERENCES request(id) ON DELETE CASCADE,
    transaction_id TEXT,
    state TEXT NOT NULL,
    commit_sent INTEGER NOT NULL DEFAULT 0,
    error_code TEXT,
    error_message TEXT,
    created_on INTEGER NOT NULL,
    changed_on INTEGER NOT NULL,
    UNIQUE (request, transaction_id)
);
CREATE TABLE document (
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content_sealed BLOB NOT NULL,
    PRIMARY KEY (job, position)
);
CREATE TABLE job_state (
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    state TEXT NOT NULL,
    since INTEGER NOT NULL
);
CREATE TABLE attempt (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    started_on INTEGER NOT NULL,
    ended_on INTEGER,
    outcome TEXT,
    message TEXT
);
CREATE TABLE exchange (
    id INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL REFERENCES attempt(id) ON DELETE CASCADE,
    request_id TEXT NOT NULL,
    application_topic TEXT NOT NULL,
    payload_bytes INTEGER NOT NULL,
    sent_on INTEGER NOT NULL,
    replied_on INTEGER,
    response_code INTEGER,
    error_code TEXT,
    message TEXT,
    replies INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX exchange_by_request_id ON exchange (request_id);
CREATE TABLE device (
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    transaction_id TEXT,
    display_name TEXT,
    serial_number TEXT,
    births INTEGER NOT NULL,
    first_seen INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (account, client_id)
);
";

const KEYS_AND_PACKAGES: &str = "
ALTER TABLE request ADD COLUMN device_key TEXT;
ALTER TABLE request ADD COLUMN package_token TEXT;
ALTER TABLE request ADD COLUMN package_username TEXT;
ALTER TABLE request ADD COLUMN package_password_sealed BLOB;
CREATE TABLE package (
    request INTEGER NOT NULL REFERENCES request(id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size INTEGER NOT NULL,
    PRIMARY KEY (request, position)
);
CREATE TABLE download (
    attempt INTEGER NOT NULL REFERENCES attempt(id) ON DELETE CASCADE,
    job_id INTEGER NOT NULL UNIQUE,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    progress INTEGER NOT NULL DEFAULT 0,
    message TEXT,
    changed_on INTEGER NOT NULL
);
CREATE TABLE issued (
    id INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES job(id) ON DELETE CASCADE,
    serial TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    common_name TEXT NOT NULL,
    key TEXT NOT NULL,
    issued_on INTEGER NOT NULL,
    certificate TEXT NOT NULL
);
";

const CONTROL: &str = "
CREATE TABLE control (
    id INTEGER PRIMARY KEY,
    what_sealed BLOB NOT NULL,
    payload_sealed BLOB NOT NULL,
    within INTEGER NOT NULL,
    created_on INTEGER NOT NULL,
    taken_on INTEGER,
    ended_on INTEGER,
    reply_sealed BLOB,
    notification_sealed BLOB,
    error TEXT
);
";

const KNOCKS: &str = "
CREATE TABLE knock (
    client_id TEXT PRIMARY KEY,
    count INTEGER NOT NULL,
    first_on INTEGER NOT NULL,
    last_on INTEGER NOT NULL
);
";

/// Makes the tables in an empty database, brings those of an earlier version up to this one, and
/// refuses those of a later one.
pub(super) fn prepare(db: &Connection) -> Result<(), StoreError> {
    // Taken before looking, so that two processes do not both make the tables.
    db.execute_batch("BEGIN IMMEDIATE")?;
    let result = prepare_locked(db);
    db.execute_batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn prepare_locked(db: &Connection) -> Result<(), StoreError> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let missing = usize::try_from(found).ok().and_then(|at| STEPS.get(at..));
    let Some(missing) = missing else {
        return Err(StoreError::Schema { found, known });
    };
    if missing.is_empty() {
        return Ok(());
    }
    for step in missing {
        db.execute_batch(step)?;
    }
    Ok(db.pragma_update(None, "user_version", known)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn version(db: &Connection) -> i64 {
        db.pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn a_database_of_any_earlier_version_is_brought_up_and_keeps_its_rows() {
        for (number, _) in STEPS.iter().enumerate().skip(1) {
            let db = Connection::open_in_memory().unwrap();
            for step in STEPS.iter().take(number) {
                db.execute_batch(step).unwrap();
            }
            db.pragma_update(None, "user_version", number).unwrap();
            let row = "INSERT INTO request (client_id, username, password_sealed, account, \
                 target_client_id, target_username, target_password_sealed, created_on) \
                 VALUES ('a', 'a', '', 'a', 'a', 'a', '', 0)";
            db.execute_batch(row).unwrap();
            prepare(&db).unwrap();
            assert_eq!(version(&db), 4);
            let rows: i64 = db
                .query_row(
                    "SELECT count(*) FROM request WHERE device_key IS NULL",
                    [],
                    |r| r.get(0),
                )
                .unwrap();
            assert_eq!(rows, 1);
        }
    }

    #[test]
    fn a_database_of_a_later_version_is_left_alone() {
        let db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(
            prepare(&db),
            Err(StoreError::Schema { found: 99, .. })
        ));
        assert_eq!(version(&db), 99);
    }
}
