#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::X509;
use serde_json::{json, Value};

use super::*;
use crate::samples::{alone, find, Scratch};

fn report(cases: &Path, baseline: &Path, as_: Profile) -> (Tally, String) {
    let _alone = alone();
    let mut report = Vec::new();
    let tally = run(cases, baseline, as_, &mut report).unwrap();
    (tally, String::from_utf8(report).unwrap())
}

fn files() -> Option<(PathBuf, PathBuf)> {
    Some((
        find("x509/limbo.json")?,
        find("x509/openssl_baseline.json")?,
    ))
}

#[test]
fn received_chains_agree_with_openssl() {
    let Some((cases, baseline)) = files() else {
        return;
    };
    let (tally, report) = report(&cases, &baseline, Profile::Chain);
    println!("{report}");
    assert_eq!((tally.failed, tally.skipped), (0, 0), "{report}");
    assert!(tally.passed > 200, "{report}");
}

#[test]
fn tls_servers_agree_with_openssl() {
    let Some((cases, baseline)) = files() else {
        return;
    };
    let (tally, report) = report(&cases, &baseline, Profile::TlsServer);
    println!("{report}");
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 200, "{report}");
}

/// Turns every answer of the baseline round: nothing agrees any more, so nearly
/// everything must fail, and nothing may be excused by a policy that does not fit.
#[test]
fn a_baseline_that_says_the_contrary_fails() {
    let Some((cases, baseline)) = files() else {
        return;
    };
    for as_ in [Profile::Chain, Profile::TlsServer] {
        let (usual, _) = report(&cases, &baseline, as_);
        let mut contrary: serde_json::Value = read_json(&baseline).unwrap();
        let answers = contrary[as_.baseline()].as_object_mut().unwrap();
        for answer in answers.values_mut() {
            answer["got"] = (!answer["got"].as_bool().unwrap()).into();
        }
        let scratch = Scratch::new(&serde_json::to_vec(&contrary).unwrap());
        let (tally, report) = report(&cases, scratch.path(), as_);
        assert_eq!(tally.skipped, usual.skipped);
        assert!(tally.failed > usual.passed * 3 / 4, "{tally:?}\n{report}");
        assert!(report.contains("TOO LAX") && report.contains("TOO STRICT"));
    }
}

#[test]
fn each_policy_has_one_name_and_a_reason() {
    let names: std::collections::BTreeSet<_> =
        policy::ALL.iter().map(|policy| policy.name).collect();
    assert_eq!(names.len(), policy::ALL.len());
    assert!(policy::ALL.iter().all(|policy| !policy.reason.is_empty()));
}

#[test]
fn pkits_agrees_with_its_names() {
    let Some(folder) = find("PKITS_data") else {
        return;
    };
    let _alone = alone();
    let mut report = Vec::new();
    let tally = pkits::run(&folder, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    println!("{report}{tally:?}");
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 80, "{report}");
    // Two for each of our own policies at most: else one of them hides what the others find.
    assert!(count(&report, "stricter ") < 10, "{report}");
}

/// A case whose file is damaged must not be missing from the counts.
#[test]
fn a_file_of_pkits_that_cannot_be_read_is_skipped_by_name() {
    let _alone = alone();
    let key = PKey::from_ec_key(
        EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap(),
    )
    .unwrap();
    let mut anchor = X509::builder().unwrap();
    let day = Asn1Time::from_str("20200101000000Z").unwrap();
    anchor.set_not_before(&day).unwrap();
    anchor.set_not_after(&day).unwrap();
    anchor.set_pubkey(&key).unwrap();
    anchor.sign(&key, MessageDigest::sha256()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |folder_and_name: &str, content: &[u8]| {
        let path = folder.path().join(folder_and_name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    file(
        "certs/TrustAnchorRootCertificate.crt",
        &anchor.build().to_der().unwrap(),
    );
    file("certs/ValidNameChainingTest1EE.crt", b"");
    file("crls/TrustAnchorRootCRL.crl", b"0");
    let mut report = Vec::new();
    let tally = pkits::run(folder.path(), &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    assert_eq!(tally.skipped, 2, "{report}");
    for name in ["ValidNameChainingTest1EE.crt", "TrustAnchorRootCRL.crl"] {
        let line = format!("skipped     {name}: it cannot be read");
        assert!(report.lines().any(|found| found == line), "{report}");
    }
}

const NO_TIME: Limits = Limits {
    time: std::time::Duration::ZERO,
    ..LIMITS
};
const NO_MEMORY: Limits = Limits {
    memory: 0,
    ..LIMITS
};

/// A suite that is run within the limits.
type Judge = Box<dyn Fn(Limits) -> (Tally, String)>;

/// How many lines of the report begin so.
fn count(report: &str, begin: &str) -> usize {
    report
        .lines()
        .filter(|line| line.starts_with(begin))
        .count()
}

/// Every limit is one that a case can break, in both suites, and what breaks one has failed.
#[test]
fn a_case_that_takes_more_than_the_limits_fails() {
    let _alone = alone();
    let mut judges: Vec<Judge> = Vec::new();
    if let Some((cases, baseline)) = files() {
        judges.push(Box::new(move |limits| {
            let mut out = Vec::new();
            let tally = run_within(limits, &cases, &baseline, Profile::Chain, &mut out).unwrap();
            (tally, String::from_utf8(out).unwrap())
        }));
    }
    if let Some(folder) = find("PKITS_data") {
        judges.push(Box::new(move |limits| {
            let mut out = Vec::new();
            let tally = pkits::run_within(limits, &folder, &mut out).unwrap();
            (tally, String::from_utf8(out).unwrap())
        }));
    }
    for judge in judges {
        let (usual, _) = judge(LIMITS);
        let (tally, report) = judge(NO_TIME);
        assert_eq!((tally.passed, tally.failed), (0, usual.passed), "{report}");
        assert_eq!(count(&report, "TOO SLOW "), usual.passed, "{report}");
        let (tally, report) = judge(NO_MEMORY);
        if report.contains("memory was not measured") {
            println!("skipped: memory cannot be measured here");
            continue;
        }
        assert_eq!((tally.passed, tally.failed), (0, usual.passed), "{report}");
        assert_eq!(count(&report, "TOO LARGE "), usual.passed, "{report}");
        assert!(report.contains("largest case: "), "{report}");
    }
}

/// The first case of the sample that both sides accept as a TLS server's, with its baseline.
fn accepted() -> Option<(Value, Value)> {
    let (cases, baseline) = files()?;
    let suite: Value = read_json(&cases).unwrap();
    let baseline: Value = read_json(&baseline).unwrap();
    let case = suite["testcases"].as_array().unwrap().iter().find(|case| {
        case["features"] == json!([])
            && case["validation_kind"] == "SERVER"
            && case["expected_peer_name"]["kind"] == "DNS"
            && baseline["tlsclient"][case["id"].as_str().unwrap()]["got"] == true
    });
    Some((case.unwrap().clone(), baseline))
}

fn judged(suite: &Value, baseline: &Value) -> Result<(Tally, String), Error> {
    let suite = Scratch::new(&serde_json::to_vec(suite).unwrap());
    let baseline = Scratch::new(&serde_json::to_vec(baseline).unwrap());
    let mut out = Vec::new();
    let tally = run(suite.path(), baseline.path(), Profile::TlsServer, &mut out)?;
    Ok((tally, String::from_utf8(out).unwrap()))
}

/// A case that is passed as it stands is skipped, with the reason, as soon as it asks for
/// something that is not judged; its neighbour is judged all the same.
#[test]
fn a_case_that_cannot_be_judged_is_skipped_with_its_reason() {
    let _alone = alone();
    let Some((good, baseline)) = accepted() else {
        return;
    };
    let changes = [
        (
            "features",
            json!(["has-policy-constraints"]),
            "policies are not evaluated",
        ),
        (
            "features",
            json!(["has-crl", "of-tomorrow"]),
            "unknown feature \"of-tomorrow\"",
        ),
        ("features", json!("has-crl"), "it is no case of limbo"),
        (
            "validation_kind",
            json!("CLIENT"),
            "it asks for the purpose",
        ),
        ("validation_kind", json!("PEER"), "unknown variant `PEER`"),
        (
            "validation_time",
            json!("tomorrow"),
            "its validation time cannot be read",
        ),
        (
            "validation_time",
            json!(0),
            "it is no case of limbo: invalid type",
        ),
        (
            "extended_key_usage",
            json!(["codeSigning"]),
            "the purpose \"codeSigning\"",
        ),
        (
            "signature_algorithms",
            json!(["ED448"]),
            "a choice of signature algorithms",
        ),
        ("expected_peer_name", json!(null), "it has no host name"),
        (
            "expected_peer_name",
            json!({"kind": "RFC822", "value": "a@b"}),
            "that of no host",
        ),
        (
            "expected_peer_name",
            json!({"kind": "URI", "value": "a"}),
            "that of no host",
        ),
        (
            "expected_peer_name",
            json!({"kind": "DNS", "value": ""}),
            "called by nobody",
        ),
        (
            "expected_peer_name",
            json!({"kind": "IP", "value": "a.example"}),
            "not of the kind",
        ),
        (
            "expected_peer_name",
            json!({"kind": "DNS", "value": "192.0.2.1"}),
            "not of the kind",
        ),
        (
            "expected_peer_name",
            json!("a.example"),
            "it is no case of limbo",
        ),
        (
            "max_chain_depth",
            json!(-1),
            "it is no case of limbo: invalid value",
        ),
        (
            "crls",
            json!(["no list"]),
            "its revocation list cannot be read",
        ),
        ("peer_certificate", json!(null), "it is no case of limbo"),
        (
            "id",
            json!("of::another-file"),
            "the baseline does not know it",
        ),
        ("id", json!(7), "number 2: it is no case of limbo"),
        (
            "id",
            json!("two\nlines"),
            "two lines: the baseline does not know it",
        ),
    ];
    for (field, value, reason) in changes {
        let mut changed = good.clone();
        if field == "validation_kind" {
            changed["extended_key_usage"] = json!(["serverAuth"]);
        }
        changed[field] = value;
        let suite = json!({"version": 1, "testcases": [good, changed]});
        let (tally, report) = judged(&suite, &baseline).unwrap();
        let expected = Tally {
            passed: 1,
            failed: 0,
            skipped: 1,
        };
        assert_eq!(tally, expected, "{field} {reason}: {report}");
        let line = report.lines().find(|line| line.starts_with("skipped     "));
        assert!(
            line.is_some_and(|line| line.contains(reason)),
            "{field} {reason}: {report}"
        );
    }
}

/// Older files of the suite write null where newer ones write nothing, or leave a field out.
#[test]
fn what_a_case_need_not_say_may_be_null_or_absent() {
    let _alone = alone();
    let Some((good, baseline)) = accepted() else {
        return;
    };
    let optional = [
        "features",
        "conflicts_with",
        "importance",
        "peer_certificate_key",
        "signature_algorithms",
        "key_usage",
        "extended_key_usage",
        "expected_peer_names",
        "max_chain_depth",
        "crls",
    ];
    let (mut nothing, mut absent) = (good.clone(), good);
    for field in optional {
        nothing[field] = Value::Null;
        absent.as_object_mut().unwrap().remove(field);
    }
    let (tally, report) = judged(&json!({"testcases": [nothing, absent]}), &baseline).unwrap();
    let expected = Tally {
        passed: 2,
        failed: 0,
        skipped: 0,
    };
    assert_eq!(tally, expected, "{report}");
}

#[test]
fn a_word_of_the_baseline_that_cannot_be_read_is_no_agreement() {
    let _alone = alone();
    let Some((good, baseline)) = accepted() else {
        return;
    };
    let id = good["id"].as_str().unwrap().to_owned();
    let suite = json!({"testcases": [good]});
    for word in [
        json!({"got": "perhaps"}),
        json!({"verdict": "ok"}),
        json!(true),
        json!(null),
    ] {
        let mut odd = baseline.clone();
        odd["tlsclient"][&id] = word;
        odd["another profile"] = json!("of another form");
        let (tally, report) = judged(&suite, &odd).unwrap();
        let expected = Tally {
            passed: 0,
            failed: 0,
            skipped: 1,
        };
        assert_eq!(tally, expected, "{report}");
        assert!(
            report.contains("the baseline's word on it cannot be read"),
            "{report}"
        );
    }
}

#[test]
fn files_of_another_kind_are_refused_by_name() {
    let cases = json!({"version": 1, "testcases": []});
    let baseline = json!({"tlsclient": {}});
    assert_eq!(judged(&cases, &baseline).unwrap().0, Tally::default());
    let refused = [
        (
            json!({"version": 2, "testcases": []}),
            baseline.clone(),
            "its version is 2",
        ),
        (
            json!({"cases": []}),
            baseline.clone(),
            "is not the JSON of such cases",
        ),
        (json!([]), baseline, "is not the JSON of such cases"),
        (
            cases.clone(),
            json!({"strict": {}}),
            "no profile \"tlsclient\"",
        ),
        (
            cases.clone(),
            json!({"tlsclient": []}),
            "cannot be read: invalid type",
        ),
        (cases, json!([]), "is not the JSON of such cases"),
    ];
    for (suite, baseline, reason) in refused {
        let error = judged(&suite, &baseline).unwrap_err().to_string();
        assert!(error.contains(reason) && error.contains(".json"), "{error}");
    }
}
