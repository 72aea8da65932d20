//! `provisioned` as a word among the parameters, against what the journal knows.

use std::path::Path;
use std::process::{Command, Output};

use e2e::rest::{Rest, WAIT};
use e2e::site::{gateway_binary, state, PID};
use e2e::Site;
use provision_platform::harness::TestPlatform;
use serde_json::Value;

use super::{schema, succeeds};

/// The message of the warning `code`; empty where there is none.
fn warning<'a>(status: &'a Value, code: &str) -> &'a str {
    let mut warnings = status["warnings"].as_array().unwrap().iter();
    let found = warnings.find(|warning| warning["code"] == code);
    found.map_or("", |warning| warning["message"].as_str().unwrap())
}

/// A command about the gateway that runs on this folder.
fn gateway(data: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(gateway_binary().unwrap());
    let command = command.args(arguments).arg("--data").arg(data);
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    let streams = [&output.stdout, &output.stderr];
    streams.map(|s| String::from_utf8_lossy(s)).join("\n")
}

#[test]
fn provisioned_by_hand_is_no_success_and_says_so() {
    let platform = TestPlatform::start().unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let rest = Rest::start(&site, &[]).unwrap();
    let refused = |status: &Value| status["error"]["code"] == "broker.not-authorized";
    rest.wait("a refusal", refused).unwrap();
    rest.set("provisioned", true).unwrap();
    let status = rest.wait_for("provisioned").unwrap();
    schema::hold(&[status.to_string()]);
    let unrecorded = warning(&status, "provisioned-unrecorded");
    assert!(unrecorded.contains("no record"), "{status:#}");
    assert!(unrecorded.contains("provisioned=false"), "{status:#}");
    for arguments in [&["status"][..], &["provision", "--watch"]] {
        let output = gateway(&site.data(), arguments);
        let said = said(&output);
        assert!(said.contains(unrecorded), "{said}");
        assert!(said.contains("without a record"), "{said}");
        assert_eq!(output.status.success(), arguments[0] == "status", "{said}");
    }
}

#[test]
fn a_success_is_known_to_be_one_also_after_a_restart() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    site.stop();
    site.start().unwrap();
    succeeds(&mut site);
    for document in &site.documents {
        assert!(!document.contains("provisioned-unrecorded"), "{document}");
        assert!(!document.contains("enabled-in-vain"), "{document}");
    }
    // Enabled once more, nothing is started: why, and what to do.
    site.set("enabled", true).unwrap();
    let hint = |status: &Value| !warning(status, "enabled-in-vain").is_empty();
    let status = site.wait("a hint", WAIT, hint).unwrap();
    let in_vain = warning(&status, "enabled-in-vain");
    assert!(in_vain.contains("provisioned=false"), "{in_vain}");
    assert_eq!(state(&status), "provisioned");
    schema::hold(&site.documents);
}

#[test]
fn provisioning_again_says_that_the_password_was_erased_and_how_to_set_it() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let rest = Rest::start(&site, &[]).unwrap();
    rest.wait_for("provisioned").unwrap();
    let output = gateway(&site.data(), &["reprovision"]);
    let told = said(&output);
    assert!(output.status.success(), "{told}");
    let command = format!(
        "gateway config set --data {} {PID} password activation-key",
        site.data().display()
    );
    assert!(told.contains("erased after the last success"), "{told}");
    assert!(told.contains(&command), "{told}");
    let refused = |status: &Value| status["error"]["code"] == "broker.not-authorized";
    let status = rest.wait("a refusal", refused).unwrap();
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("the password is empty"), "{status:#}");
    let warned = warning(&status, "parameter");
    assert!(warned.starts_with("password: it is empty"), "{status:#}");
    let checks = said(&gateway(&site.data(), &["preflight"]));
    assert!(checks.contains(warned), "{checks}");
    // With one, there is nothing to say.
    rest.set("password", "secret").unwrap();
    let set = |status: &Value| warning(status, "parameter").is_empty();
    rest.wait("no warning", set).unwrap();
    let told = said(&gateway(&site.data(), &["preflight"]));
    assert!(!told.contains("empty"), "{told}");
}
