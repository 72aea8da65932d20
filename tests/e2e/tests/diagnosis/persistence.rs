//! What outlives an attempt, a restart and a success: the count, the giving up, the record; and
//! what does not get through any more.

use std::fs;
use std::time::Duration;

use e2e::site::{error_code, state, PID};
use e2e::Site;
use gateway_component_abi::value::Properties;
use gateway_host_sdk::configuration::{ConfigurationError, Update};
use provision_platform::behaviour::{Behaviour, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Pki, Profile};
use serde_json::Value;

use super::{schema, sees, succeeds};

const WAIT: Duration = Duration::from_secs(30);
const DAY: i64 = 86_400;

fn record(site: &Site) -> Vec<Value> {
    let path = site
        .data()
        .join("components")
        .join(PID)
        .join("record.jsonl");
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn attempts_are_counted_across_restarts_and_used_up_across_them() {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("retry-interval", 3600)
        .with("retry-max-attempts", 3);
    let mut transaction = Value::Null;
    for attempt in 1..=3 {
        site.start().unwrap();
        let over = if attempt == 3 { "gave-up" } else { "waiting" };
        let status = site
            .wait(over, WAIT, |status| {
                state(status) == over && status["attempt"] == attempt
            })
            .unwrap();
        assert_eq!(error_code(&status), "broker.not-authorized");
        if attempt == 1 {
            transaction = status["transaction"].clone();
        }
        if attempt < 3 {
            assert_eq!(status["transaction"], transaction);
            site.stop();
        }
    }
    site.wait("enabled=false", WAIT, |status| status["enabled"] == false)
        .unwrap();
    assert_eq!(site.property(PID, "enabled").unwrap(), Some(false.into()));
    // Nothing begins again by itself.
    site.stop();
    site.start().unwrap();
    let status = site
        .wait("still said after the restart", WAIT, |status| {
            state(status) == "gave-up"
        })
        .unwrap();
    assert_eq!(error_code(&status), "broker.not-authorized");
    assert_eq!(
        (&status["attempt"], &status["enabled"]),
        (&3.into(), &false.into())
    );
    schema::hold(&site.documents);
    let record = record(&site);
    assert_eq!(record.len(), 3);
    for (line, attempt) in record.iter().zip(1..) {
        assert_eq!(line["attempt"], attempt);
        assert_eq!(line["outcome"], "broker.not-authorized");
        let bytes = |name: &str| line[name].as_u64().unwrap();
        assert!(
            bytes("bytes_sent") > 300 && bytes("bytes_received") > 500,
            "{line}"
        );
    }
    // A person who enables it begins from zero.
    platform.request("gw-1", "secret").unwrap();
    site.set("enabled", true).unwrap();
    succeeds(&mut site);
    assert_eq!(site.status()["attempt"], 1);
}

#[test]
fn a_form_that_was_opened_before_the_success_is_refused_and_starts_nothing() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    site.start().unwrap();
    let configuration = site.framework().unwrap().configuration().clone();
    site.set("enabled", true).unwrap();
    let (form, opened) = (configuration.get(PID).unwrap(), configuration.revision());
    succeeds(&mut site);
    let transaction = site.status()["transaction"].clone();
    // The form still says enabled, not provisioned, and has the claim password.
    let stale = Update {
        pid: PID.to_owned(),
        properties: form,
        remove: Vec::new(),
    };
    let refused = configuration.update_if(opened, &[stale]).unwrap_err();
    assert!(
        matches!(refused, ConfigurationError::Conflict { .. }),
        "{refused}"
    );
    let status = site.status();
    assert_eq!(state(&status), "provisioned");
    assert_eq!(status["transaction"], transaction);
    assert_eq!(
        site.property(PID, "provisioned").unwrap(),
        Some(true.into())
    );
}

#[test]
fn redundant_updates_do_not_restart_an_attempt_in_flight() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform.behave(Script::once(Behaviour::silent())).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10);
    site.start().unwrap();
    let before = site
        .wait("the attempt", WAIT, |status| state(status) == "receiving")
        .unwrap();
    let configuration = site.framework().unwrap().configuration().clone();
    let same: Properties = configuration.get(PID).unwrap();
    for _ in 0..20 {
        configuration.update(PID, &same).unwrap();
    }
    // What does not concern the attempt does not end it, either.
    site.set("retry-interval", 2).unwrap();
    site.framework().unwrap().settle();
    let after = site
        .wait("the next pause in force", WAIT, |_| true)
        .unwrap();
    assert_eq!(state(&after), "receiving");
    for member in ["transaction", "attempt"] {
        assert_eq!(after[member], before[member]);
    }
    // What does, does: the counter is at zero, and the transaction another one.
    site.set("timeout", 20).unwrap();
    succeeds(&mut site);
    let status = site.status();
    assert_ne!(status["transaction"], before["transaction"]);
    assert_eq!(status["attempt"], 1);
}

#[test]
fn certificates_that_expire_within_a_month_are_warned_of() {
    let pki = Pki::create().unwrap();
    let broker = Profile::server("Tired Broker", &["localhost", "127.0.0.1"]).valid(-DAY, 29 * DAY);
    let signer = Profile::signer("Tired Signer").valid(-DAY, 10 * DAY);
    let signer = pki.intermediate.issue(&signer).unwrap();
    let broker = pki.tls_root.issue(&broker).unwrap();
    let platform = TestPlatform::start_with(pki, |mut settings| {
        settings.broker_certificate = broker;
        settings
    })
    .unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform
        .behave(Behaviour {
            signer: Some(signer),
            ..Behaviour::default()
        })
        .unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    let status = site.status();
    let warned: Vec<&str> = status["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|warning| warning["code"] == "certificate-expires")
        .map(|warning| warning["message"].as_str().unwrap())
        .collect();
    for name in ["Tired Broker", "Tired Signer"] {
        let of_it: Vec<_> = warned.iter().filter(|text| text.contains(name)).collect();
        assert_eq!(of_it.len(), 1, "{name}: {warned:?}");
        assert!(of_it[0].contains("expires on 20"), "{of_it:?}");
    }
    assert_eq!(
        warned.len(),
        2,
        "the others are good for longer: {warned:?}"
    );
}

#[test]
fn a_broker_in_clear_is_warned_of_in_status_and_a_broker_with_tls_is_not() {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = sees(&mut site, "broker.not-authorized");
    assert_eq!(status["warnings"], serde_json::json!([]));
    // Nobody listens there, and the warning does not wait for anybody.
    site.set("broker-url", "mqtt://127.0.0.1:1").unwrap();
    let status = sees(&mut site, "network.refused");
    let message = status["warnings"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("clear") && message.contains("password"),
        "{message}"
    );
}
