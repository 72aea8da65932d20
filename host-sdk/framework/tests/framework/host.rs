//! Host services, asked from C.

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use applications::Application;
use gateway_component_abi::status;
use gateway_component_abi::value::Properties;
use gateway_host_sdk::Event;
use serde_json::{json, Value};

use crate::support::{answers, text, Place, DEADLINE};

/// Keeps log lines: target and message.
struct Lines(Mutex<Vec<(String, String)>>);

static LINES: Lines = Lines(Mutex::new(Vec::new()));

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }
    fn log(&self, record: &log::Record<'_>) {
        let line = (record.target().to_owned(), record.args().to_string());
        self.0.lock().unwrap().push(line);
    }
    fn flush(&self) {}
}

#[test]
fn every_host_service_answers_a_component_in_c() {
    let _ = log::set_logger(&LINES);
    log::set_max_level(log::LevelFilter::Info);
    let place = Place::new();
    place.drop_in("echo.so", &[]);
    let pid = "echo-host";
    let own = place.data().join("components").join(pid);
    std::fs::create_dir_all(&own).unwrap();
    crate::support::chmod(&own, 0o700);
    Application::heater("1.0.0").write(&own);
    let framework = place.start();
    let events = framework.events();
    framework
        .configuration()
        .create_factory("test.Echo", pid, &Properties::new())
        .unwrap();
    framework.settle();
    let status = answers(&framework, pid);
    let answer = |name: &str| &status["answers"][name];

    let folder = place
        .data()
        .canonicalize()
        .unwrap()
        .join("components")
        .join(pid);
    assert_eq!(*answer("storage"), json!([0, folder]));
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert_eq!(*answer("serial"), json!([0, "SN-42"]));
    assert_eq!(
        *answer("unknown"),
        json!([status::E_NOT_FOUND, "system.unknown"])
    );
    assert_eq!(*answer("configuration"), json!([0, pid]));
    assert_eq!(answer("nobody")[0], json!(status::E_NOT_FOUND));
    assert_eq!(*answer("create key"), json!([0, ""]));
    assert_eq!(*answer("keystore"), json!([0, "mine"]));
    assert_eq!(answer("no keystore")[0], json!(status::E_NOT_FOUND));
    assert_eq!(*answer("encrypt"), json!([0, "sealed"]));
    assert_eq!(*answer("decrypt"), json!([0, "hush"]));
    assert_eq!(*answer("post"), json!([0, ""]));
    assert_eq!(answer("post no object")[0], json!(status::E_INVALID));
    assert_eq!(*answer("inspect"), json!([0, "a descriptor"]));
    assert_eq!(
        *answer("inspect another"),
        json!([status::E_INVALID, "package.failed"])
    );
    assert_eq!(*answer("install"), json!([0, ""]));
    assert_eq!(*answer("packages"), json!([0, "heater 1.0.0"]));
    assert_eq!(*answer("revert"), json!([0, ""]));
    assert_eq!(*answer("settle"), json!([0, ""]));

    // Misuse is an error, and no harm.
    let misuse = json!([status::E_INVALID_ARGUMENT, "host.misuse"]);
    assert_eq!(*answer("null text"), misuse);
    assert_eq!(*answer("null ctx"), misuse);
    assert_eq!(answer("null sink")[0], json!(status::E_INVALID_ARGUMENT));
    assert_eq!(
        *answer("from activate"),
        json!([status::E_STATE, "host.misuse"])
    );

    let line = (pid.to_owned(), "echo: hello from C".to_owned());
    assert!(LINES.0.lock().unwrap().contains(&line));
    let posted = loop {
        match events.recv_timeout(DEADLINE).unwrap() {
            Event::Posted { topic, json } => break (topic, json),
            _ => continue,
        }
    };
    assert_eq!(posted.0, "test/hello");
    assert_eq!(
        serde_json::from_str::<Value>(&posted.1).unwrap(),
        json!({"n": 1})
    );
}

#[test]
fn a_component_sees_the_connection_it_belongs_to() {
    let place = Place::new();
    let factory = text("FACTORY", "gwc.provisioning.ProvisioningService");
    place.drop_in("provisioning.so", &[&factory]);
    let framework = place.start();
    assert_eq!(
        framework.provisioning_pids(),
        ["gwc.provisioning.ProvisioningService"]
    );
    let second = "org.eclipse.kura.cloud.CloudService-2";
    framework.create_connection(second).unwrap();
    assert!(framework.create_connection(second).is_err());
    assert!(framework.create_connection("CloudService-2").is_err());
    let described = |pid: &str| answers(&framework, pid)["answers"]["connection"].clone();
    let first = described("gwc.provisioning.ProvisioningService");
    assert_eq!(first, json!([0, "org.eclipse.kura.cloud.CloudService"]));
    assert_eq!(
        described("gwc.provisioning.ProvisioningService-2"),
        json!([0, second])
    );
    let all = framework.connections();
    assert_eq!(all.len(), 2);
    assert_eq!(
        all[1].provisioning_pid.as_deref(),
        Some("gwc.provisioning.ProvisioningService-2")
    );
    framework.delete_connection(second).unwrap();
    assert_eq!(framework.connections().len(), 1);
    assert_eq!(framework.provisioning_pids().len(), 1);
    assert!(framework.delete_connection(second).is_err());
}
