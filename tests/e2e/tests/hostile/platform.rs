//! A platform that sends what no honest one would: the gateway takes no harm, and is provisioned.

use e2e::Site;
use provision_platform::behaviour::{Behaviour, Flood, Order, Script, Signing};
use provision_platform::harness::TestPlatform;
use provision_platform::store::JobState;
use serde_json::Value;
use std::time::Duration;

/// One attempt like this, and honest ones after it.
fn provisioned_after(behaviour: Behaviour) -> Value {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    platform
        .wait_for(request, JobState::Completed, Duration::from_secs(20))
        .unwrap();
    status
}

fn flooded(flood: Flood) -> Value {
    provisioned_after(Behaviour {
        flood: Some(flood),
        ..Behaviour::default()
    })
}

#[test]
fn ten_thousand_requests_that_it_does_not_know_are_answered_and_the_commit_is_carried_out() {
    let status = flooded(Flood::of(10_000));
    assert_eq!(status["attempt"], 1);
}

#[test]
fn a_request_of_a_hundred_megabytes_costs_one_attempt() {
    let status = flooded(Flood::large(100 << 20));
    assert_eq!(status["attempt"], 2);
}

#[test]
fn a_bomb_is_not_inflated_and_costs_nothing() {
    let status = flooded(Flood::bomb(100 << 20));
    assert_eq!(status["attempt"], 1);
}

#[test]
fn what_comes_behind_the_commit_changes_nothing() {
    let status = provisioned_after(Behaviour {
        after_commit: true,
        ..Behaviour::default()
    });
    assert_eq!(status["attempt"], 1);
}

#[test]
fn everything_backwards_is_refused_until_it_comes_in_order() {
    let status = provisioned_after(Behaviour {
        order: Order::Reversed,
        ..Behaviour::default()
    });
    assert!(status["attempt"].as_u64().unwrap() <= 2, "{status:#}");
}

#[test]
fn what_was_signed_for_another_client_costs_one_attempt() {
    let status = provisioned_after(Behaviour {
        signing: Signing::OtherClient,
        ..Behaviour::default()
    });
    assert_eq!(status["attempt"], 2);
}
