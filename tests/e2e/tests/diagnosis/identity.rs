//! Who the gateway says it is: made from its hardware, whenever that comes, and frozen with the
//! first attempt.

use std::fs;
use std::process::Command;
use std::time::Duration;

use e2e::site::{state, PID};
use e2e::Site;
use provision_platform::harness::TestPlatform;
use provision_platform::store::NewRequest;
use serde_json::Value;

use super::{again, sees, succeeds};

/// Set in the process that runs in name spaces of its own.
const INSIDE: &str = "GWC_TEST_OWN_NETWORK";

/// A gateway that names itself.
fn nameless(platform: &TestPlatform) -> Site {
    Site::new(platform, "", "secret")
        .unwrap()
        .with("username", "")
}

fn request(platform: &TestPlatform, client_id: &str, username: &str) {
    let new = NewRequest::new(client_id, username, "secret", "acme");
    platform.create_request(&new).unwrap();
}

fn sheet(site: &Site) -> Value {
    let sheet = site.framework().unwrap().identity(PID).unwrap();
    serde_json::from_str(&sheet).unwrap()
}

fn warnings(status: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let all = status["warnings"].as_array().unwrap();
    all.iter()
        .map(|warning| (text(&warning["code"]), text(&warning["message"])))
        .collect()
}

#[test]
fn the_sheet_is_there_before_any_network_and_is_what_the_platform_then_sees() {
    let platform = TestPlatform::start().unwrap();
    let mut site = nameless(&platform).with("enabled", false);
    // A MAC with colons, and a serial number with what no topic may hold.
    fs::write(
        site.system_properties(),
        "kura.serialNumber=SN/1+#\nkura.primary.mac=02:aa:bb:cc:dd:ee\nkura.model.id=R2\n",
    )
    .unwrap();
    site.start().unwrap();
    let sheet = sheet(&site);
    assert_eq!(sheet["client_id"], "02AABBCCDDEE");
    assert_eq!(sheet["username"], "02AABBCCDDEE-SN/1+#");
    assert_eq!(sheet["model"], "R2");
    assert_eq!(state(&site.status()), "idle");
    assert_eq!(site.status()["bytes"]["sent"], 0);
    let text = |name: &str| sheet[name].as_str().unwrap();
    request(&platform, text("client_id"), text("username"));
    site.set("enabled", true).unwrap();
    succeeds(&mut site);
    assert_eq!(site.status()["identity"]["client_id"], "02AABBCCDDEE");
}

#[test]
fn a_network_card_that_was_replaced_is_reported_and_not_used() {
    let platform = TestPlatform::start().unwrap();
    let mut site = nameless(&platform);
    let card = |site: &Site, mac: &str| {
        let text = format!("kura.serialNumber=SN-1\nkura.primary.mac={mac}\n");
        fs::write(site.system_properties(), text).unwrap();
    };
    card(&site, "02:00:00:00:00:0A");
    site.start().unwrap();
    // The first attempt freezes it.
    let status = sees(&mut site, "broker.not-authorized");
    assert_eq!(status["identity"]["client_id"], "02000000000A");
    assert_eq!(warnings(&status), []);
    site.stop();
    card(&site, "02:00:00:00:00:0B");
    site.start().unwrap();
    let status = site
        .wait(
            "an attempt after the change",
            Duration::from_secs(20),
            |s| state(s) == "waiting",
        )
        .unwrap();
    assert_eq!(status["identity"]["client_id"], "02000000000A");
    let (code, message) = warnings(&status).remove(0);
    assert_eq!(code, "identity-differs");
    for name in ["02000000000A", "02000000000B-SN-1"] {
        assert!(message.contains(name), "{message}");
    }
    // Only a changed configuration is a new transaction, with the card that is there now.
    request(&platform, "02000000000B", "02000000000B-SN-1");
    site.set("timeout", 61).unwrap();
    succeeds(&mut site);
    let status = site.status();
    assert_eq!(status["identity"]["client_id"], "02000000000B");
    assert_eq!(warnings(&status), []);
}

/// Two cards without addresses at boot; the primary one gets its address late. It is not looked for
/// again within the hour: the attempt begins because the kernel tells the host of the card, and the
/// host the component.
#[test]
fn a_mac_that_comes_late_at_boot_is_waited_for() {
    if std::env::var_os(INSIDE).is_some() {
        return with_late_card();
    }
    let script = "mount -t sysfs sysfs /sys && ip link set lo up";
    let Some(mut command) = again::in_name_spaces(script) else {
        return;
    };
    command.env(INSIDE, "1");
    again::run(
        command,
        "identity::a_mac_that_comes_late_at_boot_is_waited_for",
    );
}

fn with_late_card() {
    let platform = TestPlatform::start().unwrap();
    let mut site = nameless(&platform).with("retry-interval", 3600);
    fs::write(site.system_properties(), "kura.serialNumber=SN-1\n").unwrap();
    site.start().unwrap();
    let status = sees(&mut site, "identity.missing");
    assert_eq!(status["attempt"], 0);
    assert_eq!(sheet(&site)["mac_address"], Value::Null);
    request(&platform, "02000000000C", "02000000000C-SN-1");
    // The second card comes first and is not waited for in vain: eth0 is the primary one.
    let script = "ip link add wan0 address 02:00:00:00:00:0d type veth \
                  peer name eth0 address 02:00:00:00:00:0c";
    let done = Command::new("sh").args(["-c", script]).status().unwrap();
    assert!(done.success());
    succeeds(&mut site);
    assert_eq!(site.status()["identity"]["client_id"], "02000000000C");
}
