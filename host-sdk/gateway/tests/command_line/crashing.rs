//! A plugin that takes the gateway with it does so three times, and not for ever.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{kill_process, Pid, Signal};
use serde_json::{json, Value};

use super::support::plugin::{home, install_with, seed, PID};
use super::support::{finished, gateway, wait, Home, Running, DEADLINE};
use super::text;

/// Runs the gateway, which does not come up.
fn crashes(home: &Home, arguments: &[&str]) -> String {
    ends(home, arguments, Signal::ABORT)
}

/// Runs the gateway, which ends by that signal.
fn ends(home: &Home, arguments: &[&str], signal: Signal) -> String {
    let output = finished(home.run().args(arguments));
    let said = text(&output.stderr);
    assert_eq!(output.status.signal(), Some(signal.as_raw()), "{said}");
    said
}

fn plugins(home: &Home, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = gateway();
    command.args(["plugins", "--data"]).arg(home.data());
    let output = finished(command.args(arguments));
    (output.status.code(), text(&output.stdout))
}

fn instance(running: &Running) -> Value {
    let (status, answer) = running.get("/plugins/v1/plugins");
    assert_eq!(status, 200);
    let mut all = answer["instances"].as_array().unwrap().iter();
    all.find(|instance| instance["pid"] == PID).unwrap().clone()
}

/// Waits until the component runs.
fn becomes_active(running: &Running) {
    let end = Instant::now() + DEADLINE;
    loop {
        let (status, answer) = running.get("/plugins/v1/plugins");
        assert_eq!(status, 200);
        let mut all = answer["instances"].as_array().unwrap().iter();
        if all.any(|one| one["pid"] == PID && one["state"] == "active") {
            return;
        }
        assert!(Instant::now() < end, "{PID} is not active: {answer}");
        // This only paces the question.
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn configure(running: &Running, document: &str) {
    let property = json!({"value": document, "type": "STRING"});
    let config = json!({"pid": PID, "properties": {"document": property}});
    let body = json!({"configs": [config], "takeSnapshot": true});
    let url = "/configuration/v2/configurableComponents/configurations/_update";
    let (status, answer) = running.put(url, &body);
    assert_eq!(status, 200, "{answer}");
}

#[test]
fn a_configuration_that_crashes_its_component_is_held_back_until_it_is_another() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &json!("crash"));
    for _ in 0..3 {
        crashes(&home, &["--config", &seed]);
    }
    let running = Running::start(&home, &[]);
    let held = instance(&running);
    assert_eq!(held["state"], "failed");
    let reason = held["error"].as_str().unwrap();
    assert!(
        reason.contains("held back") && reason.contains("3 times"),
        "{reason}"
    );
    let (code, listed) = plugins(&home, &[]);
    assert_eq!(code, Some(0));
    assert!(
        listed.contains(PID) && listed.contains("held back"),
        "{listed}"
    );
    configure(&running, "{\"version\":1}");
    let (_, listed) = plugins(&home, &["--json"]);
    assert!(listed.contains("\"state\": \"active\""), "{listed}");
    assert_eq!(instance(&running)["error"], Value::Null);
    let url = format!("/plugins/v1/instances/{PID}/try-again");
    assert_eq!(running.post(&url, &json!({})).0, 409, "it is active");
    let (code, _, said) = running.end(Signal::TERM);
    assert_eq!(code, Some(143));
    assert!(said.contains("held back"), "not in the log: {said}");
}

#[test]
fn a_component_that_is_tried_again_in_vain_is_held_back_again() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &json!("crash"));
    for round in 0..2 {
        // The first of the second round is the one that it was told to try again.
        for _ in round..3 {
            crashes(&home, &["--config", &seed]);
        }
        let running = Running::start(&home, &[]);
        assert_eq!(instance(&running)["state"], "failed");
        let (code, _) = plugins(&home, &["--try-again", PID]);
        assert_eq!(code, Some(1), "the gateway ended");
    }
}

#[test]
fn a_running_gateway_that_a_new_configuration_ends_comes_up_again() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &json!({"version": 1}));
    let running = Running::start(&home, &["--config", &seed]);
    assert_eq!(instance(&running)["state"], "active");
    let config = json!({"pid": PID, "properties":
        {"document": {"value": "\"crash\"", "type": "STRING"}}});
    let body = json!({"configs": [config], "takeSnapshot": true});
    let url = "/services/configuration/v2/configurableComponents/configurations/_update";
    // Whether the answer comes before the end is nobody's business.
    let request = running.agent().put(running.url(url));
    let _ = request
        .header("Authorization", running.bearer())
        .send_json(&body);
    assert_eq!(running.ended().signal(), Some(6));
    for _ in 0..2 {
        crashes(&home, &[]);
    }
    let running = Running::start(&home, &[]);
    assert!(instance(&running)["error"]
        .as_str()
        .unwrap()
        .contains("held back"));
}

#[test]
fn a_library_that_crashes_when_it_is_opened_is_not_opened_a_fourth_time() {
    let home = Home::new();
    if !install_with(&home.plugins(), &["-DCRASH_WHEN_OPENED"]) {
        return;
    }
    for _ in 0..3 {
        let said = crashes(&home, &[]);
        // The last that is heard of it names it.
        let last = said.lines().last().unwrap_or_default();
        assert!(last.contains("opening ") && last.contains(".so"), "{said}");
    }
    let running = Running::start(&home, &[]);
    let (_, listed) = plugins(&home, &[]);
    assert!(
        listed.contains("failed") && listed.contains("3 times"),
        "{listed}"
    );
    // Another file of the name is another library.
    let events = running.follow();
    install_with(&home.plugins(), &[]);
    // It says its status while it is being activated, and is one of the instances after that.
    events.wait_for("status", |event| event["pid"] == PID);
    becomes_active(&running);
}

#[test]
fn a_component_that_crashes_soon_after_its_activation_is_found_out_too() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &json!("crash soon"));
    // Three that nobody is blamed for, and three that look on.
    for _ in 0..6 {
        ends(&home, &["--config", &seed], Signal::ALARM);
    }
    let running = Running::start(&home, &[]);
    let held = instance(&running);
    assert!(
        held["error"].as_str().unwrap().contains("held back"),
        "{held}"
    );
}

/// By then the next one was started, had it looked on for as long as it does at least.
#[test]
fn a_component_that_crashes_seconds_after_its_activation_is_found_out_and_no_other() {
    let Some(home) = home() else { return };
    let running = Running::start(&home, &["--config", &seed(&home, &json!({"version": 1}))]);
    let factory = "org.eclipse.kura.cloud.CloudService";
    let endpoint = json!({"cloudConnectionFactoryPid": factory,
        "cloudEndpointPid": format!("{factory}-2")});
    let url = "/cloudconnection/v1/cloudEndpoint";
    let (status, answer) = running.post(url, &endpoint);
    assert!((200..300).contains(&status), "{answer}");
    configure(&running, "\"crash later\"");
    assert_eq!(running.ended().signal(), Some(Signal::ALARM.as_raw()));
    for _ in 1..6 {
        ends(&home, &[], Signal::ALARM);
    }
    let running = Running::start(&home, &[]);
    let (_, answer) = running.get("/plugins/v1/plugins");
    let instances = answer["instances"].as_array().unwrap();
    for instance in instances {
        let wanted = if instance["pid"] == PID {
            "failed"
        } else {
            "active"
        };
        assert_eq!(instance["state"], wanted, "{answer}");
    }
    assert_eq!(instances.len(), 2, "{answer}");
}

/// Starts the gateway, asks it to end as soon as it says `wanted`, and gives how long that took.
fn ended_as_it_says(home: &Home, wanted: &str) -> Duration {
    let mut command = home.run();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let said = lines.any(|line| line.unwrap().contains(wanted));
    assert!(said, "not a word of {wanted:?}");
    let asked = Instant::now();
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let rest = std::thread::spawn(move || lines.for_each(drop));
    let code = wait(child).status.code();
    rest.join().unwrap();
    assert_eq!(code, Some(143));
    asked.elapsed()
}

/// As a container or a service is stopped, and started again, soon after its start.
#[test]
fn a_gateway_that_is_stopped_while_it_looks_on_ends_at_once_and_holds_nothing_back() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &json!({"version": 1}));
    for early in 0..3 {
        let running = Running::start(&home, &["--config", &seed]);
        if early == 0 {
            for n in 2..6 {
                let factory = "org.eclipse.kura.cloud.CloudService";
                let endpoint = json!({"cloudConnectionFactoryPid": factory,
                    "cloudEndpointPid": format!("{factory}-{n}")});
                let url = "/cloudconnection/v1/cloudEndpoint";
                let (status, answer) = running.post(url, &endpoint);
                assert!((200..300).contains(&status), "{answer}");
            }
        }
        running.end(Signal::KILL);
    }
    // A look takes 3 s, and five components are started. The run behind it is no careful one.
    for wanted in ["looking at", "is active", "is active"] {
        let took = ended_as_it_says(&home, wanted);
        assert!(took < Duration::from_secs(2), "{took:?}");
    }
    let running = Running::start(&home, &[]);
    let (_, answer) = running.get("/plugins/v1/plugins");
    let instances = answer["instances"].as_array().unwrap();
    assert_eq!(instances.len(), 5, "{answer}");
    let active = instances.iter().all(|one| one["state"] == "active");
    assert!(active, "{answer}");
}
