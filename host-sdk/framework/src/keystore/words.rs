//! Keystores and their entries in the JSON of Kura's keystore services, REST and `KEYS-V1`. Never a
//! private key.

use serde_json::{json, Map, Value};

use super::{Certificate, EntryInfo, EntryKind, KeystoreError, Keystores};

/// All keystores: name, kind, number of entries.
///
/// # Errors
/// As [`Keystores::list`].
pub fn list_json(keystores: &Keystores) -> Result<Vec<Value>, KeystoreError> {
    keystores
        .names()
        .map(|name| {
            let size = keystores.list(name)?.len();
            Ok(json!({"keystoreServicePid": name, "type": "pem", "size": size}))
        })
        .collect()
}

/// The entries of one keystore or of all, with the name of theirs.
///
/// # Errors
/// As [`Keystores::list`].
pub fn entries_of(
    keystores: &Keystores,
    wanted: Option<&str>,
) -> Result<Vec<(String, EntryInfo)>, KeystoreError> {
    let names: Vec<String> = match wanted {
        Some(name) => vec![name.to_owned()],
        None => keystores.names().map(str::to_owned).collect(),
    };
    let mut all = Vec::new();
    for name in names {
        let entries = keystores.list(&name)?;
        all.extend(entries.into_iter().map(|entry| (name.clone(), entry)));
    }
    Ok(all)
}

/// An entry in Kura's words; dates are milliseconds since 1970.
#[must_use]
pub fn entry_json(keystore: &str, entry: &EntryInfo) -> Value {
    let kind = match entry.kind {
        EntryKind::TrustedCertificate => "TRUSTED_CERTIFICATE",
        EntryKind::PrivateKey => "PRIVATE_KEY",
        EntryKind::Crl => "CRL",
    };
    let mut fields = Map::new();
    fields.insert("keystoreServicePid".into(), json!(keystore));
    fields.insert("alias".into(), json!(entry.alias));
    fields.insert("type".into(), json!(kind));
    let certificates = match entry.kind {
        EntryKind::Crl => Vec::new(),
        _ => Certificate::all(&entry.pem).unwrap_or_default(),
    };
    if let Some(leaf) = certificates.first() {
        fields.insert("subjectDN".into(), json!(leaf.subject));
        fields.insert("subjectAN".into(), json!(leaf.names));
        fields.insert("issuer".into(), json!(leaf.issuer));
        fields.insert("startDate".into(), json!(leaf.start_ms));
        fields.insert("expirationDate".into(), json!(leaf.expiration_ms));
        fields.insert("algorithm".into(), json!(leaf.algorithm));
        fields.insert("size".into(), json!(leaf.size));
    }
    Value::Object(fields)
}

/// The same with what it holds: `certificate`, or the `certificateChain` of a key.
#[must_use]
pub fn entry_json_with_pem(keystore: &str, entry: &EntryInfo) -> Value {
    let mut json = entry_json(keystore, entry);
    if let Some(fields) = json.as_object_mut() {
        let name = match entry.kind {
            EntryKind::PrivateKey => "certificateChain",
            EntryKind::TrustedCertificate | EntryKind::Crl => "certificate",
        };
        fields.insert(name.into(), json!(entry.pem));
    }
    json
}
