//! `/services/keystores/v1`: Kura's interface to certificates.
//!
//! Trusted certificates are listed, imported and removed. Keys are listed, never shown; making
//! them and requesting certificates is the platform's business (`KEYS-V1`), not offered here.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::Router;
use gateway_host_sdk::keystore::{EntryInfo, EntryKind, KeystoreError, Keystores};
use serde::Deserialize;
use serde_json::{json, Map, Value};

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::Shared;
use crate::certificate::Certificate;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(keystores))
        .route("/entries", get(entries).delete(remove))
        .route("/entries/entry", get(entry))
        .route("/entries/certificate", post(import))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    keystore_service_pid: Option<String>,
    alias: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    keystore_service_pid: String,
    alias: String,
    certificate: Option<String>,
}

async fn keystores(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let keystores = shared.framework.keystores();
        let mut list = Vec::new();
        for name in keystores.names() {
            let size = keystores.list(name).map_err(|e| refusal(&e))?.len();
            list.push(json!({"keystoreServicePid": name, "type": "pem", "size": size}));
        }
        ok(&list)
    })
    .await
}

async fn entries(State(shared): State<Shared>, Query(filter): Query<Filter>) -> Answer {
    blocking(shared, move |shared| {
        let keystores = shared.framework.keystores();
        let wanted = filter.keystore_service_pid.as_deref();
        let list = list(keystores, wanted).map_err(|e| refusal(&e))?;
        let of_alias = |alias: &str| filter.alias.as_deref().is_none_or(|wanted| wanted == alias);
        let list: Vec<Value> = list
            .iter()
            .filter(|(_, entry)| of_alias(&entry.alias))
            .map(|(keystore, entry)| to_json(keystore, entry))
            .collect();
        ok(&list)
    })
    .await
}

async fn entry(State(shared): State<Shared>, Query(filter): Query<Filter>) -> Answer {
    let (Some(keystore), Some(alias)) = (filter.keystore_service_pid, filter.alias) else {
        return Err(Refusal::bad("keystoreServicePid and alias are required"));
    };
    blocking(shared, move |shared| {
        let keystores = shared.framework.keystores();
        let entry = keystores
            .entry(&keystore, &alias)
            .map_err(|e| refusal(&e))?;
        let mut json = to_json(&keystore, &entry);
        if let Some(fields) = json.as_object_mut() {
            let name = match entry.kind {
                EntryKind::PrivateKey => "certificateChain",
                EntryKind::TrustedCertificate | EntryKind::Crl => "certificate",
            };
            fields.insert(name.into(), json!(entry.pem));
        }
        ok(&json)
    })
    .await
}

async fn import(State(shared): State<Shared>, body: Bytes) -> Answer {
    let named: Named = parse(&body)?;
    let pem = named
        .certificate
        .ok_or_else(|| Refusal::bad("certificate is required"))?;
    blocking(shared, move |shared| {
        let keystores = shared.framework.keystores();
        keystores
            .put_certificate(&named.keystore_service_pid, &named.alias, &pem)
            .map_err(|e| refusal(&e))?;
        done()
    })
    .await
}

async fn remove(State(shared): State<Shared>, body: Bytes) -> Answer {
    let named: Named = parse(&body)?;
    blocking(shared, move |shared| {
        let keystores = shared.framework.keystores();
        keystores
            .entry(&named.keystore_service_pid, &named.alias)
            .map_err(|e| refusal(&e))?;
        keystores
            .remove(&named.keystore_service_pid, &named.alias)
            .map_err(|e| refusal(&e))?;
        done()
    })
    .await
}

/// The entries of one keystore or of all, with the name of theirs.
///
/// # Errors
/// As [`Keystores::list`].
pub fn list(
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
pub fn to_json(keystore: &str, entry: &EntryInfo) -> Value {
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

fn refusal(error: &KeystoreError) -> Refusal {
    use KeystoreError as E;
    match error {
        E::NoKeystore { .. } | E::NoEntry { .. } => Refusal::absent(error),
        E::KeyInTheWay { .. } => Refusal::conflict(error),
        E::BadAlias { .. } | E::BadPem { .. } | E::NoKey { .. } => {
            Refusal::bad(crate::cli::error::chain(error))
        }
        _ => Refusal::failed(error),
    }
}
