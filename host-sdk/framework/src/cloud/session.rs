//! What an MQTT session of a cloud connection is opened with: trust from the SSLKeystore, and the
//! TLS client key if there is one.

use std::time::Instant;

use mqtt_session::{client_key, Anchor, ClientIdentity, Options, Publish, Tls};
use openssl::pkey::PKey;
use x509_policy::revocation;

use super::settings::Link;
use super::Surroundings;
use crate::keystore::{EntryKind, KeystoreError, SSL_KEYSTORE};

/// What waits for the broker's acknowledgement, in bytes; paho keeps two copies of each message.
const UNACKNOWLEDGED: usize = 2 << 20;

/// Why a session cannot even be tried.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// The trust store cannot be read: nothing is trusted then, not everything.
    #[error("{0}")]
    Keystore(String),
    /// OpenSSL refused a certificate or key of the keystore.
    #[error("the {SSL_KEYSTORE} holds something unusable: {0}")]
    Entry(#[from] openssl::error::ErrorStack),
    /// The MQTT library has no resources.
    #[error("the MQTT library cannot be used: {0}")]
    Library(String),
}

impl From<KeystoreError> for PrepareError {
    fn from(error: KeystoreError) -> Self {
        PrepareError::Keystore(crate::one_line(&error))
    }
}

/// The options, without the first message.
pub(super) fn options(
    surroundings: &Surroundings,
    link: &Link,
) -> Result<(Anchor, Options), PrepareError> {
    let anchor = surroundings
        .anchor()
        .map_err(|e| PrepareError::Library(e.to_string()))?;
    let mut options = Options::new(link.broker.clone(), link.client_id.clone());
    options.username = link.username.clone();
    options.password = link.password.clone();
    options.keep_alive = link.keep_alive;
    options.limits.max_unacknowledged = UNACKNOWLEDGED;
    options.deadline = Some(Instant::now() + link.timeout);
    if link.broker.scheme.is_tls() {
        options.tls = tls(surroundings, link.key_alias.as_deref())?;
    }
    if link.subscribe {
        if let Ok(filter) = link.topics.subscription(&link.account, &link.client_id) {
            options.subscriptions.push((filter, 1));
        }
    }
    options.will = link.will.as_ref().map(|will| Publish {
        topic: will.topic.clone(),
        payload: will.payload.clone().into_bytes(),
        qos: will.qos,
        retained: will.retain,
    });
    Ok((anchor, options))
}

/// Whom the SSLKeystore trusts, and no client key.
pub(super) fn trust(surroundings: &Surroundings) -> Result<Tls, PrepareError> {
    let keystores = &surroundings.keystores;
    let entries = keystores.list(SSL_KEYSTORE)?;
    let mut tls = Tls {
        anchors: keystores.anchors(SSL_KEYSTORE)?,
        ..Tls::default()
    };
    let mut crls = Vec::new();
    for entry in entries.iter().filter(|entry| entry.kind == EntryKind::Crl) {
        let lists = revocation::lists(entry.pem.as_bytes()).map_err(|e| {
            PrepareError::Keystore(format!(
                "{SSL_KEYSTORE}: the revocation list in entry {} cannot be obeyed: {e}",
                entry.alias
            ))
        })?;
        crls.extend(lists);
    }
    tls.crls = crls.into();
    Ok(tls)
}

fn tls(surroundings: &Surroundings, key_alias: Option<&str>) -> Result<Tls, PrepareError> {
    let keystores = &surroundings.keystores;
    let entries = keystores.list(SSL_KEYSTORE)?;
    let mut tls = trust(surroundings)?;
    // As in Kura, a key in the keystore is shown to a broker that asks.
    let keys = entries
        .iter()
        .filter(|entry| entry.kind == EntryKind::PrivateKey)
        .map(|entry| (entry.alias.as_str(), entry.pem.as_str()));
    let chosen = client_key::choose(keys, key_alias)
        .map_err(|e| PrepareError::Keystore(format!("{SSL_KEYSTORE}: {}", crate::one_line(&e))))?;
    if let Some(chosen) = chosen {
        let key = keystores.private_key(SSL_KEYSTORE, &chosen.alias)?;
        tls.client = Some(ClientIdentity {
            chain: chosen.chain,
            key: PKey::private_key_from_pem(key.expose().as_bytes())?,
        });
    }
    Ok(tls)
}
