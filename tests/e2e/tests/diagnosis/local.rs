//! What is wrong on the gateway itself, seen before any packet is sent.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;

use contract::host::{parameters, Host, Watcher};
use contract::plugin::Plugin;
use e2e::canaries::Canaries;
use e2e::site::{read_tree, state, PID};
use e2e::Site;
use gateway_component_abi::ext::system::EXT_SYSTEM;
use gateway_component_abi::value::Properties;
use provision_platform::harness::TestPlatform;
use serde_json::Value;

use super::{schema, sees, succeeds};

#[test]
fn parameters_that_do_not_hold_are_all_named_and_mended_by_saving() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let account = platform.settings().account.clone();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("account-name", "?")
        .with("timeout", 9);
    site.start().unwrap();
    let status = sees(&mut site, "config.invalid");
    assert_eq!(state(&status), "invalid");
    assert_eq!(status["attempt"], 0);
    let named: Vec<&str> = status["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| problem["parameter"].as_str().unwrap())
        .collect();
    assert!(
        named.contains(&"account-name") && named.contains(&"timeout"),
        "{named:?}"
    );
    let mended = Properties::from([
        ("account-name".to_owned(), account.into()),
        ("timeout".to_owned(), 60.into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &mended).unwrap();
    succeeds(&mut site);
}

#[test]
fn without_mac_serial_and_names_it_waits_until_they_are_supplied() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("client-id", "")
        .with("username", "");
    let properties = site.data().with_file_name("system.properties");
    // As Kura says it where it knows none.
    let unknown = "kura.serialNumber=UNKNOWN\nkura.primary.mac=UNKNOWN\n";
    fs::write(properties, unknown).unwrap();
    site.start().unwrap();
    let status = sees(&mut site, "identity.missing");
    assert_eq!(status["attempt"], 0);
    let sheet = site.framework().unwrap().identity(PID).unwrap();
    let sheet: Value = serde_json::from_str(&sheet).unwrap();
    assert_eq!(sheet["client_id"], Value::Null);
    assert_eq!(sheet["sources"]["client_id"], "unknown");
    let supplied = Properties::from([
        ("client-id".to_owned(), "gw-1".into()),
        ("username".to_owned(), "user-gw-1".into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &supplied).unwrap();
    succeeds(&mut site);
}

#[test]
fn a_host_that_lacks_a_service_is_named_with_it() {
    let mut host = Host::new();
    host.state().offers.remove(EXT_SYSTEM);
    let table = host.table();
    let plugin = Plugin::open(&contract::plugin_library());
    let instance = plugin.create(&table, PID).unwrap();
    let watcher = Watcher::new();
    instance.watch(watcher.sink()).unwrap();
    let given = parameters(true, "mqtts://127.0.0.1:1");
    instance.activate(&given).unwrap();
    let told = RefCell::new(String::new());
    let status = watcher.wait(|document| {
        told.borrow_mut().push_str(&document.to_string());
        document["error"]["code"] == "host.unsupported"
    });
    schema::hold(&[status.to_string()]);
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains(EXT_SYSTEM), "{message}");
    instance.watch(Watcher::none()).unwrap();
    instance.destroy().unwrap();

    // No Site looks for the password here when the test ends.
    let mut canaries = Canaries::default();
    canaries.add("parameter", &given);
    let mut files = BTreeMap::new();
    read_tree(host.folder(), &mut files).unwrap();
    let lines = host.lines().join("\n");
    assert!(!files.is_empty() && !lines.is_empty(), "{files:?} {lines}");
    let found_in = |lines: &str, told: &str| {
        let files = files
            .iter()
            .map(|(path, content)| (path.as_str(), content.as_slice()));
        let texts = [
            ("the log", lines.as_bytes()),
            ("the status", told.as_bytes()),
        ];
        canaries.found_in(files.chain(texts))
    };
    assert_eq!(found_in(&lines, &told.borrow()), [""; 0]);
    assert_eq!(found_in("not-in-any-log", "not-in-any-log").len(), 2);
}
