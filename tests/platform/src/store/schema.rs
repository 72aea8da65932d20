//! The tables.

use super::StoreError;
use rusqlite::Connection;

const VERSION: i64 = 1;

/// Times are milliseconds since 1970; `sealed` columns are opened by the vault.
const TABLES: &str = "
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

/// Makes the tables in an empty database, and refuses one of another version.
pub(super) fn prepare(db: &Connection) -> Result<(), StoreError> {
    // Taken before looking, so that two processes do not both make the tables.
    db.execute_batch("BEGIN IMMEDIATE")?;
    let result = prepare_locked(db);
    db.execute_batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" })?;
    result
}

fn prepare_locked(db: &Connection) -> Result<(), StoreError> {
    let found: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    match found {
        VERSION => Ok(()),
        0 => {
            db.execute_batch(TABLES)?;
            Ok(db.pragma_update(None, "user_version", VERSION)?)
        }
        _ => Err(StoreError::Schema {
            found,
            known: VERSION,
        }),
    }
}
