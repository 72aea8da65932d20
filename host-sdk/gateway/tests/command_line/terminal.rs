//! The commands at a terminal, and at one that cannot be drawn on.

use rustix::process::Signal;
use serde_json::{json, Value};

use crate::support::plugin::{home, seed};
use crate::support::pty::Terminal;
use crate::support::{gateway, Home, Running};

fn waiting() -> Value {
    json!({"version": 1, "state": "waiting", "attempt": 2, "max_attempts": 5,
        "steps": [{"name": "connect", "state": "failed"}],
        "error": {"code": "network.dns", "message": "no such host", "remedy": "Check the name."}})
}

fn watch(home: &Home, term: Option<&str>) -> Terminal {
    let mut command = gateway();
    command.args(["provision", "--watch", "--data"]);
    Terminal::start(command.arg(home.data()), term)
}

#[test]
fn a_terminal_that_cannot_be_drawn_on_gets_plain_lines() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &waiting());
    for term in [None, Some("dumb")] {
        let mut run = home.run();
        run.args(["--config", &seed, "--listen", "127.0.0.1:0"]);
        let mut host = Terminal::start(&mut run, term);
        host.wait_for("console: http://");
        let mut watch = watch(&home, term);
        for terminal in [&mut watch, &mut host] {
            terminal.wait_for("provisioning: waiting, attempt 2 of 5");
            terminal.wait_for("provisioning: step connect failed");
            terminal.wait_for("Check the name.");
            terminal.signal(Signal::INT);
            assert_eq!(terminal.ended().code(), Some(130), "{}", terminal.seen());
            assert!(!terminal.seen().contains('\x1b'), "{:?}", terminal.seen());
        }
        // The link with the token is for whoever sits at a terminal, of whatever kind.
        assert!(host.seen().contains("token="), "{}", host.seen());
    }
}

#[test]
fn a_terminal_that_can_be_drawn_on_is() {
    let Some(home) = home() else { return };
    let seed = seed(&home, &waiting());
    let _running = Running::start(&home, &["--config", &seed]);
    let mut watch = watch(&home, Some("xterm"));
    watch.wait_for("waiting, attempt 2 of 5");
    watch.wait_for("Check the name.");
    assert!(watch.seen().contains('\x1b'), "{:?}", watch.seen());
    watch.signal(Signal::INT);
    assert_eq!(watch.ended().code(), Some(130));
}

/// One row and the way to it and back: what a second of a countdown may take.
const BYTES_OF_A_SECOND: usize = 100;

#[test]
fn a_countdown_writes_its_own_row_only() {
    let Some(home) = home() else { return };
    let mut document = waiting();
    let in_80_s = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(80);
    document["next_attempt_at"] = json!(in_80_s.to_string());
    let names = ["preflight", "connect", "trigger", "seal", "apply", "prove"];
    document["steps"] = names
        .map(|name| json!({"name": name, "state": "failed", "detail": "as long as a detail is"}))
        .into();
    let seed = seed(&home, &document);
    let _running = Running::start(&home, &["--config", &seed]);
    let mut watch = watch(&home, Some("xterm"));
    watch.wait_for("Check the name.");
    let first = watch.seen().len();
    let seconds = |seen: &str| seen.matches("next attempt in").count();
    watch.wait_until("countdown", |seen| seconds(seen) > 3);
    watch.signal(Signal::INT);
    assert_eq!(watch.ended().code(), Some(130));
    let seen = watch.seen();
    let counted = seconds(&seen) - 1;
    let written = seen.len() - first;
    assert!(
        written <= (counted + 1) * BYTES_OF_A_SECOND,
        "{written} bytes for {counted} s: {seen:?}"
    );
    // Nothing but the headline was written again, and it only where it changed.
    assert_eq!(seen.matches("Check the name.").count(), 1, "{seen:?}");
    let headlines: Vec<&str> = seen
        .split("next attempt in ")
        .skip(1)
        .map(|rest| rest.split('\x1b').next().unwrap())
        .collect();
    let mut once = headlines.clone();
    once.dedup();
    assert_eq!(headlines, once, "written although nothing changed");
}
