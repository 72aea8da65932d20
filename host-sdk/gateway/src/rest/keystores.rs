//! `/services/keystores/v1`: Kura's interface to certificates.
//!
//! Trusted certificates are listed, imported and removed. Keys are listed, never shown; making
//! them and requesting certificates is the platform's business (`KEYS-V1`), not offered here.

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::routing::{get, post};
use axum::Router;
use gateway_host_sdk::keystore::words::{entries_of, entry_json, entry_json_with_pem, list_json};
use gateway_host_sdk::keystore::KeystoreError;
use serde::Deserialize;
use serde_json::Value;

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::Shared;

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
        let list = list_json(keystores).map_err(|e| refusal(&e))?;
        ok(&list)
    })
    .await
}

async fn entries(State(shared): State<Shared>, Query(filter): Query<Filter>) -> Answer {
    blocking(shared, move |shared| {
        let keystores = shared.framework.keystores();
        let wanted = filter.keystore_service_pid.as_deref();
        let list = entries_of(keystores, wanted).map_err(|e| refusal(&e))?;
        let of_alias = |alias: &str| filter.alias.as_deref().is_none_or(|wanted| wanted == alias);
        let list: Vec<Value> = list
            .iter()
            .filter(|(_, entry)| of_alias(&entry.alias))
            .map(|(keystore, entry)| entry_json(keystore, entry))
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
        ok(&entry_json_with_pem(&keystore, &entry))
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

fn refusal(error: &KeystoreError) -> Refusal {
    use KeystoreError as E;
    match error {
        E::NoKeystore { .. } | E::NoEntry { .. } => Refusal::absent(error),
        E::KeyInTheWay { .. } | E::Taken { .. } => Refusal::conflict(error),
        E::TooMuch { .. } => Refusal::too_large(error),
        E::BadAlias { .. } | E::BadPem { .. } | E::NoKey { .. } => {
            Refusal::bad(crate::cli::error::chain(error))
        }
        _ => Refusal::failed(error),
    }
}
