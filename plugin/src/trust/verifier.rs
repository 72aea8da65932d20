//! Signed control messages: who sent this, is it whole, is it fresh, is it new.
//!
//! A [`Verifier`] holds the trusted signers, and a memory against replay in which nothing is
//! durable: what is to be done once whatever happens is judged here ([`Verifier::judge`]) and
//! remembered elsewhere. One instance serves the provisioning session and the time after it; a
//! message of one is none of the other, by its nonce. It neither decodes payloads nor reads a clock
//! nor answers anybody. Called by the session for each request, and by `gwc.control-verifier/1`
//! behind a lock.
//!
//! Fail-closed: no trusted signer, no accepted message. Only an accepted message
//! changes the memory, so that nobody unknown can fill it.

use kura_formats::payload::MetricValue;
use openssl::x509::{CrlStatus, X509Crl, X509};

use super::canonical::{Found, SignedView, SIGNATURE_METRIC};
use super::chain::{check_signer, ChainError};
use super::cms::{Signature, MAX_WHOLE};
use super::facts::{self, CertificateFacts};
use super::replay::{digest_of, Replay, ReplayWindow};
use super::revocation;

/// How far `sig.timestamp` may be from the clock, in ms, either way.
pub const CLOCK_WINDOW_MS: u64 = 300_000;

/// What the clock says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// Milliseconds since 1970.
    Plausible(i64),
    /// It was not set yet: nothing can be said of validity or freshness.
    Implausible,
}

/// What makes a message fresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness<'a> {
    /// `sig.timestamp` is within [`CLOCK_WINDOW_MS`] of the clock, and there is no `prov.nonce`.
    Window,
    /// `prov.nonce` is this one; `sig.timestamp` may be anything.
    Session {
        /// The nonce of the attempt.
        nonce: &'a [u8],
    },
}

/// An accepted message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Whose signature it bears: SHA-256, lower hex.
    pub signer: String,
    /// Its `sig.id`.
    pub id: String,
    /// Its `sig.timestamp`, ms since 1970.
    pub timestamp: i64,
}

/// Why a message was refused. Each variant is one code.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// `signature.missing`: there is no signature.
    #[error("message is not signed")]
    Missing,
    /// `signature.invalid`: the signature or what must stand beside it is wrong.
    #[error("signature of the message: {0}")]
    Invalid(&'static str),
    /// `signature.invalid`: all else is right, but metrics of one name have the same canonical bytes
    /// in any order, and readers take the last.
    #[error("signature of the message: it does not cover which comes first of a metric that is there twice")]
    Ambiguous,
    /// `signature.untrusted`: not by a signer that may sign now.
    #[error("signer of the message: {why}{}", shown(.signer))]
    Untrusted {
        /// In words.
        why: &'static str,
        /// The trusted certificate that may not sign any more, or not yet.
        signer: Option<Box<CertificateFacts>>,
    },
    /// `signature.replayed`: sent before, or at another time than now.
    #[error("message is not new: {0}")]
    Replayed(&'static str),
    /// `clock.implausible`: the clock is not set, so that nothing can be said.
    #[error("message cannot be judged: the clock is not set")]
    ClockImplausible,
}

fn shown(signer: &Option<Box<CertificateFacts>>) -> String {
    signer
        .as_ref()
        .map_or_else(String::new, |facts| format!(": {facts}"))
}

impl From<Replay> for SignatureError {
    fn from(replay: Replay) -> Self {
        Self::Replayed(match replay {
            Replay::Seen => "its sig.id was seen before",
            Replay::TooOld => "its sig.timestamp is before the remembered ones",
        })
    }
}

impl SignatureError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "signature.missing",
            Self::Invalid(_) | Self::Ambiguous => "signature.invalid",
            Self::Untrusted { .. } => "signature.untrusted",
            Self::Replayed(_) => "signature.replayed",
            Self::ClockImplausible => "clock.implausible",
        }
    }
}

struct Signer {
    certificate: X509,
    fingerprint: String,
    revoked: bool,
}

/// Judges signed control messages.
#[derive(Default)]
pub struct Verifier {
    signers: Vec<Signer>,
    window: ReplayWindow,
}

impl Verifier {
    /// A verifier that trusts nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces the trusted signers by these end-entity certificates (of the
    /// DMKeystore, or the leaf of the session's chain). The memory
    /// stays. `crls` are the keystore's own: one that revokes a signer counts even if
    /// it is stale or its issuer is not at hand, as that is the safe side. Returns why
    /// those that may not sign were left out.
    pub fn trust(&mut self, certificates: &[X509], crls: &[X509Crl]) -> Vec<ChainError> {
        self.signers.clear();
        let mut left_out = Vec::new();
        for certificate in certificates {
            match check_signer(certificate) {
                Ok(()) => self.signers.push(Signer {
                    certificate: certificate.clone(),
                    fingerprint: facts::fingerprint(certificate),
                    revoked: revocation::lists_for(certificate, crls)
                        .into_iter()
                        .any(|list| matches!(list.get_by_cert(certificate), CrlStatus::Revoked(_))),
                }),
                Err(refusal) => left_out.push(refusal.into()),
            }
        }
        left_out
    }

    /// A new session, with a nonce of its own: what was accepted before cannot carry it, and is
    /// forgotten.
    pub fn begin_session(&mut self) {
        self.window = ReplayWindow::default();
    }

    /// The fingerprints of the trusted signers: lower hex, sorted.
    #[must_use]
    pub fn trusted_fingerprints(&self) -> Vec<&str> {
        let mut all: Vec<_> = self
            .signers
            .iter()
            .map(|signer| signer.fingerprint.as_str())
            .collect();
        all.sort_unstable();
        all
    }

    /// Whether there is no trusted signer, so that no message can be accepted.
    #[must_use]
    pub fn trusts_nobody(&self) -> bool {
        self.signers.is_empty()
    }

    /// Judges one message, and remembers it if it is accepted.
    ///
    /// # Errors
    /// [`SignatureError`]. The checks stand in this order: presence, form, signer,
    /// signature, clock, the signer's validity and revocation, freshness, ambiguity, replay.
    pub fn verify(
        &mut self,
        message: &SignedView<'_>,
        clock: Clock,
        freshness: Freshness<'_>,
    ) -> Result<Accepted, SignatureError> {
        self.verify_apart(message, message.body(), clock, freshness)
    }

    /// As [`Verifier::verify`], with the body apart from the message: large bodies need not be
    /// copied into it.
    ///
    /// # Errors
    /// As [`Verifier::verify`].
    pub fn verify_apart(
        &mut self,
        message: &SignedView<'_>,
        body: &[u8],
        clock: Clock,
        freshness: Freshness<'_>,
    ) -> Result<Accepted, SignatureError> {
        let accepted = self.judge(message, body, clock, freshness)?;
        let id = digest_of(&accepted.id);
        self.window.check(&id, accepted.timestamp)?;
        self.window.remember(id, accepted.timestamp);
        Ok(accepted)
    }

    /// Judges one message with its body apart, but for whether it was accepted before; and
    /// remembers nothing.
    ///
    /// # Errors
    /// As [`Verifier::verify`], replay excepted.
    pub fn judge(
        &self,
        message: &SignedView<'_>,
        body: &[u8],
        clock: Clock,
        freshness: Freshness<'_>,
    ) -> Result<Accepted, SignatureError> {
        use SignatureError::{Invalid, Missing};
        let der = match message.metric(SIGNATURE_METRIC) {
            Found::None => return Err(Missing),
            Found::One(MetricValue::Bytes(der)) => der,
            Found::One(_) => return Err(Invalid("the metric is not BYTES")),
            Found::Several => return Err(Invalid("it is there twice")),
        };
        if message.payload.position.is_some() {
            return Err(Invalid("it does not cover the position"));
        }
        if message.payload.has_unknown_fields {
            return Err(Invalid("it does not cover unknown fields"));
        }
        let Found::One(&MetricValue::Int64(timestamp)) = message.metric("sig.timestamp") else {
            return Err(Invalid("there is not one sig.timestamp of type INT64"));
        };
        let id = match message.metric("sig.id") {
            Found::One(MetricValue::String(id)) if !id.is_empty() => id,
            _ => return Err(Invalid("there is not one sig.id of type STRING")),
        };
        let signature = Signature::parse(der).map_err(Invalid)?;
        let signer = self.signer_of(&signature, message, body)?;
        let Clock::Plausible(now) = clock else {
            return Err(SignatureError::ClockImplausible);
        };
        self.may_sign(signer, now)?;
        match freshness {
            Freshness::Window if now.abs_diff(timestamp) > CLOCK_WINDOW_MS => {
                return Err(SignatureError::Replayed(
                    "sig.timestamp is not within 300 s of the clock",
                ));
            }
            Freshness::Window => match message.metric("prov.nonce") {
                Found::None => {}
                // Who recorded a session could have its requests done once more, as long as they
                // are of the last minutes.
                _ => {
                    return Err(SignatureError::Replayed(
                        "it is of a provisioning session, by its prov.nonce",
                    ))
                }
            },
            Freshness::Session { nonce } => match message.metric("prov.nonce") {
                Found::One(MetricValue::Bytes(found)) if same(found, nonce) => {}
                _ => {
                    return Err(SignatureError::Replayed(
                        "prov.nonce is not that of this attempt",
                    ))
                }
            },
        }
        if message.has_a_metric_twice() {
            return Err(SignatureError::Ambiguous);
        }
        Ok(Accepted {
            signer: signer.fingerprint.clone(),
            id: id.clone(),
            timestamp,
        })
    }

    /// The trusted signer that made the signature.
    fn signer_of(
        &self,
        signature: &Signature<'_>,
        message: &SignedView<'_>,
        body: &[u8],
    ) -> Result<&Signer, SignatureError> {
        let mut named = self
            .signers
            .iter()
            .filter(|signer| signature.names(&signer.certificate))
            .peekable();
        if named.peek().is_none() {
            return Err(SignatureError::Untrusted {
                why: "it is not trusted",
                signer: None,
            });
        }
        let content = match message.size(body) > MAX_WHOLE {
            true => None,
            false => Some(message.whole(body).ok_or(SignatureError::Invalid(
                "the message is too long to be signed",
            ))?),
        };
        let mut why = "it does not fit the message";
        named
            .find(|signer| {
                let certificate = &signer.certificate;
                let verdict = match &content {
                    Some(content) => signature.verify(content, certificate),
                    None => signature.verify_digest(|by| message.digest(body, by), certificate),
                };
                verdict.map_err(|unfit| why = unfit).is_ok()
            })
            .ok_or(SignatureError::Invalid(why))
    }

    fn may_sign(&self, signer: &Signer, now_ms: i64) -> Result<(), SignatureError> {
        let certificate = &signer.certificate;
        let untrusted = |why| SignatureError::Untrusted {
            why,
            signer: Some(Box::new(CertificateFacts::of(certificate))),
        };
        let now = now_ms.div_euclid(1000);
        let (Some(from), Some(to)) = (
            facts::unix(certificate.not_before()),
            facts::unix(certificate.not_after()),
        ) else {
            return Err(untrusted("its validity cannot be read"));
        };
        if now < from {
            return Err(untrusted("its certificate is not yet valid"));
        }
        // As X509_verify_cert: the second of notAfter is too late.
        if now >= to {
            return Err(untrusted("its certificate has expired"));
        }
        if signer.revoked {
            return Err(untrusted("its certificate was revoked"));
        }
        Ok(())
    }
}

/// Equality in constant time, where lengths are no secret.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one, other)
}
