//! The command line, as a person or a Makefile uses it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;

use client::{Client, Login, PATIENCE};
use mqtt_session::Failure;
use openssl::x509::X509;
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Instant;

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_provision-platform"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn run(arguments: &[&str]) -> Output {
    command(arguments).output().unwrap()
}

fn ok(arguments: &[&str]) -> String {
    let output = run(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn create(data: &str, client_id: &str, more: &[&str]) -> Output {
    let username = format!("user-{client_id}");
    let base = [
        "request",
        "create",
        "--data",
        data,
        "--client-id",
        client_id,
        "--username",
    ];
    let mut child = command(&base)
        .args([&username, "--password-stdin"])
        .args(more)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that stops at a wrong argument does not read it.
    let _ = child.stdin.take().unwrap().write_all(b"canary-password\n");
    child.wait_with_output().unwrap()
}

#[test]
fn help_has_examples_and_wrong_usage_is_two() {
    for arguments in [
        &["--help"][..],
        &["request", "create", "--help"],
        &["run", "--help"],
    ] {
        assert!(
            ok(arguments).contains("provision-platform"),
            "{arguments:?}"
        );
    }
    assert!(ok(&["--help"]).contains("Examples:"));
    for wrong in [
        &["request", "create", "--client-id", "a", "--username", "b"][..],
        &["request", "show", "--data", "x"],
        &["run", "--port", "70000"],
        &["nonsense"],
        &[],
    ] {
        assert_eq!(run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn every_command_of_the_readme_is_one() {
    let readme = include_str!("../README.md");
    let commands = readme
        .lines()
        .filter_map(|line| line.strip_prefix("provision-platform "));
    let mut count = 0;
    for command in commands {
        let words = command.split_whitespace().chain(["--help"]);
        let output = run(&words.collect::<Vec<_>>());
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {errors}");
        count += 1;
    }
    assert!(count > 10, "{count}");
}

#[test]
fn requests_are_created_shown_and_listed_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let data = data.to_str().unwrap();
    let more = [
        "--activation-key-generate",
        "--expires-on",
        "+1h",
        "--max-attempts",
        "3",
    ];
    let created = create(data, "dev", &[&more[..], &["--json"]].concat());
    assert!(
        created.status.success(),
        "{}",
        String::from_utf8_lossy(&created.stderr)
    );
    let document: Value = serde_json::from_slice(&created.stdout).unwrap();
    let key = document["generated_activation_key"].as_str().unwrap();
    assert_eq!(key.len(), 32);
    assert_eq!(document["status"], "ENABLED");
    let shown = ok(&[
        "request",
        "show",
        "--data",
        data,
        "--client-id",
        "dev",
        "--json",
    ]);
    let show: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(show["jobs"][0]["state"], "CREATED");
    assert_eq!(show["max_attempts"], 3);
    let sheet = ok(&["request", "show", "--data", data, "1"]);
    let list = ok(&["request", "list", "--data", data]);
    assert!(list.contains("dev") && list.contains("CREATED"));
    for text in [&shown, &sheet, &list] {
        assert!(!text.contains("canary") && !text.contains(key));
    }
    // One that was refused at the door, before anything is known of its attempts.
    assert!(!sheet.contains("refused"), "{sheet}");
    let now = provision_platform::clock::now();
    let mut store = provision_platform::store::Store::open(Path::new(data)).unwrap();
    store.note_knock(Some("dev"), 2, now).unwrap();
    let sheet = ok(&["request", "show", "--data", data, "1"]);
    let refused = sheet.lines().find(|line| line.contains("refused")).unwrap();
    assert!(refused.contains("by the broker, 2 since"), "{sheet}");
    assert!(!refused.contains("another device"), "{sheet}");
    assert_eq!(create(data, "dev", &[]).status.code(), Some(1));
    assert!(create(data, "dev", &["--overwrite"]).status.success());
    for (wrong, word) in [
        (&["--max-attempts", "0"][..], "max-attempts"),
        (&["--expires-on", "tomorrow"], "is no time"),
        (&["--expires-on", "-1h"], "has passed"),
        (&["--account", "a"], "account"),
    ] {
        let output = create(data, "other", wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(
            String::from_utf8_lossy(&output.stderr).contains(word),
            "{wrong:?}"
        );
    }
    let unknown = run(&["request", "show", "--data", data, "--client-id", "other"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[test]
fn a_key_that_nobody_was_told_is_no_success_and_can_be_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let data = data.to_str().unwrap();
    let password = folder.path().join("password");
    std::fs::write(&password, "canary-password").unwrap();
    let full = || {
        std::fs::File::options()
            .write(true)
            .open("/dev/full")
            .unwrap()
    };
    let base = [
        "request",
        "create",
        "--data",
        data,
        "--client-id",
        "gw-1",
        "--username",
        "u",
    ];
    let made = [&base[..], &["--activation-key-generate", "--password-file"]].concat();
    for more in [&[][..], &["--overwrite", "--json"]] {
        let mut create = command(&[&made[..], &[password.to_str().unwrap()], more].concat());
        let output = create.stdout(full()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("standard output cannot be written"), "{said}");
        assert!(
            said.contains("was made") && said.contains("--overwrite"),
            "{said}"
        );
    }
    // The remedy is one.
    let again = [&made[..], &[password.to_str().unwrap(), "--overwrite"]].concat();
    assert!(ok(&again).contains("activation key, shown this once"));
    for arguments in [
        &["request", "list", "--data", data][..],
        &[
            "request",
            "show",
            "--data",
            data,
            "--client-id",
            "gw-1",
            "--json",
        ],
    ] {
        let output = command(arguments).stdout(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("standard output"));
    }
}

#[test]
fn a_mistyped_data_folder_is_named_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let (missing, empty) = (folder.path().join("nodir"), folder.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    for (data, said) in [
        (&missing, "there is no data folder"),
        (&empty, "is no data folder"),
    ] {
        for words in [
            &["request", "list"][..],
            &["request", "show", "1"],
            &["request", "enable", "1"],
            &["request", "disable", "1"],
            &["request", "delete", "1"],
            &["control", "--client-id", "gw-1", "conf", "get"],
        ] {
            let (first, rest) = words.split_at(if words[0] == "request" { 2 } else { 1 });
            let output = run(&[first, &["--data", data.to_str().unwrap()], rest].concat());
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{words:?}: {errors}");
            assert!(
                errors.contains(said) && errors.contains(data.to_str().unwrap()),
                "{errors}"
            );
        }
    }
    assert!(!missing.exists() && std::fs::read_dir(&empty).unwrap().next().is_none());
}

#[test]
fn packages_and_a_key_on_the_device_are_part_of_a_request() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let data = data.to_str().unwrap();
    let file = folder.path().join("heater-1.0.300.zip");
    std::fs::write(&file, "content").unwrap();
    let file = file.to_str().unwrap();
    let named = format!("{file}:boiler:2");
    let more = ["--package", file, "--package", &named, "--csr", "--json"];
    let created = create(
        data,
        "dev",
        &[&more[..], &["--package-credentials"]].concat(),
    );
    let errors = String::from_utf8_lossy(&created.stderr);
    assert!(created.status.success(), "{errors}");
    let document: Value = serde_json::from_slice(&created.stdout).unwrap();
    assert_eq!(document["packages"][0]["version"], "1.0.300");
    assert_eq!(document["packages"][1]["name"], "boiler");
    assert_eq!(document["packages"][1]["bytes"], 7);
    assert_eq!(document["package_credentials"], true);
    assert_eq!(document["device_key"], "EC-256");
    let sheet = ok(&["request", "show", "--data", data, "1"]);
    assert!(
        sheet.contains("boiler 2") && sheet.contains("EC-256"),
        "{sheet}"
    );
    let kind = ["--csr=RSA-3072", "--overwrite", "--json"];
    let document: Value = serde_json::from_slice(&create(data, "dev", &kind).stdout).unwrap();
    assert_eq!(document["device_key"], "RSA-3072");
    for (wrong, code) in [
        (&["--csr=DSA"][..], 2),
        (&["--package", "nameless.zip"], 2),
        (&["--package-credentials"], 2),
        (&["--package", "missing-1.0.zip"], 1),
    ] {
        let output = create(data, "other", wrong);
        assert_eq!(output.status.code(), Some(code), "{wrong:?}");
    }
}

#[test]
fn an_attached_configuration_must_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let file = folder.path().join("site.xml");
    std::fs::write(&file, "<nonsense/>").unwrap();
    let more = ["--configuration", file.to_str().unwrap()];
    let output = create(data.to_str().unwrap(), "dev", &more);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("site.xml"));
}

#[test]
fn certificates_are_not_replaced_by_accident() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("pki");
    let out = out.to_str().unwrap();
    assert!(ok(&["demo-pki", "--out", out]).contains("tls-root.pem"));
    assert_eq!(run(&["demo-pki", "--out", out]).status.code(), Some(1));
    ok(&["demo-pki", "--out", out, "--force"]);
}

struct Running {
    child: Child,
    ready: String,
}

impl Running {
    fn start(data: &Path, more: &[&str]) -> Running {
        let mut child = command(&["run", "--data", data.to_str().unwrap()])
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut ready)
            .unwrap();
        assert!(ready.starts_with("ready "), "{ready:?}");
        Running { child, ready }
    }

    fn word(&self, key: &str) -> &str {
        let mut words = self.ready.split_whitespace();
        words
            .find_map(|w| w.strip_prefix(key)?.strip_prefix('='))
            .unwrap()
    }

    fn signal(&mut self, signal: Signal) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id() as i32).unwrap();
        kill_process(pid, signal).unwrap();
        self.child.wait().unwrap().code()
    }

    fn connect(&self, client_id: &str) -> Result<Client, Failure> {
        let root = X509::from_pem(&std::fs::read(self.word("tls-root")).unwrap()).unwrap();
        let username = format!("user-{client_id}");
        let login = Login {
            client_id,
            username: &username,
            password: "canary-password",
        };
        Client::connect(self.word("broker"), &root, login, &[])
    }

    /// The ports of both brokers.
    fn ports(&self) -> Vec<u16> {
        let port = |url: &str| url.rsplit(':').next().unwrap().parse().unwrap();
        vec![port(self.word("broker")), port(self.word("target"))]
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn nobody_listens(ports: &[u16]) -> bool {
    ports
        .iter()
        .all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_err())
}

#[test]
fn run_says_when_it_is_ready_follows_the_database_and_leaves_nothing_running() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    assert!(create(data.to_str().unwrap(), "early", &[])
        .status
        .success());
    let ready_file = folder.path().join("ready.json");
    let mut running = Running::start(&data, &["--ready-file", ready_file.to_str().unwrap()]);
    let document: Value = serde_json::from_slice(&std::fs::read(&ready_file).unwrap()).unwrap();
    assert_eq!(document["broker"], running.word("broker"));
    assert_eq!(document["account"], "ec-provisioning");
    running.connect("early").unwrap();
    let second = run(&["run", "--data", data.to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("another provision-platform"));
    // Another process makes a request: the running platform lets its device in by itself.
    assert!(matches!(
        running.connect("late"),
        Err(Failure::NotAuthorized)
    ));
    assert!(create(data.to_str().unwrap(), "late", &[]).status.success());
    let until = Instant::now() + PATIENCE;
    while running.connect("late").is_err() {
        assert!(Instant::now() < until, "not let in");
    }
    let client = running.connect("late").unwrap();
    ok(&[
        "request",
        "disable",
        "--data",
        data.to_str().unwrap(),
        "--client-id",
        "late",
    ]);
    assert!(matches!(client.end(), Failure::Lost { .. }));
    let ports = running.ports();
    assert_eq!(running.signal(Signal::TERM), Some(0));
    assert!(nobody_listens(&ports));
    assert!(!ready_file.exists());
}

#[test]
fn a_killed_platform_comes_back_where_devices_know_it() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    assert!(create(data.to_str().unwrap(), "dev", &[]).status.success());
    let mut running = Running::start(&data, &[]);
    let ports = running.ports();
    let client = running.connect("dev").unwrap();
    running.signal(Signal::KILL);
    assert!(matches!(client.end(), Failure::Lost { .. }));
    let again = Running::start(&data, &[]);
    assert_eq!(again.ports(), ports);
    again.connect("dev").unwrap();
}

#[test]
fn control_needs_a_running_platform_and_says_how_it_ended_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("cloud");
    let data_text = data.to_str().unwrap();
    let ask = |more: &[&str]| {
        let base = [
            "control",
            "--data",
            data_text,
            "--client-id",
            "dev",
            "--timeout",
            "1",
        ];
        run(&[&base[..], more].concat())
    };
    let nobody = ask(&["--timeout", "20", "conf", "get"]);
    assert_eq!(nobody.status.code(), Some(2), "an option twice");
    let base = [
        "control",
        "--data",
        data_text,
        "--client-id",
        "dev",
        "conf",
        "get",
    ];
    let nobody = run(&base);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no provision-platform runs"));
    let _running = Running::start(&data, &[]);
    let silent = ask(&["snapshots", "list"]);
    assert_eq!(silent.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("does not answer within 1 s"));
    assert!(String::from_utf8_lossy(&silent.stderr).contains("no device dev was provisioned into"));
    for wrong in [
        &["--fault", "odd", "conf", "get"][..],
        &["send", "FETCH", "CONF-V1/snapshots"],
        &["send", "GET", "CONF-V1"],
        &["send", "GET", "CONF-V1/x", "--metric", "a:int=b"],
        &["deploy", "install", "nameless"],
    ] {
        assert_eq!(ask(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn a_killed_platform_takes_its_brokers_along() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(&folder.path().join("cloud"), &[]);
    let ports = running.ports();
    assert!(!nobody_listens(&ports));
    assert_eq!(running.signal(Signal::KILL), None);
    let until = Instant::now() + PATIENCE;
    while !nobody_listens(&ports) {
        assert!(Instant::now() < until, "still listening");
        std::thread::yield_now();
    }
}
