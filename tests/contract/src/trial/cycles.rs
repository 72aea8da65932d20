//! A life two hundred times over: nothing piles up.

use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{Instance, Plugin};
use contract::process::{self, Holdings};
use gateway_component_abi::value::Properties;

const CYCLES: usize = 200;
/// Caches fill and the allocator finds its size.
const WARM_UP: usize = 50;
/// The most that resident memory may grow in the other cycles, KiB.
const GROWTH: usize = 2048;
/// Descriptors of cancelled connects that paho has not given up yet: they are closed with the next
/// session, or at destroy.
const HELD: usize = 3;
/// What deactivate may take (`component.h`).
const BOUND: Duration = Duration::from_millis(250);

/// Compares what the process holds after each cycle with what it held before.
struct Ledger {
    cycle: usize,
    warm_up: usize,
    first: Option<Holdings>,
    warm: Option<Holdings>,
    /// Descriptors that a cycle may leave open.
    forgotten: usize,
    /// Descriptors that the last few cycles may still hold.
    held: usize,
    slowest: Duration,
}

impl Ledger {
    fn new(warm_up: usize, forgotten: usize, held: usize) -> Self {
        Ledger {
            cycle: 0,
            warm_up,
            first: None,
            warm: None,
            forgotten,
            held,
            slowest: Duration::ZERO,
        }
    }

    /// Deactivates, in time.
    fn deactivate(&mut self, instance: &Instance<'_>) {
        let watch = Stopwatch::start();
        instance.deactivate().unwrap();
        self.slowest = self.slowest.max(watch.stop());
        assert!(self.slowest < BOUND, "deactivate took {:?}", self.slowest);
    }

    /// The end of a cycle.
    fn close(&mut self) {
        let cycle = self.cycle;
        let first = *self.first.get_or_insert_with(process::holdings);
        let most = first.descriptors + cycle * self.forgotten + self.held;
        let now = process::holdings();
        assert!(
            now.descriptors <= most,
            "cycle {cycle}: {most} descriptors expected, there are {:?}",
            process::descriptor_names()
        );
        assert_eq!(
            now.threads,
            first.threads,
            "cycle {cycle}: {:?}",
            process::thread_names()
        );
        if cycle == self.warm_up {
            self.warm = Some(now);
        }
        if let Some(warm) = self.warm {
            let growth = now.resident.saturating_sub(warm.resident);
            assert!(
                growth < GROWTH,
                "cycle {cycle}: {growth} KiB more than after the warm-up"
            );
        }
        self.cycle += 1;
    }

    fn report(&self) {
        let growth = self
            .warm
            .map(|warm| process::holdings().resident as i64 - warm.resident as i64);
        println!(
            "{} cycles, slowest deactivate {:?}, resident {:+} KiB after the warm-up",
            self.cycle,
            self.slowest,
            growth.expect("more cycles than the warm-up has")
        );
    }
}

/// When an instance has come as far as it will.
type There<'a> = &'a dyn Fn(&Watcher);

/// Load, create, activate, deactivate, destroy, close; again and again.
fn whole_lives(path: &Path, parameters: &Properties, there: There<'_>, n: usize, forgotten: usize) {
    let mut ledger = Ledger::new(n / 4, forgotten, 0);
    for _ in 0..n {
        let plugin = Plugin::open(path);
        let (host, watcher) = (Host::new(), Watcher::new());
        let table = host.table();
        let instance = plugin.create(&table, PID).unwrap();
        instance.watch(watcher.sink()).unwrap();
        instance.activate(parameters).unwrap();
        there(&watcher);
        ledger.deactivate(&instance);
        instance.destroy().unwrap();
        plugin.close();
        drop((host, watcher));
        ledger.close();
    }
    ledger.report();
}

/// One instance, activated and deactivated again and again.
fn activations(path: &Path, parameters: &Properties, there: There<'_>) {
    let before = process::holdings();
    let mut ledger = Ledger::new(WARM_UP, 0, HELD);
    let plugin = Plugin::open(path);
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    for _ in 0..CYCLES {
        instance.activate(parameters).unwrap();
        there(&watcher);
        ledger.deactivate(&instance);
        watcher.clear();
        host.forget_lines();
        ledger.close();
    }
    ledger.report();
    instance.destroy().unwrap();
    plugin.close();
    drop((host, watcher));
    let after = process::holdings();
    assert_eq!(
        after.threads,
        before.threads,
        "{:?}",
        process::thread_names()
    );
    assert!(
        after.descriptors <= before.descriptors + FORGOTTEN,
        "{:?}",
        process::descriptor_names()
    );
}

/// Lives of instances that have connected take a second each: paho ends its threads slowly.
const LIVES: usize = 12;
/// What paho leaves open when its last client goes (eclipse-paho/paho.mqtt.c#1676).
const FORGOTTEN: usize = 2;

pub fn disabled_instances_leave_nothing_behind(path: &Path) {
    let disabled = parameters(false, "mqtts://127.0.0.1:1");
    let there = |watcher: &Watcher| drop(watcher.wait(|document| document["state"] == "idle"));
    whole_lives(path, &disabled, &there, CYCLES, 0);
}

/// Port 1 (tcpmux) of the loopback: nobody listens.
fn refused(run: impl FnOnce(&Properties, There<'_>)) {
    run(&parameters(true, "mqtt://127.0.0.1:1"), &|watcher| {
        watcher.wait(|document| {
            let code = document["error"]["code"].as_str();
            code.is_some_and(|code| code.starts_with("network."))
        });
    });
}

pub fn lives_without_a_broker_leave_nothing_behind(path: &Path) {
    refused(|parameters, there| whole_lives(path, parameters, there, LIVES, FORGOTTEN));
}

pub fn activations_without_a_broker_leave_nothing_behind(path: &Path) {
    refused(|parameters, there| activations(path, parameters, there));
}

/// A broker that accepts and never answers; the instance is ended while it waits.
fn silent(scheme: &str, run: impl FnOnce(&Properties, There<'_>)) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    run(&parameters(true, &format!("{scheme}://{address}")), &|_| {
        // The instance is on its way, or the deadline of the trial ends this.
        let (connection, _) = listener.accept().expect("a connection");
        connection
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        // Something was sent: the handshake or CONNECT waits for its answer now.
        assert_eq!(
            connection.peek(&mut [0]).expect("a first byte"),
            1,
            "closed before a byte"
        );
    });
}

pub fn lives_with_a_broker_silent_in_tls_leave_nothing_behind(path: &Path) {
    silent("mqtts", |parameters, there| {
        whole_lives(path, parameters, there, LIVES, FORGOTTEN)
    });
}

pub fn activations_with_a_broker_silent_in_tls_leave_nothing_behind(path: &Path) {
    silent("mqtts", |parameters, there| {
        activations(path, parameters, there)
    });
}

pub fn lives_with_a_broker_silent_in_mqtt_leave_nothing_behind(path: &Path) {
    silent("mqtt", |parameters, there| {
        whole_lives(path, parameters, there, LIVES, FORGOTTEN)
    });
}

pub fn activations_with_a_broker_silent_in_mqtt_leave_nothing_behind(path: &Path) {
    silent("mqtt", |parameters, there| {
        activations(path, parameters, there)
    });
}
