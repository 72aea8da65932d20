//! The twelve parameters, from what a host hands over to what the provisioning runs with.
//!
//! Validation is the component's duty: hosts of the Kura family validate in the browser only, so
//! everything is checked here, and every parameter that does not hold is named at once. Nothing is
//! decided about when to run beyond [`Parsed::runs`]; the identity from the gateway's own facts is
//! in `identity`. Called by `component` at every activate and update, and by the preflight.

mod bounds;
mod identity;
mod problem;
mod reader;
mod restart;
#[cfg(test)]
mod tests;

use std::time::Duration;

use gateway_component_abi::value::{Properties, Secret};
pub use mqtt_session::{BrokerUrl, Scheme};

pub use identity::{Identity, IdentitySheet, Source, SystemFacts};
pub use problem::Problem;
pub use restart::RestartKey;

use reader::Reader;

/// The ids of the parameters. What a user types in a snapshot, over REST or in a form; they never
/// change.
pub mod id {
    /// Boolean, false. Starts the provisioning.
    pub const ENABLED: &str = "enabled";
    /// Boolean, false. Status.
    pub const PROVISIONED: &str = "provisioned";
    /// Boolean, true.
    pub const CA_AUTHENTICATION: &str = "ca-authentication";
    /// String, `mqtts://`.
    pub const BROKER_URL: &str = "broker-url";
    /// String, empty.
    pub const ACCOUNT_NAME: &str = "account-name";
    /// String, empty.
    pub const USERNAME: &str = "username";
    /// Password, empty.
    pub const PASSWORD: &str = "password";
    /// Password, empty.
    pub const ACTIVATION_KEY: &str = "activation-key";
    /// String, empty.
    pub const CLIENT_ID: &str = "client-id";
    /// Integer, 60 s.
    pub const RETRY_INTERVAL: &str = "retry-interval";
    /// Integer, -1.
    pub const RETRY_MAX_ATTEMPTS: &str = "retry-max-attempts";
    /// Integer, 300 s.
    pub const TIMEOUT: &str = "timeout";

    /// All twelve, in the order of the form.
    pub const ALL: [&str; 12] = [
        ENABLED,
        PROVISIONED,
        CA_AUTHENTICATION,
        BROKER_URL,
        ACCOUNT_NAME,
        USERNAME,
        PASSWORD,
        ACTIVATION_KEY,
        CLIENT_ID,
        RETRY_INTERVAL,
        RETRY_MAX_ATTEMPTS,
        TIMEOUT,
    ];
}

/// A complete configuration. Every value is within its bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `enabled`.
    pub enabled: bool,
    /// `provisioned`.
    pub provisioned: bool,
    /// `ca-authentication`: the root of the received chain must be trusted by the gateway.
    pub ca_authentication: bool,
    /// `broker-url`: the provision broker.
    pub broker: BrokerUrl,
    /// `account-name`: the provisioning account.
    pub account_name: String,
    /// `username`; `None` means the gateway's own, see [`Identity`].
    pub username: Option<String>,
    /// `password`; may be empty.
    pub password: Secret,
    /// `activation-key`; `None` when it was left empty.
    pub activation_key: Option<Secret>,
    /// `client-id`; `None` means the gateway's own, see [`Identity`].
    pub client_id: Option<String>,
    /// `retry-interval`: the pause between attempts, 1..86400 s.
    pub retry_interval: Duration,
    /// `retry-max-attempts`: at least 1; `None` means for ever.
    pub max_attempts: Option<u32>,
    /// `timeout`: the deadline of one attempt, 10..86400 s.
    pub timeout: Duration,
}

/// What a property map says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// `enabled`, also where another parameter does not hold; false where it is not readable.
    pub enabled: bool,
    /// `provisioned`, likewise.
    pub provisioned: bool,
    /// `client-id`, where one is given that holds.
    pub client_id: Option<String>,
    /// `username`, where one is given that holds.
    pub username: Option<String>,
    /// The settings, or every parameter that does not hold.
    ///
    /// While nothing is to run ([`Parsed::runs`] is false), `broker-url` and `account-name` need
    /// not hold yet; if that is all that is missing, this is `Err` of an empty list.
    pub result: Result<Settings, Vec<Problem>>,
    /// What is accepted but worth a second look, one line each, without secrets.
    pub warnings: Vec<String>,
}

impl Parsed {
    /// Whether the provisioning is asked for: `enabled && !provisioned`.
    pub fn runs(&self) -> bool {
        self.enabled && !self.provisioned
    }

    /// The parameters that do not hold; empty also where the settings are merely incomplete.
    pub fn problems(&self) -> &[Problem] {
        self.result.as_ref().err().map_or(&[], Vec::as_slice)
    }
}

/// What is said of an empty password where it is about to be used. It is allowed: a broker may go
/// by the client certificate alone.
const EMPTY_PASSWORD: &str = "password: it is empty, and most brokers then refuse the gateway; it \
     and activation-key are erased after each success and have to be set before the next provisioning";

impl Settings {
    /// Reads a property map; absent keys are at their default, unknown ones are ignored (hosts
    /// add `kura.service.pid` and the like).
    pub fn parse(properties: &Properties) -> Parsed {
        let mut reader = Reader::new(properties);
        let mut warnings = Vec::new();

        let enabled = reader.boolean(id::ENABLED, false);
        let provisioned = reader.boolean(id::PROVISIONED, false);
        let ca_authentication = reader.boolean(id::CA_AUTHENTICATION, true);
        let wanted = enabled && !provisioned;

        let broker = bounds::broker(&mut reader, wanted, &mut warnings);
        let account = bounds::account(&mut reader, wanted, &mut warnings);
        let username = bounds::username(&mut reader, &mut warnings);
        let password = bounds::password(&mut reader, &mut warnings);
        if wanted && password.is_empty() {
            warnings.push(EMPTY_PASSWORD.to_owned());
        }
        let activation_key = bounds::activation_key(&mut reader, &mut warnings);
        let client_id = bounds::client_id(&mut reader, &mut warnings);
        let retry_interval = bounds::seconds(&mut reader, id::RETRY_INTERVAL, 60, 1);
        let max_attempts = bounds::max_attempts(&mut reader);
        let timeout = bounds::seconds(&mut reader, id::TIMEOUT, 300, 10);

        let result = match (broker, account) {
            (Some(broker), Some(account_name)) if reader.problems.is_empty() => Ok(Settings {
                enabled,
                provisioned,
                ca_authentication,
                broker,
                account_name,
                username: username.clone(),
                password,
                activation_key,
                client_id: client_id.clone(),
                retry_interval,
                max_attempts,
                timeout,
            }),
            _ => Err(reader.problems),
        };
        Parsed {
            enabled,
            provisioned,
            client_id,
            username,
            result,
            warnings,
        }
    }
}
