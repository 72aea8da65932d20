//! Each message of a provisioning is lost, doubled, late, overtaken or cut off, in both directions;
//! at each message the broker is killed, and the platform is killed and started from its database.
//! The gateway is provisioned exactly once all the same, in this attempt or in the next.

use std::sync::mpsc::{channel, Receiver};

use provision_platform::platform::{Platform, Settings};

use crate::bench::{Bench, Scenario};
use crate::expect::{exactly_once, Failures};
use crate::points::{by, sample, SAMPLE};
use crate::proxy::{Fault, Proxy, Target};

/// What dies when a message comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    /// Nobody.
    None,
    /// The provision broker; it comes back at once.
    Broker,
    /// The platform with its brokers; it comes back from its database, on its ports.
    Platform,
}

const FAULTS: [(Fault, Victim); 8] = [
    (Fault::Drop, Victim::None),
    (Fault::Twice, Victim::None),
    (Fault::Late, Victim::None),
    (Fault::Overtaken, Victim::None),
    (Fault::CutBefore, Victim::None),
    (Fault::CutAfter, Victim::None),
    (Fault::Ask, Victim::Broker),
    (Fault::Ask, Victim::Platform),
];

/// Most of the time all wait, for the end of an attempt above all.
const WORKERS: usize = 8;

#[test]
fn whatever_happens_to_a_message_it_is_provisioned_once() {
    let bench = Bench::new(Scenario::First);
    let (with_key, without) = (messages(&bench, true), messages(&bench, false));
    assert!(without.len() > 10, "{without:#?}");
    assert!(with_key.len() > without.len(), "{with_key:#?}");
    let mut all = Vec::new();
    for (fault, victim) in FAULTS {
        for number in 1..=of(victim, &with_key, &without).len() {
            all.push((Target { number, fault }, victim));
        }
    }
    let points = sample(all, SAMPLE);
    let tried = points.len();
    let failures = Failures::default();
    by(WORKERS, points, |(target, victim)| {
        let name = &of(victim, &with_key, &without)[target.number - 1];
        let what = format!("{target:?} {name}, {victim:?} dies");
        failures.note(&what, once(&bench, target, victim));
    });
    println!("interfered {tried} times with {} messages", with_key.len());
    failures.none();
}

/// A platform that comes back has another port for those who show a certificate.
fn has_key(victim: Victim) -> bool {
    victim != Victim::Platform
}

fn of<'a>(victim: Victim, with_key: &'a [String], without: &'a [String]) -> &'a [String] {
    match has_key(victim) {
        true => with_key,
        false => without,
    }
}

/// The messages of a provisioning that nothing interferes with.
fn messages(bench: &Bench, key: bool) -> Vec<String> {
    let place = bench.place();
    let (ask, _) = channel();
    let broker = place.platform().provision_broker();
    let certificate = &place.platform().settings().broker_certificate;
    let proxy = Proxy::start(broker.port(), certificate, None, ask);
    let mut gateway = bench.gateway_at(place.platform(), key);
    gateway.site = gateway.site.with("broker-url", proxy.url());
    let ended = bench.run(&gateway.site);
    exactly_once(place.platform(), &gateway, &ended).unwrap();
    proxy.seen()
}

fn once(bench: &Bench, target: Target, victim: Victim) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = bench.settings(&folder.path().join("platform"));
    let platform = Platform::start(settings.clone()).map_err(|e| e.to_string())?;
    // It comes back where it was.
    settings.port = Some(platform.provision_broker().port());
    settings.target_port = Some(platform.target_broker().port());
    settings.package_port = Some(platform.package_server().port());
    let mut gateway = bench.gateway_at(&platform, has_key(victim));
    let (ask, asked) = channel();
    let broker = platform.provision_broker().port();
    let proxy = Proxy::start(broker, &settings.broker_certificate, Some(target), ask);
    gateway.site = gateway.site.with("broker-url", proxy.url());
    std::thread::scope(|scope| {
        let keeper = scope.spawn(move || keep(platform, &settings, victim, &asked));
        let mut ended = bench.run(&gateway.site);
        if ended.outcome["provisioned"] == true && ended.outcome["connected"] == false {
            // Its account was away for a moment: the connection tries again every minute, or at
            // once where the gateway is started again.
            ended = bench.run(&gateway.site);
        }
        drop(proxy);
        let platform = keeper.join().expect("the platform comes back");
        exactly_once(&platform, &gateway, &ended)
    })
}

/// Keeps the platform until the proxy is gone, and lets the victim die when the proxy asks for it.
fn keep(
    mut platform: Platform,
    settings: &Settings,
    victim: Victim,
    asked: &Receiver<()>,
) -> Platform {
    while asked.recv().is_ok() {
        match victim {
            Victim::Platform => {
                drop(platform);
                platform = Platform::start(settings.clone()).expect("the platform again");
            }
            Victim::Broker => {
                platform.provision_broker().kill();
                platform
                    .restart_provision_broker()
                    .expect("the broker again");
            }
            Victim::None => {}
        }
    }
    platform
}
