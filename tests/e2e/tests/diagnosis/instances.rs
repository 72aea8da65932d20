//! Several instances on one gateway: one per cloud connection, and never two against one platform.

use std::time::{Duration, Instant};

use e2e::site::{error_code, state, PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::configuration::Holder;
use gateway_host_sdk::keystore::DM_KEYSTORE;
use provision_platform::harness::TestPlatform;
use serde_json::Value;

use super::{schema, sees, succeeds};

const SECOND: &str = "gwc.provisioning.ProvisioningService-2";

/// The status of any instance, once it is as wanted; everything seen fits the schema.
fn wait(site: &Site, pid: &str, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let framework = site.framework().unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    let events = framework.events();
    loop {
        let text = framework.status(pid).unwrap_or_default();
        let status: Value = serde_json::from_str(&text).unwrap_or_default();
        if wanted(&status) {
            schema::hold(&[text]);
            return status;
        }
        let left = until.saturating_duration_since(Instant::now());
        assert!(!left.is_zero(), "{pid}: {what}: {status:#}");
        drop(events.recv_timeout(left.min(Duration::from_millis(250))));
    }
}

/// Makes the second connection, and with it the second instance.
fn connect_second(site: &Site) {
    let framework = site.framework().unwrap();
    framework
        .create_connection("org.eclipse.kura.cloud.CloudService-2")
        .unwrap();
    assert_eq!(framework.provisioning_pids(), [PID, SECOND]);
}

/// Enables the second instance, as gateway `gw-2`.
fn enable_second(site: &Site, platform: &TestPlatform) {
    let properties = Properties::from([
        ("enabled".to_owned(), true.into()),
        (
            "broker-url".to_owned(),
            platform.provision_broker().url().into(),
        ),
        (
            "account-name".to_owned(),
            platform.settings().account.clone().into(),
        ),
        ("client-id".to_owned(), "gw-2".into()),
        ("username".to_owned(), "user-gw-2".into()),
        ("password".to_owned(), Secret::from("secret").into()),
        ("retry-interval".to_owned(), 1.into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(SECOND, &properties).unwrap();
}

fn disable(site: &Site, pid: &str) {
    let properties = Properties::from([("enabled".to_owned(), false.into())]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(pid, &properties).unwrap();
}

fn refused_because_of(status: &Value, other: &str) {
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.starts_with(&format!("{other} ")), "{message}");
    assert_eq!(status["attempt"], 0);
}

#[test]
fn a_second_instance_against_the_same_platform_is_refused() {
    let platform = TestPlatform::start().unwrap();
    // Nobody made a request: the first one tries for ever.
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
    connect_second(&site);
    enable_second(&site, &platform);
    let status = wait(&site, SECOND, "the refusal", |status| {
        error_code(status) == "config.same-platform"
    });
    refused_because_of(&status, PID);
    // Looked at again and again, and at once once the first is out of the way.
    disable(&site, PID);
    wait(&site, SECOND, "an attempt of its own", |status| {
        error_code(status) == "broker.not-authorized"
    });
}

#[test]
fn an_instance_that_runs_is_not_stopped_by_one_that_comes_first_by_pid() {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    connect_second(&site);
    enable_second(&site, &platform);
    wait(&site, SECOND, "its first attempt", |status| {
        error_code(status) == "broker.not-authorized"
    });
    site.set("enabled", true).unwrap();
    let status = sees(&mut site, "config.same-platform");
    refused_because_of(&status, SECOND);
    // It goes on, attempt after attempt.
    let before = site.framework().unwrap().status(SECOND).unwrap();
    let before: Value = serde_json::from_str(&before).unwrap();
    let further = before["attempt"].as_u64().unwrap() + 2;
    let status = wait(&site, SECOND, "two attempts more", |status| {
        status["attempt"].as_u64().unwrap() >= further
    });
    assert_eq!(error_code(&status), "broker.not-authorized");
    assert_eq!(error_code(&site.status()), "config.same-platform");
    // What is sent elsewhere is out of the way, too.
    let elsewhere = Properties::from([("broker-url".to_owned(), "mqtts://127.0.0.1:1".into())]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(SECOND, &elsewhere).unwrap();
    platform.request("gw-1", "secret").unwrap();
    succeeds(&mut site);
}

#[test]
fn at_a_start_of_the_gateway_the_first_by_pid_begins() {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    connect_second(&site);
    enable_second(&site, &platform);
    wait(&site, SECOND, "its first attempt", |status| {
        error_code(status) == "broker.not-authorized"
    });
    site.set("enabled", true).unwrap();
    sees(&mut site, "config.same-platform");
    site.stop();
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
    let status = wait(&site, SECOND, "the refusal", |status| {
        error_code(status) == "config.same-platform"
    });
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains(PID), "{message}");
}

#[test]
fn two_instances_provision_two_connections_against_two_platforms() {
    let (one, two) = (
        TestPlatform::start().unwrap(),
        TestPlatform::start().unwrap(),
    );
    one.request("gw-1", "secret").unwrap();
    two.request("gw-2", "secret").unwrap();
    let mut site = Site::new(&one, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    site.trust_second(&two.pki().tls_root, &two.pki().root)
        .unwrap();
    // Whichever is first, a gateway with a signer takes signed certificates only; so it has both.
    for (alias, platform) in [("one", &one), ("two", &two)] {
        let pem = platform.pki().signer.certificate_pem().unwrap();
        let keystores = site.framework().unwrap().keystores();
        let pem = String::from_utf8(pem).unwrap();
        keystores.put_certificate(DM_KEYSTORE, alias, &pem).unwrap();
    }
    site.set("enabled", true).unwrap();
    connect_second(&site);
    enable_second(&site, &two);
    succeeds(&mut site);
    let status = wait(&site, SECOND, "success", |status| {
        state(status) == "provisioned"
    });
    assert_eq!(status["target"]["client_id"], "gw-2");
    let until = Instant::now() + Duration::from_secs(20);
    let events = site.framework().unwrap().events();
    while site
        .framework()
        .unwrap()
        .connections()
        .iter()
        .any(|c| c.state != gateway_host_sdk::ConnectionState::Connected)
    {
        assert!(Instant::now() < until, "both connections are connected");
        drop(events.recv_timeout(Duration::from_millis(250)));
    }
}

#[test]
fn a_second_connection_is_not_provisioned_where_the_first_one_was() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform.request("gw-2", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    connect_second(&site);
    enable_second(&site, &platform);
    let status = wait(&site, SECOND, "the refusal", |status| {
        error_code(status) == "config.same-platform"
    });
    refused_because_of(&status, PID);
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("has provisioned"), "{message}");
}

/// Of two undos of one configuration, the first would destroy what the second has committed.
#[test]
fn what_another_component_is_changing_is_provisioned_once_that_is_done() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    // It has to be there, or nobody waits for it.
    connect_second(&site);
    wait(&site, SECOND, "idle", |status| state(status) == "idle");
    let configuration = site.framework().unwrap().configuration().clone();
    let other = Holder {
        pid: SECOND.to_owned(),
        instance: u64::MAX,
    };
    configuration.capture_for(&other, &[TRANSPORT]).unwrap();
    site.set("enabled", true).unwrap();
    let status = sees(&mut site, "configuration.invalid");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(TRANSPORT) && message.contains(&format!("{SECOND} has not finished")),
        "{message}"
    );
    configuration.release(&other);
    succeeds(&mut site);
}
