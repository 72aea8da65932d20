//! The sample host in a process of its own, seen through its REST interface: a form that was opened
//! before a success and is sent after it, and what it lets out of secrets.

use e2e::rest::Rest;
use e2e::site::{state, PID};
use e2e::Site;
use provision_platform::harness::TestPlatform;
use serde_json::{json, Value};

fn value<'a>(form: &'a Value, name: &str) -> &'a Value {
    &form["properties"][name]["value"]
}

#[test]
fn a_form_opened_before_the_success_is_a_409_after_it_and_starts_nothing() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    let gateway = Rest::start(&site, &[]).unwrap();
    let mut form = gateway.form().unwrap();
    form["properties"]["enabled"]["value"] = json!(true);
    assert_eq!(gateway.send(&form).unwrap(), (200, Value::Null));
    // Somebody has the form open in which it is enabled, and not provisioned yet. Where it was
    // provisioned in the meantime, this is what the first one would send again.
    let open = gateway.form().unwrap();
    let stale = match value(&open, "enabled") {
        Value::Bool(true) => open,
        _ => form,
    };
    assert_eq!(value(&stale, "provisioned"), false);
    let transaction = gateway.wait_for("provisioned").unwrap()["transaction"].clone();

    let (code, refused) = gateway.send(&stale).unwrap();
    assert_eq!(code, 409, "{refused}");
    assert_eq!(refused["pid"], PID);
    assert_ne!(refused["revision"], stale["revision"]);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(PID), "{message}");
    assert!(!refused.to_string().contains("secret"), "{refused}");

    let now = gateway.form().unwrap();
    assert_eq!(value(&now, "enabled"), false);
    assert_eq!(value(&now, "provisioned"), true);
    let status = gateway.status().unwrap();
    assert_eq!(state(&status), "provisioned");
    assert_eq!(status["transaction"], transaction);
    // The form as it is now is taken, and changes nothing.
    assert_eq!(gateway.send(&now).unwrap(), (200, Value::Null));
    assert_eq!(state(&gateway.status().unwrap()), "provisioned");
}

/// What REST shows of a gateway that has been provisioned.
const SHOWN: [&str; 8] = [
    "/services/provisioning/v1/instances",
    "/services/cloudconnection/v1/instances",
    "/services/keystores/v1",
    "/services/keystores/v1/entries",
    "/services/configuration/v2/configurableComponents/configurations",
    "/services/configuration/v2/snapshots",
    "/services/packages/v1/packages",
    "/services/plugins/v1/plugins",
];

#[test]
fn no_secret_is_in_the_answers_streams_arguments_or_environment_of_a_gateway() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "claim-canary-5e1b90").unwrap();
    let target = platform.store().request(request).unwrap().unwrap().target;
    let mut site = Site::new(&platform, "gw-1", "claim-canary-5e1b90").unwrap();
    site.keep_secret("the new account's password", target.password.expose());
    let gateway = Rest::start(&site, &["--log-level", "trace"]).unwrap();
    gateway.wait_for("provisioned").unwrap();
    let mut seen = vec![
        gateway.status().unwrap().to_string(),
        gateway.form().unwrap().to_string(),
    ];
    for path in SHOWN {
        let (code, answer) = gateway.get(path).unwrap();
        assert_eq!(code, 200, "{path}: {answer}");
        seen.push(answer.to_string());
    }
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{file}", gateway.process().id());
        match std::fs::read(&path) {
            Ok(content) => seen.push(String::from_utf8_lossy(&content).into_owned()),
            // A process that is closed to debuggers shows its environment to root alone.
            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::PermissionDenied, "{path}"),
        }
    }
    let lines = gateway.process().lines();
    // It told all that it ever would: nothing of ours logs below debug.
    assert!(
        lines.iter().any(|line| line.contains(" DEBUG ")),
        "{lines:#?}"
    );
    site.saw(lines);
    site.saw(seen);
    let leaks = site.leaks().unwrap();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
