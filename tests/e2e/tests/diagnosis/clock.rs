//! A gateway that boots in 1970, and whose clock is then set.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::Site;
use gateway_host_sdk::ConnectionState;
use kura_formats::topic::Method;
use provision_platform::control::ControlRequest;
use provision_platform::harness::TestPlatform;

use super::{sees, succeeds};

/// The file that tells libfaketime the time; the child has it.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

#[test]
fn in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set() {
    under_faketime(
        "clock::in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set",
        with_clock,
    );
}

#[test]
fn in_1970_no_control_message_is_believed_and_none_is_called_forged() {
    under_faketime(
        "clock::in_1970_no_control_message_is_believed_and_none_is_called_forged",
        control_with_clock,
    );
}

/// Runs the test of that name again under libfaketime, where it does `body`.
fn under_faketime(name: &str, body: fn(&dyn Fn(&str))) {
    if let Some(file) = std::env::var_os(FILE) {
        // What this process starts keeps the true time.
        std::env::remove_var("LD_PRELOAD");
        return body(&|time| fs::write(&file, time).unwrap());
    }
    let asked = Command::new("faketime")
        .args(["-m", "-f", "+0", "printenv", "LD_PRELOAD"])
        .output();
    let Ok(library) = asked else {
        println!("skipped: faketime is not installed");
        return;
    };
    let library = String::from_utf8(library.stdout).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("time");
    fs::write(&file, "+0\n").unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg(name)
        .env("LD_PRELOAD", library.trim())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env(FILE, &file)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn with_clock(set: &dyn Fn(&str)) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        // The clock is looked at every second, whatever the pause is.
        .with("retry-interval", 3600);
    set("@1970-01-02 00:00:00\n");
    site.start().unwrap();
    let status = sees(&mut site, "clock.implausible");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("1970"), "{message}");
    assert_eq!(status["attempt"], 0);
    set("+0\n");
    succeeds(&mut site);
}

/// A member of an account whose clock falls back, and is then set again.
fn control_with_clock(set: &dyn Fn(&str)) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    let get = ControlRequest::new("acme", "gw-1", Method::Get, "CONF-V1", "snapshots");
    let ask = || {
        let reply = platform.control(&get).unwrap();
        let code = reply.payload.string("prov.error.code");
        (reply.code, code.map(str::to_owned))
    };
    let connected = || {
        let all = site.framework().unwrap().connections();
        all.iter().any(|c| c.state == ConnectionState::Connected)
    };
    let end = Instant::now() + Duration::from_secs(30);
    while !connected() {
        assert!(Instant::now() < end, "it does not connect");
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(ask(), (200, None));
    set("@1970-01-02 00:00:00\n");
    assert_eq!(ask(), (500, Some("clock.implausible".to_owned())));
    set("+0\n");
    assert_eq!(ask(), (200, None));
    let report = site.framework().unwrap().connections().remove(0).control;
    assert_eq!(report.refused["clock.implausible"], 1);
}
