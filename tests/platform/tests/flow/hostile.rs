//! What no honest platform sends: floods, giants, everything backwards, and more after the end.

use super::client::device::{root, Device, Request};
use super::{completed, failed};
use kura_formats::payload::{decode, Limits};
use kura_formats::request::{ids, ResponseCode};
use kura_formats::topic::{Incoming, Topics};
use mqtt_session::{Event, Failure};
use provision_platform::behaviour::{Behaviour, Flood, Order, Script};
use provision_platform::harness::TestPlatform;
use std::collections::HashSet;

fn platform(behaviour: Behaviour) -> (TestPlatform, i64) {
    let platform = super::platform();
    platform.behave(Script::once(behaviour)).unwrap();
    let request = platform.request("dev", "secret").unwrap();
    (platform, request)
}

/// Up to the step before the commit.
fn configured(platform: &TestPlatform) -> Device {
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(platform)).unwrap();
    device.accept(&certificates);
    let configuration = device.expect("CONF-V1/PUT/configurations");
    device.accept(&configuration);
    device
}

fn id(request: &Request) -> String {
    ids(&request.payload).unwrap().request_id
}

/// The next attempt is an honest one.
fn succeeds(platform: &TestPlatform, request: i64) {
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    let (commit, _) = device.run_to_commit(platform);
    device.accept(&commit);
    completed(platform, request);
}

#[test]
fn ten_thousand_requests_come_in_one_session_and_then_the_commit() {
    let (platform, request) = platform(Behaviour {
        flood: Some(Flood::of(10_000)),
        ..Behaviour::default()
    });
    let mut device = configured(&platform);
    let mut seen = HashSet::new();
    for number in 0..10_000 {
        let stray = device.expect("FLOOD-V1/GET/flood");
        assert!(seen.insert(id(&stray)), "the same id twice");
        if number % 1000 == 0 {
            device.judge(&stray).unwrap();
        }
    }
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.check_commit(&commit);
    device.accept(&commit);
    completed(&platform, request);
}

#[test]
fn a_request_of_a_hundred_megabytes_is_sent_and_too_large_for_the_session_of_a_device() {
    let (platform, request) = platform(Behaviour {
        flood: Some(Flood::large(100 << 20)),
        ..Behaviour::default()
    });
    let device = configured(&platform);
    let failure = device.client.end();
    assert!(matches!(failure, Failure::TooLarge { .. }), "{failure}");
    // It comes back, and the platform has survived.
    drop(device);
    succeeds(&platform, request);
}

#[test]
fn a_bomb_is_small_on_the_wire_and_beyond_the_limit_when_inflated() {
    let (platform, request) = platform(Behaviour {
        flood: Some(Flood::bomb(100 << 20)),
        ..Behaviour::default()
    });
    let mut device = configured(&platform);
    let message = loop {
        match device.client.event() {
            Event::Message(message) => break message,
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    };
    let Incoming::Request(topic) = Topics::default().classify(&message.topic) else {
        panic!("{}", message.topic);
    };
    assert_eq!(topic.application_topic(), "FLOOD-V1/GET/flood");
    assert!(message.payload.len() < 1 << 20, "{}", message.payload.len());
    let error = decode(&message.payload, &Limits::default()).unwrap_err();
    assert!(error.is_limit(), "{error}");
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.accept(&commit);
    completed(&platform, request);
}

#[test]
fn what_follows_the_commit_comes_before_its_reply_and_changes_nothing() {
    let (platform, request) = platform(Behaviour {
        after_commit: true,
        ..Behaviour::default()
    });
    let mut device = configured(&platform);
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.check_commit(&commit);
    for name in [
        "CONF-V1/PUT/configurations",
        "PROV-V1/EXEC/commit",
        "PROV-V1/EXEC/reject",
    ] {
        let late = device.expect(name);
        device.judge(&late).unwrap();
        assert_ne!(id(&late), id(&commit));
        device.refuse(&late, ResponseCode::Conflict, "protocol.unexpected");
    }
    device.accept(&commit);
    completed(&platform, request);
}

#[test]
fn everything_backwards_is_refused_step_by_step_and_then_comes_in_order() {
    let (platform, request) = platform(Behaviour {
        order: Order::Reversed,
        ..Behaviour::default()
    });
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    for name in ["PROV-V1/EXEC/commit", "CONF-V1/PUT/configurations"] {
        let early = device.expect(name);
        device.refuse(&early, ResponseCode::Conflict, "protocol.unexpected");
    }
    for name in ["PROV-V1/PUT/certificates", "CONF-V1/PUT/configurations"] {
        let step = device.expect(name);
        device.accept(&step);
    }
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.check_commit(&commit);
    device.refuse(&commit, ResponseCode::Internal, "proof.failed");
    assert_eq!(failed(&platform, request), "proof.failed");
}
