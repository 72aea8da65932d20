//! Giving up is told, with its reason, until somebody changes something; also across restarts.

use super::world::World;
use crate::diagnosis::{Code, Fault};
use crate::provisioner::StateName;

/// A gateway that has used up its only attempt.
fn gave_up() -> World {
    let mut world = World::new();
    world
        .properties
        .insert("retry-max-attempts".into(), 1.into());
    world.configure();
    world.reach();
    world.link_fails(Code::NetworkLost);
    told(&world);
    world
}

fn told(world: &World) {
    assert_eq!(world.state(), StateName::GaveUp);
    assert_eq!(world.code(), Some(Code::NetworkLost));
    assert_eq!(world.attempts(), 1);
    assert_eq!(world.properties["enabled"], false.into());
}

#[test]
fn after_a_restart_it_still_says_so_and_why_and_since_when() {
    let mut world = gave_up();
    let since = world.machine.view().since_ms;
    for _ in 0..3 {
        world.seconds(3600);
        world.restart();
        told(&world);
        assert_eq!(world.machine.view().since_ms, since);
    }
    assert_eq!(world.attempts_begun, 1);
    // How often it would be tried changes nothing about it.
    world.set("retry-interval", 5);
    told(&world);
    world.restart();
    told(&world);
}

#[test]
fn a_change_of_the_configuration_ends_it_whether_the_gateway_runs_or_not() {
    let mut world = gave_up();
    world.set("account-name", "another");
    assert_eq!((world.state(), world.code()), (StateName::Idle, None));
    world.restart();
    assert_eq!((world.state(), world.code()), (StateName::Idle, None));

    let mut world = gave_up();
    let account = "another".to_owned();
    world
        .properties
        .insert("account-name".into(), account.into());
    world.restart();
    assert_eq!((world.state(), world.code()), (StateName::Idle, None));
}

#[test]
fn enabling_it_ends_it_also_when_it_is_switched_off_before_an_attempt() {
    for restarts in [false, true] {
        let mut world = gave_up();
        world.preflight = Err(Fault::new(Code::IdentityMissing, "no"));
        world.set("enabled", true);
        assert_eq!(world.state(), StateName::Preflight);
        world.set("enabled", false);
        if restarts {
            world.restart();
        }
        assert_eq!((world.state(), world.code()), (StateName::Idle, None));
    }
}

#[test]
fn a_restart_before_the_host_has_heard_of_it_gives_up_for_the_same_reason() {
    let mut world = World::new();
    world
        .properties
        .insert("retry-max-attempts".into(), 1.into());
    world.disabled = Err(Fault::new(Code::StorageFull, "no"));
    world.configure();
    world.reach();
    world.link_fails(Code::NetworkLost);
    assert_eq!(world.properties["enabled"], true.into());
    world.disabled = Ok(());
    world.restart();
    told(&world);
    assert_eq!(world.attempts_begun, 1);
}

#[test]
fn a_restart_after_the_host_has_heard_and_before_the_journal_has_says_so_too() {
    let mut world = gave_up();
    // As if the transaction had not been closed.
    let gave_up = world.journal_memory().gave_up.clone().unwrap();
    world.journal_memory().transaction = Some(gave_up.transaction);
    world.journal_memory().parameters = Some(gave_up.parameters);
    world.journal_memory().attempts = gave_up.attempts;
    world.restart();
    told(&world);
    world.restart();
    told(&world);
}

#[test]
fn more_attempts_allowed_while_it_was_off_are_made() {
    let mut world = gave_up();
    world
        .properties
        .insert("retry-max-attempts".into(), 5.into());
    world.properties.insert("enabled".into(), true.into());
    world.restart();
    assert_eq!(world.state(), StateName::Connecting);
    assert_eq!(world.code(), None);
}
