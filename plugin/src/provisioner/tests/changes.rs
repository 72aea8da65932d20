//! Updates of the configuration, in every state.

use super::world::World;
use crate::diagnosis::Code;
use crate::provisioner::{Input, StateName};

#[test]
fn an_equal_update_does_not_restart_an_attempt() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    for _ in 0..5 {
        world.configure();
    }
    assert_eq!(world.attempts_begun, 1);
    assert_eq!(world.state(), StateName::Receiving);
}

#[test]
fn a_change_of_what_the_attempt_uses_restarts_it_as_a_new_transaction() {
    for (name, value) in [
        ("broker-url", "mqtts://other.example.com"),
        ("account-name", "other-account"),
        ("username", "somebody"),
        ("client-id", "someone"),
        ("password", "another"),
        ("activation-key", "key"),
    ] {
        let mut world = World::active();
        world.reach();
        let before = world.plan.as_ref().unwrap().transaction.clone();
        world.set(name, value);
        assert_eq!(world.attempts_begun, 2, "{name}");
        assert_eq!(world.count("disconnect"), 1, "{name}");
        assert_eq!(world.count("abandon"), 1, "{name}");
        let plan = world.plan.as_ref().unwrap();
        assert_ne!(plan.transaction, before, "{name}");
        world.reach();
        assert_eq!(world.attempts(), 1, "{name}");
    }
}

#[test]
fn the_retry_parameters_do_not_disturb_an_attempt() {
    let mut world = World::active();
    world.reach();
    world.set("retry-interval", 7);
    world.set("retry-max-attempts", 5);
    assert_eq!(world.attempts_begun, 1);
    world.link_fails(Code::NetworkLost);
    world.seconds(7);
    assert_eq!(world.attempts_begun, 2);
}

#[test]
fn disabling_aborts_rolls_back_and_sends_nothing_more() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world.configuration();
    let replies = world.replies.len();
    world.set("enabled", false);
    assert_eq!(world.state(), StateName::Idle);
    assert_eq!(world.count("undo"), 1);
    world.certificates();
    world.seconds(100_000);
    assert_eq!(world.replies.len(), replies);
    assert_eq!(world.attempts_begun, 1);
}

#[test]
fn disabling_while_applying_takes_everything_back() {
    let mut world = World::active();
    world.proved = None;
    world.whole_flow();
    assert_eq!(world.state(), StateName::Proving);
    world.set("enabled", false);
    assert_eq!(world.count("undo"), 1);
    assert_eq!(world.state(), StateName::Idle);
    world.input(Input::Proved(Ok(())));
    assert_eq!(world.count("commit"), 0, "a late proof proves nothing");
}

#[test]
fn disabling_in_a_pause_ends_it() {
    let mut world = World::active();
    world.link_fails(Code::NetworkRefused);
    world.set("enabled", false);
    assert_eq!(world.state(), StateName::Idle);
    assert_eq!(world.machine.timeout(), None);
}

#[test]
fn a_configuration_that_stops_to_hold_ends_the_attempt() {
    let mut world = World::active();
    world.reach();
    world.set("timeout", 1);
    assert_eq!(world.state(), StateName::Invalid);
    assert_eq!(world.count("undo"), 1);
}

#[test]
fn enabled_and_provisioned_starts_nothing() {
    let mut world = World::new();
    world.properties.insert("provisioned".into(), true.into());
    world.configure();
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(world.count("preflight"), 0);
}

#[test]
fn a_rollback_that_the_host_refuses_is_repeated() {
    let mut world = World::active();
    world.undone = Err(crate::diagnosis::Fault::new(Code::ApplyFailed, "no"));
    world.reach();
    world.link_fails(Code::NetworkLost);
    assert_eq!(world.state(), StateName::RollingBack);
    world.seconds(60);
    assert_eq!(world.count("undo"), 2);
    assert_eq!(world.attempts_begun, 1);
    world.undone = Ok(());
    world.seconds(60);
    assert_eq!(world.state(), StateName::Waiting);
}

#[test]
fn a_journal_that_cannot_be_followed_is_tried_again() {
    let mut world = World::new();
    let good = world.recovered.clone();
    world.recovered = Err(crate::diagnosis::Fault::new(Code::StorageUnwritable, "x"));
    world.configure();
    assert_eq!(world.state(), StateName::Recovering);
    world.recovered = good;
    world.seconds(60);
    assert_eq!(world.state(), StateName::Connecting);
}
