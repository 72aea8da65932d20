//! Between the XML of a snapshot and configurations whose passwords are encrypted texts. The
//! text that was read is the text that is written: a snapshot does not change because it was
//! read and written, though each encryption of a password gives another text.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use kura_formats::configurations::{self, ConfigurationsError, Sealed, XmlLimits};
use zeroize::Zeroizing;

use gateway_component_abi::value::{Properties, Scalar, Secret, Value};

use crate::crypto::{Crypto, CryptoError};

use super::{KURA_SERVICE_PID, PLACEHOLDERS, SERVICE_FACTORY_PID};

/// All configurations by pid; a Password in it is an encrypted text.
pub(super) type Configurations = BTreeMap<String, Properties>;

/// Why a document cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[from] std::io::Error),
    /// Not the XML of configurations.
    #[error(transparent)]
    Xml(#[from] ConfigurationsError),
    /// Encrypted as a whole, and not here.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// Decrypted, but of an unknown form.
    #[error("the form is unknown: {what}")]
    Form {
        /// In which way.
        what: String,
    },
}

/// Factory pids of Kura's default cloud stack, which old snapshots leave out
/// (`ConfigurationUpgrade`).
const DEFAULT_STACK: [&str; 3] = [
    "org.eclipse.kura.cloud.CloudService",
    "org.eclipse.kura.data.DataService",
    "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport",
];

/// Reads a snapshot: plain, or encrypted as a whole by Kura or by us. Passwords may be in clear,
/// in base64, or encrypted by this gateway or by a Kura with its default key. One encrypted by
/// anybody else makes the document unreadable: stored as it is, it would never work.
pub(super) fn read(bytes: &[u8], crypto: &Crypto) -> Result<Configurations, DocumentError> {
    let whole = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| Crypto::is_sealed_text(text));
    let opened = whole.map(|text| crypto.decrypt_text(text)).transpose()?;
    let xml = opened.as_ref().map_or(bytes, |s| s.expose().as_bytes());
    let list = configurations::read(xml, &XmlLimits::default(), &mut |sealed| {
        password(sealed, crypto)
    })?;
    let mut all = Configurations::new();
    for mut configuration in list {
        upgrade(&configuration.pid, &mut configuration.properties);
        all.insert(configuration.pid, configuration.properties);
    }
    Ok(all)
}

fn upgrade(pid: &str, properties: &mut Properties) {
    if DEFAULT_STACK.contains(&pid) {
        for name in [SERVICE_FACTORY_PID, KURA_SERVICE_PID] {
            let absent = || Value::from(pid);
            properties.entry(name.to_owned()).or_insert_with(absent);
        }
    }
}

/// The encrypted text of a password as it stands in a document.
fn password(sealed: Sealed<'_>, crypto: &Crypto) -> Result<Secret, String> {
    let inner;
    let mut text = sealed.text;
    if sealed.encrypted && !Crypto::is_sealed_text(text) {
        let bytes = BASE64
            .decode(text.trim())
            .map(Zeroizing::new)
            .map_err(|_| "the password is no base64")?;
        inner = Zeroizing::new(
            std::str::from_utf8(&bytes)
                .map_err(|_| "the password is no UTF-8")?
                .to_owned(),
        );
        text = &inner;
    }
    if text.is_empty() || crypto.is_own_text(text) {
        return Ok(Secret::from(text));
    }
    let clear = match crypto.decrypt_text(text) {
        Ok(clear) => clear,
        Err(_) if sealed.encrypted && Crypto::is_sealed_text(text) => {
            return Err("the password was encrypted on another gateway".to_owned())
        }
        Err(_) => Secret::from(text),
    };
    seal(&clear, crypto).map_err(|e| e.to_string())
}

/// Writes a snapshot, sorted by pid and property.
pub(super) fn write(all: &Configurations) -> Result<Vec<u8>, DocumentError> {
    let list: Vec<_> = all
        .iter()
        .map(|(pid, properties)| configurations::Configuration {
            pid: pid.clone(),
            properties: properties.clone(),
        })
        .collect();
    let mut seal = |secret: &Secret| (true, BASE64.encode(secret.expose()));
    Ok(configurations::write(&list, &mut seal)?)
}

/// A snapshot as this gateway would write it: read as [`ConfigurationService`] reads one,
/// passwords under the gateway's own key, sorted. Nothing is stored.
///
/// [`ConfigurationService`]: super::ConfigurationService
///
/// # Errors
/// [`DocumentError`]: it cannot be read, or holds what a snapshot cannot.
pub fn rewritten(bytes: &[u8], crypto: &Crypto) -> Result<Vec<u8>, DocumentError> {
    write(&read(bytes, crypto)?)
}

fn seal(clear: &Secret, crypto: &Crypto) -> Result<Secret, CryptoError> {
    if clear.is_empty() {
        return Ok(Secret::default());
    }
    crypto.encrypt_text(clear.expose()).map(Secret::new)
}

/// The value with its passwords encrypted.
pub(super) fn sealed(value: &Value, crypto: &Crypto) -> Result<Value, CryptoError> {
    passwords(value, |secret| seal(secret, crypto))
}

/// The value with its passwords in clear.
pub(super) fn opened(value: &Value, crypto: &Crypto) -> Result<Value, CryptoError> {
    passwords(value, |secret| crypto.decrypt_text(secret.expose()))
}

/// The properties with their passwords in clear.
pub(super) fn opened_all(
    properties: &Properties,
    crypto: &Crypto,
) -> Result<Properties, CryptoError> {
    properties
        .iter()
        .map(|(name, value)| Ok((name.clone(), opened(value, crypto)?)))
        .collect()
}

/// The properties with empty passwords.
pub(super) fn masked(properties: &Properties) -> Properties {
    let mut masked = properties.clone();
    for value in masked.values_mut() {
        if let Ok(empty) = passwords(value, |_| Ok(Secret::default())) {
            *value = empty;
        }
    }
    masked
}

/// The properties with a placeholder for each password that is not empty.
pub(super) fn held_all(properties: &Properties) -> Properties {
    let [placeholder, _] = PLACEHOLDERS;
    let hold = |secret: &Secret| match secret.is_empty() {
        true => Ok(Secret::default()),
        false => Ok(Secret::from(placeholder)),
    };
    let mut held = properties.clone();
    for value in held.values_mut() {
        if let Ok(changed) = passwords(value, hold) {
            *value = changed;
        }
    }
    held
}

fn passwords(
    value: &Value,
    change: impl Fn(&Secret) -> Result<Secret, CryptoError>,
) -> Result<Value, CryptoError> {
    let one = |scalar: &Scalar| match scalar {
        Scalar::Password(secret) => change(secret).map(Scalar::Password),
        other => Ok(other.clone()),
    };
    Ok(match value {
        Value::Scalar(scalar) => Value::Scalar(one(scalar)?),
        Value::Array(kind, items) => {
            Value::Array(*kind, items.iter().map(one).collect::<Result<_, _>>()?)
        }
    })
}
