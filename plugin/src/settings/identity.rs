//! Who the gateway says it is: from the parameters where they are given, else from the facts that
//! the host knows about the hardware.
//!
//! Nothing is asked of the host here; `component` reads the facts and hands them in. A person
//! standing at the gateway compares the result with the provision request, so it is derived in
//! one place only.

use kura_formats::client_id::bare_mac;
use serde::{Deserialize, Serialize};

use super::bounds::mqtt_text;
use crate::diagnosis::{Code, Fault};

/// What the host knows about the gateway, as it says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemFacts {
    /// MAC address of the primary interface, with any separators.
    pub mac: Option<String>,
    /// `kura.serialNumber`.
    pub serial: Option<String>,
    /// `kura.model.id`.
    pub model: Option<String>,
}

/// Who the gateway says it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The MQTT client-id.
    pub client_id: String,
    /// The MQTT user name.
    pub username: String,
    /// MAC address of the primary interface, upper case, no separators.
    pub mac: Option<String>,
    /// Serial number.
    pub serial: Option<String>,
    /// Model.
    pub model: Option<String>,
}

/// Where a value of the identity comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A parameter of this component.
    Parameter,
    /// Made from the MAC address, or from it and the serial number.
    Derived,
    /// The host.
    Host,
    /// Not known yet.
    Unknown,
}

/// Where each value of an [`IdentitySheet`] comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sources {
    /// Of the client-id.
    pub client_id: Source,
    /// Of the user name.
    pub username: Source,
    /// Of the serial number.
    pub serial_number: Source,
    /// Of the MAC address.
    pub mac_address: Source,
    /// Of the model.
    pub model: Source,
}

/// The document of `gwc.identity/1`: what is known, also while something is missing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdentitySheet {
    /// The client-id, once it is known.
    pub client_id: Option<String>,
    /// The user name, once it is known.
    pub username: Option<String>,
    /// The serial number, once it is known.
    pub serial_number: Option<String>,
    /// The MAC address, upper case, no separators, once it is known.
    pub mac_address: Option<String>,
    /// The model, where the host knows it.
    pub model: Option<String>,
    /// Where each comes from.
    pub sources: Sources,
}

impl IdentitySheet {
    /// What can be said now. `client_id` and `username` are those of the configuration.
    pub fn of(client_id: Option<&str>, username: Option<&str>, facts: &SystemFacts) -> Self {
        let mac = facts.mac.as_deref().and_then(bare_mac);
        let serial = facts.serial.as_deref().and_then(known);
        let model = facts.model.as_deref().and_then(known);
        let made = mac
            .as_ref()
            .zip(serial.as_ref())
            .map(|(mac, serial)| format!("{mac}-{serial}"));
        let sources = Sources {
            client_id: source(client_id.is_some(), mac.is_some(), Source::Derived),
            username: source(username.is_some(), made.is_some(), Source::Derived),
            serial_number: source(false, serial.is_some(), Source::Host),
            mac_address: source(false, mac.is_some(), Source::Host),
            model: source(false, model.is_some(), Source::Host),
        };
        IdentitySheet {
            client_id: client_id.map(str::to_owned).or_else(|| mac.clone()),
            username: username.map(str::to_owned).or(made),
            serial_number: serial,
            mac_address: mac,
            model,
            sources,
        }
    }
}

impl Identity {
    /// The identity for an attempt. `client_id` and `username` are those of the configuration.
    ///
    /// # Errors
    /// `identity.missing` where the client-id needs a MAC address, or the user name a MAC address
    /// and a serial number, that the host does not know yet. A MAC address is 6 to 20 bytes in
    /// hex, not all zero; a serial number is up to 200 bytes of text without control characters.
    /// `UNKNOWN`, which Kura answers where it knows none, is none.
    pub fn derive(
        client_id: Option<&str>,
        username: Option<&str>,
        facts: &SystemFacts,
    ) -> Result<Identity, Fault> {
        let sheet = IdentitySheet::of(client_id, username, facts);
        let mac = sheet.mac_address;
        let serial = sheet.serial_number;
        match (sheet.client_id, sheet.username) {
            (Some(client_id), Some(username)) => Ok(Identity {
                client_id,
                username,
                mac,
                serial,
                model: sheet.model,
            }),
            (client_id, username) => {
                let lacking = match (mac.is_none(), serial.is_none() && username.is_none()) {
                    (true, true) => "no MAC address and no serial number",
                    (true, false) => "no MAC address",
                    _ => "no serial number",
                };
                let empty = match (client_id.is_none(), username.is_none()) {
                    (true, true) => "client-id and username are",
                    (true, false) => "client-id is",
                    _ => "username is",
                };
                Err(Fault::new(
                    Code::IdentityMissing,
                    format!("the gateway has {lacking} yet, and {empty} empty"),
                ))
            }
        }
    }
}

fn source(parameter: bool, found: bool, otherwise: Source) -> Source {
    match (parameter, found) {
        (true, _) => Source::Parameter,
        (false, true) => otherwise,
        (false, false) => Source::Unknown,
    }
}

fn known(given: &str) -> Option<String> {
    let given = given.trim();
    let holds = !given.is_empty()
        && given.len() <= 200
        && !given.eq_ignore_ascii_case("unknown")
        && mqtt_text(given);
    holds.then(|| given.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn facts(mac: Option<&str>, serial: Option<&str>) -> SystemFacts {
        SystemFacts {
            mac: mac.map(str::to_owned),
            serial: serial.map(str::to_owned),
            model: Some("Model".into()),
        }
    }

    #[test]
    fn the_gateway_names_itself_by_its_hardware() {
        for mac in [
            "00:e0:c7:0a:5f:89",
            "00-E0-C7-0A-5F-89",
            "00e0.c70a.5f89",
            " 00E0C70A5F89 ",
        ] {
            let identity =
                Identity::derive(None, None, &facts(Some(mac), Some(" S-1/é "))).unwrap();
            assert_eq!(identity.client_id, "00E0C70A5F89", "{mac}");
            assert_eq!(identity.username, "00E0C70A5F89-S-1/é");
            assert_eq!(identity.mac.as_deref(), Some("00E0C70A5F89"));
            assert_eq!(identity.serial.as_deref(), Some("S-1/é"));
            assert_eq!(identity.model.as_deref(), Some("Model"));
        }
    }

    #[test]
    fn parameters_go_before_hardware() {
        let none = facts(None, None);
        let identity = Identity::derive(Some("网关"), Some("user"), &none).unwrap();
        assert_eq!(
            (identity.client_id.as_str(), identity.username.as_str()),
            ("网关", "user")
        );
        assert_eq!((identity.mac, identity.serial), (None, None));
        let known = facts(Some("00E0C70A5F89"), Some("S"));
        let identity = Identity::derive(Some("id"), None, &known).unwrap();
        assert_eq!(identity.username, "00E0C70A5F89-S");
        let identity = Identity::derive(None, Some("user"), &facts(Some("00E0C70A5F89"), None));
        assert_eq!(identity.unwrap().client_id, "00E0C70A5F89");
    }

    #[test]
    fn what_is_missing_is_named() {
        let mac = Some("00E0C70A5F89");
        for (client_id, username, mac, serial, message) in [
            (
                None,
                None,
                None,
                None,
                "no MAC address and no serial number yet, and client-id and username are empty",
            ),
            (
                None,
                None,
                mac,
                None,
                "no serial number yet, and username is empty",
            ),
            (
                None,
                None,
                None,
                Some("S"),
                "no MAC address yet, and client-id and username are empty",
            ),
            (
                None,
                Some("u"),
                None,
                None,
                "no MAC address yet, and client-id is empty",
            ),
            (
                Some("c"),
                None,
                None,
                Some("S"),
                "no MAC address yet, and username is empty",
            ),
            (
                Some("c"),
                None,
                mac,
                None,
                "no serial number yet, and username is empty",
            ),
            (
                Some("c"),
                None,
                None,
                None,
                "no MAC address and no serial number yet, and username is empty",
            ),
        ] {
            let fault = Identity::derive(client_id, username, &facts(mac, serial)).unwrap_err();
            assert_eq!(fault.code, Code::IdentityMissing);
            assert!(fault.message.ends_with(message), "{fault}");
        }
    }

    #[test]
    fn dummies_are_no_hardware() {
        for mac in [
            "",
            "00:00:00:00:00:00",
            "eth0",
            "00E0C70A5F8",
            "00E0C70A5",
            "null",
        ] {
            assert!(
                Identity::derive(None, Some("u"), &facts(Some(mac), None)).is_err(),
                "{mac}"
            );
        }
        for serial in ["", "  ", "UNKNOWN", "unknown", "a\0b", &"x".repeat(201)] {
            let known = facts(Some("00E0C70A5F89"), Some(serial));
            assert!(Identity::derive(None, None, &known).is_err(), "{serial}");
        }
    }

    #[test]
    fn the_sheet_says_what_is_known_and_from_where() {
        let sheet = IdentitySheet::of(Some("c"), None, &facts(Some("00:E0:C7:0A:5F:89"), None));
        let json = serde_json::to_value(&sheet).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "client_id": "c", "username": null, "serial_number": null,
                "mac_address": "00E0C70A5F89", "model": "Model",
                "sources": {
                    "client_id": "parameter", "username": "unknown", "serial_number": "unknown",
                    "mac_address": "host", "model": "host",
                },
            })
        );
    }
}
