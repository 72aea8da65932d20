//! A platform that sends what no honest one would: the gateway takes no harm, and is provisioned.

use e2e::Site;
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Flood, Order, Script, Signing};
use provision_platform::harness::TestPlatform;
use provision_platform::store::JobState;
use serde_json::Value;
use std::time::Duration;

use crate::gateway::Gateway;

/// Bytes of the body of a request that is just not too large.
const LARGEST: usize = (16 << 20) - 4096;

/// A gateway whose first attempt meets this, and later ones an honest platform.
struct Case {
    platform: TestPlatform,
    request: i64,
    gateway: Gateway,
}

fn case(behaviour: Behaviour) -> Case {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    let patience = behaviour.flood.is_some();
    platform.behave(Script::once(behaviour)).unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let gateway = match patience {
        true => Gateway::patient(site),
        false => Gateway::idle(site),
    };
    gateway.enable();
    Case {
        platform,
        request,
        gateway,
    }
}

impl Case {
    fn provisioned(&self) -> Value {
        let status = self.gateway.provisioned();
        self.platform
            .wait_for(self.request, JobState::Completed, Duration::from_secs(20))
            .unwrap();
        status
    }
}

/// It is provisioned at once.
fn gets_through(behaviour: Behaviour) -> Value {
    let status = case(behaviour).provisioned();
    assert_eq!(status["attempt"], 1);
    status
}

/// The attempt ends in `code`; the next one succeeds.
fn fails(behaviour: Behaviour, code: &str) {
    let case = case(behaviour);
    case.gateway.fails(code);
    case.gateway.retry();
    assert_eq!(case.provisioned()["attempt"], 2);
}

fn flooded(flood: Flood) -> Behaviour {
    Behaviour {
        flood: Some(flood),
        ..Behaviour::default()
    }
}

#[test]
fn an_honest_one() {
    gets_through(Behaviour::default());
}

#[test]
fn ten_thousand_requests_that_it_does_not_know_are_answered_and_the_commit_is_carried_out() {
    let status = gets_through(flooded(Flood::of(10_000)));
    // A reply has more than a hundred bytes.
    let sent = status["bytes"]["sent"].as_u64().unwrap();
    assert!(sent > 10_000 * 100, "{sent} bytes sent");
}

#[test]
fn a_request_of_a_hundred_megabytes_costs_one_attempt() {
    fails(flooded(Flood::large(100 << 20)), "protocol.too-large");
}

#[test]
fn a_bomb_is_not_inflated_and_costs_nothing() {
    gets_through(flooded(Flood::bomb(100 << 20)));
}

#[test]
fn what_comes_behind_the_commit_changes_nothing() {
    gets_through(Behaviour {
        after_commit: true,
        ..Behaviour::default()
    });
}

#[test]
fn everything_backwards_is_refused_until_it_comes_in_order() {
    gets_through(Behaviour {
        order: Order::Reversed,
        ..Behaviour::default()
    });
}

#[test]
fn what_was_signed_for_another_client_costs_one_attempt() {
    let behaviour = Behaviour {
        signing: Signing::OtherClient,
        ..Behaviour::default()
    };
    fails(behaviour, "signature.invalid");
}

#[test]
fn the_largest_request_that_may_be() {
    gets_through(flooded(Flood::large(LARGEST)));
}

#[test]
fn more_of_the_largest_requests_than_memory_would_hold() {
    let flood = Flood {
        requests: 4,
        ..Flood::large(LARGEST)
    };
    gets_through(flooded(flood));
}

#[test]
fn more_inflated_than_memory_would_hold() {
    let flood = Flood {
        copies: 20,
        ..Flood::bomb(LARGEST)
    };
    gets_through(flooded(flood));
}

#[test]
fn a_configuration_of_more_properties_than_any_gateway_has_is_too_large() {
    let mut xml = String::from(
        r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0"><esf:configuration pid="p"><esf:properties>"#,
    );
    for number in 0..120_000 {
        let property = format!(
            r#"<esf:property name="p{number}" array="false" encrypted="false" type="String"><esf:value>x</esf:value></esf:property>"#
        );
        xml.push_str(&property);
    }
    xml.push_str("</esf:properties></esf:configuration></esf:configurations>");
    assert!(xml.len() < LARGEST, "{}", xml.len());
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Documents(vec![xml.into_bytes()]),
        ..Behaviour::default()
    };
    fails(behaviour, "protocol.too-large");
}
