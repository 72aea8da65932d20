//! Never half-provisioned, by enumeration: a gateway process is killed before and after each
//! change that it makes on its disk during a provisioning, or the disk refuses that change, and
//! the next start must come to one of the two ends by itself.
//!
//! [`power`] lets the disk lose what was not synced, in the model [`disk`]. [`points`] says which operations there are and which of them are tried; [`gateway`] runs the
//! process under the shim; [`expect`] says what must be true afterwards. Without `KILL_ALL=1`
//! every k-th point is tried; the number is printed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod bench;
mod disk;
mod disk_errors;
mod expect;
mod gateway;
mod held;
mod points;
mod power;
mod proxy;
mod trace;
mod wire;

use bench::{Bench, Scenario};
use expect::{all_as_before, exactly_once, has_committed, Failures};
use gateway::Interference;
use points::{sample, Point, SAMPLE};

/// Each operation with each of these.
fn points<const N: usize>(
    operations: &[String],
    ways: [Interference; N],
    about: usize,
) -> Vec<Point> {
    let all = operations.iter().enumerate().flat_map(|(at, name)| {
        ways.map(|what| Point {
            at: at + 1,
            what,
            name: name.clone(),
        })
    });
    sample(all.collect(), about)
}

#[test]
fn killed_anywhere_it_is_provisioned_once_or_as_before() {
    killed(Scenario::First);
}

#[test]
fn killed_anywhere_it_is_provisioned_again_once_or_as_before() {
    killed(Scenario::Again);
}

fn killed(scenario: Scenario) {
    let bench = Bench::new(scenario);
    let member = scenario == Scenario::Again;
    let operations = bench.record();
    let points = points(
        &operations,
        [Interference::Before, Interference::After],
        SAMPLE,
    );
    let failures = Failures::default();
    let before_commit = bench.for_each(&points, |place, point| {
        let gateway = place.gateway();
        let killed = place.run(&gateway, Some((point.at, point.what)));
        // A run may have fewer operations than the one that was recorded.
        if killed.was_killed() && !has_committed(&gateway) {
            place.keep(point, gateway.site.copy_in(bench.folder()).unwrap());
        }
        let after = place.run(&gateway, None);
        failures.note(point, exactly_once(place.platform(), &gateway, &after));
    });
    println!(
        "{scenario:?}: killed {} times at {} operations, {} of them before the commit",
        points.len(),
        operations.len(),
        before_commit
            .iter()
            .map(|kept| kept.all.len())
            .sum::<usize>(),
    );
    all_as_before(before_commit, member, &failures);
    failures.none();
}

#[test]
fn the_shim_sees_every_file_and_kills_where_it_is_told() {
    let bench = Bench::new(Scenario::First);
    let operations = bench.record();
    for wanted in ["journal.jsonl", "snapshot_", "record.jsonl", ".plan"] {
        assert!(
            operations.iter().any(|name| name.contains(wanted)),
            "nothing is done to {wanted}: {operations:#?}"
        );
    }
    if std::env::var_os("KILL_LIST").is_some() {
        println!("{operations:#?}");
    }
    let place = bench.place();
    let gateway = place.gateway();
    let killed = place.run(&gateway, Some((3, Interference::Before)));
    assert!(killed.was_killed());
    assert_eq!(killed.operations.len(), 3);
}
