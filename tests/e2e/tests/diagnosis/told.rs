//! What a host is told without asking: documents as they change, and lines in its log.

use std::time::{Duration, Instant};

use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host, Watcher};
use contract::plugin::Plugin;
use e2e::site::{error_code, PID};
use e2e::{capture, Site};
use gateway_component_abi::ext::log::{LOG_DEBUG, LOG_INFO};
use gateway_component_abi::types::GwcBytes;
use provision_platform::harness::TestPlatform;
use serde_json::json;

use super::{schema, sees, succeeds};

#[test]
fn a_watcher_is_told_ten_times_a_second_at_most_and_of_the_last_change() {
    let host = Host::new();
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let began = Instant::now();
    let mut properties = parameters(false, "mqtts://127.0.0.1:1");
    instance.activate(&properties).unwrap();
    const LAST: i32 = 400;
    for n in 1..=LAST {
        properties.insert("retry-max-attempts".into(), n.into());
        instance.update(&properties).unwrap();
    }
    let mut told = Vec::new();
    while told
        .last()
        .is_none_or(|document: &serde_json::Value| document["max_attempts"] != LAST)
    {
        told.push(watcher.wait(|_| true));
    }
    let took = began.elapsed();
    let most = took.as_millis() / 100 + 1;
    assert!(told.len() as u128 <= most, "{} in {took:?}", told.len());
    // Nothing was shown that was not so: never before the first parameters were read.
    for document in &told {
        schema::hold(&[document.to_string()]);
        assert!(document["since"].as_str().unwrap() > "2020", "{document:#}");
        assert_eq!(document["broker"], "mqtts://127.0.0.1:1");
    }
    // And when nothing changes, nothing is told.
    assert_eq!(instance.update(&properties), Ok(()));
    instance.watch(Watcher::none()).unwrap();
    assert_eq!(watcher.clear(), 0);
    instance.destroy().unwrap();
}

/// Anybody who may publish at the account's broker can have messages refused.
#[test]
fn a_flood_of_refused_messages_is_counted_and_told_once_a_second() {
    let host = Host::new();
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let properties = parameters(false, "mqtts://127.0.0.1:1");
    instance.activate(&properties).unwrap();
    let idle = watcher.wait_for_state("idle");
    assert_eq!(idle["control"], json!({"accepted": 0, "refused": {}}));
    let began = Instant::now();
    const FLOOD: u64 = 500;
    for _ in 0..FLOOD {
        let nothing = GwcBytes::borrow(b"");
        instance.verify("a", "c", "X/GET", nothing).unwrap_err();
    }
    // Whoever asks sees each, whoever watches the last.
    let all = json!({"accepted": 0, "refused": {"signature.untrusted": FLOOD}});
    instance.identity().unwrap();
    assert_eq!(instance.status().unwrap()["control"], all);
    let mut told = Vec::new();
    while told.last() != Some(&all) {
        told.push(watcher.wait(|_| true)["control"].clone());
    }
    let took = began.elapsed();
    assert!(
        told.len() as u64 <= took.as_secs() + 2,
        "{told:?} in {took:?}"
    );
    assert_eq!(watcher.clear(), 0);
    // A change of the state does not wait for that.
    instance
        .verify("a", "c", "X/GET", GwcBytes::borrow(b""))
        .unwrap_err();
    let properties = parameters(true, "mqtts://127.0.0.1:1");
    let watch = Stopwatch::start();
    instance.update(&properties).unwrap();
    let told = watcher.wait(|document| document["enabled"] == true);
    let took = watch.stop();
    assert!(took < Duration::from_millis(900), "{took:?}: {told:#}");
    assert_eq!(told["control"]["refused"]["signature.untrusted"], FLOOD + 1);
    schema::hold(&[told.to_string()]);
    instance.watch(Watcher::none()).unwrap();
    instance.destroy().unwrap();
}

#[test]
fn a_change_just_before_the_end_is_told() {
    let host = Host::new();
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let mut properties = parameters(false, "mqtts://127.0.0.1:1");
    instance.activate(&properties).unwrap();
    watcher.wait_for_state("idle");
    properties.insert("retry-max-attempts".into(), 7.into());
    instance.update(&properties).unwrap();
    // The answer comes after the update was taken, and well within a tenth of a second.
    instance.identity().unwrap();
    instance.deactivate().unwrap();
    watcher.wait(|document| document["max_attempts"] == 7);
    instance.destroy().unwrap();
}

/// Lines of the host's log as `level target: message`, those of at most that level.
fn at_most(host: &Host, level: u32) -> Vec<String> {
    let told = |line: &String| {
        line.split(' ')
            .next()
            .and_then(|level| level.parse().ok())
            .is_some_and(|of_line: u32| of_line <= level)
    };
    host.lines().into_iter().filter(told).collect()
}

#[test]
fn every_change_of_the_state_is_a_line_with_its_transaction_until_it_repeats() {
    let host = Host::new();
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let mut properties = parameters(true, "mqtts://127.0.0.1:1");
    properties.insert("retry-interval".into(), 1.into());
    instance.activate(&properties).unwrap();
    let status = watcher.wait(|document| document["state"] == "waiting");
    assert_eq!(status["error"]["code"], "network.refused");
    let transaction = status["transaction"].as_str().unwrap().to_owned();
    let first = at_most(&host, LOG_INFO);
    for state in [
        "recovering",
        "preflight",
        "connecting",
        "rolling-back",
        "waiting",
    ] {
        let lines: Vec<_> = first
            .iter()
            .filter(|line| line.contains(&format!("{PID}: {state},")))
            .collect();
        assert_eq!(lines.len(), 1, "{state}: {first:#?}");
        let from_then_on = ["connecting", "rolling-back", "waiting"].contains(&state);
        assert_eq!(
            lines[0].contains(&transaction),
            from_then_on,
            "{state}: {lines:?}"
        );
    }
    // What it comes back with for the third time is told for debugging only, up to the fourth.
    watcher.wait(|document| document["state"] == "waiting" && document["attempt"] == 3);
    host.forget_lines();
    watcher.wait(|document| document["state"] == "waiting" && document["attempt"] == 4);
    instance.deactivate().unwrap();
    let (loud, all) = (at_most(&host, LOG_INFO), at_most(&host, LOG_DEBUG));
    for quiet in ["preflight, attempt 3", "connecting, attempt 3"] {
        let told = |lines: &[String]| lines.iter().any(|line| line.contains(quiet));
        assert!(told(&all) && !told(&loud), "{quiet}: {all:#?}");
    }
    assert!(
        loud.iter().any(|line| line.contains("waiting, attempt 4")),
        "{loud:#?}"
    );
    instance.destroy().unwrap();
}

#[test]
fn debug_lines_tell_the_protocol_step_by_step_and_no_secret() {
    capture::start();
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "canary-told-77").unwrap();
    let mut site = Site::new(&platform, "gw-1", "canary-told-77").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    site.stop();
    let lines = capture::lines_with(&format!("{PID}: "));
    let mut rest = lines.iter();
    for step in [
        "transaction ",
        "looks up the broker's address",
        "connects to 127.0.0.1:",
        "the TLS handshake begins",
        "TLS with ",
        "CONNACK",
        "SUBACK",
        "/PROV-V1/PUT/certificates, ",
        "publish $EDC/",
        "/CONF-V1/PUT/configurations, ",
        "/PROV-V1/EXEC/commit, ",
        "publish $EDC/",
        ": provisioned, attempt 1, transaction ",
    ] {
        assert!(
            rest.any(|line| line.contains(step)),
            "{step:?} is not told, or not in this order: {lines:#?}"
        );
    }
    assert!(capture::lines_with("canary-told-77").is_empty());
}

#[test]
fn bytes_of_an_attempt_are_in_the_status() {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("retry-interval", 3600);
    site.start().unwrap();
    sees(&mut site, "broker.not-authorized");
    let status = site
        .wait("the pause", Duration::from_secs(20), |status| {
            error_code(status) == "broker.not-authorized" && status["state"] == "waiting"
        })
        .unwrap();
    // TLS and a CONNECT one way, certificates and a CONNACK the other.
    let bytes = |name: &str| status["bytes"][name].as_u64().unwrap();
    assert!((300..5_000).contains(&bytes("sent")), "{status:#}");
    assert!((500..10_000).contains(&bytes("received")), "{status:#}");
}
