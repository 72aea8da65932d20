//! Attempts, pauses, giving up.

use std::time::Duration;

use super::world::World;
use crate::diagnosis::{Code, Fault};
use crate::provisioner::{Action, Input, SessionEvent, StateName};

#[test]
fn disabled_does_nothing() {
    let mut world = World::new();
    world.properties.insert("enabled".into(), false.into());
    world.configure();
    assert_eq!(world.log, ["recover"]);
    assert_eq!(world.state(), StateName::Idle);
    assert_eq!(world.machine.timeout(), None);
}

#[test]
fn a_configuration_that_does_not_hold_names_its_problems_and_waits() {
    let mut world = World::new();
    world.properties.insert("account-name".into(), "a b".into());
    world.properties.insert("timeout".into(), 1.into());
    world.configure();
    assert_eq!(world.state(), StateName::Invalid);
    assert_eq!(world.code(), Some(Code::ConfigInvalid));
    let view = world.machine.view();
    assert_eq!(view.parsed.unwrap().problems().len(), 2);
    assert_eq!(world.attempts_begun, 0);
    world.set("account-name", "acme");
    world.set("timeout", 30);
    assert_eq!(world.state(), StateName::Connecting);
    assert_eq!(world.code(), None, "the old problem is gone");
}

#[test]
fn preflight_is_repeated_free_of_charge() {
    let mut world = World::new();
    world.preflight = Err(Fault::new(Code::IdentityMissing, "no MAC"));
    world.configure();
    world.seconds(60 * 5 + 1);
    assert_eq!(world.count("preflight"), 6);
    assert_eq!(world.attempts(), 0);
    assert_eq!(world.attempts_begun, 0);
    assert_eq!(world.code(), Some(Code::IdentityMissing));
    world.preflight = Ok(());
    world.input(crate::provisioner::Input::SystemChanged);
    assert_eq!(world.state(), StateName::Connecting);
}

#[test]
fn an_implausible_clock_is_looked_at_every_second() {
    let mut world = World::new();
    world.preflight = Err(Fault::new(Code::ClockImplausible, "1970"));
    world.configure();
    world.seconds(10);
    assert_eq!(world.count("preflight"), 11);
    world.preflight = Ok(());
    world.seconds(1);
    assert_eq!(world.state(), StateName::Connecting);
}

#[test]
fn an_attempt_counts_from_the_first_packet_not_from_dns() {
    let mut world = World::active();
    world.link_fails(Code::NetworkDns);
    assert_eq!(world.attempts(), 0);
    assert_eq!(world.state(), StateName::Waiting);
    world.seconds(60);
    world.session(crate::provisioner::SessionEvent::Opening);
    world.session(crate::provisioner::SessionEvent::Opening);
    assert_eq!(world.attempts(), 1);
    assert_eq!(world.count("count"), 1);
}

#[test]
fn the_pause_is_the_interval_or_what_the_platform_asks_for() {
    for (asked, pause) in [(None, 60), (Some(10), 60), (Some(500), 500), (Some(-5), 60)] {
        let mut world = World::active();
        world.reach();
        world.reject("request.unknown", asked);
        assert_eq!(world.state(), StateName::Waiting);
        assert_eq!(world.code(), Some(Code::PlatformRejected));
        world.pass(Duration::from_secs(pause) - Duration::from_millis(1));
        assert_eq!(world.attempts_begun, 1, "{asked:?}");
        world.pass(Duration::from_millis(1));
        assert_eq!(world.attempts_begun, 2, "{asked:?}");
    }
}

#[test]
fn attempts_used_up_is_giving_up_and_disabling() {
    let mut world = World::new();
    world
        .properties
        .insert("retry-max-attempts".into(), 3.into());
    world.configure();
    for _ in 0..3 {
        world.reach();
        world.link_fails(Code::NetworkLost);
        world.seconds(60);
    }
    assert_eq!(world.state(), StateName::GaveUp);
    assert_eq!(world.code(), Some(Code::NetworkLost));
    assert_eq!(world.attempts(), 3);
    assert_eq!(world.properties["enabled"], false.into());
    // The host's echo of enabled=false changes nothing.
    world.configure();
    assert_eq!(world.state(), StateName::GaveUp);
    world.seconds(10_000);
    assert_eq!(world.attempts_begun, 3);
    // Enabling it starts again from zero.
    world.set("enabled", true);
    world.reach();
    assert_eq!(world.attempts(), 1);
}

#[test]
fn a_fault_of_the_device_waits_for_a_change() {
    let mut world = World::active();
    world
        .applied
        .push_back(Err(Fault::new(Code::ApplyFailed, "the host refused")));
    world.whole_flow();
    assert_eq!(world.state(), StateName::Refused);
    world.seconds(100_000);
    assert_eq!(world.attempts_begun, 1);
    world.machine.act(world.now, Action::RetryNow).unwrap();
    world.configure();
    world.input(crate::provisioner::Input::SystemChanged);
    assert_eq!(world.attempts_begun, 2);
}

#[test]
fn a_full_disk_is_looked_at_again() {
    let mut world = World::active();
    world.sealed = Err(Fault::new(Code::StorageFull, "no space"));
    world.whole_flow();
    assert_eq!(world.state(), StateName::Waiting);
    world.sealed = Ok(());
    world.seconds(60);
    world.whole_flow();
    assert_eq!(world.count("finish"), 0);
    world.session(crate::provisioner::SessionEvent::Flushed);
    assert_eq!(world.state(), StateName::Provisioned);
}

#[test]
fn the_deadline_is_hard_in_every_phase() {
    // Never reaches the broker.
    let mut world = World::active();
    world.pass(Duration::from_secs(300) - Duration::from_millis(1));
    assert_eq!(world.state(), StateName::Connecting);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.state(), StateName::Waiting);
    assert_eq!(world.code(), Some(Code::NetworkTimeout));
    assert_eq!(world.count("undo"), 1);
    // A silent platform.
    let mut world = World::active();
    world.reach();
    world.seconds(300);
    assert_eq!(world.code(), Some(Code::PlatformSilent));
    // A proof that hangs.
    let mut world = World::active();
    world.proved = None;
    let commit = world.whole_flow();
    assert_eq!(world.state(), StateName::Proving);
    let waiting = SessionEvent::Waiting("CONNACK of the account's broker");
    world.input(Input::Session(waiting));
    world.seconds(300);
    assert_eq!(world.code(), Some(Code::ProofFailed));
    let view = world.machine.view();
    let (fault, _) = view.fault.expect("a fault");
    assert_eq!(
        fault.causes,
        ["network.timeout: it was waiting for CONNACK of the account's broker"]
    );
    assert_eq!(world.reply(&commit), Some((500, Some("proof.failed"))));
}

#[test]
fn the_count_survives_a_restart() {
    let mut world = World::new();
    world
        .properties
        .insert("retry-max-attempts".into(), 2.into());
    world.configure();
    world.reach();
    world.link_fails(Code::NetworkLost);
    let view = world.machine.view();
    let memory = crate::provisioner::Memory {
        transaction: view.transaction.map(str::to_owned),
        identity: view.identity.cloned(),
        parameters: Some(
            world
                .plan
                .as_ref()
                .unwrap()
                .settings
                .restart_key()
                .fingerprint(view.transaction.unwrap().as_bytes())
                .unwrap(),
        ),
        attempts: view.attempts,
        ..crate::provisioner::Memory::default()
    };
    let transaction = memory.transaction.clone();
    let mut after = World::new();
    after.properties = world.properties.clone();
    after.recovered = Ok(crate::provisioner::Recovered {
        memory,
        committed: false,
    });
    after.configure();
    assert_eq!(after.machine.view().transaction, transaction.as_deref());
    after.reach();
    assert_eq!(after.attempts(), 2);
    after.link_fails(Code::NetworkLost);
    assert_eq!(after.state(), StateName::GaveUp);
}

#[test]
fn actions_are_refused_with_a_reason_where_they_make_no_sense() {
    let mut world = World::active();
    let now = world.now;
    assert!(world
        .machine
        .act(now, Action::RetryNow)
        .unwrap_err()
        .0
        .contains("running"));
    assert!(world.machine.act(now, Action::Reprovision).is_err());
    world.link_fails(Code::NetworkRefused);
    assert!(world.machine.act(now, Action::RetryNow).is_ok());
    world.configure();
    let mut world = World::new();
    world.properties.insert("enabled".into(), false.into());
    world.configure();
    assert!(world.machine.act(now, Action::RetryNow).is_err());
    assert!(world.machine.act(now, Action::Cancel).is_err());
    assert!(world.machine.act(now, Action::Reprovision).is_ok());
}

#[test]
fn cancel_aborts_rolls_back_and_disables() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world.machine.act(world.now, Action::Cancel).unwrap();
    world.input(crate::provisioner::Input::SystemChanged);
    assert_eq!(world.count("undo"), 1);
    assert_eq!(world.count("disable"), 1);
    assert_eq!(world.state(), StateName::Idle);
    assert_eq!(world.leaked, 0);
}
