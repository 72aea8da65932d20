//! Which certification paths are believed, and why one is not.
//!
//! | module | question |
//! |---|---|
//! | [`server`] | is this the TLS server that was called? |
//! | [`staple`] | does the OCSP response that it brought along speak against it? |
//! | [`path`], [`key_policy`], [`revocation`] | what is asked of every certification path |
//! | [`refusal`], [`facts`] | which certificate was refused, what it says of itself, and why |
//! | [`pem`] | certificates and lists as people store them |
//!
//! OpenSSL judges every signature and builds every path; the rules here only ever refuse more.
//! Nothing here opens a socket or a file that has a name, reads a clock, starts a thread or holds a
//! private key: certificates, lists and time are inputs. The links to a broker (`mqtt-session`)
//! judge the broker by [`validate_tls_server`] during the handshake; the component judges received
//! chains by the same [`path`] and offers both to its conformance tests.

pub mod der;
pub mod extensions;
pub mod facts;
#[cfg(test)]
mod fixtures;
pub mod key_policy;
pub mod path;
pub mod pem;
pub mod refusal;
pub mod revocation;
pub mod server;
pub mod server_name;
#[cfg(test)]
mod server_tests;
pub mod staple;

pub use facts::CertificateFacts;
pub use path::{MAX_DEPTH, SECURITY_LEVEL};
pub use server::{validate_tls_server, ServerCheck, ServerError};
pub use server_name::ServerName;
pub use staple::{check_staple, StapleError};
