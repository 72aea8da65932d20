//! The process `gateway run` under the shim.

use std::fs;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use e2e::preload;
use e2e::site::gateway_binary;
use e2e::Site;
use serde_json::Value as Json;

/// It ends by itself after this, successful or not.
const DEADLINE: &str = "40";
/// And is killed after this.
const HANGS: Duration = Duration::from_secs(90);

/// What happens at an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interference {
    /// SIGKILL before it.
    Before,
    /// SIGKILL after it.
    After,
    /// It fails with this errno, once.
    Fail(i32),
    /// It and all that follow fail so for this many milliseconds.
    FailFor(i32, u32),
    /// It and all that follow at the journal fail so for this many milliseconds. SIGKILL after the
    /// first operation of this name.
    JournalFailsFor(i32, u32, &'static str),
}

/// The library that is loaded into the gateway.
pub struct Shim(PathBuf);

impl Shim {
    /// Compiles it into `folder`.
    pub fn build(folder: &Path) -> Shim {
        let library = preload::library(include_str!("shim.c"), folder);
        Shim(library.expect("the shim").expect("a C compiler"))
    }
}

/// A gateway process that has ended.
pub struct Ended {
    status: ExitStatus,
    /// The outcome it printed.
    pub outcome: Json,
    /// Its standard error.
    pub said: String,
    /// What it changed on the disk, `call path`.
    pub operations: Vec<String>,
}

impl Ended {
    /// Whether the shim killed it.
    pub fn was_killed(&self) -> bool {
        self.status.signal() == Some(9)
    }

    /// Its exit code.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// Runs the gateway until it is provisioned, or killed, or its deadline has passed. What it does
/// to the disk is written to `trace`.
pub fn run(
    site: &Site,
    shim: &Shim,
    at: Option<(usize, Interference)>,
    trace: Option<&Path>,
) -> Ended {
    let log = site.folder().join("operations.log");
    let _ = fs::remove_file(&log);
    let mut command = Command::new(gateway_binary().unwrap());
    command
        .args(["run", "--allow-insecure-plugins", "--json"])
        .args(["--until", "provisioned", "--deadline", DEADLINE])
        .arg("--data")
        .arg(site.data())
        .arg("--plugins")
        .arg(site.plugins())
        .arg("--config")
        .arg(site.write_seed().unwrap())
        .arg("--properties")
        .arg(site.system_properties())
        .env("LD_PRELOAD", &shim.0)
        .env("KILL_FOLDER", fs::canonicalize(site.folder()).unwrap())
        .env("KILL_LOG", &log)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some((at, what)) = at {
        command.env("KILL_AT", at.to_string()).env(
            "KILL_MODE",
            match what {
                Interference::Before => "before".to_owned(),
                Interference::After => "after".to_owned(),
                Interference::Fail(errno) => errno.to_string(),
                Interference::FailFor(errno, ms) | Interference::JournalFailsFor(errno, ms, _) => {
                    format!("{errno}+{ms}")
                }
            },
        );
        if let Interference::JournalFailsFor(.., then) = what {
            command.env("KILL_ONLY", "journal.jsonl");
            command.env("KILL_THEN", then);
        }
    }
    if let Some(trace) = trace {
        command.env("KILL_TRACE", trace);
    }
    let mut child = command.spawn().expect("the gateway");
    let (done, ended) = channel();
    let read = |mut stream: Box<dyn Read + Send>| {
        let done = done.clone();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = stream.read_to_end(&mut bytes);
            let _ = done.send(());
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = read(Box::new(child.stdout.take().unwrap()));
    let error = read(Box::new(child.stderr.take().unwrap()));
    for _ in 0..2 {
        if ended.recv_timeout(HANGS).is_err() {
            child.kill().expect("a gateway that hangs");
        }
    }
    let status = child.wait().unwrap();
    let (out, said) = (out.join().unwrap(), error.join().unwrap());
    // No secret may be in it: see `e2e::canaries`.
    for line in out.lines().chain(said.lines()) {
        e2e::capture::keep(line.to_owned());
    }
    let last = out.lines().last().unwrap_or_default();
    let operations = fs::read_to_string(&log).unwrap_or_default();
    Ended {
        status,
        outcome: serde_json::from_str(last).unwrap_or(Json::Null),
        said,
        operations: operations
            .lines()
            .filter_map(|line| line.split_once(' '))
            .map(|(_, operation)| operation.to_owned())
            .collect(),
    }
}
