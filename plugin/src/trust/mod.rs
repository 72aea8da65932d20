//! Whom the component believes: certificates and signed control messages.
//!
//! | file | question |
//! |---|---|
//! | `chain` | may the leaf of a received chain sign control messages? |
//! | `verifier` | was this control message signed by a trusted signer, just now, once? |
//! | `replay` | was it seen before? |
//! | `canonical` | which bytes does a signature cover? |
//!
//! Certification paths, TLS servers and the facts of a certificate are judged in the crate
//! `x509-policy`, which the links to brokers use, too; its modules appear here under the same
//! names.
//!
//! OpenSSL judges every signature and builds every path; our rules only ever
//! refuse more. Nothing here opens a socket or a file that has a name, reads a
//! clock, starts a thread or holds a private key: certificates, lists, time and
//! messages are inputs. Errors carry the stable codes as strings (`code()`).

pub mod canonical;
pub mod chain;
#[cfg(test)]
mod chain_cost_tests;
mod chain_error;
#[cfg(test)]
mod chain_tests;
pub mod cms;
#[cfg(test)]
mod cms_forms_tests;
mod der_form;
#[cfg(test)]
#[path = "../../../host-sdk/x509/src/fixtures.rs"]
pub(crate) mod fixtures;
mod issuance;
mod message;
pub mod replay;
mod signer_info;
pub mod verifier;
#[cfg(test)]
mod verifier_tests;

pub use canonical::SignedView;
pub use chain::{is_ca, validate_received, ChainCheck, ChainError, RootCheck, ValidChain};
pub use cms::sign;
pub use verifier::{Accepted, Clock, Freshness, SignatureError, Verifier, CLOCK_WINDOW_MS};
use x509_policy::{der, extensions, key_policy, path};
pub use x509_policy::{facts, pem, refusal, revocation, server, server_name};
pub use x509_policy::{validate_tls_server, CertificateFacts, ServerError, ServerName};
pub use x509_policy::{MAX_DEPTH, SECURITY_LEVEL};
