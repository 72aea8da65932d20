//! The host before a component that says what a test tells it to say: exit codes, actions, the
//! form, a library that arrives while the gateway runs.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use serde_json::{json, Value};
use support::plugin::{home, install, seed, PID};
use support::{finished, gateway, Home, Running};

/// Runs a gateway until it ends by itself: exit code, the JSON object, standard error.
fn until_provisioned(home: &Home, document: &Value, deadline: &str) -> (i32, Value, String) {
    let seed = seed(home, document);
    let mut command = home.run();
    command.args([
        "--config",
        &seed,
        "--until",
        "provisioned",
        "--deadline",
        deadline,
        "--json",
    ]);
    let output = finished(&mut command);
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    let last = stdout
        .lines()
        .last()
        .unwrap_or_else(|| panic!("no outcome: {stderr}"));
    (
        output.status.code().unwrap(),
        serde_json::from_str(last).unwrap(),
        stderr,
    )
}

#[test]
fn giving_up_is_three_and_the_outcome_says_why() {
    let Some(home) = home() else { return };
    let gave_up = json!({
        "version": 1, "state": "gave-up", "attempt": 5, "max_attempts": 5, "enabled": false,
        "account": "factory", "broker": "mqtts://provision.example:8883",
        "identity": {"client_id": "0011AABBCCDD"},
        "steps": [{"name": "preflight", "state": "done"}, {"name": "connect", "state": "failed"}],
        "error": {"code": "broker.bad-credentials", "class": "cloud",
                  "message": "the broker refuses user 0011AABBCCDD-SN1",
                  "causes": ["CONNACK 5"], "remedy": "Create a provision request."}
    });
    let (code, outcome, said) = until_provisioned(&home, &gave_up, "20");
    assert_eq!(code, 3, "{said}");
    assert_eq!(outcome["state"], "gave-up");
    assert_eq!(outcome["attempts"], 5);
    assert_eq!(outcome["account"], "factory");
    assert_eq!(outcome["client_id"], "0011AABBCCDD");
    assert_eq!(
        outcome["error"],
        json!({"code": "broker.bad-credentials",
               "message": "the broker refuses user 0011AABBCCDD-SN1",
               "remedy": "Create a provision request."})
    );
    for line in [
        "gave up, attempt 5 of 5",
        "step connect failed",
        "because CONNACK 5",
    ] {
        assert!(said.contains(line), "{line:?} is not in {said}");
    }
}

#[test]
fn provisioned_without_a_connection_to_the_account_is_no_success() {
    let Some(home) = home() else { return };
    let provisioned = json!({"version": 1, "state": "provisioned", "provisioned": true});
    let (code, outcome, said) = until_provisioned(&home, &provisioned, "1");
    assert_eq!(code, 4, "{said}");
    assert_eq!(
        (&outcome["provisioned"], &outcome["connected"]),
        (&json!(true), &json!(false))
    );
}

#[test]
fn a_document_that_is_none_is_no_reason_to_break() {
    let Some(home) = home() else { return };
    let (code, outcome, _) = until_provisioned(&home, &json!({"state": 7}), "1");
    assert_eq!((code, outcome["state"].as_str().unwrap()), (4, "idle"));
}

#[test]
fn status_identity_and_preflight_are_shown_as_the_component_says_them() {
    let Some(home) = home() else { return };
    let document = json!({"version": 1, "state": "waiting", "attempt": 2, "max_attempts": 5,
        "error": {"code": "network.dns", "message": "no such host", "remedy": "Check the name."},
        "novelty": {"kept": true}});
    let seed = seed(&home, &document);
    let running = Running::start(&home, &["--config", &seed]);
    let (_, status) = running.get(&format!("/provisioning/v1/{PID}/status"));
    assert_eq!(status, document);
    let ask = |arguments: &[&str]| {
        let output = finished(gateway().args(arguments).arg("--data").arg(home.data()));
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    let (code, shown) = ask(&["status"]);
    assert_eq!(code, 0);
    assert!(shown.contains("waiting, attempt 2 of 5"), "{shown}");
    assert!(shown.contains("network.dns: no such host") && shown.contains("Check the name."));
    assert!(ask(&["identity"]).1.contains("0011AABBCCDD-SN1"));
    let (code, shown) = ask(&["preflight"]);
    assert_eq!(code, 1, "a failed check is a success");
    assert!(
        shown.contains("✗ clock") && shown.contains("clock.implausible"),
        "{shown}"
    );
    assert!(ask(&["plugins"]).1.contains("test-plugin"));
}

#[test]
fn an_action_that_makes_no_sense_is_refused_with_the_components_reason() {
    let Some(home) = home() else { return };
    let running = Running::start(&home, &[]);
    let path = format!("/provisioning/v1/{PID}/actions");
    let (status, answer) = running.post(&path, &json!({"action": "retry-now"}));
    assert_eq!(status, 409, "{answer}");
    assert!(answer["message"]
        .as_str()
        .unwrap()
        .contains("there is no pause to end"));
    assert_eq!(answer["code"], "action.refused");
    assert_eq!(running.post(&path, &json!({"action": "cancel"})).0, 200);
    assert_eq!(running.post(&path, &json!({"action": "explode"})).0, 400);
    let output = finished(gateway().args(["retry", "--data"]).arg(home.data()));
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no pause to end"));
}

#[test]
fn a_library_that_arrives_while_the_gateway_runs_brings_its_form() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    assert_eq!(
        running.get("/provisioning/v1/instances").1,
        json!({"pids": []})
    );
    let events = running.follow();
    if !install(&home.plugins()) {
        return;
    }
    events.wait_for("plugin", |_| {
        running.get("/provisioning/v1/instances").1 == json!({"pids": [PID]})
    });
    let (_, answer) = running.post(
        "/configuration/v2/configurableComponents/configurations/byPid",
        &json!({"pids": [PID]}),
    );
    let ads = answer["configs"][0]["definition"]["ad"]
        .as_array()
        .unwrap()
        .clone();
    let provisioned = ads.iter().find(|ad| ad["id"] == "provisioned").unwrap();
    assert_eq!(provisioned["min"], provisioned["max"]);
    let document = ads.iter().find(|ad| ad["id"] == "document").unwrap();
    assert_eq!(document["description"], "What the status says.|TextArea");
}

#[test]
fn a_status_change_is_told_with_its_document() {
    let Some(home) = home() else { return };
    let running = Running::start(&home, &[]);
    let events = running.follow();
    let document = json!({"version": 1, "state": "connecting"});
    let change = json!({"configs": [{"pid": PID, "properties":
        {"document": {"value": document.to_string(), "type": "STRING"}}}]});
    let path = "/configuration/v2/configurableComponents/configurations/_update";
    assert_eq!(running.put(path, &change).0, 200);
    events.wait_for("status", |data| {
        data["document"] == document && data["pid"] == PID
    });
}

/// Tells the component what to say.
fn says(running: &Running, document: &Value) {
    let change = json!({"configs": [{"pid": PID, "properties":
        {"document": {"value": document.to_string(), "type": "STRING"}}}]});
    let path = "/configuration/v2/configurableComponents/configurations/_update";
    assert_eq!(running.put(path, &change).0, 200);
}

/// `gateway provision --watch` as a process, its plain lines one by one.
fn watching(home: &Home) -> (std::process::Child, std::sync::mpsc::Receiver<String>) {
    let mut command = gateway();
    command.args(["provision", "--watch", "--data"]);
    let mut child = command
        .arg(home.data())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = std::sync::mpsc::channel();
    let said = std::io::BufReader::new(child.stderr.take().unwrap());
    std::thread::spawn(move || {
        for line in std::io::BufRead::lines(said).map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    (child, lines)
}

fn wait_for_line(lines: &std::sync::mpsc::Receiver<String>, wanted: &str) {
    let end = std::time::Instant::now() + support::DEADLINE;
    let mut said = Vec::new();
    loop {
        let left = end.saturating_duration_since(std::time::Instant::now());
        match lines.recv_timeout(left) {
            Ok(line) if line.contains(wanted) => return,
            Ok(line) => said.push(line),
            Err(_) => panic!("{wanted:?} was not said: {said:#?}"),
        }
    }
}

#[test]
fn watching_ends_with_the_provisioning_and_tells_the_error_at_once() {
    let Some(home) = home() else { return };
    let invalid = json!({"version": 1, "state": "invalid", "attempt": 0, "identity": null,
        "error": {"code": "config.invalid", "message": "timeout: given \"9\", allowed: 10..86400",
                  "remedy": "Correct it."}});
    let running = Running::start(&home, &["--config", &seed(&home, &invalid)]);
    let (child, lines) = watching(&home);
    wait_for_line(&lines, "stopped: parameters do not hold");
    wait_for_line(&lines, "config.invalid: timeout");
    wait_for_line(&lines, "→ Correct it.");
    says(
        &running,
        &json!({"version": 1, "state": "waiting", "attempt": 1, "max_attempts": 2,
                "error": {"code": "network.refused", "message": "nobody listens"}}),
    );
    wait_for_line(&lines, "waiting, attempt 1 of 2");
    says(
        &running,
        &json!({"version": 1, "state": "provisioned", "provisioned": true}),
    );
    assert_eq!(support::wait(child).status.code(), Some(0));

    let (child, lines) = watching(&home);
    wait_for_line(&lines, "provisioned");
    assert_eq!(support::wait(child).status.code(), Some(0));
    says(
        &running,
        &json!({"version": 1, "state": "gave-up", "attempt": 2, "max_attempts": 2}),
    );
    let (child, lines) = watching(&home);
    wait_for_line(&lines, "gave up, attempt 2 of 2");
    assert_eq!(support::wait(child).status.code(), Some(3));
}

#[test]
fn watching_is_left_with_ctrl_c_and_the_gateway_goes_on() {
    let Some(home) = home() else { return };
    let waiting = json!({"version": 1, "state": "waiting", "attempt": 1});
    let running = Running::start(&home, &["--config", &seed(&home, &waiting)]);
    let (child, lines) = watching(&home);
    wait_for_line(&lines, "waiting, attempt 1");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(support::wait(child).status.code(), Some(130));
    assert_eq!(running.get("/provisioning/v1/instances").0, 200);
}

#[test]
fn status_shows_when_it_goes_on_and_what_to_do() {
    let Some(home) = home() else { return };
    let next = "2199-01-01T00:00:00Z";
    let document = json!({"version": 1, "state": "waiting", "attempt": 2, "max_attempts": 5,
        "next_attempt_at": next, "transaction": null, "steps": null,
        "error": {"code": "network.dns", "message": "no such host", "remedy": "Check the name."},
        "warnings": [{"code": "parameter", "message": "the password travels in clear"}]});
    let _running = Running::start(&home, &["--config", &seed(&home, &document)]);
    let output = finished(gateway().args(["status", "--data"]).arg(home.data()));
    let shown = String::from_utf8(output.stdout).unwrap();
    for part in [
        "waiting, attempt 2 of 5, next attempt in",
        next,
        "network.dns: no such host",
        "→ Check the name.",
        "warning parameter: the password travels in clear",
    ] {
        assert!(shown.contains(part), "{part:?} is not in {shown}");
    }
}

#[test]
fn the_identity_is_copied_as_values_and_scanned_as_a_code() {
    let Some(home) = home() else { return };
    let _running = Running::start(&home, &[]);
    let ask = |arguments: &[&str]| {
        let mut command = gateway();
        let output = finished(
            command
                .arg("identity")
                .args(arguments)
                .arg("--data")
                .arg(home.data()),
        );
        (
            output.status.code().unwrap(),
            String::from_utf8(output.stdout).unwrap(),
        )
    };
    assert_eq!(
        ask(&["--csv"]),
        (
            0,
            "client_id,username,serial_number,mac_address,model\n\
             0011AABBCCDD,0011AABBCCDD-SN1,,,\n"
                .to_owned()
        )
    );
    let line = r#"{"client_id":"0011AABBCCDD","username":"0011AABBCCDD-SN1"}"#;
    let (code, shown) = ask(&["--qr"]);
    assert_eq!((code, shown.lines().last()), (0, Some(line)));
    assert!(
        shown.starts_with(&gateway::sheet::qr(line).unwrap()),
        "{shown}"
    );
    let (_, shown) = ask(&["--qr", "--csv"]);
    assert_eq!(
        shown.lines().last(),
        Some("0011AABBCCDD,0011AABBCCDD-SN1,,,")
    );
    assert_eq!(ask(&["--csv", "--json"]).0, 2);
}

/// `gateway provision --watch` on a terminal of 60 columns, made by script(1); what it draws comes
/// in pieces. Nothing where there is no script.
fn on_a_terminal(home: &Home) -> Option<(std::process::Child, std::sync::mpsc::Receiver<String>)> {
    let watch = format!(
        "stty cols 60 rows 40; exec '{}' provision --watch --data '{}'",
        gateway().get_program().to_string_lossy(),
        home.data().display()
    );
    let spawned = std::process::Command::new("script")
        .args(["-qfec", &watch, "/dev/null"])
        .env("TERM", "xterm")
        .env("SHELL", "/bin/sh")
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = spawned else {
        println!("skipped: no script(1)");
        return None;
    };
    let (sender, drawn) = std::sync::mpsc::channel();
    let mut screen = child.stdout.take().unwrap();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(read @ 1..) = std::io::Read::read(&mut screen, &mut piece) {
            let _ = sender.send(String::from_utf8_lossy(&piece[..read]).into_owned());
        }
    });
    Some((child, drawn))
}

/// Collects what is drawn until it is as wanted.
fn wait_until_drawn(
    drawn: &std::sync::mpsc::Receiver<String>,
    screen: &mut String,
    what: &str,
    wanted: impl Fn(&str) -> bool,
) {
    let end = std::time::Instant::now() + support::DEADLINE;
    while !wanted(screen) {
        let left = end.saturating_duration_since(std::time::Instant::now());
        match drawn.recv_timeout(left) {
            Ok(piece) => screen.push_str(&piece),
            Err(_) => panic!("{what} was not drawn: {screen:?}"),
        }
    }
}

#[test]
fn on_a_terminal_the_steps_stay_the_pause_counts_down_and_the_end_ends_it() {
    let Some(home) = home() else { return };
    let in_an_hour = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let seconds = in_an_hour
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    let next = jiff::Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap();
    let waiting = json!({"version": 1, "state": "waiting", "attempt": 2, "max_attempts": 5,
        "next_attempt_at": next.to_string(),
        "steps": [{"name": "preflight", "state": "done", "detail": ""},
                  {"name": "connect", "state": "failed", "detail": "mqtts://p.example:8883"},
                  {"name": "commit", "state": "pending"}],
        "error": {"code": "network.refused", "message": "nobody listens at p.example:8883",
                  "remedy": "Check the port in broker-url, then whether a firewall rejects it."}});
    let running = Running::start(&home, &["--config", &seed(&home, &waiting)]);
    let Some((child, drawn)) = on_a_terminal(&home) else {
        return;
    };
    let mut screen = String::new();
    for part in [
        "waiting, attempt 2 of 5, next attempt in 59 min",
        "✓ preflight",
        "✗ connect",
        "· commit",
        "network.refused: nobody listens at p.example:8883",
        // Longer than 60 columns, so it is wrapped and not cut.
        "rejects it.",
    ] {
        wait_until_drawn(&drawn, &mut screen, part, |screen| screen.contains(part));
    }
    // The head is drawn over itself, with less and less time.
    wait_until_drawn(&drawn, &mut screen, "a countdown", |screen| {
        let mut left: Vec<&str> = screen
            .split("next attempt in ")
            .skip(1)
            .filter_map(|rest| rest.get(..11))
            .collect();
        left.dedup();
        left.len() > 2
    });
    assert!(screen.contains("\u{1b}["), "nothing is drawn over");
    says(
        &running,
        &json!({"version": 1, "state": "provisioned", "provisioned": true}),
    );
    wait_until_drawn(&drawn, &mut screen, "the success", |screen| {
        screen
            .rsplit("waiting")
            .next()
            .unwrap()
            .contains("provisioned")
    });
    assert_eq!(support::wait(child).status.code(), Some(0));
}
