//! How passwords stand in CONF-V1 over MQTT: `encrypted="true"` and the base64 of the clear text
//! (Kura's way; facts: `XmlConfigPropertiesAdapter`). `encrypted="false"` means the text itself.
//! What a host does in its own files is the host's.

use base64::engine::general_purpose::STANDARD;
use base64::Engine;
use gateway_component_abi::value::Secret;
use zeroize::Zeroizing;

/// A password as it stands in the document.
#[derive(Clone, Copy)]
pub struct Sealed<'a> {
    /// The attribute `encrypted`; false if it is missing.
    pub encrypted: bool,
    /// The text of the value.
    pub text: &'a str,
}

/// Opens a password of CONF-V1.
///
/// # Errors
/// One line, without the text, if it claims to be base64 of UTF-8 and is not.
pub fn remote_open(sealed: Sealed<'_>) -> Result<Secret, String> {
    if !sealed.encrypted {
        return Ok(Secret::from(sealed.text));
    }
    let bytes = Zeroizing::new(
        STANDARD
            .decode(sealed.text.trim_ascii())
            .map_err(|_| "the password is not base64".to_owned())?,
    );
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(Secret::from(text)),
        Err(_) => Err("the password is not the base64 of UTF-8".to_owned()),
    }
}

/// Seals a password for CONF-V1: the attribute `encrypted`, and the text.
pub fn remote_seal(secret: &Secret) -> (bool, String) {
    (true, STANDARD.encode(secret.expose()))
}
