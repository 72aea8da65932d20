//! Carrying the operations of a plan out, and taking them back.

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use kura_formats::configurations;

use super::plan::Operation;
use crate::diagnosis::Code;
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
                xml,
                &configurations::XmlLimits::default(),
                &mut configurations::remote_open,
            )
            .map_err(|e| CallError::new(status::E_INTERNAL, "", e.to_string()))?;
            host.apply(key, &list)
        }
    }
}

/// Takes one operation back, whether it was done, begun or neither. `Some`: somebody else has changed
/// a keystore since, so that this cannot be put back however often it is tried, and why; what they
/// did stays.
pub fn undo(
    operation: &Operation,
    key: &str,
    host: &dyn Host,
) -> Result<Option<String>, CallError> {
    let undo_key = format!("{key}/undo");
    let result = match operation {
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
            // What is of another kind is not ours, and would be removed all the same.
            None => present(host, keystore, alias, EntryKind::TrustedCertificate)
                .and_then(|_| host.remove_entry(&undo_key, keystore, alias)),
        },
        Operation::PutChain {
            keystore,
            alias,
            before,
            ..
        } => host.put_chain(&undo_key, keystore, alias, before),
        Operation::InstallPackage { .. } => host.revert_package(key),
        Operation::Configure { undo, .. } => host.restore(&undo_key, undo),
    };
    match (result, operation) {
        (Ok(()), _) => Ok(None),
        // The key was made for this transaction, and is gone with it already.
        (Err(e), Operation::PutChain { before, .. })
            if before.is_empty() && e.status == status::E_NOT_FOUND =>
        {
            Ok(None)
        }
        (Err(e), Operation::PutCertificate { .. } | Operation::PutChain { .. })
            if is_of_others(&e) =>
        {
            Ok(Some(format!(
                "{} cannot be put back as it was before: {}",
                operation.object(),
                e.message
            )))
        }
        (Err(e), _) => Err(e),
    }
}

/// Whether a keystore refuses because of what it holds now: no such entry or keystore, an entry of
/// another kind, another key than the chain is for. A keystore that is full may be emptied.
fn is_of_others(error: &CallError) -> bool {
    match error.status {
        status::E_NOT_FOUND | status::E_CONFLICT => true,
        status::E_INVALID => error.code != Code::ProtocolTooLarge.as_str(),
        _ => false,
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
