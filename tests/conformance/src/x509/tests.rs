#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]

use super::*;
use crate::samples::{find, Scratch};

fn report(cases: &Path, baseline: &Path, as_: Profile) -> (Tally, String) {
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
    let mut report = Vec::new();
    let tally = pkits::run(&folder, &mut report).unwrap();
    let report = String::from_utf8(report).unwrap();
    println!("{report}{tally:?}");
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 80, "{report}");
}
