//! The written list: where the component refuses more than plain OpenSSL, and why.
//!
//! An entry is a kind of refusal, told by what the component itself said of the
//! case, never by the name of a case. A refusal that no entry covers is a failure.

use provisioning_service::trust::pem::PemError;
use provisioning_service::trust::refusal::{Fault, Reason};

use super::judge::Refused;

/// One policy of our own.
#[derive(Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its name in the report.
    pub name: &'static str,
    /// Why we have it.
    pub reason: &'static str,
}

/// Weak keys and digests.
pub const WEAK: Policy = Policy {
    name: "weak",
    reason: "a gateway stays for 20 years: RSA of 2048 bits, EC of 256, no DSA, no MD5 or SHA-1, \
             OpenSSL's security level 2",
};
/// Bounds of a received message.
pub const BOUNDS: Policy = Policy {
    name: "bounds",
    reason:
        "a received chain has at most 10 certificates in 64 KiB and exactly one leaf, so that it \
             is judged in bounded time and that nobody can argue about which certificate it is for",
};
/// Bound of the path.
pub const DEPTH: Policy = Policy {
    name: "depth",
    reason: "a path has at most 10 intermediates: more are met in attacks only",
};
/// X509_V_FLAG_X509_STRICT for TLS servers.
pub const STRICT: Policy = Policy {
    name: "strict",
    reason: "X509_V_FLAG_X509_STRICT also for TLS servers, which the baseline's TLS client does \
             without: a certificate against the rules of RFC 5280 is refused",
};
/// Revocation lists.
pub const REVOCATION: Policy = Policy {
    name: "revocation",
    reason:
        "a revocation list of an issuer on the path is obeyed, and one that is expired, forged \
             or not meant for it is no clean bill, and delta and indirect lists cannot be obeyed; the \
             baseline's profile looks at none",
};
/// What a signer of control messages may be.
pub const SIGNER: Policy = Policy {
    name: "signer",
    reason:
        "a received leaf must be an end-entity certificate that a trusted authority issued for \
             more than TLS, with a key that can sign CMS: an authority among the signers could \
             make its own successors",
};
/// Damage in the encoding.
pub const ENCODING: Policy = Policy {
    name: "encoding",
    reason: "a block holds exactly one certificate in DER: bytes that OpenSSL passes over could \
             hide what others see",
};

/// All of them.
pub const ALL: [&Policy; 7] = [
    &WEAK,
    &BOUNDS,
    &DEPTH,
    &STRICT,
    &REVOCATION,
    &SIGNER,
    &ENCODING,
];

/// X509_V_ERR_CERT_CHAIN_TOO_LONG.
const CHAIN_TOO_LONG: i32 = 22;
/// X509_V_ERR_INVALID_CA and those after it up to CA_CERT_MISSING_KEY_USAGE and
/// EXTENSIONS_REQUIRE_VERSION_3: what OpenSSL checks, or checks harder, with
/// X509_V_FLAG_X509_STRICT.
const STRICT_CODES: std::ops::RangeInclusive<i32> = 79..=93;

/// What the verdict is compared with, as far as it matters for the list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Against {
    /// It was found without X509_V_FLAG_X509_STRICT.
    pub(super) without_strict: bool,
    /// It was found without a limit on the length of the path.
    pub(super) without_depth: bool,
}

/// The policy by which the component refused, if it was one of ours.
pub(super) fn of(refused: &Refused, against: Against) -> Option<&'static Policy> {
    let Some(refusal) = refused.refusal() else {
        return match refused {
            Refused::Unreadable(PemError::Damaged { .. }) => Some(&ENCODING),
            Refused::OtherLeaf => Some(&BOUNDS),
            _ => None,
        };
    };
    if refusal.fault() == Fault::Weak {
        return Some(&WEAK);
    }
    match &refusal.reason {
        Reason::Form(_) => Some(&BOUNDS),
        Reason::Pem(PemError::Damaged { .. }) => Some(&ENCODING),
        Reason::Revocation(_) | Reason::Revoked | Reason::RevocationList(_) => Some(&REVOCATION),
        Reason::Usage(_) => Some(&SIGNER),
        Reason::Openssl(result) => match result.as_raw() {
            CHAIN_TOO_LONG if against.without_depth => Some(&DEPTH),
            code if against.without_strict && STRICT_CODES.contains(&code) => Some(&STRICT),
            _ => None,
        },
        _ => None,
    }
}
