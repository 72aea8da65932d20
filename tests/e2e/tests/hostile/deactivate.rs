//! Deactivation of the component in the middle of what never ends: the call itself, through its C
//! door, takes less than 250 ms, and nothing of it goes on.

use applications::Application;
use component_check::stopwatch::Stopwatch;
use contract::host::{parameters, Host};
use contract::plugin::Plugin;
use contract::process::thread_names;
use gateway_component_abi::ext::packages::{GwcPackages, EXT_PACKAGES};
use gateway_component_abi::safe::table;
use gateway_component_abi::value::Secret;
use provision_platform::behaviour::{Behaviour, Flood, PackageFault, Script, Step};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{NewPackage, NewRequest};
use serde_json::Value;
use std::thread;
use std::time::{Duration, Instant};

/// The promise of the contract.
const BOUND: Duration = Duration::from_millis(250);
const WAIT: Duration = Duration::from_secs(30);

/// A host that would install packages, if one ever came.
fn packages() -> GwcPackages {
    GwcPackages {
        struct_size: table::size::<GwcPackages>(),
        reserved: 0,
        list: None,
        inspect: None,
        install: None,
        revert: None,
        settle: None,
    }
}

/// Activates the component before a platform like this, waits until it is caught in what `caught`
/// sees in its status and its log, and deactivates it.
fn deactivated_in(behaviour: Behaviour, caught: impl Fn(&Value, &[String]) -> bool) {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = Application::named("app", "1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![NewPackage {
        file: app.write(folder.path()),
        name: app.name,
        version: app.version,
    }];
    platform.create_request(&new).unwrap();
    platform.behave(Script::always(behaviour)).unwrap();

    let mut host = Host::new();
    let packages = packages();
    let address = std::ptr::from_ref(&packages).cast();
    host.state().offers.insert(EXT_PACKAGES.to_owned(), address);
    let root = platform.pki().tls_root.certificate_pem().unwrap();
    let root = String::from_utf8(root).unwrap();
    host.state().anchors.insert("root".to_owned(), root);
    let table = host.table();
    let mut parameters = parameters(true, &platform.provision_broker().url());
    parameters.extend([
        (
            "account-name".to_owned(),
            platform.settings().account.as_str().into(),
        ),
        ("client-id".to_owned(), "gw-1".into()),
        ("username".to_owned(), "user-gw-1".into()),
        ("password".to_owned(), Secret::from("secret").into()),
        // There is no DMKeystore here.
        ("ca-authentication".to_owned(), false.into()),
    ]);
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin
        .create(&table, "gwc.provisioning.ProvisioningService")
        .unwrap();
    instance.activate(&parameters).unwrap();
    let end = Instant::now() + WAIT;
    let missed = loop {
        let (status, lines) = (instance.status().unwrap(), host.lines());
        if caught(&status, &lines) {
            break None;
        }
        if Instant::now() > end {
            break Some(status);
        }
        // This only paces the question.
        thread::sleep(Duration::from_millis(5));
    };
    let watch = Stopwatch::start();
    instance.deactivate().unwrap();
    let took = watch.stop();
    // Not before: it must not run when its host goes.
    assert_eq!(missed, None, "not caught within {WAIT:?}");
    println!("{took:?}");
    assert!(took < BOUND, "{took:?}");
    assert_eq!(instance.status().unwrap()["state"], "inactive");
    let threads = thread_names();
    assert!(
        !threads.iter().any(|name| name.starts_with("package-downl")),
        "{threads:?}"
    );
    let lines = host.lines().len();
    instance.destroy().unwrap();
    drop(platform);
    let later = host.lines();
    assert_eq!(later.len(), lines, "it went on: {later:#?}");
}

fn flooded(flood: Flood) {
    let behaviour = Behaviour {
        flood: Some(Flood {
            before: Step::Package(0),
            ..flood
        }),
        ..Behaviour::default()
    };
    deactivated_in(behaviour, |_, lines| {
        let answered = |line: &&String| line.contains("publish") && line.contains("/REPLY/");
        lines.iter().filter(answered).count() > 20
    });
}

fn downloading(fault: PackageFault, bytes: u64) {
    let behaviour = Behaviour {
        package: Some((0, fault)),
        ..Behaviour::default()
    };
    deactivated_in(behaviour, |status, _| {
        let package = &status["packages"][0];
        package["state"] == "downloading" && package["received"].as_u64() >= Some(bytes)
    });
}

#[test]
fn in_a_flood() {
    flooded(Flood::of(10_000));
}

#[test]
fn in_a_flood_of_bombs() {
    flooded(Flood {
        copies: 1000,
        ..Flood::bomb(15 << 20)
    });
}

#[test]
fn in_a_download_that_stalls() {
    downloading(PackageFault::Stall { after: 1000 }, 1000);
}

#[test]
fn in_a_download_that_drips() {
    downloading(PackageFault::Drip, 2);
}

#[test]
fn in_a_download_that_never_ends() {
    downloading(PackageFault::Endless, 8 << 20);
}

#[test]
fn in_a_silence_midway() {
    let behaviour = Behaviour {
        silent_from: Some(Step::Package(0)),
        ..Behaviour::default()
    };
    deactivated_in(behaviour, |status, _| {
        let steps = status["steps"].as_array();
        steps
            .into_iter()
            .flatten()
            .any(|step| step["name"] == "configuration" && step["state"] == "running")
    });
}
