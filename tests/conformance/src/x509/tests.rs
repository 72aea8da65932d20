#![allow(clippy::unwrap_used, clippy::print_stdout)]

use super::*;

/// The folder of sample data, if it is there.
pub(crate) fn samples(file: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("GWC_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"),
        PathBuf::from,
    );
    let found = folder.join(file);
    if found.exists() {
        return Some(found);
    }
    println!("skipped: there is no {}", found.display());
    None
}

fn judge_samples(as_: Profile) -> Option<(Tally, String)> {
    let (cases, baseline) = (
        samples("x509/limbo.json")?,
        samples("x509/openssl_baseline.json")?,
    );
    let mut report = Vec::new();
    let tally = run(&cases, &baseline, as_, &mut report).unwrap();
    Some((tally, String::from_utf8(report).unwrap()))
}

#[test]
fn received_chains_agree_with_openssl() {
    let Some((tally, report)) = judge_samples(Profile::Chain) else {
        return;
    };
    println!("{report}");
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 200, "{report}");
}

#[test]
fn tls_servers_agree_with_openssl() {
    let Some((tally, report)) = judge_samples(Profile::TlsServer) else {
        return;
    };
    println!("{report}");
    assert_eq!(tally.failed, 0, "{report}");
    assert!(tally.passed > 200, "{report}");
}
