//! Between the XML of a snapshot and configurations whose passwords are encrypted texts. The
//! text that was read is the text that is written: a snapshot does not change because it was
//! read and written, though each encryption of a password gives another text.

use std::collections::BTreeMap;

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use kura_formats::configurations::{self, ConfigurationsError, Sealed, XmlLimits};
use zeroize::Zeroizing;

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};

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
        inner = BASE64
            .decode(text.trim())
            .map(Zeroizing::new)
            .map_err(|_| "the password is no base64")?;
        text = std::str::from_utf8(&inner).map_err(|_| "the password is no UTF-8")?;
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
    write_of(all.iter())
}

/// The same, of some of them.
pub(super) fn write_of<'a>(
    some: impl IntoIterator<Item = (&'a String, &'a Properties)>,
) -> Result<Vec<u8>, DocumentError> {
    let mut seal = |secret: &Secret| (true, BASE64.encode(secret.expose()));
    let some = some.into_iter().map(|(pid, p)| (pid.as_str(), p));
    Ok(configurations::write_borrowed(some, &mut seal)?)
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
pub(super) fn sealed(mut value: Value, crypto: &Crypto) -> Result<Value, CryptoError> {
    passwords(&mut value, |secret| seal(secret, crypto))?;
    Ok(value)
}

/// Whether the value, its passwords encrypted, is this one.
pub(super) fn is_sealed_as(
    sealed: &Value,
    clear: &Value,
    crypto: &Crypto,
) -> Result<bool, CryptoError> {
    if sealed.kind() != Kind::Password {
        return Ok(sealed == clear);
    }
    let mut opened = sealed.clone();
    open(&mut opened, crypto)?;
    Ok(opened == *clear)
}

/// Brings the value's passwords in clear.
pub(super) fn open(value: &mut Value, crypto: &Crypto) -> Result<(), CryptoError> {
    passwords(value, |secret| crypto.decrypt_text(secret.expose()))
}

/// Brings the properties' passwords in clear. After an error some of them are.
pub(super) fn open_all(properties: &mut Properties, crypto: &Crypto) -> Result<(), CryptoError> {
    properties
        .values_mut()
        .try_for_each(|value| open(value, crypto))
}

/// The properties with empty passwords.
pub(super) fn masked(properties: Properties) -> Properties {
    changed(properties, |_| Secret::default())
}

/// The properties with a placeholder for each password that is not empty.
pub(super) fn held_all(properties: Properties) -> Properties {
    let [placeholder, _] = PLACEHOLDERS;
    changed(properties, |secret| match secret.is_empty() {
        true => Secret::default(),
        false => Secret::from(placeholder),
    })
}

fn changed(mut properties: Properties, change: impl Fn(&Secret) -> Secret) -> Properties {
    for scalar in properties.values_mut().flat_map(scalars) {
        if let Scalar::Password(secret) = scalar {
            *secret = change(secret);
        }
    }
    properties
}

fn passwords(
    value: &mut Value,
    change: impl Fn(&Secret) -> Result<Secret, CryptoError>,
) -> Result<(), CryptoError> {
    for scalar in scalars(value) {
        if let Scalar::Password(secret) = scalar {
            *secret = change(secret)?;
        }
    }
    Ok(())
}

fn scalars(value: &mut Value) -> &mut [Scalar] {
    match value {
        Value::Scalar(scalar) => std::slice::from_mut(scalar),
        Value::Array(_, items) => items,
    }
}
