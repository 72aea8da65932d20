//! Signed control messages against the component's verifier.
//!
//! [`run`] takes a file of vectors (`signed_vectors.json`): payloads as they came
//! over the wire, where and when, and the verdict that is expected: `accepted`, or
//! the code of the refusal. All of them go, in their order, through one verifier
//! that trusts the file's signers, as one gateway would receive them: so a message
//! that repeats the `sig.id` of an accepted one is a replay. A vector's canonical
//! bytes are those that were signed: they must be ours too, unless the message is
//! expected to be refused, as it may have been changed after the signing.

use std::io::Write;
use std::path::Path;

use kura_formats::payload::{self, Limits};
use provisioning_service::trust::{pem, Clock, Freshness, SignedView, Verifier};
use serde::Deserialize;

pub use crate::x509::{Error, Tally};

/// A clock before 2020 is that of a gateway whose clock was never set. (The
/// component itself goes by its build date, which may be after a vector's time.)
const PLAUSIBLE_FROM_MS: i64 = 1_577_836_800_000;

#[derive(Deserialize)]
struct Vectors {
    trusted_signers_pem: Vec<String>,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    expected: String,
    account: String,
    client_id: String,
    application_topic: String,
    now_ms: i64,
    payload_hex: String,
    canonical_hex: Option<String>,
}

/// Judges every vector and writes one line for each that is not as expected. The
/// summing line is the caller's.
///
/// # Errors
/// [`Error`]: the file cannot be read, or the report cannot be written.
pub fn run(vectors: &Path, out: &mut dyn Write) -> Result<Tally, Error> {
    let file: Vectors = crate::x509::read_json(vectors)?;
    let content = |what: String| Error::Content {
        path: vectors.to_owned(),
        what,
    };
    let mut signers = Vec::new();
    for text in &file.trusted_signers_pem {
        let found = pem::certificates(text.as_bytes());
        signers.extend(found.map_err(|error| content(error.to_string()))?);
    }
    let mut verifier = Verifier::new();
    for left_out in verifier.trust(&signers, &[]) {
        writeln!(out, "not trusted as a signer: {left_out}")?;
    }
    let mut tally = Tally::default();
    for vector in &file.vectors {
        match judge(&mut verifier, vector) {
            Ok(()) => tally.passed += 1,
            Err(why) => {
                tally.failed += 1;
                writeln!(out, "FAILED  {}: {why}", vector.name)?;
            }
        }
    }
    Ok(tally)
}

/// What is not as expected.
fn judge(verifier: &mut Verifier, vector: &Vector) -> Result<(), String> {
    let bytes = unhex(&vector.payload_hex).ok_or("payload_hex is not hex")?;
    let (verdict, words) = match payload::decode(&bytes, &Limits::default()) {
        Err(error) => ("protocol.malformed", error.to_string()),
        Ok(payload) => {
            let message = SignedView {
                account: &vector.account,
                client_id: &vector.client_id,
                application_topic: &vector.application_topic,
                payload: &payload,
            };
            let accepted = vector.expected == "accepted";
            if let Some(expected) = vector.canonical_hex.as_ref().filter(|_| accepted) {
                let own = message.canonical().ok_or("there are no canonical bytes")?;
                if unhex(expected).as_ref() != Some(&own) {
                    return Err(format!("the canonical bytes are others: {}", hex(&own)));
                }
            }
            let clock = if vector.now_ms < PLAUSIBLE_FROM_MS {
                Clock::Implausible
            } else {
                Clock::Plausible(vector.now_ms)
            };
            match verifier.verify(&message, clock, Freshness::Window) {
                Ok(accepted) => ("accepted", format!("signed by {}", accepted.signer)),
                Err(error) => (error.code(), error.to_string()),
            }
        }
    };
    if verdict == vector.expected {
        Ok(())
    } else {
        Err(format!(
            "expected {}, got {verdict}: {words}",
            vector.expected
        ))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::samples::{find, Scratch};

    #[test]
    fn every_vector_has_its_verdict() {
        let Some(vectors) = find("signed_vectors.json") else {
            return;
        };
        let mut report = Vec::new();
        let tally = run(&vectors, &mut report).unwrap();
        let report = String::from_utf8(report).unwrap();
        assert_eq!(tally.failed, 0, "{report}");
        assert!(tally.passed >= 17, "{report}");
    }

    #[test]
    fn a_wrong_expectation_a_repeated_message_and_other_bytes_fail() {
        let Some(vectors) = find("signed_vectors.json") else {
            return;
        };
        let mut file: serde_json::Value = crate::x509::read_json(&vectors).unwrap();
        let all = file["vectors"].as_array_mut().unwrap();
        let accepted = all[0].clone();
        all[1]["expected"] = "signature.invalid".into();
        all[2]["canonical_hex"] = "00".into();
        all[3]["now_ms"] = 0.into();
        all.push(accepted);
        let scratch = Scratch::new(&serde_json::to_vec(&file).unwrap());
        let mut report = Vec::new();
        let tally = run(scratch.path(), &mut report).unwrap();
        let report = String::from_utf8(report).unwrap();
        assert_eq!(tally.failed, 4, "{report}");
        for words in [
            "got accepted",
            "canonical bytes are others",
            "got clock.implausible",
            "got signature.replayed",
        ] {
            assert!(report.contains(words), "{report}");
        }
    }
}
