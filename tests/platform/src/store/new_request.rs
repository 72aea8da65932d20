//! What a new provision request consists of, and what is right about it.

use super::package::{NewPackage, MOST_PACKAGES};
use super::StoreError;
use crate::clock::Millis;
use crate::pki::DeviceKey;
use crate::secret::Secret;

/// What a new request consists of.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// The MQTT client-id of the device in the provisioning account, 1..255.
    pub client_id: String,
    /// Its user name there, 1..255. One request per user name: the broker ties a user name to one
    /// client-id.
    pub username: String,
    /// Its password there.
    pub password: Secret,
    /// What the device must present in its trigger, <= 255.
    pub activation_key: Option<Secret>,
    /// Not before. None: at once.
    pub activates_on: Option<Millis>,
    /// Not at or after. None: never expires.
    pub expires_on: Option<Millis>,
    /// Triggers answered, >= 1. None: no limit.
    pub max_attempts: Option<u32>,
    /// The target account, `[A-Za-z0-9_-]{3,255}`.
    pub account: String,
    /// The client-id there. None: as here.
    pub target_client_id: Option<String>,
    /// CONF-V1 documents, sent in this order. None: one generated for the target account.
    pub configurations: Vec<Attachment>,
    /// Package files that the device fetches and installs before it is configured, at most nine.
    pub packages: Vec<NewPackage>,
    /// The package server demands a user name and a password besides, made here for this request
    /// and told to the device.
    pub package_credentials: bool,
    /// The device makes this key and keeps it, gets a certificate for it, and connects to the target
    /// account with both. None: name and password alone.
    pub device_key: Option<DeviceKey>,
    /// Replace a request with the same client-id, job and history included.
    pub overwrite: bool,
}

impl NewRequest {
    /// A request without activation key, limits or attachments.
    pub fn new(client_id: &str, username: &str, password: &str, account: &str) -> NewRequest {
        NewRequest {
            client_id: client_id.to_owned(),
            username: username.to_owned(),
            password: Secret::new(password),
            activation_key: None,
            activates_on: None,
            expires_on: None,
            max_attempts: None,
            account: account.to_owned(),
            target_client_id: None,
            configurations: Vec::new(),
            packages: Vec::new(),
            package_credentials: false,
            device_key: None,
            overwrite: false,
        }
    }

    pub(super) fn check(&self) -> Result<(), StoreError> {
        let invalid = |field, problem: &str| {
            Err(StoreError::Invalid {
                field,
                problem: problem.to_owned(),
            })
        };
        let fits = |id: &str| {
            let wrong = |c: char| matches!(c, '/' | '+' | '#' | '.') || c.is_control();
            (1..=255).contains(&id.len()) && !id.contains(wrong)
        };
        let ids = "1 to 255 bytes without / + # . and control characters";
        if !fits(&self.client_id) {
            return invalid("client-id", ids);
        }
        if !self.target_client_id.as_deref().is_none_or(fits) {
            return invalid("target client-id", ids);
        }
        if !(1..=255).contains(&self.username.len()) || self.username.contains(char::is_control) {
            return invalid("username", "1 to 255 bytes without control characters");
        }
        if !(1..=65_535).contains(&self.password.expose().len()) {
            return invalid("password", "1 to 65535 bytes");
        }
        let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(3..=255).contains(&self.account.len()) || !self.account.chars().all(name) {
            return invalid("account", "3 to 255 letters, digits, _ or -");
        }
        if self
            .activation_key
            .as_ref()
            .is_some_and(|k| !(1..=255).contains(&k.expose().len()))
        {
            return invalid("activation key", "1 to 255 bytes");
        }
        if self.packages.len() > MOST_PACKAGES {
            return invalid("packages", "at most 9");
        }
        for (at, package) in self.packages.iter().enumerate() {
            package.check()?;
            // A device takes one version of a package in a provisioning.
            let mut earlier = self.packages.iter().take(at);
            if earlier.any(|p| p.name == package.name) {
                return invalid("packages", "the same name twice");
            }
        }
        if self.max_attempts == Some(0) {
            return invalid("max attempts", "at least 1");
        }
        if let (Some(from), Some(until)) = (self.activates_on, self.expires_on) {
            if from >= until {
                return invalid("expires on", "must be after the activation");
            }
        }
        Ok(())
    }
}

/// A CONF-V1 document attached to a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// What it was called.
    pub name: String,
    /// The XML.
    pub content: Vec<u8>,
}
