//! Whom the component believes: certificates and signed control messages.
//!
//! | file | question |
//! |---|---|
//! | `chain` | may the leaf of a received chain sign control messages? |
//! | `server` | is this the TLS server that was called? |
//! | `verifier` | was this control message signed by a trusted signer, just now, once? |
//! | `canonical` | which bytes does a signature cover? |
//! | `path`, `key_policy`, `revocation` | what all of them ask of a certification path |
//!
//! OpenSSL judges every signature and builds every path; our rules only ever
//! refuse more. Nothing here opens a socket or a file that has a name, reads a
//! clock, starts a thread or holds a private key: certificates, lists, time and
//! messages are inputs. Errors carry the stable codes as strings (`code()`).

pub mod canonical;
pub mod chain;
mod chain_error;
#[cfg(test)]
mod chain_tests;
pub mod cms;
mod der;
mod extensions;
pub mod facts;
#[cfg(test)]
mod fixtures;
mod key_policy;
mod message;
mod path;
pub mod pem;
pub mod refusal;
mod replay;
mod revocation;
pub mod server;
pub mod server_name;
#[cfg(test)]
mod server_tests;
pub mod verifier;
#[cfg(test)]
mod verifier_tests;

pub use canonical::SignedView;
pub use chain::{is_ca, validate_received, ChainError, RootCheck, ValidChain};
pub use cms::sign;
pub use facts::CertificateFacts;
pub use path::{MAX_DEPTH, SECURITY_LEVEL};
pub use server::{tls_server_param, validate_tls_server, ServerError};
pub use server_name::ServerName;
pub use verifier::{Accepted, Clock, Counters, Freshness, SignatureError, Verifier};
