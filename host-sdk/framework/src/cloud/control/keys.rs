//! `KEYS-V1`, as Kura's keystore services know it; JSON in the body.
//!
//! | request | body | answer |
//! |---|---|---|
//! | `GET keystores` | | all keystores |
//! | `GET keystores/entries` | optional `keystoreServicePid`, `alias` | the entries, or those |
//! | `GET keystores/entries/entry` | `keystoreServicePid`, `alias` | one, with its certificates |
//! | `POST keystores/entries/certificate` | and `certificate` (PEM) | |
//! | `POST keystores/entries/keypair` | and `algorithm`, `size` | |
//! | `POST keystores/entries/csr` | and `attributes`, optional `signatureAlgorithm`, `algorithm`, `size` | PKCS#10, PEM |
//! | `DEL keystores/entries` | `keystoreServicePid`, `alias` | |
//!
//! A key that a `csr` is for is made where there is none, as during a provisioning; an existing one
//! stays. No private key is ever given out, and none comes in.

use kura_formats::topic::Method;
use serde::de::DeserializeOwned;
use serde::Deserialize;
use serde_json::Value;

use super::refusal::Refusal;
use super::reply::{Answer, Outcome};
use super::request::Request;
use crate::keystore::words::{entries_of, entry_json, entry_json_with_pem, list_json};
use crate::keystore::{KeyAlgorithm, Keystores, SignatureAlgorithm};

/// Its name in topics.
pub(super) const APP: &str = "KEYS-V1";

/// The largest body of a request, in bytes.
const MAX_BODY: usize = 64 << 10;

#[derive(Default, Deserialize)]
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
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Trusted {
    keystore_service_pid: String,
    alias: String,
    certificate: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct KeyPair {
    keystore_service_pid: String,
    alias: String,
    algorithm: Option<String>,
    size: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Csr {
    #[serde(flatten)]
    key: KeyPair,
    signature_algorithm: Option<String>,
    attributes: String,
}

/// Answers a request that was verified.
pub(super) fn answer(keystores: &Keystores, request: &Request) -> Outcome {
    match (request.method(), request.resources().as_slice()) {
        (Method::Get, ["keystores"]) => list(list_json(keystores)?),
        (Method::Get, ["keystores", "entries"]) => entries(keystores, &optional(request)?),
        (Method::Get, ["keystores", "entries", "entry"]) => entry(keystores, &json(request)?),
        (Method::Post, ["keystores", "entries", "certificate"]) => {
            trust(keystores, &json(request)?)
        }
        (Method::Post, ["keystores", "entries", "keypair"]) => {
            create(keystores, &json(request)?)?;
            Ok(Answer::done())
        }
        (Method::Post, ["keystores", "entries", "csr"]) => csr(keystores, &json(request)?),
        (Method::Del, ["keystores", "entries"]) => remove(keystores, &json(request)?),
        _ => Err(Refusal::absent(format!(
            "{APP} has no {}",
            request.application_topic
        ))),
    }
}

fn entries(keystores: &Keystores, filter: &Filter) -> Outcome {
    let all = entries_of(keystores, filter.keystore_service_pid.as_deref())?;
    let wanted = |alias: &str| filter.alias.as_deref().is_none_or(|only| only == alias);
    let found = all
        .iter()
        .filter(|(_, entry)| wanted(&entry.alias))
        .map(|(keystore, entry)| entry_json(keystore, entry))
        .collect();
    list(found)
}

fn entry(keystores: &Keystores, named: &Named) -> Outcome {
    let entry = keystores.entry(&named.keystore_service_pid, &named.alias)?;
    written(&entry_json_with_pem(&named.keystore_service_pid, &entry))
}

fn trust(keystores: &Keystores, trusted: &Trusted) -> Outcome {
    keystores.put_certificate(
        &trusted.keystore_service_pid,
        &trusted.alias,
        &trusted.certificate,
    )?;
    Ok(Answer::done())
}

fn create(keystores: &Keystores, key: &KeyPair) -> Result<(), Refusal> {
    let name = key.algorithm.as_deref().unwrap_or("EC");
    let size = key.size.unwrap_or(match name.eq_ignore_ascii_case("RSA") {
        true => 2_048,
        false => 256,
    });
    let algorithm = KeyAlgorithm::new(name, size)?;
    keystores.create_key(&key.keystore_service_pid, &key.alias, algorithm)?;
    Ok(())
}

fn csr(keystores: &Keystores, csr: &Csr) -> Outcome {
    let signature = csr.signature_algorithm.as_deref().unwrap_or_default();
    let signature = SignatureAlgorithm::new(signature)?;
    create(keystores, &csr.key)?;
    let pem = keystores.csr(
        &csr.key.keystore_service_pid,
        &csr.key.alias,
        &csr.attributes,
        signature,
    )?;
    Ok(Answer::with_body(pem))
}

fn remove(keystores: &Keystores, named: &Named) -> Outcome {
    let (keystore, alias) = (&named.keystore_service_pid, &named.alias);
    // Removing what is not there is fine for a keystore; a requester has mistaken something.
    keystores.entry(keystore, alias)?;
    keystores.remove(keystore, alias)?;
    Ok(Answer::done())
}

fn list(items: Vec<Value>) -> Outcome {
    written(&Value::Array(items))
}

fn written(json: &Value) -> Outcome {
    Ok(Answer::with_body(json.to_string()))
}

fn optional<T: DeserializeOwned + Default>(request: &Request) -> Result<T, Refusal> {
    match request.body() {
        [] => Ok(T::default()),
        _ => json(request),
    }
}

fn json<T: DeserializeOwned>(request: &Request) -> Result<T, Refusal> {
    let body = request.body();
    if body.len() > MAX_BODY {
        return Err(Refusal::too_large(format!(
            "the body has {} bytes, more than {MAX_BODY}",
            body.len()
        )));
    }
    serde_json::from_slice(body)
        .map_err(|e| Refusal::malformed(format!("the body is not the JSON asked for: {e}")))
}
