//! Signed control messages against the component's verifier.
//!
//! [`run`] takes a file of vectors (`signed_vectors.json`): payloads as they came
//! over the wire, where and when, and the verdict that is expected: `accepted`, or
//! the code of the refusal. All of them go, in their order, through one verifier
//! that trusts the file's signers, as one gateway would receive them: so a message
//! that repeats the `sig.id` of an accepted one is a replay. Where it should be accepted all the
//! same, the file means each vector by itself: then it is judged so, and a note says it. A vector's
//! canonical bytes are those that were signed: they must be ours too, unless the message is
//! expected to be refused, as it may have been changed after the signing.
//!
//! What a vector does not say of where and when it was received, the file may say for all; a
//! vector may bring trusted signers of its own. A message with a `prov.nonce` is one of a session,
//! and such a file knows no sessions: it is judged as one of the session with that nonce, but its
//! time must be within the window all the same. Metrics of one name are ordered by the protocol and
//! refused by the component: where such a message should be accepted, its signature must be right,
//! and a note says that it is refused by policy. A vector that is not understood fails; what is left
//! aside of the file is said in notes. Called by the command `signed`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::str::FromStr;

use kura_formats::payload::{self, Limits, MetricValue};
use openssl::x509::X509;
use provisioning_service::diagnosis::Code;
use provisioning_service::trust::{
    pem, Accepted, Clock, Freshness, SignatureError, SignedView, Verifier, CLOCK_WINDOW_MS,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::report::one_line;
pub use crate::x509::{Error, Tally};

/// A clock before 2020 is that of a gateway whose clock was never set. (The
/// component itself goes by its build date, which may be after a vector's time.)
const PLAUSIBLE_FROM_MS: i64 = 1_577_836_800_000;
/// The verdict of a message that is taken.
const ACCEPTED: &str = "accepted";
/// What a file may say for all its vectors.
const SHARED: [&str; 5] = [
    "trusted_signers_pem",
    "account",
    "client_id",
    "application_topic",
    "now_ms",
];

#[derive(Deserialize)]
struct Vectors {
    vectors: Vec<Map<String, Value>>,
    #[serde(flatten)]
    beside: BTreeMap<String, Value>,
}

#[derive(Deserialize)]
struct Vector {
    expected: String,
    trusted_signers_pem: Pem,
    account: String,
    client_id: String,
    application_topic: String,
    now_ms: i64,
    payload_hex: String,
    canonical_hex: Option<String>,
    #[serde(flatten)]
    beside: BTreeMap<String, Value>,
}

/// Certificates, in one text or in several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Pem {
    One(String),
    Several(Vec<String>),
}

impl Pem {
    fn certificates(&self) -> Result<Vec<X509>, String> {
        let texts = match self {
            Self::One(text) => std::slice::from_ref(text),
            Self::Several(texts) => texts,
        };
        let mut all = Vec::new();
        for text in texts.iter().filter(|text| !text.trim().is_empty()) {
            let found = pem::certificates(text.as_bytes());
            all.extend(found.map_err(|e| format!("trusted_signers_pem: {e}"))?);
        }
        Ok(all)
    }
}

/// Judges every vector and writes one line for each that is not as expected. The
/// summing line is the caller's.
///
/// # Errors
/// [`Error`]: the file cannot be read or is none of vectors, or the report cannot be written.
pub fn run(vectors: &Path, out: &mut dyn Write) -> Result<Tally, Error> {
    let mut file: Vectors = crate::x509::read_json(vectors)?;
    let mut shared = std::mem::take(&mut file.beside);
    let content = |what: String| Error::Content {
        path: vectors.to_owned(),
        what,
    };
    let Some(signers) = shared.get("trusted_signers_pem") else {
        return Err(content("there is no trusted_signers_pem".to_owned()));
    };
    let signers: Pem = Pem::deserialize(signers)
        .map_err(|_| content("trusted_signers_pem is neither a text nor a list of them".into()))?;
    for left_out in Verifier::new().trust(&signers.certificates().map_err(content)?, &[]) {
        let left_out = one_line(&left_out.to_string());
        writeln!(out, "not trusted as a signer: {left_out}")?;
    }
    let mut judge = Judge::default();
    for field in shared
        .keys()
        .filter(|field| !SHARED.contains(&field.as_str()))
    {
        // The root of the signers' chain counts for nothing: signers are trusted by themselves.
        if field != "root_pem" {
            let field = one_line(field);
            writeln!(
                out,
                "note    \"{field}\" of the file is not known here, and left aside"
            )?;
        }
    }
    shared.retain(|field, _| SHARED.contains(&field.as_str()));
    let mut tally = Tally::default();
    for (index, mut vector) in file.vectors.into_iter().enumerate() {
        let name = match vector.remove("name") {
            Some(Value::String(name)) => one_line(&name),
            _ => format!("#{index}"),
        };
        vector.retain(|_, value| !value.is_null());
        for (field, value) in &shared {
            if !vector.contains_key(field) {
                vector.insert(field.clone(), value.clone());
            }
        }
        let outcome = Vector::deserialize(Value::Object(vector))
            .map_err(|e| format!("not a vector: {e}"))
            .and_then(|vector| judge.judge(&vector));
        match outcome {
            Ok(()) => tally.passed += 1,
            Err(why) => {
                tally.failed += 1;
                writeln!(out, "FAILED  {name}: {}", one_line(&why))?;
            }
        }
    }
    for (note, vectors) in judge.notes {
        writeln!(out, "note    {note}, in {vectors} vectors")?;
    }
    Ok(tally)
}

#[derive(Default)]
struct Judge {
    verifier: Verifier,
    /// How many vectors each is true of.
    notes: BTreeMap<String, usize>,
}

impl Judge {
    /// What is not as expected.
    fn judge(&mut self, vector: &Vector) -> Result<(), String> {
        let expected = vector.expected.as_str();
        if expected != ACCEPTED {
            Code::from_str(expected).map_err(|error| {
                format!("not a vector: expected neither {ACCEPTED} nor a code: {error}")
            })?;
        }
        for field in vector.beside.keys() {
            let field = one_line(field);
            self.note(format!("\"{field}\" is not known here, and left aside"));
        }
        let bytes = unhex(&vector.payload_hex).ok_or("payload_hex is not hex")?;
        let (verdict, words) = match payload::decode(&bytes, &Limits::default()) {
            // The design has a word for each, but not which of them counts here.
            Err(error) if error.is_limit() && expected == "protocol.too-large" => return Ok(()),
            Err(error) => ("protocol.malformed", error.to_string()),
            Ok(payload) => {
                let message = SignedView {
                    account: &vector.account,
                    client_id: &vector.client_id,
                    application_topic: &vector.application_topic,
                    payload: &payload,
                };
                if let Some(signed) = &vector.canonical_hex {
                    let signed = unhex(signed).ok_or("canonical_hex is not hex")?;
                    let own = message.canonical().ok_or("there are no canonical bytes")?;
                    if expected == ACCEPTED && signed != *own {
                        return Err(format!("the canonical bytes are others: {}", hex(&own)));
                    }
                }
                let signers = vector.trusted_signers_pem.certificates()?;
                self.verifier.trust(&signers, &[]);
                let mut verdict = self.verdict(&message, vector.now_ms);
                if expected == ACCEPTED && matches!(verdict, Err(SignatureError::Replayed(_))) {
                    let before = std::mem::take(&mut self.verifier);
                    self.verifier.trust(&signers, &[]);
                    let alone = self.verdict(&message, vector.now_ms);
                    self.verifier = before;
                    if alone.is_ok() {
                        self.note("its sig.id was taken before, so it is judged by itself".into());
                        verdict = alone;
                    }
                }
                match verdict {
                    Ok(accepted) => {
                        let words = format!("signed by {}", accepted.signer);
                        (ACCEPTED, words)
                    }
                    // The protocol orders such metrics by their types and values, and says no more.
                    Err(SignatureError::Ambiguous) if expected == ACCEPTED => {
                        self.note(
                            "its signature is right, but it is refused by policy: a metric is there \
                             twice"
                                .to_owned(),
                        );
                        return Ok(());
                    }
                    Err(error) => (error.code(), error.to_string()),
                }
            }
        };
        if verdict == expected {
            Ok(())
        } else {
            Err(format!("expected {expected}, got {verdict}: {words}"))
        }
    }

    fn verdict(&mut self, message: &SignedView<'_>, now: i64) -> Result<Accepted, SignatureError> {
        let clock = if now < PLAUSIBLE_FROM_MS {
            Clock::Implausible
        } else {
            Clock::Plausible(now)
        };
        let nonce = match message.payload.get("prov.nonce") {
            Some(MetricValue::Bytes(nonce)) => nonce,
            _ => return self.verifier.verify(message, clock, Freshness::Window),
        };
        self.note("prov.nonce is that of the session, and the time within the window".to_owned());
        let freshness = Freshness::Session { nonce };
        let body = message.payload.body.as_deref().unwrap_or_default();
        let judged = self.verifier.judge(message, body, clock, freshness)?;
        if judged.timestamp.abs_diff(now) > CLOCK_WINDOW_MS {
            return Err(SignatureError::Replayed(
                "sig.timestamp is not within 300 s of the clock",
            ));
        }
        self.verifier.verify(message, clock, freshness)
    }

    fn note(&mut self, note: String) {
        *self.notes.entry(note).or_default() += 1;
    }
}

/// The octets of hex digits; white space between octets, in what was wrapped, is none.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|digit| !digit.is_ascii_whitespace())
        .map(|digit| {
            digit
                .to_digit(16)
                .and_then(|value| u8::try_from(value).ok())
        })
        .collect();
    let digits = digits?;
    if digits.len() % 2 != 0 {
        return None;
    }
    let octets = digits.chunks_exact(2);
    Some(
        octets
            .map(|pair| pair.iter().fold(0, |octet, digit| octet << 4 | digit))
            .collect(),
    )
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
#[path = "signed_tests.rs"]
mod tests;
