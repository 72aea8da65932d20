//! `gateway record show|verify`: the provisioning record of a data folder, offline.

use std::io::ErrorKind;

use serde_json::{json, Map, Value};

use super::args::{Record, RecordOf};
use super::error::{must_exist, CliError};
use super::out;
use crate::record::{self, Content, Entries};

/// Runs the command.
///
/// # Errors
/// No record, or one whose chain does not hold; the message names the first bad line.
pub fn run(command: &Record) -> Result<(), CliError> {
    match command {
        Record::Show(of) => show(of),
        Record::Verify(of) => verify(of),
    }
}

fn show(of: &RecordOf) -> Result<(), CliError> {
    let found = read(of)?;
    if of.json {
        out::json(&json!(found.entries))?;
        return Ok(());
    }
    let heading = [
        "TIME",
        "ATTEMPT",
        "OUTCOME",
        "ACCOUNT",
        "CLIENT-ID",
        "BROKER",
        "SENT",
        "RECEIVED",
        "TRANSACTION",
    ];
    let mut rows = vec![heading.map(str::to_owned).to_vec()];
    for entry in &found.entries {
        let keys = [
            "time",
            "attempt",
            "outcome",
            "account",
            "client_id",
            "broker",
            "bytes_sent",
            "bytes_received",
            "transaction",
        ];
        rows.push(keys.map(|key| cell(entry, key)).to_vec());
    }
    out::table(&rows)?;
    Ok(())
}

fn verify(of: &RecordOf) -> Result<(), CliError> {
    let found = read(of)?;
    if of.json {
        out::json(
            &json!({"verified": true, "entries": found.entries.len(), "torn": found.torn, "shortened": found.shortened}),
        )?;
        return Ok(());
    }
    out::line(&format!(
        "{} attempts, the chain holds",
        found.entries.len()
    ))?;
    if found.shortened {
        out::line("older attempts were given up for room")?;
    }
    if found.torn {
        out::line(
            "the last line is torn (power was lost while it was written) and does not count",
        )?;
    }
    Ok(())
}

fn read(of: &RecordOf) -> Result<Entries, CliError> {
    // A pid is the name of a folder; nothing else may be reached through it.
    if of.pid.is_empty() || of.pid.starts_with('.') || of.pid.contains('/') {
        return Err(CliError::Usage(format!("{:?} is no pid", of.pid)));
    }
    let folder = of.data.data.join("components").join(&of.pid);
    must_exist(&of.data.data)?;
    let content = Content::of(&folder).map_err(|(path, source)| match source.kind() {
        ErrorKind::NotFound => CliError::Refused(format!(
            "no attempt was made here yet (there is no {})",
            path.display()
        )),
        _ => CliError::File { path, source },
    })?;
    record::read(&content)
        .map_err(|e| CliError::host(format!("{} was altered", folder.join(e.file).display()), e))
}

fn cell(entry: &Map<String, Value>, key: &str) -> String {
    match entry.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => String::new(),
        Some(value) => value.to_string(),
    }
}
