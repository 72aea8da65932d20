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

/// The worst that can become of a commit record: it is on the disk, that is told as an error, it cannot
/// be cut off for a while, and the process ends in the middle of the way back.
#[test]
fn a_commit_record_that_failed_and_survived_is_not_believed_after_half_the_way_back() {
    for scenario in [Scenario::First, Scenario::Again] {
        let bench = Bench::new(scenario);
        let place = bench.place();
        let restored = "rename data/snapshots/";
        let operations = place.run(&place.gateway(), None).operations;
        let after = |from: usize, what: &str, of: &str| {
            let fits = |name: &String| name.starts_with(what) && name.contains(of);
            let rest = operations.iter().skip(from);
            from + rest.take_while(|name| !fits(name)).count() + 1
        };
        let applied = after(after(0, "rename", ".plan"), restored, "");
        let commit = after(applied, "fdatasync", "journal.jsonl");
        let gateway = place.gateway();
        let fails = Interference::JournalFailsFor(5, WHILE, restored);
        let killed = place.run(&gateway, Some((commit, fails)));
        assert!(killed.was_killed(), "{}", killed.said);
        assert!(killed.operations[commit..]
            .iter()
            .any(|name| name.starts_with(restored)));
        let last = place.run(&gateway, None);
        exactly_once(place.platform(), &gateway, &last).unwrap();
    }
}
