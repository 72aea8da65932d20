//! One case of the suite through the component's validation.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use openssl::x509::X509;
use provisioning_service::trust::chain::{ChainCheck, LeafUse, RootCheck};
use provisioning_service::trust::pem::{self, PemError};
use provisioning_service::trust::refusal::{Reason, Refusal};
use provisioning_service::trust::server::ServerCheck;
use provisioning_service::trust::{ChainError, ServerError, ServerName, MAX_DEPTH};

use super::limbo::{self, Case, Kind};
use super::Profile;

/// What became of a case.
pub(super) enum Verdict {
    Judged {
        /// The verdict that is compared with the baseline.
        compared: Result<(), Refused>,
        /// The verdict on the same chain for a signer of control messages.
        signer: Option<Result<(), Refused>>,
    },
    Skipped(String),
}

/// A refusal by the component.
#[derive(Debug)]
pub(super) enum Refused {
    Chain(ChainError),
    Server(ServerError),
    /// The peer's certificates cannot even be read.
    Unreadable(PemError),
    /// The message was accepted for another leaf than the case's.
    OtherLeaf,
}

impl Refused {
    pub(super) fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Chain(error) => Some(error.refusal()),
            Self::Server(error) => Some(error.refusal()),
            Self::Unreadable(_) | Self::OtherLeaf => None,
        }
    }

    /// OpenSSL's number, where it was OpenSSL that refused.
    pub(super) fn openssl_code(&self) -> Option<i32> {
        match self.refusal()?.reason {
            Reason::Openssl(result) => Some(result.as_raw()),
            _ => None,
        }
    }

    /// OpenSSL refused the purpose, X509_V_ERR_INVALID_PURPOSE, and of the leaf.
    pub(super) fn is_about_purpose(&self) -> bool {
        let at_leaf = self
            .refusal()
            .is_some_and(|refusal| refusal.depth == Some(0));
        at_leaf && self.openssl_code() == Some(26)
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(error) => write!(out, "{}: {error}", error.code()),
            Self::Server(error) => write!(out, "{}: {error}", error.code()),
            Self::Unreadable(error) => error.fmt(out),
            Self::OtherLeaf => out.write_str("another certificate of the message is its leaf"),
        }
    }
}

/// Features of limbo (its schema, `Feature`) whose cases can be judged. Several name
/// an opinion on what is valid, which is not asked here: the baseline decides.
const KNOWN: [&str; 10] = [
    "pedantic-public-suffix-wildcard",
    "name-constraint-dn",
    "pedantic-webpki-subscriber-key",
    "pedantic-webpki-eku",
    "pedantic-serial-number",
    "max-chain-depth",
    "pedantic-rfc5280",
    "rfc5280-incompatible-with-webpki",
    "denial-of-service",
    "has-crl",
];

/// What limbo asks of validators and this component does not offer: it evaluates no
/// certificate policies (RFC 5280, section 6.1 (d) to (g)).
const NOT_OFFERED: [&str; 3] = [
    "has-policy-constraints",
    "has-cert-policies",
    "no-cert-policies",
];

/// Why the case cannot be judged at all, if so.
fn obstacle(case: &Case) -> Option<String> {
    if case.features().any(|needed| NOT_OFFERED.contains(&needed)) {
        return Some("certificate policies are not evaluated".to_owned());
    }
    let unknown = case.features().find(|needed| !KNOWN.contains(needed));
    if let Some(feature) = unknown {
        return Some(format!("it needs the unknown feature \"{feature}\""));
    }
    let purpose = match case.validation_kind {
        Kind::Server => "serverAuth",
        Kind::Client => "clientAuth",
    };
    let mut usages = case.extended_key_usage.iter().flatten();
    if let Some(other) = usages.find(|usage| *usage != purpose) {
        return Some(format!("it asks for the purpose \"{other}\""));
    }
    let algorithms = case.signature_algorithms.iter().flatten();
    if algorithms.count() > 0 {
        return Some("it asks for a choice of signature algorithms".to_owned());
    }
    None
}

/// Puts a case through the function of the profile.
pub(super) fn judge(case: &Case, as_: Profile) -> Verdict {
    if let Some(why) = obstacle(case) {
        return Verdict::Skipped(why);
    }
    let now = match &case.validation_time {
        Some(time) => limbo::unix(time),
        None => SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok()),
    };
    let Some(now) = now else {
        return skipped("its validation time cannot be read");
    };
    match as_ {
        Profile::Chain => chain(case, now),
        Profile::TlsServer => server(case, now),
    }
}

fn chain(case: &Case, now: i64) -> Verdict {
    let mut message = case.peer_certificate.clone() + "\n";
    for intermediate in case.intermediates() {
        message.push_str(intermediate);
        message.push('\n');
    }
    let roots = readable(&case.trusted_certs);
    let crls = match lists(case) {
        Ok(crls) => crls,
        Err(why) => return skipped(why),
    };
    let judge = |leaf_use| {
        let check = ChainCheck {
            roots: &roots,
            crls: &crls,
            mode: RootCheck::Required,
            leaf_use,
            max_depth: case.max_chain_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
            now,
        };
        let valid = check.validate(message.as_bytes()).map_err(Refused::Chain)?;
        let is_peer = readable(std::slice::from_ref(&case.peer_certificate)).contains(&valid.leaf);
        if is_peer {
            Ok(())
        } else {
            Err(Refused::OtherLeaf)
        }
    };
    Verdict::Judged {
        compared: judge(match case.validation_kind {
            Kind::Server => LeafUse::TlsServer,
            Kind::Client => LeafUse::TlsClient,
        }),
        signer: Some(judge(LeafUse::ControlSigner)),
    }
}

fn server(case: &Case, now: i64) -> Verdict {
    if case.validation_kind != Kind::Server {
        return skipped("it is about a TLS client");
    }
    let Some(name) = &case.expected_peer_name else {
        return skipped("it has no host name, without which no server is called");
    };
    let host = ServerName::parse(&name.value);
    let host = match (name.kind.as_str(), host) {
        ("DNS" | "IP", None) => return skipped("its host name can be called by nobody"),
        ("DNS", Some(host @ ServerName::Dns(_))) | ("IP", Some(host @ ServerName::Ip(_))) => host,
        ("DNS" | "IP", Some(_)) => return skipped("its host name is not of the kind that it says"),
        _ => return skipped("its name is that of no host"),
    };
    let crls = match lists(case) {
        Ok(crls) => crls,
        Err(why) => return skipped(why),
    };
    let anchors = readable(&case.trusted_certs);
    let check = ServerCheck {
        anchors: &anchors,
        crls: &crls,
        host: &host,
        max_depth: case.max_chain_depth.unwrap_or(MAX_DEPTH).min(MAX_DEPTH),
        now,
    };
    let presented = |text: &String| pem::certificates(text.as_bytes()).map_err(Refused::Unreadable);
    let compared = presented(&case.peer_certificate).and_then(|peer| {
        let mut untrusted = Vec::new();
        for text in case.intermediates() {
            untrusted.extend(presented(text)?);
        }
        let leaf = peer.first().ok_or(Refused::Unreadable(PemError::Empty))?;
        check
            .validate(leaf, &untrusted)
            .map(drop)
            .map_err(Refused::Server)
    });
    Verdict::Judged {
        compared,
        signer: None,
    }
}

fn skipped(why: &str) -> Verdict {
    Verdict::Skipped(why.to_owned())
}

/// A trusted certificate that cannot be read is in no trust store.
fn readable(texts: &[String]) -> Vec<X509> {
    texts
        .iter()
        .filter_map(|text| pem::certificates(text.as_bytes()).ok())
        .flatten()
        .collect()
}

fn lists(case: &Case) -> Result<Vec<openssl::x509::X509Crl>, &'static str> {
    let mut all = Vec::new();
    for text in case.crls.iter().flatten() {
        let found = pem::revocation_lists(text.as_bytes());
        all.extend(found.map_err(|_| "its revocation list cannot be read")?);
    }
    Ok(all)
}
