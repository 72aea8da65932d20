//! `gateway keystore`: certificates of a data folder, whether or not a gateway runs on it.
//!
//! Keystores are files that nobody caches, so this needs no running gateway and disturbs none:
//! what is imported is trusted from the next connection on.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use gateway_host_sdk::crypto::Crypto;
use gateway_host_sdk::keystore::words::{entries_of, entry_json};
use gateway_host_sdk::keystore::{KeystoreError, Keystores};
use openssl::x509::{X509Crl, X509};
use serde_json::Value;
use zeroize::Zeroizing;

use super::args::{Import, Keystore};
use super::error::{must_exist, CliError};
use super::out;
use super::run::make_parents;

/// Does what the command says.
///
/// # Errors
/// A file that is none; what the keystore refuses.
pub fn run(command: &Keystore) -> Result<(), CliError> {
    match command {
        Keystore::Import(import) => self::import(import),
        Keystore::List {
            data,
            keystore,
            json,
        } => show(&data.data, keystore.as_deref(), *json),
        Keystore::Remove {
            data,
            keystore,
            alias,
        } => {
            let keystores = existing(&data.data)?;
            let failed = |e| CliError::host("nothing was removed", e);
            // To remove is to ask for absence; a person wants to hear of a wrong name.
            keystores.entry(keystore, alias).map_err(failed)?;
            keystores.remove(keystore, alias).map_err(failed)
        }
    }
}

fn import(import: &Import) -> Result<(), CliError> {
    let pem = read(&import.file)?;
    let keystores = open(&import.data.data)?;
    let put = match import.replace {
        true => Keystores::import_pem,
        false => Keystores::import_new_pem,
    };
    let aliases = put(&keystores, &import.keystore, &import.alias, &pem).map_err(|e| {
        let remedy = match e {
            KeystoreError::Taken { .. } => " (--replace takes its place)",
            _ => "",
        };
        CliError::host(
            format!("{} was not imported{remedy}", import.file.display()),
            e,
        )
    })?;
    if aliases.len() > 1 {
        // Beside the list, which is for scripts. Standard error may be gone.
        let count = aliases.len();
        let _ = writeln!(
            io::stderr(),
            "gateway: {} held {count} entries",
            import.file.display()
        );
    }
    for alias in aliases {
        out::line(&format!("{}:{alias}", import.keystore))?;
    }
    Ok(())
}

/// PEM as it is; a certificate or a revocation list in DER as PEM. It may hold a key.
fn read(path: &Path) -> Result<Zeroizing<String>, CliError> {
    let bytes = fs::read(path).map(Zeroizing::new);
    let bytes = bytes.map_err(|source| CliError::File {
        path: path.to_owned(),
        source,
    })?;
    if let Ok(text) = std::str::from_utf8(&bytes) {
        return Ok(Zeroizing::new(text.to_owned()));
    }
    let pem = X509::from_der(&bytes)
        .and_then(|certificate| certificate.to_pem())
        .or_else(|_| X509Crl::from_der(&bytes).and_then(|list| list.to_pem()))
        .map_err(|_| {
            CliError::Refused(format!(
                "{} is neither PEM nor a certificate or revocation list in DER",
                path.display()
            ))
        })?;
    Ok(Zeroizing::new(String::from_utf8_lossy(&pem).into_owned()))
}

fn show(data: &Path, keystore: Option<&str>, json: bool) -> Result<(), CliError> {
    let keystores = existing(data)?;
    let entries = entries_of(&keystores, keystore)
        .map_err(|e| CliError::host("the keystores cannot be listed", e))?;
    let entries: Vec<Value> = entries
        .iter()
        .map(|(keystore, entry)| entry_json(keystore, entry))
        .collect();
    if json {
        out::json(&Value::Array(entries))?;
        return Ok(());
    }
    let mut rows = vec![["KEYSTORE", "ALIAS", "KIND", "SUBJECT", "UNTIL"]
        .map(str::to_owned)
        .to_vec()];
    for entry in entries {
        let text = |key: &str| {
            entry
                .get(key)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let until = entry.get("expirationDate").and_then(Value::as_i64);
        let until = until.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
        rows.push(vec![
            text("keystoreServicePid"),
            text("alias"),
            text("type"),
            text("subjectDN"),
            until.map(|until| until.to_string()).unwrap_or_default(),
        ]);
    }
    out::table(&rows)?;
    Ok(())
}

/// The same where they must be there: nothing is made below a name that was mistyped.
fn existing(data: &Path) -> Result<Keystores, CliError> {
    must_exist(data)?;
    if !data.join("keystores").is_dir() {
        let text = format!(
            "{} holds no keystores: no gateway was started on it, and nothing imported",
            data.display()
        );
        return Err(CliError::Refused(text));
    }
    open(data)
}

/// The keystores of a data folder, where the framework has them; made if there are none yet, so
/// that a gateway can be given its CAs before its first start.
fn open(data: &Path) -> Result<Keystores, CliError> {
    let folder =
        |e: std::io::Error| CliError::host(format!("{} cannot be used", data.display()), e);
    make_parents(data)?;
    durable_file::create_folder(data).map_err(folder)?;
    let crypto = Crypto::open(data).map_err(|e| CliError::host("no key of the gateway", e))?;
    Keystores::open(&data.join("keystores"), Arc::new(crypto))
        .map_err(|e| CliError::host("the keystores cannot be opened", e))
}
