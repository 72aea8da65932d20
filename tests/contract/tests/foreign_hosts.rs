//! Hosts in other languages drive the library that Cargo just built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use contract::{compiler, plugin_library, process, repository};
use serde_json::Value;

const DEADLINE: Duration = Duration::from_secs(60);
const FACTORY_PID: &str = "gwc.provisioning.ProvisioningService";

fn hosts(file: &str) -> PathBuf {
    repository().join("tests/hosts").join(file)
}

/// The rest of the line that begins with `label`, as JSON.
fn labelled(output: &str, label: &str) -> Vec<Value> {
    output
        .lines()
        .filter_map(|line| line.strip_prefix(label)?.strip_prefix(' '))
        .map(|json| serde_json::from_str(json).unwrap_or_else(|e| panic!("{label} {json}: {e}")))
        .collect()
}

#[test]
fn a_c_host_drives_a_component_from_load_to_unload() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiler::build(&hosts("c/host.c"), folder.path());
    let mut command = Command::new(program);
    command.arg(plugin_library()).arg(folder.path());
    let ended = process::run(&mut command, DEADLINE);
    let log = ended.stderr.clone();
    let output = ended.expect_success("the C host");

    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        output.lines().next(),
        Some(format!("module provisioning-service {version}").as_str())
    );
    let metatype = repository().join(format!("metatype/{FACTORY_PID}.xml"));
    let metatype = std::fs::read_to_string(metatype).unwrap();
    assert!(
        output.contains(&format!("metatype {metatype}")),
        "the descriptor is the file shipped beside the library"
    );
    let configured = labelled(&output, "changed").pop().expect("a status change");
    assert_eq!(configured["broker"], "mqtts://broker.example:9883");
    assert_eq!(configured["account"], "claims");
    // The host waits for it: what a former life left has been looked at.
    assert_eq!(configured["state"], "idle");
    let ended = labelled(&output, "status").pop().expect("a status");
    assert_eq!(ended["state"], "inactive");
    assert_eq!(output.lines().last(), Some("destroyed"));
    assert!(log.contains("3 first: idle"), "the host's log: {log}");
}

#[test]
fn the_c_host_says_what_is_wrong_with_its_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiler::build(&hosts("c/host.c"), folder.path());
    let mut command = Command::new(program);
    let ended = process::run(command.arg("/nowhere.so").arg(folder.path()), DEADLINE);
    assert_eq!(ended.status.and_then(|s| s.code()), Some(2), "{ended:?}");
}

#[test]
fn the_c_host_of_the_readme_shows_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiler::build(&hosts("c/readme.c"), folder.path());
    let output = process::run(Command::new(program).arg(plugin_library()), DEADLINE)
        .expect_success("the C host of the README");
    let status: Value = serde_json::from_str(output.trim()).expect("JSON");
    assert_eq!(status["instance"], "first");
}

#[test]
fn the_rust_host_of_the_readme_runs_the_plugin() {
    let folder = tempfile::tempdir().unwrap();
    let (data, plugins) = (folder.path().join("data"), folder.path().join("plugins"));
    install(&plugins);
    let mut command = Command::new(env!("CARGO_BIN_EXE_rust-host"));
    let output = process::run(command.arg(data).arg(plugins), DEADLINE)
        .expect_success("the Rust host of the README");
    assert!(
        output.contains("plugin provisioning-service: Active"),
        "{output}"
    );
    let status = labelled(&output, &format!("{FACTORY_PID}:"));
    assert_eq!(status.len(), 1, "{output}");
    assert_eq!(status[0]["instance"], FACTORY_PID);
}

#[test]
fn a_python_host_drives_a_component_from_load_to_unload() {
    if Command::new("python3").arg("--version").output().is_err() {
        println!("skipped: no python3");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new("python3");
    command
        .arg(hosts("python/host.py"))
        .arg(plugin_library())
        .arg(folder.path());
    let output = process::run(&mut command, DEADLINE).expect_success("the Python host");
    let said: Value = serde_json::from_str(&output).expect("JSON");
    assert_eq!(said["factory_pid"], FACTORY_PID);
    assert!(said["metatype"]
        .as_str()
        .unwrap()
        .contains("<AD id=\"broker-url\""));
    assert_eq!(said["configured"]["account"], "claims");
    assert_eq!(said["ended"]["state"], "inactive");
    assert_eq!(
        said["refused"]["status"], 2,
        "update after deactivate: {said}"
    );
    assert!(!said["log"].as_array().unwrap().is_empty());
}

/// Copies the library into a plugin directory that nobody else may write.
fn install(plugins: &Path) {
    std::fs::create_dir(plugins).unwrap();
    let library = plugin_library();
    let copy = plugins.join(library.file_name().unwrap());
    std::fs::copy(library, &copy).unwrap();
    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(plugins, std::fs::Permissions::from_mode(0o755)).unwrap();
}
