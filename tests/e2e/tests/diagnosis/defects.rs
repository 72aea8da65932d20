//! What no platform and no network can bring about: a host that refuses what it took at the check,
//! and a defect in the component itself.

use std::fs;
use std::time::Duration;

use e2e::site::{error_code, state, PID};
use e2e::Site;
use gateway_host_sdk::keystore::{KeyAlgorithm, SSL_KEYSTORE};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;

use super::{again, schema, sees, succeeds};

/// Names the file that stops the clock of the component.
const NO_CLOCK: &str = "GWC_TEST_NO_CLOCK";

/// The platform wants its certificate where the gateway keeps a private key. The host does not
/// write over a key, and above all the key is still there afterwards.
#[test]
fn a_certificate_where_a_key_is_kept_is_refused_and_the_key_survives() {
    let platform =
        TestPlatform::start_with(Pki::create().unwrap(), |s| s.with_target_root_apart()).unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    let keystores = site.framework().unwrap().keystores().clone();
    let alias = "ssl-target-broker";
    keystores
        .create_key(SSL_KEYSTORE, alias, KeyAlgorithm::EcP256)
        .unwrap();
    let key = keystores.private_key(SSL_KEYSTORE, alias).unwrap();
    let before = site.world().unwrap();
    site.set("enabled", true).unwrap();
    let status = site.wait_for_code("apply.failed").unwrap();
    assert_eq!(state(&status), "refused");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(alias) && message.contains("private key"),
        "{message}"
    );
    assert_eq!(site.world().unwrap(), before);
    let still = keystores.private_key(SSL_KEYSTORE, alias).unwrap();
    assert_eq!(still.expose(), key.expose());
    // Mended on the gateway, and saved again.
    keystores.remove(SSL_KEYSTORE, alias).unwrap();
    site.set("retry-interval", 2).unwrap();
    succeeds(&mut site);
}

/// A panic in the component's thread: the host lives, and the status says what happened.
#[test]
fn a_panic_stops_the_instance_and_says_so_and_not_the_host() {
    if std::env::var_os(NO_CLOCK).is_some() {
        return without_a_clock();
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = again::library(include_str!("no_clock.c"), folder.path()) else {
        return;
    };
    let mut command = again::program();
    command
        .env("LD_PRELOAD", library)
        .env(NO_CLOCK, folder.path().join("stopped"));
    again::run(
        command,
        "defects::a_panic_stops_the_instance_and_says_so_and_not_the_host",
    );
}

fn without_a_clock() {
    let file = std::env::var_os(NO_CLOCK).unwrap();
    // What this process starts keeps its clock.
    std::env::remove_var("LD_PRELOAD");
    e2e::capture::start();
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
    let before = site.world().unwrap();
    fs::write(&file, "").unwrap();
    // Whatever it is asked now, it looks at the clock.
    let asked = site.framework().unwrap().preflight(PID);
    assert!(asked.is_err(), "{asked:?}");
    let status = site
        .wait("the defect", Duration::from_secs(20), |status| {
            error_code(status) == "internal.panic"
        })
        .unwrap();
    fs::remove_file(&file).unwrap();
    schema::hold(&site.documents);
    assert_eq!(state(&status), "failed");
    assert_eq!(site.world().unwrap(), before);
    let logged = e2e::capture::lines_with("internal.panic");
    assert!(
        logged
            .iter()
            .any(|line| line.starts_with("ERROR") && line.contains(PID)),
        "{logged:?}"
    );
    // It does nothing any more, says why, and can be ended.
    let refused = site.framework().unwrap().identity(PID).unwrap_err();
    assert_eq!(refused.code, "internal.panic", "{refused:?}");
    site.stop();
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
}
