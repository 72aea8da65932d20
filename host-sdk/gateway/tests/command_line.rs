//! The command line as a user meets it: the real binary, its exit codes and what it prints.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "command_line/check_plugin.rs"]
mod check_plugin;
#[path = "command_line/closed.rs"]
mod closed;
#[path = "command_line/crashing.rs"]
mod crashing;
#[path = "command_line/folders.rs"]
mod folders;
#[path = "command_line/installation.rs"]
mod installation;
#[path = "command_line/output.rs"]
mod output;
mod support;
#[path = "command_line/terminal.rs"]
mod terminal;

use std::path::Path;
use std::time::{Duration, Instant};

use applications::Application;
use rustix::process::Signal;
use serde_json::Value;
use support::{finished, gateway, Home, Running};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn last_line_as_json(stdout: &str) -> Value {
    serde_json::from_str(stdout.lines().last().expect("nothing on standard output")).unwrap()
}

#[test]
fn usage_errors_are_two() {
    let wrong: [&[&str]; 10] = [
        &[],
        &["fly"],
        &["run"],
        &["run", "--data", "d"],
        &["run", "--data", "d", "--plugins", "p", "--deadline", "5"],
        &[
            "run",
            "--data",
            "d",
            "--plugins",
            "p",
            "--until",
            "tomorrow",
        ],
        &[
            "run",
            "--data",
            "d",
            "--plugins",
            "p",
            "--until",
            "provisioned",
            "--deadline",
            "0",
        ],
        &[
            "run",
            "--data",
            "d",
            "--plugins",
            "p",
            "--listen",
            "somewhere",
        ],
        &[
            "keystore",
            "import",
            "--data",
            "d",
            "--keystore",
            "SSLKeystore",
            "a.pem",
        ],
        &["status"],
    ];
    for arguments in wrong {
        let output = finished(gateway().args(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_password_on_the_command_line_is_a_usage_error_and_is_not_repeated() {
    let home = Home::new();
    let _running = Running::start(&home, &[]);
    let pid = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
    let mut command = gateway();
    command
        .args(["config", "set", "--data"])
        .arg(home.data())
        .args([pid, "password=canary-7"]);
    let output = finished(&mut command);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
    assert!(!text(&output.stderr).contains("canary-7"));
}

#[test]
fn a_command_without_a_running_gateway_says_so() {
    let home = Home::new();
    let output = finished(gateway().args(["status", "--data"]).arg(home.path()));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no gateway with --listen runs on"));
}

#[test]
fn the_deadline_is_four_and_the_outcome_is_the_last_line() {
    let home = Home::new();
    let started = Instant::now();
    let mut command = home.run();
    let output = finished(command.args(["--until", "provisioned", "--deadline", "1", "--json"]));
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(started.elapsed() >= Duration::from_secs(1));
    let outcome = last_line_as_json(&text(&output.stdout));
    assert_eq!(outcome["provisioned"], false);
    assert_eq!(outcome["state"], "idle");
    assert_eq!(outcome["error"], Value::Null);
    assert!(outcome["elapsed_ms"].as_u64().unwrap() >= 1000);
}

#[test]
fn a_signal_cleans_up_and_ends_with_its_number() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130)] {
        let home = Home::new();
        let running = Running::start(&home, &["--json"]);
        let record = home.data().join("rest.json");
        assert!(record.exists());
        let address = running.door.url.trim_start_matches("http://").to_owned();
        let (ended, stdout, stderr) = running.end(signal);
        assert_eq!(ended, Some(code), "{stderr}");
        assert!(!record.exists(), "the record of the REST address stays");
        assert!(last_line_as_json(&stdout)["state"].is_string());
        assert!(
            std::net::TcpStream::connect(address).is_err(),
            "somebody still listens"
        );
    }
}

#[test]
fn the_token_is_not_printed_where_a_journal_would_keep_it() {
    let home = Home::new();
    let running = Running::start(&home, &["--log-level", "trace"]);
    let token = running.door.token.expose().to_owned();
    running.get("/plugins/v1/plugins");
    let (_, stdout, stderr) = running.end(Signal::TERM);
    assert!(!stdout.contains(&token) && !stderr.contains(&token));
}

#[test]
fn an_address_that_others_can_reach_needs_a_word_more() {
    let home = Home::new();
    let output = finished(home.run().args(["--listen", "0.0.0.0:0"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("--listen-beyond-loopback"));
    assert!(
        !home.data().exists(),
        "something was started before the refusal"
    );
}

#[test]
fn a_seed_that_is_no_snapshot_is_named_and_nothing_starts() {
    let home = Home::new();
    let seed = home.path().join("seed.xml");
    std::fs::write(&seed, "<esf:configurations").unwrap();
    let output = finished(home.run().arg("--config").arg(&seed));
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(
        text(&output.stderr).contains("does not start"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_certificate_is_imported_shown_and_removed_without_a_running_gateway() {
    let home = Home::new();
    let file = home.path().join("ca.pem");
    std::fs::write(&file, support::certificate("Example CA")).unwrap();
    let keystore = |arguments: &[&str]| {
        let mut command = gateway();
        command
            .arg("keystore")
            .args(arguments)
            .arg("--data")
            .arg(home.data());
        command
    };
    let ssl = ["--keystore", "SSLKeystore", "--alias", "broker-ca"];
    let output = finished(keystore(&["import"]).args(ssl).arg(&file));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "SSLKeystore:broker-ca\n");
    let listed = text(&finished(&mut keystore(&["list"])).stdout);
    assert!(
        listed.contains("broker-ca") && listed.contains("CN=Example CA"),
        "{listed}"
    );
    // The operator may have put the data folder elsewhere, and a link in its place.
    let link = home.path().join("link");
    std::os::unix::fs::symlink(home.data(), &link).unwrap();
    let mut through = gateway();
    through.args(["keystore", "list", "--data"]).arg(&link);
    assert_eq!(text(&finished(&mut through).stdout), listed);
    assert_eq!(
        finished(keystore(&["remove"]).args(ssl)).status.code(),
        Some(0)
    );
    let output = finished(keystore(&["remove"]).args(ssl));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("broker-ca"));
}

#[test]
fn an_imported_certificate_is_in_the_running_gateway_at_once() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let file = home.path().join("ca.pem");
    std::fs::write(&file, support::certificate("Late CA")).unwrap();
    let mut command = gateway();
    command.args([
        "keystore",
        "import",
        "--keystore",
        "DMKeystore",
        "--alias",
        "late",
        "--data",
    ]);
    assert_eq!(
        finished(command.arg(home.data()).arg(&file)).status.code(),
        Some(0)
    );
    let (_, entries) = running.get("/keystores/v1/entries?keystoreServicePid=DMKeystore");
    assert_eq!(entries[0]["alias"], "late");
}

#[test]
fn what_is_no_certificate_is_named_and_not_imported() {
    let home = Home::new();
    let file = home.path().join("garbage.pem");
    std::fs::write(
        &file,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for (keystore, named) in [
        ("SSLKeystore", "garbage.pem"),
        ("OtherKeystore", "OtherKeystore"),
    ] {
        if keystore == "OtherKeystore" {
            std::fs::write(&file, support::certificate("Fine")).unwrap();
        }
        let mut command = gateway();
        command.args([
            "keystore",
            "import",
            "--keystore",
            keystore,
            "--alias",
            "a",
            "--data",
        ]);
        let output = finished(command.arg(home.data()).arg(&file));
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(named),
            "{}",
            text(&output.stderr)
        );
    }
}

#[test]
fn a_configuration_is_read_and_changed_from_the_command_line() {
    let home = Home::new();
    let _running = Running::start(&home, &[]);
    let pid = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
    let config = |verb: &str| {
        let mut command = gateway();
        command
            .args(["config", verb, pid, "--data"])
            .arg(home.data());
        command
    };
    let secret = home.path().join("secret");
    std::fs::write(&secret, "canary-file\n").unwrap();
    let password = format!("password=@{}", secret.display());
    let output = finished(config("set").args(["timeout=33", "username=", &password]));
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let shown = text(&finished(&mut config("get")).stdout);
    assert!(
        shown.contains("timeout = 33\n") && shown.contains("password = ***\n"),
        "{shown}"
    );
    assert!(!shown.contains("canary-file"));

    let output = finished(config("set").args(["protocol-version=9"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("protocol-version: "),
        "{}",
        text(&output.stderr)
    );
    for wrong in ["timeout=soon", "no-such-parameter=1"] {
        assert_eq!(
            finished(config("set").arg(wrong)).status.code(),
            Some(2),
            "{wrong}"
        );
    }
    let stale = finished(config("set").args(["--revision", "0", "timeout=34"]));
    assert_eq!(stale.status.code(), Some(1));
    assert!(
        text(&stale.stderr).contains("changed meanwhile"),
        "{}",
        text(&stale.stderr)
    );
}

#[test]
fn a_record_is_shown_and_an_altered_one_fails_with_its_first_bad_line() {
    let home = Home::new();
    let folder = home
        .data()
        .join("components/gwc.provisioning.ProvisioningService");
    std::fs::create_dir_all(&folder).unwrap();
    let ask = |command: &str| {
        let mut gateway = gateway();
        let output = finished(gateway.args(["record", command, "--data"]).arg(home.data()));
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    let (code, _, said) = ask("verify");
    assert!(
        code == Some(1) && said.contains("no attempt was made here yet"),
        "{said}"
    );

    let hash = |line: &str| -> String {
        let digest = openssl::sha::sha256(line.as_bytes());
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let line = |previous: &str, attempt: u8, outcome: &str| {
        format!(
            r#"{{"previous":"{previous}","time":"2026-01-01T00:00:0{attempt}Z","attempt":{attempt},"outcome":"{outcome}"}}"#
        )
    };
    let first = line(&"0".repeat(64), 1, "network.refused");
    let second = line(&hash(&first), 2, "ok");
    let write = |content: String| std::fs::write(folder.join("record.jsonl"), content).unwrap();
    write(format!("{first}\n{second}\n"));
    let (code, said, _) = ask("verify");
    assert!(code == Some(0) && said.contains("2 attempts"), "{said}");
    let (_, shown, _) = ask("show");
    assert!(
        shown.contains("network.refused") && shown.contains("2026-01-01T00:00:02Z"),
        "{shown}"
    );

    // A full file became the older one; and a still older one is gone.
    let older = folder.join("record.older.jsonl");
    std::fs::write(&older, format!("{first}\n")).unwrap();
    write(format!("{second}\n"));
    let (code, said, _) = ask("verify");
    assert!(code == Some(0) && said.contains("2 attempts") && !said.contains("given up"));
    let third = line(&hash(&second), 3, "tls.expired");
    std::fs::write(&older, format!("{second}\n")).unwrap();
    write(format!("{third}\n"));
    let (code, said, _) = ask("verify");
    assert!(code == Some(0) && said.contains("2 attempts") && said.contains("given up"));
    std::fs::remove_file(&older).unwrap();
    let (code, _, said) = ask("verify");
    assert!(
        code == Some(1) && said.contains("record.jsonl was altered"),
        "{said}"
    );

    write(format!("{first}\n{second}\n").replacen("refused", "dns", 1));
    for command in ["verify", "show"] {
        let (code, shown, said) = ask(command);
        assert_eq!(code, Some(1));
        assert!(shown.is_empty() && said.contains("line 2"), "{said}");
    }
}

#[test]
fn packages_are_packed_inspected_installed_listed_and_removed() {
    let home = Home::new();
    let heater = Application::heater("1.0.300");
    let folder = home.path().join("heater");
    std::fs::create_dir_all(folder.join("metatype")).unwrap();
    for (path, content) in heater.files() {
        std::fs::write(folder.join(path), content).unwrap();
    }
    let archive = home.path().join("heater.tar.gz");
    let pack = |output: &Path| {
        finished(
            gateway()
                .args([
                    "package",
                    "pack",
                    "--name",
                    "heater",
                    "--version",
                    "1.0.300",
                    "-o",
                ])
                .args([output, &folder]),
        )
    };
    let packed = pack(&archive);
    assert_eq!(packed.status.code(), Some(0), "{}", text(&packed.stderr));
    // By name or folder, in whatever order: the same bytes.
    let again = home.path().join("again");
    assert!(pack(&again).status.success());
    assert_eq!(
        std::fs::read(&again).unwrap(),
        std::fs::read(&archive).unwrap()
    );

    let inspected = finished(
        gateway()
            .args(["package", "inspect", "--json"])
            .arg(&archive),
    );
    let inspected: Value = serde_json::from_str(&text(&inspected.stdout)).unwrap();
    assert_eq!(inspected["version"], "1.0.300");
    assert_eq!(inspected["components"][0], "com.example.Heater");
    assert_eq!(inspected["files"][0]["path"], "libheater.so");

    let running = Running::start(&home, &["--allow-insecure-plugins"]);
    let package = |arguments: &[&str], file: Option<&Path>| {
        let mut command = gateway();
        command.arg("package").args(arguments);
        command.arg("--data").arg(home.data()).args(file);
        finished(&mut command)
    };
    let installed = package(&["install"], Some(&archive));
    assert_eq!(
        installed.status.code(),
        Some(0),
        "{}",
        text(&installed.stderr)
    );
    assert_eq!(text(&installed.stdout), "heater 1.0.300 is installed\n");
    let listed = text(&package(&["list"], None).stdout);
    assert!(
        listed.contains("heater  1.0.300  libheater.so metatype/com.example.Heater.xml"),
        "{listed}"
    );
    let listed: Value =
        serde_json::from_str(&text(&package(&["list", "--json"], None).stdout)).unwrap();
    assert_eq!(listed["packages"][0]["pending"], false);
    // It lives.
    let (_, plugins) = running.get("/plugins/v1/plugins");
    assert_eq!(plugins["plugins"][0]["state"], "active", "{plugins}");

    let removed = package(&["remove", "heater"], None);
    assert_eq!(removed.status.code(), Some(0), "{}", text(&removed.stderr));
    let twice = package(&["remove", "heater"], None);
    assert_eq!(twice.status.code(), Some(1));
    assert!(text(&twice.stderr).contains("there is no package \"heater\""));
    assert_eq!(std::fs::read_dir(home.plugins()).unwrap().count(), 0);
}

#[test]
fn what_is_no_package_is_refused_before_it_is_packed_or_installed() {
    let home = Home::new();
    let folder = home.path().join("files");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("liba.so"), "no library").unwrap();
    let output = home.path().join("out.tar.gz");
    let pack = |name: &str| {
        let output = finished(
            gateway()
                .args(["package", "pack", "--version", "1", "--name", name, "-o"])
                .args([&output, &folder]),
        );
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    assert!(pack("../a").contains("name \"../a\""));
    assert!(pack("a").contains("not an ELF file"));
    std::fs::write(folder.join("README.md"), "").unwrap();
    assert!(pack("a").contains("README.md: a package holds libraries"));
    assert!(!output.exists(), "something was written all the same");

    std::fs::write(&output, "no archive").unwrap();
    let inspected = finished(gateway().args(["package", "inspect"]).arg(&output));
    assert_eq!(inspected.status.code(), Some(1));
    let _running = Running::start(&home, &["--allow-insecure-plugins"]);
    let installed = finished(
        gateway()
            .args(["package", "install", "--data"])
            .args([&home.data(), &output]),
    );
    assert_eq!(installed.status.code(), Some(1));
    let said = text(&installed.stderr);
    assert!(said.contains("the package: it is"), "{said}");
    assert!(!said.contains(".incoming"), "{said}");
    // Nothing of it is left.
    let left = std::fs::read_dir(home.data().join("packages")).unwrap();
    assert_eq!(left.count(), 0);
}

/// Ends a gateway the way a defect would, core dumps being allowed by the limit: whether the system
/// wrote one.
fn dumps_core(arguments: &[&str]) -> bool {
    use std::io::{BufRead, BufReader};
    use std::os::unix::process::ExitStatusExt;
    let home = Home::new();
    let run = home.run();
    let mut shell = std::process::Command::new("sh");
    shell
        .args(["-c", "ulimit -c unlimited && exec \"$@\"", "sh"])
        .arg(run.get_program())
        .args(run.get_args())
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .current_dir(home.path())
        .stderr(std::process::Stdio::piped());
    let mut child = shell.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let up = lines.any(|line| line.unwrap().starts_with("console: "));
    assert!(up, "the gateway does not start");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, Signal::ABORT).unwrap();
    child.wait().unwrap().core_dumped()
}

#[test]
fn a_core_dump_is_not_written_unless_asked_for() {
    if !dumps_core(&["--allow-core-dumps"]) {
        println!("skipped: this system writes no core dumps");
        return;
    }
    assert!(!dumps_core(&[]));
}
