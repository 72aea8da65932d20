//! A gateway whose clock is wrong, and is then set.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::operator::{code, Operator, Request};
use e2e::site::{error_code, state, PID};
use e2e::Site;
use gateway_host_sdk::component::Action;
use kura_formats::payload::Payload;
use kura_formats::topic::Method;
use provision_platform::control::ControlRequest;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Pki, Profile};

use super::{again, sees, succeeds};

/// The file that tells libfaketime the time; the child has it.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";

/// Runs `test` with a clock that it sets. The test runs itself again under libfaketime, which
/// leaves the monotonic clock as it is, as the kernel does when the time is set.
fn with_a_clock_of_its_own(name: &str, test: impl Fn(&dyn Fn(&str))) {
    if let Some(file) = std::env::var_os(FILE) {
        // What this process starts keeps the true time.
        std::env::remove_var("LD_PRELOAD");
        return test(&|time| step(Path::new(&file), time));
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
    let mut command = again::program();
    command
        .env("LD_PRELOAD", library.trim())
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env(FILE, &file);
    again::run(command, &format!("clock::{name}"));
}

/// Sets the clock, at one moment: libfaketime takes a file that was emptied to be written for the true
/// time.
fn step(file: &Path, time: &str) {
    let next = file.with_extension("next");
    fs::write(&next, format!("{time}\n")).unwrap();
    fs::rename(next, file).unwrap();
}

#[test]
fn in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set() {
    with_a_clock_of_its_own(
        "in_1970_it_waits_and_starts_as_soon_as_the_clock_is_set",
        with_clock,
    );
}

fn with_clock(set: &dyn Fn(&str)) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        // The clock is looked at every second, whatever the pause is.
        .with("retry-interval", 3600);
    // Long before the component was built, and longer after it than any gateway lives.
    for wrong in ["1970", "2090"] {
        set(&format!("@{wrong}-01-02 00:00:00"));
        if site.framework().is_err() {
            site.start().unwrap();
        }
        let status = site
            .wait(wrong, Duration::from_secs(20), |status| {
                error_code(status) == "clock.implausible"
                    && status["error"]["message"].as_str().unwrap().contains(wrong)
            })
            .unwrap();
        assert_eq!(status["attempt"], 0);
    }
    sees(&mut site, "clock.implausible");
    set("+0");
    succeeds(&mut site);
}

/// The gateway of a test that no platform lets in, with `pause` seconds between the attempts.
fn refused(pause: i32) -> (TestPlatform, Site) {
    let platform = TestPlatform::start().unwrap();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("retry-interval", pause);
    (platform, site)
}

#[test]
fn a_step_of_the_clock_in_a_pause_neither_shortens_nor_lengthens_it() {
    with_a_clock_of_its_own(
        "a_step_of_the_clock_in_a_pause_neither_shortens_nor_lengthens_it",
        |set| {
            let (_platform, mut site) = refused(3);
            site.start().unwrap();
            // Two days ahead, then back by one.
            for (attempt, step) in [(1, "+2d"), (2, "+1d")] {
                let in_pause = |status: &serde_json::Value| {
                    state(status) == "waiting" && status["attempt"] == attempt
                };
                site.wait("the pause", Duration::from_secs(20), in_pause)
                    .unwrap();
                let began = Instant::now();
                set(step);
                let next = |status: &serde_json::Value| status["attempt"] == attempt + 1;
                site.wait("the next attempt", Duration::from_secs(20), next)
                    .unwrap();
                // 3 s and up to a quarter, less what passed before it was seen here.
                let took = began.elapsed();
                let bounds = Duration::from_millis(2500)..Duration::from_secs(7);
                assert!(bounds.contains(&took), "{step}: {took:?}");
            }
        },
    );
}

/// The kernel does not know of libfaketime's steps, so the host's own watch sleeps here: the test
/// signals in its place.
#[test]
fn a_step_that_the_host_signals_names_the_next_attempt_anew_and_does_not_begin_it() {
    with_a_clock_of_its_own(
        "a_step_that_the_host_signals_names_the_next_attempt_anew_and_does_not_begin_it",
        |set| {
            let (_platform, mut site) = refused(3600);
            site.start().unwrap();
            let status = sees(&mut site, "broker.not-authorized");
            let status = match state(&status) {
                "waiting" => status,
                _ => site
                    .wait("the pause", Duration::from_secs(20), |s| {
                        state(s) == "waiting"
                    })
                    .unwrap(),
            };
            let day = |status: &serde_json::Value| {
                let at = status["next_attempt_at"].as_str().unwrap();
                at.split('T').next().unwrap().to_owned()
            };
            let mut before = day(&status);
            // Twice: the first may still be seen in the document that tells of the pause.
            for step in ["+2d", "+9d"] {
                set(step);
                let framework = site.framework().unwrap();
                framework.act(PID, Action::SystemChanged).unwrap();
                let status = site
                    .wait("another day", Duration::from_secs(20), |s| {
                        s["next_attempt_at"].is_string() && day(s) != before
                    })
                    .unwrap();
                assert_eq!((state(&status), &status["attempt"]), ("waiting", &1.into()));
                before = day(&status);
            }
        },
    );
}

#[test]
fn a_clock_that_ran_ahead_and_is_set_back_does_not_lock_the_gateway_out() {
    with_a_clock_of_its_own(
        "a_clock_that_ran_ahead_and_is_set_back_does_not_lock_the_gateway_out",
        |set| {
            let (platform, mut site) = refused(1);
            set("+9y");
            site.start().unwrap();
            // Nine years from now the broker's certificate has expired.
            let status = sees(&mut site, "tls.expired");
            assert!(status["attempt"].as_u64().unwrap() > 0);
            set("+0");
            platform.request("gw-1", "secret").unwrap();
            succeeds(&mut site);
        },
    );
}

#[test]
fn a_certificate_of_tomorrow_is_good_once_the_clock_is_set() {
    with_a_clock_of_its_own(
        "a_certificate_of_tomorrow_is_good_once_the_clock_is_set",
        |set| {
            let pki = Pki::create().unwrap();
            let profile = Profile::server("Early Broker", &["localhost", "127.0.0.1"]);
            let certificate = pki.tls_root.issue(&profile.not_yet_valid()).unwrap();
            let platform = TestPlatform::start_with(pki, |mut settings| {
                settings.broker_certificate = certificate;
                settings
            })
            .unwrap();
            platform.request("gw-1", "secret").unwrap();
            let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
            site.start().unwrap();
            sees(&mut site, "tls.not-yet-valid");
            set("+2d");
            succeeds(&mut site);
        },
    );
}

#[test]
fn in_1970_no_control_message_is_believed_and_none_is_called_forged() {
    with_a_clock_of_its_own(
        "in_1970_no_control_message_is_believed_and_none_is_called_forged",
        control_with_clock,
    );
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
    site.wait_connected(Duration::from_secs(30)).unwrap();
    assert_eq!(ask(), (200, None));
    set("@1970-01-02 00:00:00");
    assert_eq!(ask(), (500, Some("clock.implausible".to_owned())));
    set("+0");
    assert_eq!(ask(), (200, None));
    let report = site.framework().unwrap().connections().remove(0).control;
    assert_eq!(report.refused["clock.implausible"], 1);
}

/// What the gateway answers to a message. Each goes over a connection of its own, that no step of
/// the clock has been through.
fn sent(platform: &TestPlatform, what: &str, message: &Payload) -> String {
    let operator = Operator::new(platform, "gw-1").unwrap();
    let reply = operator.send(what, message).unwrap();
    let (response, why) = code(&reply);
    format!("{} {}", response.unwrap(), why.unwrap_or("done"))
}

/// The same of a request that is signed now.
fn asked(platform: &TestPlatform, id: &str) -> String {
    let what = "CONF-V1/GET/snapshots";
    let request = Request::new(&platform.pki().signer, what, id);
    sent(platform, what, &request.signed("gw-1").unwrap())
}

/// Ends the gateway, and starts it when its clock says something else.
fn boot(site: &mut Site, set: &dyn Fn(&str), time: &str) {
    site.stop();
    set(time);
    site.start().unwrap();
    site.wait_connected(Duration::from_secs(30)).unwrap();
}

#[test]
fn a_clock_that_falls_back_over_a_restart_makes_nothing_new_that_was_done() {
    with_a_clock_of_its_own(
        "a_clock_that_falls_back_over_a_restart_makes_nothing_new_that_was_done",
        |set| {
            let platform = TestPlatform::start().unwrap();
            platform.request("gw-1", "secret").unwrap();
            let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
            site.start().unwrap();
            succeeds(&mut site);
            let signer = &platform.pki().signer;
            let what = "CONF-V1/EXEC/snapshot";
            set("+10m");
            let message = Request::new(signer, what, "old").signed("gw-1").unwrap();
            let send = || sent(&platform, what, &message);
            assert_eq!(send(), "200 done");
            for back in ["9m", "6m", "14m"] {
                boot(&mut site, set, &format!("+{back}"));
                assert_eq!(send(), "403 signature.replayed", "{back}");
                // And whoever has a right to be heard is heard.
                assert_eq!(asked(&platform, back), "200 done", "{back}");
            }
            // The clock was later than that before: nobody in the cloud can mend it.
            boot(&mut site, set, "+4m");
            assert_eq!(asked(&platform, "late"), "500 clock.implausible");
            assert_eq!(send(), "500 clock.implausible");
            set("+15m");
            assert_eq!(asked(&platform, "set"), "200 done");
        },
    );
}

#[test]
fn a_clock_that_ran_ahead_at_the_start_and_is_set_back_hears_its_account() {
    with_a_clock_of_its_own(
        "a_clock_that_ran_ahead_at_the_start_and_is_set_back_hears_its_account",
        |set| {
            let platform = TestPlatform::start().unwrap();
            platform.request("gw-1", "secret").unwrap();
            let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
            site.start().unwrap();
            succeeds(&mut site);
            let signer = &platform.pki().signer;
            let what = "CONF-V1/GET/snapshots";
            for ahead in ["1h", "20d"] {
                boot(&mut site, set, &format!("+{ahead}"));
                // Signed by somebody whose clock is right.
                let right = Request::new(signer, what, ahead).ahead(-3_600_000);
                let message = right.signed("gw-1").unwrap();
                let answer = sent(&platform, what, &message);
                assert_eq!(answer, "403 signature.replayed", "{ahead}");
                set("+0");
                let again = format!("{ahead} set");
                assert_eq!(asked(&platform, &again), "200 done", "{ahead}");
            }
        },
    );
}
