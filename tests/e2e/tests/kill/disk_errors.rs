//! The disk refuses: it is full, it has become read-only, or it fails.

use crate::bench::{Bench, Scenario};
use crate::expect::{exactly_once, told, Failures};
use crate::gateway::Interference;
use crate::points;
use crate::points::SAMPLE;

/// `ENOSPC`, `EIO` and `EROFS`, as Linux numbers them.
const ERRORS: [i32; 3] = [28, 5, 30];
/// So long, in milliseconds, until there is space again.
const WHILE: u32 = 700;

#[test]
fn a_disk_that_fails_once_anywhere_loses_nothing() {
    fails(Scenario::First, ERRORS.map(Interference::Fail));
}

#[test]
fn a_disk_that_is_full_or_read_only_for_a_while_loses_nothing() {
    let ways = ERRORS.map(|errno| Interference::FailFor(errno, WHILE));
    fails(Scenario::Again, ways);
}

fn fails<const N: usize>(scenario: Scenario, ways: [Interference; N]) {
    let bench = Bench::new(scenario);
    let operations = bench.record();
    let points = points(&operations, ways, SAMPLE / 2);
    let failures = Failures::default();
    bench.for_each(&points, |place, point| {
        let gateway = place.gateway();
        let first = place.run(&gateway, Some((point.at, point.what)));
        let told = told(&first);
        // A gateway that could not start said why, and its service manager starts it again.
        let last = match first.code() {
            Some(1) => place.run(&gateway, None),
            _ => first,
        };
        failures.note(point, told);
        // What could not be removed is removed at the next start.
        let last = match last.code() {
            Some(0) => place.run(&gateway, None),
            _ => last,
        };
        failures.note(point, exactly_once(place.platform(), &gateway, &last));
    });
    println!(
        "{scenario:?}: the disk failed {} times at {} operations",
        points.len(),
        operations.len()
    );
    failures.none();
}
