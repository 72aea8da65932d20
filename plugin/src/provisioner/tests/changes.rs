//! Updates of the configuration, in every state.

use super::world::World;
use crate::diagnosis::Code;
use crate::provisioner::{Input, SessionEvent, StateName};

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

/// A world in each of the states in which an update may find the machine, by name.
fn every_state() -> Vec<(StateName, World)> {
    let fault = |code| crate::diagnosis::Fault::new(code, "as scripted");
    let mut worlds = Vec::new();
    let mut recovering = World::new();
    recovering.recovered = Err(fault(Code::StorageUnwritable));
    recovering.configure();
    worlds.push((StateName::Recovering, recovering));
    let mut blocked = World::new();
    blocked.preflight = Err(fault(Code::IdentityMissing));
    blocked.configure();
    worlds.push((StateName::Preflight, blocked));
    worlds.push((StateName::Connecting, World::active()));
    let mut receiving = World::active();
    receiving.reach();
    receiving.certificates();
    worlds.push((StateName::Receiving, receiving));
    let mut proving = World::active();
    proving.proved = None;
    proving.whole_flow();
    worlds.push((StateName::Proving, proving));
    let mut committing = World::active();
    committing.completed = Err(fault(Code::ApplyFailed));
    committing.whole_flow();
    worlds.push((StateName::Committing, committing));
    let mut rolling_back = World::active();
    rolling_back.undone = Err(fault(Code::ApplyFailed));
    rolling_back.reach();
    rolling_back.link_fails(Code::NetworkLost);
    worlds.push((StateName::RollingBack, rolling_back));
    let mut waiting = World::active();
    waiting.link_fails(Code::NetworkRefused);
    worlds.push((StateName::Waiting, waiting));
    let mut refused = World::active();
    refused.applied.push_back(Err(fault(Code::ApplyFailed)));
    refused.whole_flow();
    worlds.push((StateName::Refused, refused));
    let mut gave_up = World::new();
    gave_up
        .properties
        .insert("retry-max-attempts".into(), 1.into());
    gave_up.configure();
    gave_up.reach();
    gave_up.link_fails(Code::NetworkLost);
    worlds.push((StateName::GaveUp, gave_up));
    let mut provisioned = World::active();
    provisioned.whole_flow();
    provisioned.session(crate::provisioner::SessionEvent::Flushed);
    worlds.push((StateName::Provisioned, provisioned));
    let mut invalid = World::new();
    invalid.properties.insert("timeout".into(), 1.into());
    invalid.configure();
    worlds.push((StateName::Invalid, invalid));
    let mut idle = World::new();
    idle.properties.insert("enabled".into(), false.into());
    idle.configure();
    worlds.push((StateName::Idle, idle));
    worlds
}

#[test]
fn a_redundant_update_changes_nothing_in_any_state() {
    for (state, mut world) in every_state() {
        assert_eq!(world.state(), state);
        let (timeout, revision, log) = (
            world.machine.timeout(),
            world.machine.revision(),
            world.log.clone(),
        );
        for _ in 0..3 {
            world.configure();
        }
        assert_eq!(world.state(), state);
        assert_eq!(world.machine.timeout(), timeout, "{state:?}");
        // The host's echo of what was written is taken as that, and nothing else happens.
        assert_eq!(world.log, log, "{state:?}");
        let shown = world.machine.revision() - revision;
        assert!(shown <= 2, "{state:?}: {shown} changes");
    }
}

#[test]
fn an_update_in_any_state_ends_where_its_content_says() {
    for (state, mut world) in every_state() {
        world.set("enabled", false);
        world.recovered = World::new().recovered;
        world.undone = Ok(());
        world.completed = Ok(());
        world.seconds(120);
        let committed = [StateName::Committing, StateName::Provisioned].contains(&state);
        let end = world.state();
        match state {
            // There is no way back, and what was reached stays.
            _ if committed => assert_eq!(end, StateName::Provisioned, "{state:?}"),
            StateName::GaveUp => assert_eq!(end, StateName::GaveUp),
            _ => assert_eq!(end, StateName::Idle, "{state:?}"),
        }
        let (begun, sent) = (world.attempts_begun, world.sent);
        world.seconds(100_000);
        assert_eq!(
            (world.attempts_begun, world.sent),
            (begun, sent),
            "{state:?}"
        );
        // Enabled, with other credentials, it is a new transaction from zero wherever it came from.
        if !committed {
            world.preflight = Ok(());
            world.properties.insert("timeout".into(), 77.into());
            world.properties.insert("username".into(), "other".into());
            world.set("enabled", true);
            world.proved = Some(Ok(()));
            assert_eq!(world.state(), StateName::Connecting, "{state:?}");
            assert_eq!(world.attempts(), 0, "{state:?}");
        }
    }
}

#[test]
fn a_stale_form_after_the_success_starts_it_only_by_what_it_says() {
    let (_, mut world) = every_state()
        .into_iter()
        .find(|(state, _)| *state == StateName::Provisioned)
        .unwrap();
    world.configure();
    let begun = world.attempts_begun;
    // A host without revisions takes an old form as it is: enabled, but provisioned as well.
    world.set("enabled", true);
    assert_eq!(world.state(), StateName::Provisioned);
    assert_eq!(world.attempts_begun, begun);
}

#[test]
fn what_somebody_wishes_while_the_success_is_being_told_is_done_after_it() {
    // The two are written by then; the platform has not acknowledged the reply yet.
    for (enabled, state) in [(false, StateName::Idle), (true, StateName::Connecting)] {
        let mut world = World::active();
        world.whole_flow();
        assert_eq!(world.state(), StateName::Committing);
        world.configure();
        world.properties.insert("enabled".into(), enabled.into());
        world.set("provisioned", false);
        assert_eq!(world.state(), StateName::Committing, "{enabled}");
        world.session(SessionEvent::Flushed);
        assert_eq!(world.state(), state, "{enabled}");
        assert_eq!(world.attempts_begun, 1 + u32::from(enabled), "{enabled}");
    }
}
