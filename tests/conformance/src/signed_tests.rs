//! Files of vectors as they may come, from whoever makes them.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use kura_formats::payload::Payload;
use provisioning_service::trust::sign;

use super::*;
use crate::fixtures::{Ca, Leaf, NOW};
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
    all.push(accepted.clone());
    all.push(accepted);
    let last = all.len() - 2;
    all[last]["expected"] = "signature.missing".into();
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

/// A file of two signers, with what `change` makes of its vectors.
struct File {
    signers: [Ca; 2],
    vectors: Vec<Value>,
    shared: Map<String, Value>,
}

const NOW_MS: i64 = NOW * 1000;

impl File {
    fn new() -> Self {
        let root = Ca::root("Root");
        let shared = serde_json::json!({
            "root_pem": root.pem(),
            "account": "acme",
            "client_id": "AABBCC",
            "application_topic": "CMD-V1/EXEC/command",
            "now_ms": NOW_MS,
        });
        let Value::Object(mut shared) = shared else {
            unreachable!()
        };
        let signers = ["One", "Other"].map(|name| root.issue(name, Leaf::default()));
        shared.insert("trusted_signers_pem".to_owned(), signers[0].pem().into());
        Self {
            signers,
            vectors: Vec::new(),
            shared,
        }
    }

    /// A vector named as its `sig.id`, signed by this signer.
    fn push(&mut self, id: &str, signer: usize, timestamp: i64, expected: &str) -> &mut Value {
        self.push_payload(Payload::new(), id, signer, timestamp, expected)
    }

    fn push_payload(
        &mut self,
        payload: Payload,
        id: &str,
        signer: usize,
        timestamp: i64,
        expected: &str,
    ) -> &mut Value {
        let mut payload = payload
            .with_metric("sig.id", id)
            .with_metric("sig.timestamp", timestamp);
        let signer = &self.signers[signer];
        let canonical = SignedView {
            account: "acme",
            client_id: "AABBCC",
            application_topic: "CMD-V1/EXEC/command",
            payload: &payload,
        }
        .canonical()
        .unwrap();
        let signature = sign(&canonical, &signer.certificate, &signer.key).unwrap();
        payload.push("signature", signature);
        self.vectors.push(serde_json::json!({
            "name": id,
            "expected": expected,
            "payload_hex": hex(&payload::encode(&payload)),
        }));
        self.vectors.last_mut().unwrap()
    }

    fn judged(&self) -> (Tally, String) {
        let mut file = self.shared.clone();
        file.insert("vectors".to_owned(), self.vectors.clone().into());
        let scratch = Scratch::new(&serde_json::to_vec(&file).unwrap());
        let mut report = Vec::new();
        let tally = run(scratch.path(), &mut report).unwrap();
        (tally, String::from_utf8(report).unwrap())
    }
}

fn tally(passed: usize, failed: usize) -> Tally {
    Tally {
        passed,
        failed,
        skipped: 0,
    }
}

#[test]
fn a_file_may_say_once_what_is_true_of_all_and_more_than_is_known_here() {
    let mut file = File::new();
    file.shared.insert("made-by".to_owned(), "hand".into());
    file.push("plain", 0, NOW_MS, ACCEPTED);
    let vector = file.push("upper-case", 0, NOW_MS, ACCEPTED);
    let wrapped = vector["payload_hex"].as_str().unwrap().to_uppercase();
    let (first, rest) = wrapped.split_at(64);
    vector["payload_hex"] = format!("{first}\n{rest}\n").into();
    vector["canonical_hex"] = Value::Null;
    vector["comment"] = "two lines".into();
    let vector = file.push("elsewhere", 0, NOW_MS, "signature.invalid");
    vector["client_id"] = "AABBCD".into();
    vector["comment"] = 3.into();
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(3, 0), "{report}");
    assert!(report.contains("\"comment\" is not known here, and left aside, in 2 vectors"));
    assert!(report.contains("\"made-by\" of the file is not known here"));
    assert!(!report.contains("root_pem"), "{report}");
}

#[test]
fn what_is_not_understood_fails_by_its_name_and_the_others_are_judged() {
    let mut file = File::new();
    for (name, field, value) in [
        ("verdict", "expected", "refused"),
        ("verdict-typo", "expected", "signature.unknown"),
        ("hex", "payload_hex", "0x00"),
        ("time", "now_ms", "1795000000000"),
        ("canonical", "canonical_hex", "0"),
    ] {
        file.push(name, 0, NOW_MS, "signature.invalid")[field] = value.into();
    }
    let nameless = file.push("nameless", 0, NOW_MS, ACCEPTED).as_object_mut();
    nameless.unwrap().retain(|field, _| field == "expected");
    file.push("whole", 0, NOW_MS, ACCEPTED);
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(1, 6), "{report}");
    for words in [
        "FAILED  verdict: not a vector: expected neither accepted nor a code",
        "FAILED  verdict-typo: not a vector",
        "FAILED  hex: payload_hex is not hex",
        "FAILED  time: not a vector",
        "FAILED  canonical: canonical_hex is not hex",
        "FAILED  #5: not a vector: missing field `payload_hex`",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn a_file_without_signers_or_vectors_is_none() {
    for text in [
        "{}",
        "[]",
        r#"{"vectors": []}"#,
        r#"{"vectors": [], "trusted_signers_pem": 1}"#,
    ] {
        let scratch = Scratch::new(text.as_bytes());
        assert!(run(scratch.path(), &mut Vec::new()).is_err(), "{text}");
    }
    let nobody = r#"{"vectors": [], "trusted_signers_pem": []}"#;
    let scratch = Scratch::new(nobody.as_bytes());
    assert_eq!(run(scratch.path(), &mut Vec::new()).unwrap(), tally(0, 0));
}

#[test]
fn a_vector_may_bring_its_own_signers_and_the_memory_is_one() {
    let mut file = File::new();
    let other = file.signers[1].pem();
    file.push("not-yet", 1, NOW_MS, "signature.untrusted");
    file.push("own", 1, NOW_MS, ACCEPTED)["trusted_signers_pem"] = other.clone().into();
    let again = file.vectors.last().unwrap().clone();
    file.vectors.push(again.clone());
    file.vectors[2]["expected"] = "signature.replayed".into();
    file.vectors.push(again);
    file.vectors[3]["trusted_signers_pem"] = Value::Null;
    file.vectors[3]["name"] = "again".into();
    file.push("not-any-more", 1, NOW_MS, "signature.untrusted");
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(4, 1), "{report}");
    let untrusted = "FAILED  again: expected accepted, got signature.untrusted";
    assert!(report.contains(untrusted), "{report}");
}

#[test]
fn a_file_that_repeats_ids_and_expects_acceptance_means_each_vector_by_itself() {
    let mut file = File::new();
    let one_id = |file: &mut File, name: &str, timestamp: i64, expected: &str| {
        file.push("one-id", 0, timestamp, expected)["name"] = name.into();
    };
    one_id(&mut file, "first", NOW_MS, ACCEPTED);
    one_id(&mut file, "second", NOW_MS - 1, ACCEPTED);
    one_id(&mut file, "late", NOW_MS - 300_001, ACCEPTED);
    one_id(&mut file, "replayed", NOW_MS - 1, "signature.replayed");
    one_id(&mut file, "wrong", NOW_MS - 1, "signature.invalid");
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(3, 2), "{report}");
    for words in [
        "FAILED  late: expected accepted, got signature.replayed",
        "FAILED  wrong: expected signature.invalid, got signature.replayed",
        "judged by itself, in 1 vectors",
    ] {
        assert!(report.contains(words), "{words}: {report}");
    }
}

#[test]
fn a_message_of_a_session_is_one_of_its_nonce_and_of_its_time() {
    let mut file = File::new();
    let nonce = || Payload::new().with_metric("prov.nonce", vec![7; 32]);
    file.push_payload(nonce(), "in-time", 0, NOW_MS - 300_000, ACCEPTED);
    file.push_payload(nonce(), "late", 0, NOW_MS - 300_001, "signature.replayed");
    file.push_payload(nonce(), "forged", 0, NOW_MS, "signature.invalid")["account"] =
        "other".into();
    let text = Payload::new().with_metric("prov.nonce", "text");
    file.push_payload(text, "text", 0, NOW_MS, "signature.replayed");
    let again = file.vectors[0].clone();
    file.vectors.push(again);
    file.vectors[4]["expected"] = "signature.replayed".into();
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(5, 0), "{report}");
    assert!(report.contains("in 4 vectors"), "{report}");
}

#[test]
fn a_message_over_a_limit_is_refused_by_either_of_the_two_words() {
    let mut file = File::new();
    let large = || Payload::new().with_metric("large", "x".repeat(70_000));
    file.push_payload(large(), "a", 0, NOW_MS, "protocol.too-large");
    file.push_payload(large(), "b", 0, NOW_MS, "protocol.malformed");
    file.push_payload(large(), "c", 0, NOW_MS, ACCEPTED);
    file.push("d", 0, NOW_MS, "protocol.malformed")["payload_hex"] = "ff".into();
    file.push("e", 0, NOW_MS, "protocol.too-large")["payload_hex"] = "ff".into();
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(3, 2), "{report}");
}

#[test]
fn of_a_metric_that_is_there_twice_the_signature_must_be_right_and_the_policy_is_told() {
    let mut file = File::new();
    let twice = || {
        let payload = Payload::new()
            .with_metric("twice", 2)
            .with_metric("twice", 1);
        payload.with_metric("twice", "0")
    };
    file.push_payload(twice(), "right", 0, NOW_MS, ACCEPTED);
    file.push_payload(twice(), "refused", 0, NOW_MS, "signature.invalid");
    file.push_payload(twice(), "by-another", 1, NOW_MS, ACCEPTED);
    file.push_payload(twice(), "elsewhere", 0, NOW_MS, ACCEPTED)["account"] = "other".into();
    file.push_payload(twice(), "late", 0, NOW_MS - 300_001, ACCEPTED);
    let (counted, report) = file.judged();
    assert_eq!(counted, tally(2, 3), "{report}");
    assert!(report.contains("refused by policy: a metric is there twice, in 1 vectors"));
}
