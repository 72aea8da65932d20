//! Provisioning profile 1: what travels between device and platform.
//!
//! Our own design on top of Kura's public remote-management applications (ESF's wire format is
//! not public). Pure: bytes in, values out, and back. The order of a conversation is kept by
//! [`crate::provisioner::conversation`]; Kura's own formats are in crate `kura-formats`.

mod incoming;
mod ledger;
mod manifest;
mod operation;
mod reply;
mod trigger;

pub use incoming::{classify, Incoming, Request};
pub use ledger::{Ledger, Recorded};
pub use manifest::{Manifest, ManifestItem};
pub use operation::{CsrRequest, Operation};
pub use reply::{reply_error, reply_ok};
pub use trigger::{subscription, trigger, trigger_topic, BirthFacts};

/// The application of the steps that are ours.
pub const PROV_APP: &str = "PROV-V1";

/// Names of the metrics that are ours.
pub mod metric {
    /// INT32: the profile, 1.
    pub const PROFILE: &str = "prov.profile";
    /// String: the transaction's UUID.
    pub const TRANSACTION: &str = "prov.transaction.id";
    /// BYTES: 32, new for every attempt.
    pub const NONCE: &str = "prov.nonce";
    /// String: the activation key.
    pub const ACTIVATION_KEY: &str = "activation.key";
    /// String: fingerprints of the trusted signers, comma-separated.
    pub const TRUSTED_SIGNERS: &str = "prov.trusted.signers";
    /// String: the cloud connection that is provisioned.
    pub const CONNECTION_PID: &str = "prov.connection.pid";
    /// BYTES: SHA-256 of the manifest.
    pub const MANIFEST: &str = "prov.manifest.sha256";
    /// String: code of a reject.
    pub const ERROR_CODE: &str = "prov.error.code";
    /// String: words of a reject.
    pub const ERROR_MESSAGE: &str = "prov.error.message";
    /// INT32: seconds.
    pub const RETRY_AFTER: &str = "retry.after";
}
