//! A key that the device makes and keeps, and where it goes.

use crate::configuration::suffix;
use crate::pki::DeviceKey;
use serde_json::json;

/// What is asked of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyOrder {
    /// The kind of key.
    pub(crate) key: DeviceKey,
    /// Its name in the device's SSLKeystore; the same in every attempt and at every
    /// provisioning, so that the device keeps one key for each connection.
    pub(crate) alias: String,
    /// The common name to be certified: the client-id in the target account.
    pub(crate) common_name: String,
}

impl KeyOrder {
    /// The key of a connection.
    pub(crate) fn new(key: DeviceKey, connection_pid: Option<&str>, client_id: &str) -> KeyOrder {
        KeyOrder {
            key,
            alias: format!("mqtt-client{}", suffix(connection_pid)),
            common_name: client_id.to_owned(),
        }
    }

    /// Kura's body of `POST keystores/entries/csr`, with what makes a missing key.
    pub(crate) fn body(&self) -> Vec<u8> {
        let body = json!({
            "keystoreServicePid": "SSLKeystore",
            "alias": self.alias,
            "algorithm": self.key.algorithm(),
            "size": self.key.size(),
            "signatureAlgorithm": self.key.signature_algorithm(),
            "attributes": format!("CN={}", escaped(&self.common_name)),
        });
        body.to_string().into_bytes()
    }
}

/// A value in a distinguished name (RFC 4514, section 2.4).
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let at_the_edge = (at == 0 && matches!(c, ' ' | '#')) || (at == last && c == ' ');
        if at_the_edge || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\' | '=') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_key_has_the_suffix_of_its_connection_and_an_escaped_name() {
        let pid = "org.eclipse.kura.cloud.CloudService-2";
        let order = KeyOrder::new(DeviceKey::Rsa3072, Some(pid), r" a,b\c ");
        let body: Value = serde_json::from_slice(&order.body()).unwrap();
        assert_eq!(body["alias"], "mqtt-client-2");
        assert_eq!(body["attributes"], r"CN=\ a\,b\\c\ ");
        assert_eq!(body["size"], 3072);
        assert_eq!(
            KeyOrder::new(DeviceKey::EcP256, None, "a").alias,
            "mqtt-client"
        );
    }
}
