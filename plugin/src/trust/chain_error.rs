//! The error of a received chain: one variant for each `trust.*` code.

use super::refusal::{Fault, Refusal};

/// Why a received chain was refused. Each variant is one code.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// `trust.malformed`: not 1..10 certificates in 64 KiB of PEM with one leaf.
    #[error(transparent)]
    Malformed(Box<Refusal>),
    /// `trust.untrusted-root`: the path does not end in a trusted root.
    #[error(transparent)]
    UntrustedRoot(Box<Refusal>),
    /// `trust.expired`: a certificate of the path is past its notAfter.
    #[error(transparent)]
    Expired(Box<Refusal>),
    /// `trust.not-yet-valid`: a certificate of the path is before its notBefore.
    #[error(transparent)]
    NotYetValid(Box<Refusal>),
    /// `trust.weak`: a key or digest of the path is too weak, or a received key too large.
    #[error(transparent)]
    Weak(Box<Refusal>),
    /// `trust.invalid`: anything else.
    #[error(transparent)]
    Invalid(Box<Refusal>),
}

impl ChainError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "trust.malformed",
            Self::UntrustedRoot(_) => "trust.untrusted-root",
            Self::Expired(_) => "trust.expired",
            Self::NotYetValid(_) => "trust.not-yet-valid",
            Self::Weak(_) => "trust.weak",
            Self::Invalid(_) => "trust.invalid",
        }
    }

    /// Which certificate and why.
    #[must_use]
    pub fn refusal(&self) -> &Refusal {
        match self {
            Self::Malformed(refusal)
            | Self::UntrustedRoot(refusal)
            | Self::Expired(refusal)
            | Self::NotYetValid(refusal)
            | Self::Weak(refusal)
            | Self::Invalid(refusal) => refusal,
        }
    }
}

impl From<Refusal> for ChainError {
    fn from(refusal: Refusal) -> Self {
        let fault = refusal.fault();
        let refusal = Box::new(refusal);
        match fault {
            Fault::Malformed => Self::Malformed(refusal),
            Fault::UntrustedRoot => Self::UntrustedRoot(refusal),
            Fault::Expired => Self::Expired(refusal),
            Fault::NotYetValid => Self::NotYetValid(refusal),
            Fault::Weak => Self::Weak(refusal),
            Fault::HostName | Fault::Invalid => Self::Invalid(refusal),
        }
    }
}
