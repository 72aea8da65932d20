//! The policy for the certificate of a TLS server: the broker, a package server.
//!
//! One function, [`validate_tls_server`], on certificates as the peer presented
//! them; whoever runs the handshake calls it from its verify callback or right
//! after it, before any byte of the application. [`prepare_handshake`] sets the same
//! policy as far as OpenSSL can apply it by itself during a handshake. Protocol
//! versions and client certificates are the handshake's business, not ours.

use openssl::error::ErrorStack;
use openssl::x509::verify::X509VerifyParamRef;
use openssl::x509::{X509Crl, X509PurposeId, X509Ref, X509};

use super::path::{self, PathPolicy, MAX_DEPTH};
use super::refusal::{Fault, Refusal};
use super::server_name::ServerName;

/// Why the certificate of a TLS server was refused. Each variant is one code.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// `tls.untrusted`: not issued under a trusted root, or not fit to be.
    #[error(transparent)]
    Untrusted(Box<Refusal>),
    /// `tls.hostname`: made for another host, the name of which is in `called`.
    #[error("host \"{called}\": {refusal}")]
    HostName {
        /// The host that was called.
        called: ServerName,
        /// Which certificate, and OpenSSL's reason.
        refusal: Box<Refusal>,
    },
    /// `tls.expired`: a certificate of the path is past its notAfter.
    #[error(transparent)]
    Expired(Box<Refusal>),
    /// `tls.not-yet-valid`: a certificate of the path is before its notBefore.
    #[error(transparent)]
    NotYetValid(Box<Refusal>),
}

impl ServerError {
    fn new(refusal: Refusal, called: &ServerName) -> Self {
        let fault = refusal.fault();
        let refusal = Box::new(refusal);
        match fault {
            Fault::HostName => Self::HostName {
                called: called.clone(),
                refusal,
            },
            Fault::Expired => Self::Expired(refusal),
            Fault::NotYetValid => Self::NotYetValid(refusal),
            Fault::Malformed | Fault::UntrustedRoot | Fault::Weak | Fault::Invalid => {
                Self::Untrusted(refusal)
            }
        }
    }

    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Untrusted(_) => "tls.untrusted",
            Self::HostName { .. } => "tls.hostname",
            Self::Expired(_) => "tls.expired",
            Self::NotYetValid(_) => "tls.not-yet-valid",
        }
    }

    /// Which certificate and why.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::Untrusted(refusal)
            | Self::HostName { refusal, .. }
            | Self::Expired(refusal)
            | Self::NotYetValid(refusal) => refusal,
        }
    }
}

/// Validates what a TLS server presented.
///
/// `anchors` are the trusted certificates of the SSLKeystore; `untrusted` what the
/// peer sent beside its leaf; `crls` the revocation lists of the SSLKeystore, of
/// which those of issuers on the path are obeyed. `now` is in seconds since 1970.
/// Returns the path, leaf first.
///
/// # Errors
/// [`ServerError`], with the certificate and the reason.
pub fn validate_tls_server(
    leaf: &X509Ref,
    untrusted: &[X509],
    anchors: &[X509],
    crls: &[X509Crl],
    host: &ServerName,
    now: i64,
) -> Result<Vec<X509>, ServerError> {
    ServerCheck {
        anchors,
        crls,
        host,
        max_depth: MAX_DEPTH,
        now,
    }
    .validate(leaf, untrusted)
}

/// Everything that a server is judged by; [`validate_tls_server`] with all knobs.
#[derive(Clone, Copy)]
pub struct ServerCheck<'a> {
    /// Trusted certificates.
    pub anchors: &'a [X509],
    /// Revocation lists.
    pub crls: &'a [X509Crl],
    /// The host that was called.
    pub host: &'a ServerName,
    /// Certificates between leaf and anchor, at most.
    pub max_depth: u32,
    /// Seconds since 1970.
    pub now: i64,
}

impl ServerCheck<'_> {
    /// Validates what a TLS server presented, and returns the path, leaf first.
    ///
    /// # Errors
    /// [`ServerError`], with the certificate and the reason.
    pub fn validate(&self, leaf: &X509Ref, untrusted: &[X509]) -> Result<Vec<X509>, ServerError> {
        let policy = PathPolicy {
            anchors: self.anchors,
            crls: self.crls,
            authenticated: true,
            chosen: self.anchors,
            purpose: Some(X509PurposeId::SSL_SERVER),
            name: Some(self.host),
            max_depth: self.max_depth,
            now: self.now,
            stopped: &path::never,
        };
        path::verify(leaf, untrusted, &policy).map_err(|refusal| {
            // OpenSSL looks at the name before it looks at signatures and dates. What a certificate
            // says of its names is worth nothing before that.
            let first = match refusal.fault() {
                Fault::HostName => {
                    let unnamed = PathPolicy {
                        name: None,
                        ..policy
                    };
                    path::verify(leaf, untrusted, &unnamed).err()
                }
                _ => None,
            };
            ServerError::new(first.unwrap_or(refusal), self.host)
        })
    }
}

/// Sets the same policy on the parameters of a live handshake (`Ssl::param_mut`): purpose, host,
/// X509_STRICT, security level, depth. What they cannot hold, the key policy and the revocation
/// lists, is left to [`validate_tls_server`].
///
/// # Errors
/// OpenSSL has no memory, or does not take the name.
pub fn prepare_handshake(
    param: &mut X509VerifyParamRef,
    host: &ServerName,
) -> Result<(), ErrorStack> {
    path::prepare(
        param,
        Some(X509PurposeId::SSL_SERVER),
        Some(host),
        MAX_DEPTH,
    )
}
