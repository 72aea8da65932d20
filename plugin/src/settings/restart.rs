//! Which change of the configuration restarts an attempt.

use std::time::Duration;

use gateway_component_abi::value::Secret;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use zeroize::Zeroizing;

use super::{BrokerUrl, Settings};

/// Rounds of PBKDF2 in [`RestartKey::fingerprint`]: some ten milliseconds on a gateway, once per
/// change of the configuration. The tests of this library make thousands.
const ROUNDS: usize = if cfg!(test) { 20 } else { 20_000 };

/// What a running attempt uses. A change of any of it restarts the attempt, with the counter at
/// zero and a new transaction; a change of `retry-interval` or `retry-max-attempts`, which are not
/// in here, applies to the next pause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartKey {
    ca_authentication: bool,
    broker: BrokerUrl,
    account_name: String,
    username: Option<String>,
    password: Secret,
    activation_key: Option<Secret>,
    client_id: Option<String>,
    timeout: Duration,
}

impl Settings {
    /// What is compared to decide whether an update restarts the attempt.
    pub fn restart_key(&self) -> RestartKey {
        RestartKey {
            ca_authentication: self.ca_authentication,
            broker: self.broker.clone(),
            account_name: self.account_name.clone(),
            username: self.username.clone(),
            password: self.password.clone(),
            activation_key: self.activation_key.clone(),
            client_id: self.client_id.clone(),
            timeout: self.timeout,
        }
    }
}

impl RestartKey {
    /// The same comparison across a restart of the process: 64 hex digits that are equal if and
    /// only if the keys are, for the journal. Salted (the journal keeps the random salt beside
    /// it) and slow, so that it does not give the password away to a guesser.
    ///
    /// # Errors
    /// Whatever OpenSSL says where it is out of memory or forbids PBKDF2.
    pub fn fingerprint(&self, salt: &[u8]) -> Result<String, ErrorStack> {
        let broker = self.broker.to_string();
        let ca = [u8::from(self.ca_authentication)];
        let timeout = self.timeout.as_secs().to_be_bytes();
        let fields = [
            Some(ca.as_slice()),
            Some(broker.as_bytes()),
            Some(self.account_name.as_bytes()),
            self.username.as_deref().map(str::as_bytes),
            Some(self.password.expose().as_bytes()),
            self.activation_key
                .as_ref()
                .map(|key| key.expose().as_bytes()),
            self.client_id.as_deref().map(str::as_bytes),
            Some(timeout.as_slice()),
        ];
        // It never grows, which would leave parts of it behind.
        let size = fields.iter().map(|field| 9 + field.map_or(0, <[u8]>::len));
        let mut material = Zeroizing::new(Vec::with_capacity(size.sum()));
        for field in fields {
            match field {
                None => material.push(0),
                Some(bytes) => {
                    material.push(1);
                    material.extend((bytes.len() as u64).to_be_bytes());
                    material.extend(bytes);
                }
            }
        }
        let mut key = [0; 32];
        openssl::pkcs5::pbkdf2_hmac(&material, salt, ROUNDS, MessageDigest::sha256(), &mut key)?;
        Ok(key.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}
