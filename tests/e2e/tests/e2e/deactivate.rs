//! Deactivation while the network is in whatever state: within 250 ms, and nothing is left.

use std::net::TcpListener;
use std::time::Duration;

use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host, Watcher};
use contract::plugin::{Instance, Plugin};
use contract::process::holdings;
use gateway_component_abi::value::{Properties, Secret};
use provision_platform::behaviour::Behaviour;
use provision_platform::harness::TestPlatform;

/// The promise of the contract.
const BOUND: Duration = Duration::from_millis(250);

/// A state to be caught in: its name, the parameters that lead there, the state or code to wait
/// for.
struct Trap {
    name: &'static str,
    parameters: Properties,
    caught: fn(&serde_json::Value) -> bool,
}

fn state(document: &serde_json::Value, name: &str) -> bool {
    document["state"] == name
}

fn traps(
    platform: &TestPlatform,
    talking: &TestPlatform,
    stranger: &TestPlatform,
    silent: &TcpListener,
) -> Vec<Trap> {
    let silent = format!("mqtts://127.0.0.1:{}", silent.local_addr().unwrap().port());
    let real = platform.provision_broker().url();
    let at = |url: &str, password: &str, account: &str| {
        let mut parameters = parameters(true, url);
        parameters.insert("client-id".into(), "gw-1".into());
        parameters.insert("username".into(), "user-gw-1".into());
        parameters.insert("password".into(), Secret::from(password).into());
        parameters.insert("account-name".into(), account.into());
        parameters
    };
    let account = platform.settings().account.as_str();
    vec![
        Trap {
            name: "a broker that accepts TCP and never answers",
            parameters: at(&silent, "secret", account),
            caught: |d| state(d, "connecting") && d["attempt"] == 1,
        },
        Trap {
            name: "a refused connection",
            parameters: at("mqtts://127.0.0.1:1", "secret", account),
            caught: |d| state(d, "waiting") && d["error"]["code"] == "network.refused",
        },
        Trap {
            name: "a name that is being resolved",
            parameters: at("mqtts://gateway.invalid", "secret", account),
            caught: |d| state(d, "connecting") || d["error"]["code"] == "network.dns",
        },
        Trap {
            name: "a wrong password",
            parameters: at(&real, "wrong", account),
            caught: |d| d["error"]["code"] == "broker.not-authorized",
        },
        Trap {
            name: "a silent platform",
            parameters: at(&real, "secret", account),
            caught: |d| state(d, "receiving"),
        },
        Trap {
            name: "a broker of an untrusted CA",
            parameters: at(&stranger.provision_broker().url(), "secret", account),
            caught: |d| d["error"]["code"] == "tls.untrusted",
        },
        Trap {
            name: "a chain of an untrusted root",
            parameters: at(&talking.provision_broker().url(), "secret", account),
            caught: |d| d["error"]["code"] == "trust.untrusted-root",
        },
        Trap {
            name: "parameters that do not hold",
            parameters: at(&real, "secret", "?"),
            caught: |d| state(d, "invalid"),
        },
    ]
}

fn cycle(instance: &Instance<'_>, watcher: &Watcher, trap: &Trap) -> Duration {
    watcher.clear();
    instance.activate(&trap.parameters).unwrap();
    watcher.wait(trap.caught);
    let watch = Stopwatch::start();
    instance.deactivate().unwrap();
    watch.stop()
}

#[test]
fn two_hundred_times_in_every_state_within_250_ms_and_nothing_is_left() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    platform.behave(Behaviour::silent()).unwrap();
    // It does not hold its tongue, but its root is in no DMKeystore here.
    let talking = TestPlatform::start_with(platform.pki().clone(), |settings| settings).unwrap();
    talking.request("gw-1", "secret").unwrap();
    let stranger = TestPlatform::start().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut host = Host::new();
    let pem = platform.pki().tls_root.certificate_pem().unwrap();
    host.state()
        .anchors
        .insert("root".into(), String::from_utf8(pem).unwrap());
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin
        .create(&table, "gwc.provisioning.ProvisioningService")
        .unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let traps = traps(&platform, &talking, &stranger, &silent);
    let mut slowest = (Duration::ZERO, "");
    let mut measured = None;
    for round in 0..40 {
        for trap in &traps {
            let took = cycle(&instance, &watcher, trap);
            assert!(took < BOUND, "{}: {took:?}", trap.name);
            slowest = slowest.max((took, trap.name));
        }
        // What is made once is made by then: paho's threads, OpenSSL's tables, arenas.
        if round == 5 {
            measured = Some(holdings());
        }
    }
    let then = measured.unwrap();
    let now = holdings();
    eprintln!(
        "{} cycles, the slowest {:?} ({}), resident {} -> {} KiB",
        40 * traps.len(),
        slowest.0,
        slowest.1,
        then.resident,
        now.resident
    );
    instance.watch(Watcher::none()).unwrap();
    // Other tests of this process have threads and files of their own, unless each has a process.
    if std::env::var_os("NEXTEST").is_some() {
        let now = holdings();
        assert_eq!(now.threads, then.threads);
        assert_eq!(now.descriptors, then.descriptors);
        assert!(
            now.resident < then.resident + 4096,
            "{} KiB grew to {} KiB",
            then.resident,
            now.resident
        );
    } else {
        println!("skipped: threads, descriptors and memory are measured under cargo nextest only");
    }
    instance.destroy().unwrap();
}
