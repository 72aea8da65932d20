//! What a platform does wrong on purpose, attempt by attempt.
//!
//! Plain data, read by the engine where it would otherwise do the right thing. The default
//! [`Behaviour`] is flawless. Used by tests and rehearsals.

mod flood;
mod packages;

pub use flood::Flood;
pub use packages::PackageFault;

use crate::pki::Identity;
use std::collections::VecDeque;
use std::time::Duration;

/// The steps of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// `PUT PROV-V1/certificates`.
    Certificates,
    /// `POST KEYS-V1/keystores/entries/certificate` with the target broker's root.
    TargetRoot,
    /// `POST KEYS-V1/keystores/entries/csr`: a key that stays on the device.
    DeviceKey,
    /// `PUT PROV-V1/credentials/certificate` for that key.
    ClientCertificate,
    /// `EXEC DEPLOY-V2/download`, counted from 0; it is over with the device's notification.
    Package(usize),
    /// `PUT CONF-V1/configurations`, counted from 0.
    Configuration(usize),
    /// `EXEC PROV-V1/commit`.
    Commit,
}

/// What goes wrong in an attempt.
#[derive(Clone, Debug, Default)]
pub struct Behaviour {
    /// Sends neither this step nor any after it.
    pub silent_from: Option<Step>,
    /// Treats the reply to this step as if it had not come.
    pub deaf_to: Option<Step>,
    /// Kills the provision broker instead of sending this step.
    pub kill_broker_at: Option<Step>,
    /// Rejects instead of sending this step.
    pub reject_at: Option<(Step, Rejection)>,
    /// Steps in a wrong order.
    pub order: Order,
    /// How requests are signed.
    pub signing: Signing,
    /// What is wrong in the commit.
    pub commit: CommitFault,
    /// Uses this signer, and its chain, instead of the platform's.
    pub signer: Option<Identity>,
    /// Sends these bytes instead of the chain.
    pub certificates: Option<Vec<u8>>,
    /// Sends requests that no flow has before a step.
    pub flood: Option<Flood>,
    /// Sends more right behind the commit: a configuration, another commit, a reject.
    pub after_commit: bool,
    /// Publishes every request twice.
    pub twice: bool,
    /// What is wrong in the client certificate.
    pub client_certificate: ClientCertificateFault,
    /// What goes wrong with the package of this number, counted from 0.
    pub package: Option<(usize, PackageFault)>,
    /// What is wrong in the configuration.
    pub configuration: ConfigurationFault,
    /// Pause before each step.
    pub delay: Duration,
}

impl Behaviour {
    /// Never answers a trigger.
    pub fn silent() -> Behaviour {
        Behaviour {
            silent_from: Some(Step::Certificates),
            ..Behaviour::default()
        }
    }

    /// Rejects at once.
    pub fn rejecting(code: &str, message: &str, retry_after: Option<i32>) -> Behaviour {
        let rejection = Rejection {
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after,
        };
        Behaviour {
            reject_at: Some((Step::Certificates, rejection)),
            ..Behaviour::default()
        }
    }

    /// Whether silence begins at or before this step.
    pub(crate) fn is_silent_at(&self, step: Step) -> bool {
        self.silent_from
            .is_some_and(|from| step.rank() >= from.rank())
    }
}

impl Step {
    fn rank(self) -> usize {
        match self {
            Step::Certificates => 0,
            Step::TargetRoot => 1,
            Step::DeviceKey => 2,
            Step::ClientCertificate => 3,
            Step::Package(number) => number.saturating_add(4),
            Step::Configuration(number) => number.saturating_add(1000),
            Step::Commit => usize::MAX,
        }
    }
}

/// A `reject`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// `prov.error.code`.
    pub code: String,
    /// `prov.error.message`.
    pub message: String,
    /// `retry.after`, seconds.
    pub retry_after: Option<i32>,
}

/// In which order the steps come.
#[derive(Clone, Debug, Default)]
pub enum Order {
    /// As the protocol wants it.
    #[default]
    Right,
    /// The first configuration once before the certificates, then everything in order.
    ConfigurationFirst,
    /// A commit before the certificates, then everything in order.
    CommitFirst,
    /// Everything once in the reverse order, whatever the device says, then everything in order.
    Reversed,
    /// The certificates twice, with the same chain.
    CertificatesTwice,
    /// The certificates, then those of another signer, then the rest.
    OtherCertificates(Box<Identity>),
}

/// How requests are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// By the signer.
    #[default]
    Right,
    /// Not at all.
    Missing,
    /// With a key that is not the certificate's, under the certificate's name.
    OtherSigner,
    /// Over other content than what is sent.
    Altered,
    /// For another client: what was made for one device, sent to another.
    OtherClient,
    /// Without `prov.nonce`.
    WithoutNonce,
    /// Without `sig.timestamp`.
    WithoutTimestamp,
}

/// What is wrong in the commit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CommitFault {
    /// Nothing.
    #[default]
    None,
    /// Another manifest digest.
    Digest,
    /// Another nonce.
    Nonce,
    /// Another transaction.
    Transaction,
}

/// What is wrong in the client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientCertificateFault {
    /// Nothing.
    #[default]
    None,
    /// It is for a key that the device does not have.
    OtherKey,
    /// It is issued by an authority that no target broker trusts.
    OtherAuthority,
}

/// What is wrong in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ConfigurationFault {
    /// Nothing.
    #[default]
    None,
    /// The generated one holds a value that is not of its metatype's type.
    Misfit,
    /// The generated one holds a password that the target account does not accept.
    RefusedCredentials,
    /// The generated one names a target broker of this address.
    Broker(String),
    /// These documents.
    Documents(Vec<Vec<u8>>),
}

/// Behaviours by attempt, over all devices.
#[derive(Clone, Debug, Default)]
pub struct Script {
    attempts: VecDeque<Behaviour>,
    then: Behaviour,
}

impl Script {
    /// This in every attempt.
    pub fn always(behaviour: Behaviour) -> Script {
        Script {
            attempts: VecDeque::new(),
            then: behaviour,
        }
    }

    /// This in the next attempt, and the right thing after.
    pub fn once(behaviour: Behaviour) -> Script {
        Script::each([behaviour])
    }

    /// One for each of the next attempts, and the right thing after.
    pub fn each(behaviours: impl IntoIterator<Item = Behaviour>) -> Script {
        Script {
            attempts: behaviours.into_iter().collect(),
            then: Behaviour::default(),
        }
    }

    pub(crate) fn next(&mut self) -> Behaviour {
        self.attempts
            .pop_front()
            .unwrap_or_else(|| self.then.clone())
    }
}

impl From<Behaviour> for Script {
    fn from(behaviour: Behaviour) -> Script {
        Script::always(behaviour)
    }
}
