//! What is expected of a gateway before one kind of misbehaviour, and how it is found out.
//!
//! Each case runs in a process of its own: the test program again, for the same test, told through
//! its environment that it is a [`child`]. So a crash is a result, and memory is that of one case.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use openssl::ssl::SslContext;
use provision_platform::pki::Pki;
use serde_json::Value;

use super::child;
use super::peer::{tls, Broker, Caller, Script};

/// Above idle, KiB.
const MEMORY: u64 = 32 << 10;
/// The promise of the contract for deactivation, ms.
const STOP: u64 = 250;
/// How late a deadline may be, on a machine that is busy and whose disk is, s. What is not held to it
/// by a peer is not held at all.
const LATE: f64 = 5.0;
/// Bytes of a message for people (`GWC_ERROR_MESSAGE_SIZE`).
const TEXT: usize = 512;
/// Bytes of a line in the log, its level and target included.
const LINE: u64 = 2048 + 128;
/// Lines in the log at the usual level, whatever a broker sends.
const LINES: u64 = 100;

/// When the attempt ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// As soon as the gateway sees it.
    AtOnce,
    /// When its time is over.
    AtDeadline,
}

/// One kind of misbehaviour.
pub struct Case {
    name: String,
    why: &'static str,
    code: &'static str,
    end: End,
    /// The parameter `timeout`, s.
    timeout: u32,
    scheme: &'static str,
    tickets: usize,
    ballast: Option<u32>,
    canary: Option<&'static str>,
    script: Script,
}

/// The attempt ends at once in `code`, because of `why`.
pub fn at_once(
    name: impl Into<String>,
    code: &'static str,
    why: &'static str,
    script: impl Fn(Caller) -> io::Result<()> + Send + Sync + 'static,
) -> Case {
    Case {
        name: name.into(),
        why,
        code,
        end: End::AtOnce,
        timeout: 10,
        scheme: "mqtts",
        tickets: 2,
        ballast: None,
        canary: None,
        script: Box::new(script),
    }
}

/// The attempt ends in `code` when its 10 s are over, because of `why`. A second one is ended by
/// its owner as soon as the script says that it is under way.
pub fn at_deadline(
    name: impl Into<String>,
    code: &'static str,
    why: &'static str,
    script: impl Fn(Caller) -> io::Result<()> + Send + Sync + 'static,
) -> Case {
    Case {
        end: End::AtDeadline,
        ..at_once(name, code, why, script)
    }
}

/// Nothing happens because of `why`: the platform's reject behind it is heard.
pub fn harmless(
    name: impl Into<String>,
    why: &'static str,
    script: impl Fn(Caller) -> io::Result<()> + Send + Sync + 'static,
) -> Case {
    at_once(name, "platform.rejected", why, script)
}

impl Case {
    /// With another parameter `timeout`, s.
    pub fn timeout(self, timeout: u32) -> Case {
        Case { timeout, ..self }
    }

    /// In a WebSocket.
    pub fn web_socket(self) -> Case {
        Case {
            scheme: "wss",
            ..self
        }
    }

    /// With so many session tickets behind the handshake.
    pub fn tickets(self, tickets: usize) -> Case {
        Case { tickets, ..self }
    }

    /// With a gateway that holds so many MiB for nothing.
    pub fn ballast(self, mib: u32) -> Case {
        Case {
            ballast: Some(mib),
            ..self
        }
    }

    /// With a secret that is none.
    pub fn canary(self, text: &'static str) -> Case {
        Case {
            canary: Some(text),
            ..self
        }
    }

    /// What is wrong; nothing, if all is well.
    fn run(self, test: &str, pki: &Pki, tls: SslContext) -> Vec<String> {
        let marks = tempfile::tempdir().unwrap();
        let broker = Broker::start(tls, marks.path().to_owned(), self.script);
        let mut command = child_for(test, pki, marks.path());
        command
            .env(child::URL, broker.url(self.scheme))
            .env(child::TIMEOUT, self.timeout.to_string());
        if self.end == End::AtOnce {
            command.env_remove(child::MARK);
        }
        if let Some(mib) = self.ballast {
            command.env(child::BALLAST, mib.to_string());
        }
        if let Some(text) = self.canary {
            command.env(child::CANARY, text);
        }
        let time = Duration::from_secs(self.timeout.into()) + 3 * child::GRACE;
        let ended = contract::process::run(&mut command, time);
        let mut wrong: Vec<String> = broker
            .end()
            .into_iter()
            .map(|text| format!("the broker did not come to the point: {text}"))
            .collect();
        let line = ended
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix(child::MEASURED));
        let well = ended.status.is_some_and(|status| status.success());
        match line.filter(|_| well) {
            Some(line) => {
                println!("{}: {line}", self.name);
                let measured = serde_json::from_str(line).unwrap();
                wrong.extend(judge(self.code, self.end, self.timeout, &measured));
            }
            None => wrong.push(format!(
                "the gateway {}\n{}{}",
                ended
                    .status
                    .map_or("was killed, it hung".to_owned(), |status| status
                        .to_string()),
                ended.stdout,
                ended.stderr
            )),
        }
        wrong
    }
}

fn child_for(test: &str, pki: &Pki, marks: &Path) -> Command {
    let root = pki.tls_root.certificate_pem().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", test])
        .env(child::ROOT, String::from_utf8(root).unwrap())
        // The second connection is that of the second attempt.
        .env(child::MARK, marks.join("2"));
    command
}

/// Compares what was measured with what must be.
fn judge(code: &str, end: End, timeout: u32, measured: &Value) -> Vec<String> {
    let number = |name: &str| measured[name].as_u64().unwrap();
    let mut wrong = Vec::new();
    let mut must = |holds: bool, what: String| {
        if !holds {
            wrong.push(what);
        }
    };
    must(
        measured["code"] == code,
        format!("{code} is expected, not {}", measured["code"]),
    );
    must(
        measured["attempt"] == 1,
        "it is not the first attempt that ended".to_owned(),
    );
    let (took, timeout) = (measured["took"].as_f64().unwrap(), f64::from(timeout));
    let in_time = match end {
        End::AtOnce => took < timeout - 1.0,
        End::AtDeadline => (timeout..timeout + LATE).contains(&took),
    };
    must(in_time, format!("it took {took:.1} of {timeout} s"));
    let stopped = number("stopped").max(measured["stopped again"].as_u64().unwrap_or(0));
    must(stopped < STOP, format!("deactivate took {stopped} ms"));
    let grown = number("grown");
    must(grown < MEMORY, format!("it grew by {grown} KiB"));
    let message = measured["message"].as_str().unwrap_or_default();
    must(
        !message.is_empty() && !message.contains(char::is_control) && message.len() < TEXT,
        "the message is no short line of text".to_owned(),
    );
    must(
        number("lines") < LINES && number("longest line") < LINE,
        "the log is too long".to_owned(),
    );
    must(
        measured["odd line"].is_null(),
        "a line of the log has control characters".to_owned(),
    );
    must(
        measured["leaks"].as_array().is_some_and(Vec::is_empty),
        format!("a secret was written: {}", measured["leaks"]),
    );
    if !wrong.is_empty() {
        wrong.push(format!("measured: {measured:#}"));
    }
    wrong
}

/// Runs the cases of `test`, this test's own name within the program, so many at a time.
///
/// # Panics
/// With all that is wrong in any of them.
pub fn run(test: &str, at_a_time: usize, cases: Vec<Case>) {
    if child::is_one() {
        return child::run();
    }
    let wrong = failures(test, at_a_time, cases);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The same, giving what is wrong by case.
pub fn failures(test: &str, at_a_time: usize, cases: Vec<Case>) -> Vec<String> {
    let pki = Pki::create().unwrap();
    let waiting = Mutex::new(VecDeque::from(cases));
    let wrong = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| loop {
                let Some(case) = waiting.lock().unwrap().pop_front() else {
                    break;
                };
                let (name, why) = (case.name.clone(), case.why);
                let tls = tls(&pki, case.tickets);
                let faults = case.run(test, &pki, tls);
                if !faults.is_empty() {
                    let text = format!("{name}: {why}\n  {}", faults.join("\n  "));
                    wrong.lock().unwrap().push(text);
                }
            });
        }
    });
    wrong.into_inner().unwrap()
}
