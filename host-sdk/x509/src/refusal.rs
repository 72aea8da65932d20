//! Why a certification path was refused: which certificate, and the reason.
//!
//! One [`Refusal`] serves both the received chain (codes `trust.*`) and the TLS
//! server (codes `tls.*`); the two error types on top of it only choose the code.

use std::fmt;

use openssl::error::ErrorStack;
use openssl::x509::X509VerifyResult;

use super::facts::CertificateFacts;
use super::pem::PemError;
use super::revocation::Unusable;

/// The reason of a [`Refusal`].
#[derive(Debug)]
pub enum Reason {
    /// X509_verify_cert's verdict, an `X509_V_ERR_*`.
    Openssl(X509VerifyResult),
    /// X509_verify_cert's verdict with the revocation lists.
    Revocation(X509VerifyResult),
    /// It stands on a list that OpenSSL does not go by.
    Revoked,
    /// A list that cannot be obeyed.
    RevocationList(Unusable),
    /// A key or digest that our key policy does not accept, in words.
    Weak(String),
    /// A rule on what the certificate may be for, in words.
    Usage(&'static str),
    /// A bound on the message, or its form as a whole, in words.
    Form(String),
    /// The message is no PEM.
    Pem(PemError),
    /// OpenSSL could not judge at all: refused as well.
    Library(ErrorStack),
    /// The revocation lists could not be handed to OpenSSL: refused as well.
    RevocationLists(std::io::Error),
    /// The time, in seconds since 1970, is beyond what this system can count: refused as well.
    Time(i64),
    /// Whoever asked does not want the verdict any more.
    Stopped,
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Openssl(result) | Self::Revocation(result) => {
                out.write_str(result.error_string())
            }
            Self::Revoked => out.write_str("certificate revoked"),
            Self::RevocationList(unusable) => unusable.fmt(out),
            Self::Weak(text) | Self::Form(text) => out.write_str(text),
            Self::Usage(text) => out.write_str(text),
            Self::Pem(_) => out.write_str("it is not the PEM of certificates"),
            Self::Library(_) => out.write_str("OpenSSL could not judge it"),
            Self::RevocationLists(_) => out.write_str("the revocation lists could not be used"),
            Self::Time(now) => write!(
                out,
                "it cannot be judged at {now} s since 1970, which is beyond what this system counts; set its \
                 clock"
            ),
            Self::Stopped => out.write_str("it was not judged to the end"),
        }
    }
}

/// A refused path.
#[derive(Debug)]
pub struct Refusal {
    /// Where in the path: 0 is the leaf. `None` if it is about the whole.
    pub depth: Option<u32>,
    /// Whom it is about. `None` if it is about the whole.
    pub certificate: Option<Box<CertificateFacts>>,
    /// What is wrong.
    pub reason: Reason,
}

impl Refusal {
    /// About the whole chain.
    #[must_use]
    pub fn whole(reason: Reason) -> Self {
        Self {
            depth: None,
            certificate: None,
            reason,
        }
    }

    /// About one certificate; `depth` 0 is the leaf.
    #[must_use]
    pub fn at(depth: usize, certificate: &openssl::x509::X509Ref, reason: Reason) -> Self {
        Self {
            depth: u32::try_from(depth).ok(),
            certificate: Some(Box::new(CertificateFacts::of(certificate))),
            reason,
        }
    }

    /// About one certificate of those that came, before there is a path.
    #[must_use]
    pub fn among(certificate: &openssl::x509::X509Ref, reason: Reason) -> Self {
        Self {
            depth: None,
            certificate: Some(Box::new(CertificateFacts::of(certificate))),
            reason,
        }
    }

    /// What kind of fault it is; each kind has one code.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match &self.reason {
            Reason::Form(_) | Reason::Pem(_) => Fault::Malformed,
            Reason::Weak(_) => Fault::Weak,
            Reason::Openssl(result) => Fault::of(result.as_raw()),
            Reason::Revocation(_)
            | Reason::Revoked
            | Reason::RevocationList(_)
            | Reason::Usage(_)
            | Reason::Library(_)
            | Reason::RevocationLists(_)
            | Reason::Time(_)
            | Reason::Stopped => Fault::Invalid,
        }
    }
}

impl From<ErrorStack> for Refusal {
    fn from(error: ErrorStack) -> Self {
        Self::whole(Reason::Library(error))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.depth, &self.certificate) {
            (Some(depth), Some(facts)) => {
                write!(
                    out,
                    "certificate {depth} of the chain, {facts}: {}",
                    self.reason
                )
            }
            (None, Some(facts)) => {
                write!(out, "certificate of the chain, {facts}: {}", self.reason)
            }
            _ => write!(out, "certificate chain: {}", self.reason),
        }
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.reason {
            Reason::Library(error) => Some(error),
            Reason::RevocationLists(error) => Some(error),
            Reason::Pem(error) => Some(error),
            _ => None,
        }
    }
}

/// The kinds of faults, as far as the codes tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Not the message it should be.
    Malformed,
    /// The path does not end in a trusted root.
    UntrustedRoot,
    /// Something is past its notAfter.
    Expired,
    /// Something is before its notBefore.
    NotYetValid,
    /// A key or a digest is too weak.
    Weak,
    /// The certificate is not for this host.
    HostName,
    /// Anything else.
    Invalid,
}

impl Fault {
    /// Numbers of `openssl/x509_vfy.h`, OpenSSL 1.1.1 to 3.x.
    fn of(code: i32) -> Self {
        match code {
            9 => Self::NotYetValid,
            10 => Self::Expired,
            // No issuer, issuer not local, self-signed leaf, self-signed root,
            // leaf signature, not trusted.
            2 | 18..=21 | 27 => Self::UntrustedRoot,
            62 | 64 => Self::HostName,
            66..=68 => Self::Weak,
            _ => Self::Invalid,
        }
    }
}
