//! Carrying the operations of a plan out, and taking them back.

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use kura_formats::configurations;

use super::plan::Operation;
use crate::host::{EntryKind, Host};

/// Does one operation. Doing it twice with the same key is as doing it once.
pub fn redo(operation: &Operation, key: &str, host: &dyn Host) -> Result<(), CallError> {
    match operation {
        Operation::HoldConnection { .. } => host.disconnect(),
        Operation::PutCertificate {
            keystore,
            alias,
            pem,
            ..
        } => host.put_certificate(key, keystore, alias, pem),
        Operation::PutChain {
            keystore,
            alias,
            pem,
            ..
        } => host.put_chain(key, keystore, alias, pem),
        Operation::InstallPackage {
            name,
            version,
            path,
        } => host.install_package(key, name, version, path),
        Operation::Configure { xml, .. } => {
            let list = configurations::read(
                xml.as_bytes(),
                &configurations::XmlLimits::default(),
                &mut configurations::remote_open,
            )
            .map_err(|e| CallError::new(status::E_INTERNAL, "", e.to_string()))?;
            host.apply(key, &list)
        }
    }
}

/// Takes one operation back, whether it was done, begun or neither.
pub fn undo(operation: &Operation, key: &str, host: &dyn Host) -> Result<(), CallError> {
    let undo_key = format!("{key}/undo");
    match operation {
        Operation::HoldConnection { was_connected } => {
            if *was_connected {
                host.connect("")
            } else {
                host.release()
            }
        }
        Operation::PutCertificate {
            keystore,
            alias,
            before,
            ..
        } => match before {
            Some(pem) => host.put_certificate(&undo_key, keystore, alias, pem),
            None => host.remove_entry(&undo_key, keystore, alias),
        },
        Operation::PutChain {
            keystore,
            alias,
            before,
            ..
        } => {
            match host.put_chain(&undo_key, keystore, alias, before) {
                // The key was made for this transaction, and is gone with it already.
                Err(e) if before.is_empty() && e.status == status::E_NOT_FOUND => Ok(()),
                result => result,
            }
        }
        Operation::InstallPackage { .. } => host.revert_package(key),
        Operation::Configure { undo, .. } => host.restore(&undo_key, undo),
    }
}

/// What an alias holds now: the PEM of a trusted certificate or the chain of a key.
///
/// # Errors
/// `E_CONFLICT` where it holds something of another kind. The host would refuse to write over it,
/// and the undo of that refusal would remove it.
pub fn present(
    host: &dyn Host,
    keystore: &str,
    alias: &str,
    kind: EntryKind,
) -> Result<Option<String>, CallError> {
    let found = host
        .keystore(keystore)?
        .into_iter()
        .find(|entry| entry.alias == alias);
    match found {
        Some(entry) if entry.kind != kind => {
            let holds = match entry.kind {
                EntryKind::TrustedCertificate => "a trusted certificate",
                EntryKind::PrivateKey => "a private key",
                EntryKind::Crl => "a revocation list",
            };
            Err(CallError::new(
                status::E_CONFLICT,
                "",
                format!("the alias {alias} holds {holds}, which is not replaced"),
            ))
        }
        found => Ok(found.map(|entry| entry.pem)),
    }
}
