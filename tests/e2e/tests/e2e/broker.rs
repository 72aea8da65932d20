//! What can go wrong on the way to the broker: each ends in its own code, with the gateway as
//! before, and where it may retry, in a later success.

use std::net::TcpListener;
use std::time::Duration;

use e2e::site::state;
use e2e::{capture, Site};
use gateway_component_abi::value::Secret;
use provision_platform::behaviour::{Behaviour, Script, Step};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Pki, Profile};
use serde_json::Value;

/// Runs into `code`, finds everything as before, mends it, and is provisioned.
fn fails_then_succeeds(
    platform: &TestPlatform,
    mut site: Site,
    code: &str,
    mend: impl FnOnce(&TestPlatform, &mut Site),
) -> Value {
    let before = site.first_start().unwrap();
    let status = site.wait_for_code(code).unwrap();
    assert_eq!(
        site.world().unwrap(),
        before,
        "the gateway is not as before"
    );
    assert!(!status["error"]["remedy"].as_str().unwrap().is_empty());
    mend(platform, &mut site);
    site.wait_provisioned().unwrap();
    status
}

#[test]
fn wrong_password() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "right").unwrap();
    let site = Site::new(&platform, "gw-1", "wrong").unwrap();
    let status = fails_then_succeeds(&platform, site, "broker.not-authorized", |_, site| {
        site.set("password", Secret::from("right")).unwrap();
    });
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("gw-1") && message.contains("user-gw-1"),
        "{message}"
    );
    assert!(!message.contains("wrong"), "{message}");
}

/// A gateway that is refused comes back for days: each time it spares the broker, and itself, a whole
/// handshake.
#[test]
fn an_attempt_resumes_the_tls_session_of_the_one_before() {
    let pki = Pki::create().unwrap();
    // Its lines in the log are told from those of other tests by the name.
    let profile = Profile::server("Resuming Broker", &["localhost"]);
    let certificate = pki.tls_root.issue(&profile).unwrap();
    let platform = TestPlatform::start_with(pki, |mut settings| {
        settings.broker_certificate = certificate;
        settings
    })
    .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("retry-interval", 1);
    site.start().unwrap();
    let third = |status: &Value| status["attempt"] == 3 && state(status) == "waiting";
    site.wait("the third refusal", Duration::from_secs(40), third)
        .unwrap();
    let lines = capture::lines_with("TLS with CN=Resuming Broker");
    let how = lines.iter().filter_map(|line| line.rsplit_once(", "));
    let how: Vec<&str> = how.map(|(_, how)| how).collect();
    assert_eq!(how, ["new", "resumed", "resumed"], "{lines:#?}");
}

#[test]
fn no_provision_request() {
    let platform = TestPlatform::start().unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    fails_then_succeeds(&platform, site, "broker.not-authorized", |platform, _| {
        platform.request("gw-1", "secret").unwrap();
    });
}

#[test]
fn untrusted_broker_ca() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.trust_tls(&Pki::create().unwrap().tls_root).unwrap();
    let status = fails_then_succeeds(&platform, site, "tls.untrusted", |platform, site| {
        site.trust_tls(&platform.pki().tls_root).unwrap();
    });
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains("Provision Broker") && message.contains("Broker Root"),
        "{message}"
    );
}

/// A platform of the same cloud whose broker shows `profile` is no good until the address is that
/// of the right one.
fn bad_certificate(profile: &Profile, code: &str, shown: &str) {
    let pki = Pki::create().unwrap();
    let bad = TestPlatform::start_with(pki.clone(), |mut settings| {
        settings.broker_certificate = pki.tls_root.issue(profile).unwrap();
        settings
    })
    .unwrap();
    let good = TestPlatform::start_with(pki, |settings| settings).unwrap();
    good.request("gw-1", "secret").unwrap();
    let site = Site::new(&bad, "gw-1", "secret").unwrap();
    let status = fails_then_succeeds(&good, site, code, |good, site| {
        site.set("broker-url", good.provision_broker().url())
            .unwrap();
    });
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains(shown), "{message}");
}

#[test]
fn wrong_host_name() {
    let profile = Profile::server("Elsewhere", &["elsewhere.example.com"]);
    bad_certificate(&profile, "tls.hostname", "elsewhere.example.com");
}

#[test]
fn expired_broker_certificate() {
    let profile = Profile::server("Old Broker", &["localhost", "127.0.0.1"]).expired();
    bad_certificate(&profile, "tls.expired", "Old Broker");
}

#[test]
fn a_broker_that_accepts_tcp_and_never_answers() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "mqtts://localhost:{}",
        listener.local_addr().unwrap().port()
    );
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", url.as_str())
        .with("timeout", 10);
    fails_then_succeeds(&platform, site, "network.timeout", |platform, site| {
        let url = platform.provision_broker().url();
        site.set("broker-url", url).unwrap();
    });
}

#[test]
fn nobody_listens() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let url = platform.provision_broker().url();
    platform.provision_broker().kill();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", url);
    fails_then_succeeds(&platform, site, "network.refused", |platform, _| {
        platform.restart_provision_broker().unwrap();
    });
}

#[test]
fn a_broker_killed_in_the_middle_of_the_session() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Script::once(Behaviour {
            kill_broker_at: Some(Step::Configuration(0)),
            ..Behaviour::default()
        }))
        .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    site.wait_for_code("network.lost").unwrap();
    assert_eq!(site.world().unwrap(), before);
    platform.restart_provision_broker().unwrap();
    site.retry_now().unwrap();
    site.wait_provisioned().unwrap();
}
