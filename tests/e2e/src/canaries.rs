//! The secrets of a gateway, searched in everything that it has written anywhere.
//!
//! [`crate::Site`] looks into them when it ends, so that every whole-system test is a test of this, in
//! success and in whatever failure it provokes. Searched are all files of the data folder, every
//! status document that was seen, and every log line of every level; for the claim password, the
//! activation key, the password of the new account, and the private keys; as they are, in base64,
//! in hex, and percent-encoded.

use std::collections::BTreeMap;

use gateway_component_abi::value::{Properties, Scalar, Secret, Value};
use gateway_host_sdk::framework::Framework;
use gateway_host_sdk::keystore::{EntryKind, DM_KEYSTORE, SSL_KEYSTORE};

use crate::capture;

/// The activation key of every site that sets no other.
pub const ACTIVATION_KEY: &str = "canary-key-7f3e91";
/// Shorter ones are words that occur by themselves.
const SHORTEST: usize = 6;
/// So is this one, the default of Kura's transport.
const DEFAULT: &str = "password";

/// What must be found nowhere, by what it is.
#[derive(Default)]
pub struct Canaries(BTreeMap<String, String>);

impl Canaries {
    /// Those of a set of parameters: its passwords.
    pub fn add(&mut self, of: &str, properties: &Properties) {
        for (name, value) in properties {
            if let Value::Scalar(Scalar::Password(secret)) = value {
                self.add_secret(&format!("{of} {name}"), secret.expose());
            }
        }
    }

    /// A secret of another kind.
    pub fn add_secret(&mut self, what: &str, text: &str) {
        if text.len() >= SHORTEST && text != DEFAULT {
            self.0.insert(text.to_owned(), what.to_owned());
        }
    }

    /// Those of a gateway that runs: of its configurations and keystores.
    pub fn add_running(&mut self, framework: &Framework) {
        let configuration = framework.configuration();
        for pid in configuration.pids() {
            if let Some(properties) = configuration.get(&pid) {
                self.add(&pid, &properties);
            }
        }
        let keystores = framework.keystores();
        for keystore in [SSL_KEYSTORE, DM_KEYSTORE] {
            for entry in keystores.list(keystore).unwrap_or_default() {
                if entry.kind != EntryKind::PrivateKey {
                    continue;
                }
                let pem = keystores.private_key(keystore, &entry.alias);
                let text = pem.unwrap_or_default();
                // The lines without the first, which also begin other keys.
                let lines = text.expose().lines().filter(|line| !line.starts_with('-'));
                for line in lines.skip(1).filter(|line| line.len() > 30) {
                    self.add_secret(&format!("{keystore} {}", entry.alias), line);
                }
            }
        }
    }

    /// Where one of them is found, in words.
    pub fn found_in<'a>(
        &self,
        places: impl IntoIterator<Item = (&'a str, &'a [u8])> + Clone,
    ) -> Vec<String> {
        let mut found = Vec::new();
        for (secret, what) in &self.0 {
            for (form, text) in forms(secret) {
                for (place, content) in places.clone() {
                    if holds(content, text.as_bytes()) {
                        found.push(format!("{what} {form} in {place}"));
                    }
                }
                for line in capture::lines_with(&text) {
                    // The platform runs in this process, too, and logs in its own name.
                    if !line.contains(" paho_mqtt") && !line.contains(" provision_platform") {
                        found.push(format!("{what} {form} in the log: {line}"));
                    }
                }
            }
        }
        found
    }
}

fn holds(content: &[u8], text: &[u8]) -> bool {
    content.windows(text.len()).any(|window| window == text)
}

fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let hex = |byte: u8| format!("{byte:02x}");
    let percent = |byte: u8| match byte {
        b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
        b => format!("%{b:02X}"),
    };
    let mut forms = vec![
        ("as it is", secret.to_owned()),
        (
            "in base64",
            kura_formats::configurations::remote_seal(&Secret::from(secret))
                .1
                .trim_end_matches('=')
                .to_owned(),
        ),
        ("in hex", secret.bytes().map(hex).collect()),
        ("percent-encoded", secret.bytes().map(percent).collect()),
    ];
    forms.retain(|(form, text)| *form != "percent-encoded" || text != secret);
    forms
}
