//! The received chain: who will sign control messages from now on.
//!
//! [`validate_received`] takes the body of the `certificates` request and says
//! whether its leaf may become a device-management certificate. The path is
//! OpenSSL's (`path`); on top of it come the bounds of the message and the rules
//! for a signer. It stores nothing. Called by the session, once per certificates
//! request, on the worker thread.
//!
//! The sender needs no trust to have a chain judged, so that what it can cost is
//! bounded: in the size of the message, the kinds and sizes of its keys (`path`), and
//! the number of signatures that are verified before there is a path (`issuance`).
//! Together that is well under 100 ms of a PC's processor. Small gateways take
//! several times as long; there a judgement that nobody waits for any more is given
//! up between two signatures before there is a path, and then between two runs of
//! OpenSSL, each of which verifies one signature for each certificate of the path.

use openssl::x509::{X509Crl, X509PurposeId, X509Ref, X509};

pub use super::chain_error::ChainError;
use super::extensions::Extensions;
use super::facts::CertificateFacts;
use super::issuance::Issuance;
use super::key_policy;
use super::message::{ends_of, message, the_leaf};
pub use super::message::{MAX_BYTES, MAX_CERTIFICATES};
use super::path::{self, PathPolicy, MAX_DEPTH};
use super::refusal::{Reason, Refusal};

/// What `ca-authentication` asks of the root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootCheck {
    /// The path must end in one of the trusted roots.
    Required,
    /// The path must be valid up to the last certificate of the message, which
    /// nobody vouches for.
    ChainOnly,
}

/// What the leaf is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafUse {
    /// Signing control messages: an end-entity certificate with an RSA or EC key,
    /// digitalSignature if it has a keyUsage, and an extendedKeyUsage, if any, that
    /// names more than serverAuth and clientAuth; likewise its intermediates.
    ControlSigner,
    /// A TLS client, by OpenSSL's own rules.
    TlsClient,
    /// A TLS server, by OpenSSL's own rules.
    TlsServer,
}

/// A chain that was accepted.
#[derive(Debug, Clone)]
pub struct ValidChain {
    /// The end-entity certificate.
    pub leaf: X509,
    /// The path, leaf first. Its last certificate is the anchor, which with
    /// [`RootCheck::Required`] is the trusted copy and not the message's.
    pub chain: Vec<X509>,
    /// Whether the path ends in a trusted root.
    pub root_verified: bool,
    /// The facts of `chain`, in its order.
    pub facts: Vec<CertificateFacts>,
}

impl ValidChain {
    /// SHA-256 of the leaf, lower hex without colons.
    #[must_use]
    pub fn leaf_fingerprint(&self) -> &str {
        self.facts.first().map_or("", |facts| &facts.fingerprint)
    }

    /// The fingerprints of the path, leaf first.
    pub fn fingerprints(&self) -> impl Iterator<Item = &str> {
        self.facts.iter().map(|facts| facts.fingerprint.as_str())
    }
}

/// Validates the chain that will sign: PEM, any order.
///
/// `roots` are the CA certificates of the DMKeystore, and nothing else; a root in
/// the message counts for nothing by itself. `crls` are the keystore's revocation
/// lists; those of issuers on the path are obeyed. `now` is in seconds since 1970,
/// by a clock that is plausible.
///
/// # Errors
/// [`ChainError`], with the certificate and the reason.
pub fn validate_received(
    pem: &[u8],
    roots: &[X509],
    crls: &[X509Crl],
    mode: RootCheck,
    now: i64,
) -> Result<ValidChain, ChainError> {
    ChainCheck::of_signer(roots, crls, mode, now).validate(pem)
}

/// Everything that a chain is judged by; [`validate_received`] with all knobs.
#[derive(Clone, Copy)]
pub struct ChainCheck<'a> {
    /// Trusted roots.
    pub roots: &'a [X509],
    /// Revocation lists.
    pub crls: &'a [X509Crl],
    /// What is asked of the root.
    pub mode: RootCheck,
    /// What the leaf is for.
    pub leaf_use: LeafUse,
    /// Certificates between leaf and anchor, at most.
    pub max_depth: u32,
    /// Seconds since 1970.
    pub now: i64,
}

impl<'a> ChainCheck<'a> {
    /// As [`validate_received`] judges.
    #[must_use]
    pub fn of_signer(roots: &'a [X509], crls: &'a [X509Crl], mode: RootCheck, now: i64) -> Self {
        Self {
            roots,
            crls,
            mode,
            leaf_use: LeafUse::ControlSigner,
            max_depth: MAX_DEPTH,
            now,
        }
    }

    /// Validates a chain in PEM, any order.
    ///
    /// # Errors
    /// [`ChainError`], with the certificate and the reason.
    pub fn validate(&self, pem: &[u8]) -> Result<ValidChain, ChainError> {
        self.validate_unless(pem, &path::never)
    }

    /// As [`ChainCheck::validate`]; gives up, with `trust.invalid`, once `stopped` says so.
    ///
    /// # Errors
    /// [`ChainError`], with the certificate and the reason.
    pub fn validate_unless(
        &self,
        pem: &[u8],
        stopped: &dyn Fn() -> bool,
    ) -> Result<ValidChain, ChainError> {
        let certificates = message(pem)?;
        let received = certificates.iter().map(|received| &**received);
        path::check_cost(received, self.roots)?;
        let mut issuance = Issuance::new(&certificates, stopped);
        let leaf = the_leaf(&certificates, &mut issuance)?;
        let others: Vec<X509> = certificates
            .iter()
            .filter(|certificate| !std::ptr::eq(*certificate, leaf))
            .cloned()
            .collect();
        let authenticated = self.mode == RootCheck::Required;
        let ends = if authenticated {
            self.roots.to_vec()
        } else {
            ends_of(&certificates, leaf, &mut issuance)?
        };
        let path = path::verify(
            leaf,
            &others,
            &PathPolicy {
                anchors: &ends,
                crls: self.crls,
                authenticated,
                chosen: self.roots,
                purpose: match self.leaf_use {
                    LeafUse::ControlSigner => None,
                    LeafUse::TlsClient => Some(X509PurposeId::SSL_CLIENT),
                    LeafUse::TlsServer => Some(X509PurposeId::SSL_SERVER),
                },
                name: None,
                max_depth: self.max_depth,
                now: self.now,
                stopped,
            },
        )?;
        if authenticated && path.len() == 1 {
            let why = "it is its own root, and no certification authority vouches for it";
            return Err(Refusal::at(0, leaf, Reason::Usage(why)).into());
        }
        if self.leaf_use == LeafUse::ControlSigner {
            for (depth, issuer) in path.iter().enumerate().skip(1) {
                let is_root = depth + 1 == path.len();
                if !is_root && extensions(issuer, depth)?.is_for_tls_only() {
                    let why = "its extended key usage allows it to issue TLS certificates only";
                    return Err(Refusal::at(depth, issuer, Reason::Usage(why)).into());
                }
            }
            check_signer(leaf)?;
        }
        Ok(ValidChain {
            leaf: leaf.clone(),
            facts: path
                .iter()
                .map(|found| CertificateFacts::of(found))
                .collect(),
            chain: path,
            root_verified: authenticated,
        })
    }
}

/// Whether a certificate of the DMKeystore anchors received chains (a CA by its
/// basicConstraints) or else is a trusted signer of control messages.
#[must_use]
pub fn is_ca(certificate: &X509Ref) -> bool {
    Extensions::of(certificate).is_some_and(|extensions| extensions.is_ca)
}

fn extensions(certificate: &X509Ref, depth: usize) -> Result<Extensions, Refusal> {
    Extensions::of(certificate).ok_or_else(|| {
        let why = "its extensions are not in DER, or one is there twice";
        Refusal::at(depth, certificate, Reason::Usage(why))
    })
}

/// Whether the certificate itself, apart from its chain, may sign control messages.
pub(super) fn check_signer(leaf: &X509Ref) -> Result<(), Refusal> {
    let extensions = extensions(leaf, 0)?;
    let why = if extensions.is_ca {
        // In the DMKeystore it would anchor chains of its own making.
        "a certification authority may not sign control messages"
    } else if extensions.digital_signature == Some(false) {
        "its key usage lacks digitalSignature"
    } else if extensions.is_for_tls_only() {
        "its extended key usage names only TLS server or client authentication"
    } else if let Some(weakness) = key_policy::weakness_of_key(leaf) {
        return Err(Refusal::at(0, leaf, Reason::Weak(weakness)));
    } else if !key_policy::can_sign_cms(leaf) {
        "its key is neither RSA nor EC, and cannot sign control messages"
    } else {
        return Ok(());
    };
    Err(Refusal::at(0, leaf, Reason::Usage(why)))
}
