//! How long it waits between two attempts, what ends that early, and what does not.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::world::World;
use crate::diagnosis::Code;
use crate::provisioner::{jitter_per_mille, Input, StateName};
use crate::status::{self, Extras};

/// A gateway in the pause after a counted attempt; `jitter` is its random share.
fn paused(interval: i32, jitter: u32) -> World {
    let mut world = World::new();
    world
        .properties
        .insert("retry-interval".into(), interval.into());
    world.jitter_per_mille = jitter;
    world.configure();
    world.reach();
    world.link_fails(Code::NetworkLost);
    assert_eq!(world.state(), StateName::Waiting);
    world
}

/// How long the pause of this gateway is.
fn pause(world: &World) -> Duration {
    world.machine.timeout().unwrap() - world.now.mono
}

#[test]
fn the_random_share_lengthens_the_pause_by_up_to_a_quarter_and_never_more() {
    for interval in [1, 60, 86_400] {
        let whole = Duration::from_secs(interval as u64);
        for jitter in 0..=250 {
            assert_eq!(
                pause(&paused(interval, jitter)),
                whole + whole * jitter / 1000
            );
        }
        for beyond in [251, 1000, u32::MAX] {
            assert_eq!(pause(&paused(interval, beyond)), whole + whole / 4);
        }
    }
}

#[test]
fn every_share_is_as_likely_as_another() {
    let mut counts = [0u32; 251];
    for random in 0..=u16::MAX {
        counts[jitter_per_mille(random.to_be_bytes()) as usize] += 1;
    }
    assert!(counts.iter().all(|count| [261, 262].contains(count)));
}

#[test]
fn a_fleet_that_failed_in_the_same_moment_does_not_come_back_in_the_same_second() {
    let mut returned: BTreeMap<u64, u32> = BTreeMap::new();
    for gateway in 0..1000u32 {
        let random = openssl::sha::sha256(&gateway.to_be_bytes());
        let share = jitter_per_mille([random[0], random[1]]);
        let mut world = paused(60, share);
        let lost = world.now.mono;
        let at = world.machine.timeout().unwrap();
        world.pass(at - lost);
        assert_eq!(world.attempts_begun, 2, "gateway {gateway}");
        *returned.entry((at - lost).as_secs()).or_default() += 1;
    }
    // 15 s have room for them: 67 in each, if they were spread evenly.
    assert_eq!(returned.keys().next(), Some(&60));
    assert!((60..75).all(|second| returned.contains_key(&second)));
    let most = returned.values().max().unwrap();
    assert!(*most < 2 * 1000 / 15, "{returned:?}");
}

fn next_attempt(world: &World) -> Value {
    let view = world.machine.view();
    let document = status::document(&view, &Extras::new("one"), world.now.wall_ms);
    let document: Value = serde_json::from_str(&document).unwrap();
    document["next_attempt_at"].clone()
}

#[test]
fn a_step_of_the_clock_names_the_next_attempt_anew_and_does_not_move_it() {
    let mut world = paused(3600, 0);
    let (before, due) = (world.machine.revision(), world.machine.timeout());
    let named = next_attempt(&world);
    world.seconds(10);
    // Disciplined, not set: nobody sees it in seconds.
    world.now.wall_ms += 900;
    world.input(Input::SystemChanged);
    assert_eq!(world.machine.revision(), before);
    for step in [86_400_000, -2 * 86_400_000, 1_000_000_000_000] {
        let revision = world.machine.revision();
        world.now.wall_ms += step;
        world.input(Input::SystemChanged);
        assert!(world.machine.revision() > revision, "nobody is told");
        assert_eq!(world.machine.timeout(), due, "a step moved a timer");
        assert_eq!(world.state(), StateName::Waiting);
        let left = due.unwrap() - world.now.mono;
        let wall = world.now.wall_ms + left.as_millis() as i64;
        assert_eq!(next_attempt(&world), crate::time::rfc3339(wall));
        assert_ne!(next_attempt(&world), named);
    }
}

#[test]
fn an_attempt_that_found_no_way_out_begins_as_soon_as_the_network_changes() {
    for code in [Code::NetworkUnreachable, Code::NetworkDns] {
        let mut world = World::new();
        world
            .properties
            .insert("retry-interval".into(), 3600.into());
        world.configure();
        world.link_fails(code);
        assert_eq!((world.state(), world.attempts()), (StateName::Waiting, 0));
        world.seconds(5);
        world.input(Input::SystemChanged);
        assert_eq!(world.state(), StateName::Connecting, "{code}");
        assert_eq!(world.attempts_begun, 2);
    }
}

#[test]
fn a_pause_that_spares_the_platform_lasts_whatever_the_network_does() {
    let mut world = paused(3600, 0);
    let due = world.machine.timeout();
    for _ in 0..100 {
        world.input(Input::SystemChanged);
    }
    assert_eq!(world.attempts_begun, 1);
    assert_eq!(world.machine.timeout(), due);
}
