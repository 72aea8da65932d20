//! The web page in a real browser: is the form there, made from the metatype?

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::json;
use support::{finished, plugin, restart, Home, Running};

/// The page's elements after its scripts have run; nothing where there is no browser.
fn dom(url: &str, profile: &Path) -> Option<String> {
    let browser = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].map(Path::new);
    let Some(browser) = browser.into_iter().find(|path| path.exists()) else {
        println!("skipped: no chromium");
        return None;
    };
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args(["--virtual-time-budget=10000", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(url);
    let output = finished(&mut command);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let complaint = errors.lines().find(|line| line.contains("CONSOLE"));
    assert_eq!(complaint, None, "the page complains");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn the_form_is_rendered_from_the_metatype() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let link = running.door.link();
    let Some(dom) = dom(&link, &home.path().join("profile")) else {
        return;
    };
    // The tabs of the default connection, and the form of the first.
    for tab in ["CloudService", "DataService", "MqttDataTransport"] {
        assert!(dom.contains(&format!(">{tab}</button>")), "no tab {tab}");
    }
    assert!(
        dom.contains("data-id=\"device.display-name\""),
        "no field of CloudService: {dom}"
    );
    assert!(
        dom.contains("<option value=\"hostname\""),
        "no option of a field"
    );
    assert!(dom.contains("type=\"radio\""), "no Boolean");
    assert!(dom.contains("Apply</button>"));
    assert!(
        !dom.contains(running.door.token.expose()),
        "the token stays in the page"
    );
}

#[test]
fn without_a_token_the_page_asks_for_it_and_shows_nothing() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let Some(dom) = dom(&running.door.url, &home.path().join("profile")) else {
        return;
    };
    assert!(dom.contains("Open the console"));
    assert!(!dom.contains("class=\"tabs\""));
}

#[test]
fn the_provisioning_shows_its_form_and_its_status() {
    let Some(home) = plugin::home() else { return };
    let document = json!({
        "version": 1, "state": "waiting", "attempt": 2, "max_attempts": 5, "enabled": true,
        "next_attempt_at": "2099-01-01T00:00:00Z",
        "steps": [{"name": "preflight", "state": "done"}, {"name": "connect", "state": "failed"}],
        "error": {"code": "tls.untrusted", "class": "device", "message": "<b>not trusted</b>",
                  "causes": ["self-signed certificate"], "remedy": "Import the CA."},
        "problems": [{"parameter": "retry-interval", "message": "a problem at its field"}]
    });
    let seed = plugin::seed(&home, &document);
    let running = Running::start(&home, &["--config", &seed]);
    let link = running.door.link();
    let Some(dom) = dom(&link, &home.path().join("profile")) else {
        return;
    };
    assert!(
        dom.contains("tabindex=\"0\">ProvisioningService</button>"),
        "its tab is not the open one"
    );
    for field in [
        "enabled",
        "provisioned",
        "password",
        "retry-interval",
        "document",
    ] {
        assert!(
            dom.contains(&format!("data-id=\"{field}\"")),
            "no field {field}"
        );
    }
    let (_, provisioned) = dom.split_once("data-id=\"provisioned\"").unwrap();
    let (provisioned, _) = provisioned.split_once("data-id=\"password\"").unwrap();
    assert!(
        provisioned.contains("readonly"),
        "provisioned can be edited: {provisioned}"
    );
    assert!(dom.contains("<textarea"), "no text area");
    assert!(dom.contains("Allowed: 1 to 86400"));
    for told in [
        "attempt 2 of 5",
        "tls.untrusted",
        "self-signed certificate",
        "Import the CA.",
        "a problem at its field",
        "To be put right on this gateway.",
        "&lt;b&gt;not trusted&lt;/b&gt;",
    ] {
        assert!(dom.contains(told), "{told:?} is not shown");
    }
    // Read aloud is where it stands, and not what counts down; the buttons stay where they are.
    let (_, line) = dom.split_once("class=\"status-line\"").unwrap();
    let (line, rest) = line.split_once("</p>").unwrap();
    let (_, line) = line.split_once("role=\"status\">").unwrap();
    let (read_aloud, beside) = line.split_once("<span class=\"muted\">").unwrap();
    assert!(read_aloud.contains("attempt 2 of 5"), "{read_aloud}");
    assert!(!read_aloud.contains("next attempt in"), "{read_aloud}");
    assert!(beside.contains("next attempt in"), "{beside}");
    for (button, shown) in [("Retry now", true), ("Provision again", false)] {
        let (before, _) = rest.split_once(&format!(">{button}</button>")).unwrap();
        let (_, attributes) = before.rsplit_once("<button").unwrap();
        assert_eq!(
            !attributes.contains("hidden"),
            shown,
            "{button}: {attributes}"
        );
    }
}

#[test]
fn a_wrong_activation_key_sends_to_both_sides_and_its_reason_stands_once() {
    let Some(home) = plugin::home() else { return };
    let document = json!({
        "version": 1, "state": "waiting",
        "error": {"code": "platform.rejected", "class": "cloud", "remedy": "Type it again.",
                  "message": "rejected: activation-key.invalid: the wrong one",
                  "causes": ["the wrong one"],
                  "platform": {"code": "activation-key.invalid", "message": "the wrong one"}}
    });
    let seed = plugin::seed(&home, &document);
    let running = Running::start(&home, &["--config", &seed]);
    let link = running.door.link();
    let Some(dom) = dom(&link, &home.path().join("profile")) else {
        return;
    };
    let (_, trouble) = dom.split_once("class=\"trouble\"").unwrap();
    let (trouble, _) = trouble.split_once("class=\"sheet\"").unwrap();
    assert!(trouble.contains("To be put right here or in the cloud: compare both."));
    assert!(!trouble.contains("To be put right in the cloud."));
    assert_eq!(trouble.matches("the wrong one").count(), 1, "{trouble}");
}

#[test]
fn after_a_restart_an_open_page_asks_for_the_new_token_and_keeps_its_form() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let gateway = running.door.url.strip_prefix("http://").unwrap();
    let own = restart::behind(gateway.trim_end_matches('/'), running.door.token.expose());
    let link = running
        .door
        .link()
        .replace(gateway.trim_end_matches('/'), &own);
    let Some(dom) = dom(&link, &home.path().join("profile")) else {
        return;
    };
    for shown in [
        "Sign in again",
        "The gateway was started again; its token is new.",
        "no connection to the gateway, as of ",
        "<body data-live=\"off\">",
        "data-id=\"device.display-name\"",
        "Apply</button>",
    ] {
        assert!(dom.contains(shown), "no {shown}: {dom}");
    }
    assert!(!dom.contains("Open the console"), "{dom}");
}

#[test]
fn the_page_of_packages_shows_what_is_installed() {
    let home = Home::new();
    let running = Running::start(&home, &["--allow-insecure-plugins"]);
    let archive = applications::Application::heater("1.0.300").write(home.path());
    let installed = finished(
        support::gateway()
            .args(["package", "install", "--data"])
            .args([&home.data(), &archive]),
    );
    assert!(installed.status.success());
    let page = format!("{}&view=packages", running.door.link().as_str());
    let Some(dom) = dom(&page, &home.path().join("profile")) else {
        return;
    };
    for shown in [
        "<td>heater</td>",
        "<td>1.0.300</td>",
        "libheater.so",
        "installed",
    ] {
        assert!(dom.contains(shown), "no {shown}: {dom}");
    }
}

#[test]
fn the_page_of_plugins_shows_a_component_that_is_held_back_and_why() {
    let Some(home) = plugin::home() else { return };
    let seed = plugin::seed(&home, &json!("crash"));
    for _ in 0..3 {
        finished(home.run().args(["--config", &seed]));
    }
    let running = Running::start(&home, &[]);
    let page = format!("{}&view=plugins", running.door.link().as_str());
    let Some(dom) = dom(&page, &home.path().join("profile")) else {
        return;
    };
    for shown in ["Components that do not run", "is held back", "Try again"] {
        assert!(dom.contains(shown), "no {shown}: {dom}");
    }
}
