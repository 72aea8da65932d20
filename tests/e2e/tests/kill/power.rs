//! The power goes at any moment of a provisioning, and the disk has kept as little as it may.

use crate::bench::{Bench, Gateway, Kept, Place, Scenario};
use crate::disk::{self, Disk, Tree};
use crate::expect::{all_as_before, exactly_once, has_committed, Failures};
use crate::points::{sample, SAMPLE, WORKERS};

/// What was found when the power came back, and after which operation it had gone.
struct Found {
    after: String,
    tree: Tree,
}

/// A provisioning from whose disk the power was taken, in the model, again and again.
struct Recording {
    gateway: Gateway,
    first: Tree,
    found: Vec<Found>,
    operations: usize,
}

impl Recording {
    fn of(place: &Place<'_>) -> Recording {
        let gateway = place.gateway();
        gateway.site.write_seed().unwrap();
        let folder = gateway.site.folder();
        let mut disk = Disk::of(folder);
        let first = disk.now();
        let (ended, operations) = place.trace(&gateway);
        exactly_once(place.platform(), &gateway, &ended).unwrap();
        let mut seen = std::collections::BTreeSet::from([first.clone()]);
        let mut found = Vec::new();
        for (number, operation) in operations.iter().enumerate() {
            disk.apply(operation);
            for tree in disk.after_a_loss_of_power() {
                if seen.insert(tree.clone()) {
                    let after = format!("after {number}, {operation}");
                    found.push(Found { after, tree });
                }
            }
        }
        let mut really = Disk::of(folder).now();
        really.remove("operations.log");
        assert!(
            disk.now() == really,
            "the model of the disk has not seen every operation: {:?} is not {:?}",
            disk.now().keys(),
            really.keys(),
        );
        Recording {
            gateway,
            first,
            found,
            operations: operations.len(),
        }
    }
}

#[test]
fn whenever_the_power_goes_it_is_provisioned_once_or_as_before() {
    power_goes(Scenario::First);
}

#[test]
fn whenever_the_power_goes_it_is_provisioned_again_once_or_as_before() {
    power_goes(Scenario::Again);
}

fn power_goes(scenario: Scenario) {
    let bench = Bench::new(scenario);
    let member = scenario == Scenario::Again;
    let failures = Failures::default();
    let mut kept = Vec::new();
    let mut tried = 0;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..WORKERS)
            .map(|worker| {
                let (bench, failures) = (&bench, &failures);
                scope.spawn(move || one_of(bench, failures, worker))
            })
            .collect();
        for worker in workers {
            let (sites, count) = worker.join().unwrap();
            kept.push(sites);
            tried += count;
        }
    });
    println!(
        "{scenario:?}: the power went {tried} times, {} of them before the commit",
        kept.iter().map(|kept| kept.all.len()).sum::<usize>()
    );
    all_as_before(kept, member, &failures);
    failures.none();
}

/// Every `WORKERS`-th state of a recording of its own.
fn one_of(bench: &Bench, failures: &Failures, worker: usize) -> (Kept, usize) {
    let place = bench.place();
    let Recording {
        mut gateway,
        first,
        found,
        operations,
    } = Recording::of(&place);
    println!(
        "{operations} operations, {} states of the disk",
        found.len()
    );
    let library = bench.folder().join(format!("library-{worker}"));
    let plugin = gateway.site.plugins().join("libprovisioning_service.so");
    std::fs::hard_link(plugin, &library).unwrap();
    let put = |tree: &Tree, gateway: &Gateway| {
        disk::put(tree, gateway.site.folder(), &library).unwrap();
    };
    let mine: Vec<Found> = found.into_iter().skip(worker).step_by(WORKERS).collect();
    let mine = sample(mine, SAMPLE / WORKERS);
    let tried = mine.len();
    let (mut late, mut early) = (Vec::new(), Vec::new());
    for found in mine {
        put(&found.tree, &gateway);
        match has_committed(&gateway) {
            true => late.push(found),
            false => early.push(found),
        }
    }
    // The platform has completed the job: what comes after the commit comes first.
    for found in late {
        put(&found.tree, &gateway);
        let ended = place.run(&gateway, None);
        failures.note(
            &found.after,
            exactly_once(place.platform(), &gateway, &ended),
        );
    }
    for found in early {
        put(&found.tree, &gateway);
        place.keep(&found.after, gateway.site.copy_in(bench.folder()).unwrap());
        place.request_anew(&mut gateway);
        let ended = place.run(&gateway, None);
        failures.note(
            &found.after,
            exactly_once(place.platform(), &gateway, &ended),
        );
    }
    put(&first, &gateway);
    let before = gateway.site.copy_in(bench.folder()).unwrap();
    (place.kept(before), tried)
}
