//! Networks that are not there, come late, swallow packets or go away: the kernel's own, in name
//! spaces. Each test is begun again in a network of its own; where that is not allowed it says so.

use std::process::Command;
use std::time::{Duration, Instant};

use e2e::site::{error_code, state};
use e2e::Site;
use provision_platform::behaviour::{Behaviour, Script, Step};
use provision_platform::harness::TestPlatform;

use super::{again, sees, succeeds};

/// Set in the process that runs in name spaces of its own.
const INSIDE: &str = "GWC_TEST_OWN_NETWORK";
/// The address of the broker as the gateway sees it, in none of its networks.
const ADDRESS: &str = "192.0.2.1";

/// Runs `test` in a network of its own.
fn in_a_network_of_its_own(name: &str, prepare: &str, test: impl Fn()) {
    if std::env::var_os(INSIDE).is_some() {
        return test();
    }
    let script = format!("ip link set lo up && {prepare}");
    if let Some(mut command) = again::in_name_spaces(&script) {
        command.env(INSIDE, "1");
        again::run(command, &format!("cable::{name}"));
    }
}

fn ip(arguments: &str) {
    let mut command = Command::new("ip");
    let output = command.args(arguments.split(' ')).output().unwrap();
    assert!(
        output.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// A platform, and a gateway that is sent to `host`, at the port of the broker.
fn sent_to(host: &str) -> (TestPlatform, Site) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let url = platform.provision_broker().url();
    let (_, port) = url.rsplit_once(':').unwrap();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", format!("mqtts://{host}:{port}"))
        .with("timeout", 10);
    (platform, site)
}

#[test]
fn without_a_route_it_tries_again_and_goes_on_when_the_network_is_up() {
    in_a_network_of_its_own(
        "without_a_route_it_tries_again_and_goes_on_when_the_network_is_up",
        "true",
        || {
            let (platform, site) = sent_to(ADDRESS);
            // The hour is not waited for: nothing left the gateway, and the host hears of the network.
            let mut site = site
                .with("retry-max-attempts", 5)
                .with("retry-interval", 3600);
            let before = site.first_start().unwrap();
            let status = sees(&mut site, "network.unreachable");
            let message = status["error"]["message"].as_str().unwrap();
            assert!(message.contains(ADDRESS), "{message}");
            // No packet left the gateway: however long it lies here, it does not give up.
            assert_eq!(status["attempt"], 0);
            assert_eq!(site.world().unwrap(), before);
            // The cable is plugged in: what is there answers, and does not listen at this address.
            ip("address add 192.0.2.1/32 dev lo");
            sees(&mut site, "network.refused");
            let url = platform.provision_broker().url();
            site.set("broker-url", url).unwrap();
            succeeds(&mut site);
        },
    );
}

/// How long an attempt took that could only end at the deadline of 10 s.
fn ends_at_the_deadline(site: &mut Site, state_before: &str, code: &str) {
    let began = Instant::now();
    site.start().unwrap();
    site.wait("the attempt", Duration::from_secs(5), |status| {
        state(status) == state_before
    })
    .unwrap();
    let status = site
        .wait("the deadline", Duration::from_secs(20), |status| {
            state(status) == "waiting"
        })
        .unwrap();
    let took = began.elapsed();
    assert_eq!(error_code(&status), code, "{status:#}");
    let bounds = Duration::from_millis(9_900)..Duration::from_secs(13);
    assert!(bounds.contains(&took), "{took:?}");
}

#[test]
fn a_name_server_that_never_answers_costs_the_time_of_the_attempt_and_no_more() {
    in_a_network_of_its_own(
        "a_name_server_that_never_answers_costs_the_time_of_the_attempt_and_no_more",
        // Queries go into a cable with nobody at its end.
        "ip link add hole type veth peer name nobody && ip link set hole up && \
         ip link set nobody up && ip address add 192.0.2.9/24 dev hole && \
         ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev hole && \
         file=$(mktemp) && echo nameserver 192.0.2.1 > $file && \
         mount --bind $file /etc/resolv.conf",
        || {
            let (_platform, mut site) = sent_to("broker.example.com");
            ends_at_the_deadline(&mut site, "connecting", "network.timeout");
            // Nothing reached the platform, so it counts none.
            assert_eq!(site.status()["attempt"], 0);
        },
    );
}

#[test]
fn a_network_that_swallows_every_packet_costs_the_time_of_the_attempt_and_no_more() {
    in_a_network_of_its_own(
        "a_network_that_swallows_every_packet_costs_the_time_of_the_attempt_and_no_more",
        "ip link add hole type veth peer name nobody && ip link set hole up && \
         ip link set nobody up && ip address add 192.0.2.9/24 dev hole && \
         ip neighbour add 192.0.2.1 lladdr 02:00:00:00:00:01 dev hole",
        || {
            let (_platform, mut site) = sent_to(ADDRESS);
            ends_at_the_deadline(&mut site, "connecting", "network.timeout");
            assert_eq!(site.status()["attempt"], 1);
        },
    );
}

/// The loopback goes down under a session, with whatever is on its way; and comes back.
#[test]
fn a_cable_pulled_in_the_middle_of_a_session_is_an_ended_attempt_and_then_a_success() {
    in_a_network_of_its_own(
        "a_cable_pulled_in_the_middle_of_a_session_is_an_ended_attempt_and_then_a_success",
        "true",
        || {
            let (platform, mut site) = sent_to("localhost");
            // Once the certificates are there the platform says nothing until the deadline.
            let behaviour = Behaviour {
                silent_from: Some(Step::Configuration(0)),
                ..Behaviour::default()
            };
            platform.behave(Script::once(behaviour)).unwrap();
            let before = site.first_start().unwrap();
            site.wait("the certificates", Duration::from_secs(20), |status| {
                status["trust"]["root_verified"] == true
            })
            .unwrap();
            ip("link set lo down");
            let status = site
                .wait("the end", Duration::from_secs(20), |status| {
                    state(status) == "waiting"
                })
                .unwrap();
            let code = error_code(&status);
            assert!(
                code == "platform.silent" || code.starts_with("network."),
                "{status:#}"
            );
            assert_eq!(site.world().unwrap(), before);
            // While it is away, attempts fail and say why.
            site.wait("an attempt without a cable", Duration::from_secs(30), |s| {
                error_code(s).starts_with("network.")
            })
            .unwrap();
            ip("link set lo up");
            succeeds(&mut site);
        },
    );
}
