//! A gateway that boots in 1970, and whose clock is then set.

use std::fs;
use std::process::Command;

use e2e::Site;
use provision_platform::harness::TestPlatform;

use super::{sees, succeeds};

/// The file that tells libfaketime the time; the child has it.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

/// Runs itself again under libfaketime.
#[test]
fn in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set() {
    if let Some(file) = std::env::var_os(FILE) {
        // What this process starts keeps the true time.
        std::env::remove_var("LD_PRELOAD");
        return with_clock(&|time| fs::write(&file, time).unwrap());
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
        .arg("clock::in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set")
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
