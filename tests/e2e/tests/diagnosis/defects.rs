//! What no platform and no network can bring about: a host that refuses what it took at the check,
//! and a defect in the component itself.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use e2e::site::{error_code, state, PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::Properties;
use gateway_host_sdk::configuration::ConfigurationError;
use gateway_host_sdk::keystore::{KeyAlgorithm, SSL_KEYSTORE};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
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
    with_a_clock_that_stops(
        "defects::a_panic_stops_the_instance_and_says_so_and_not_the_host",
        without_a_clock,
    );
}

/// Runs `body` in a process of its own, as the named test, where the component's clock stops while
/// the file is there whose path `body` is given.
fn with_a_clock_that_stops(test: &str, body: fn(&Path)) {
    if let Some(file) = std::env::var_os(NO_CLOCK) {
        // What this process starts keeps its clock.
        std::env::remove_var("LD_PRELOAD");
        return body(Path::new(&file));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(library) = e2e::preload::library(include_str!("no_clock.c"), folder.path()).unwrap()
    else {
        return;
    };
    let mut command = again::program();
    command
        .env("LD_PRELOAD", library)
        .env(NO_CLOCK, folder.path().join("stopped"));
    again::run(command, test);
}

/// Has the worker of the component panic.
fn panics(site: &mut Site, file: &Path) -> serde_json::Value {
    fs::write(file, "").unwrap();
    // Whatever it is asked now, it looks at the clock.
    let asked = site.framework().unwrap().preflight(PID);
    assert!(asked.is_err(), "{asked:?}");
    let status = site
        .wait("the defect", Duration::from_secs(20), |status| {
            error_code(status) == "internal.panic"
        })
        .unwrap();
    fs::remove_file(file).unwrap();
    status
}

fn without_a_clock(file: &Path) {
    e2e::capture::start();
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
    let before = site.world().unwrap();
    let status = panics(&mut site, file);
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

/// A panic in the middle of a provisioning: what it has changed is kept for it until somebody
/// changes its configuration, as the refusal advises; that makes it anew, and it takes that back.
#[test]
fn a_provisioning_that_panicked_is_taken_back_when_its_configuration_changes() {
    with_a_clock_that_stops(
        "defects::a_provisioning_that_panicked_is_taken_back_when_its_configuration_changes",
        |file| {
            let platform = TestPlatform::start().unwrap();
            // The broker of the new account, which never answers.
            let silent = TcpListener::bind("127.0.0.1:0").unwrap();
            let broker = format!("mqtts://{}", silent.local_addr().unwrap());
            let behaviour = Behaviour {
                configuration: ConfigurationFault::Broker(broker.clone()),
                ..Behaviour::default()
            };
            platform.behave(Script::once(behaviour)).unwrap();
            platform.request("gw-1", "secret").unwrap();
            let mut site = Site::new(&platform, "gw-1", "secret")
                .unwrap()
                .with("enabled", false);
            site.start().unwrap();
            let before = site.world().unwrap();
            site.set("enabled", true).unwrap();
            site.wait("proving", Duration::from_secs(30), |status| {
                state(status) == "proving"
            })
            .unwrap();
            panics(&mut site, file);
            let configuration = site.framework().unwrap().configuration().clone();
            let applied = site.property(TRANSPORT, "broker-url").unwrap();
            assert_eq!(applied, Some(broker.into()));
            let by_hand = || {
                let value = Properties::from([("lwt.payload".to_owned(), "by hand".into())]);
                configuration.update(TRANSPORT, &value)
            };
            let refused = by_hand().unwrap_err();
            assert!(
                matches!(&refused, ConfigurationError::Reserved { by, .. } if by == PID),
                "{refused}"
            );
            site.set("enabled", false).unwrap();
            site.wait("idle", Duration::from_secs(30), |status| {
                state(status) == "idle"
            })
            .unwrap();
            assert_eq!(site.world().unwrap(), before);
            by_hand().unwrap();
            site.set("enabled", true).unwrap();
            succeeds(&mut site);
        },
    );
}
