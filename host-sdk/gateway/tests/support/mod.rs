//! A real gateway process for the tests, and a way to ask it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

pub mod plugin;
pub mod pty;
pub mod restart;

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, Instant};

use gateway::door::Door;
use rustix::process::{kill_process, Pid, Signal};
use serde_json::Value;

/// Nothing here takes longer on a machine that works.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The gateway's binary.
pub fn gateway() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command.env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Runs a command to its end, at most [`DEADLINE`].
pub fn finished(command: &mut Command) -> Output {
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait(child)
}

/// Waits for a process; kills it at the deadline.
pub fn wait(mut child: Child) -> Output {
    let pid = Pid::from_child(&child);
    let (done, waiting) = channel::<()>();
    let guard = std::thread::spawn(move || {
        if waiting.recv_timeout(DEADLINE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let mut stdout = Vec::new();
    let mut stderr = Vec::new();
    let errors = child.stderr.take().map(|mut pipe| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            bytes
        })
    });
    if let Some(mut pipe) = child.stdout.take() {
        let _ = pipe.read_to_end(&mut stdout);
    }
    if let Some(errors) = errors {
        stderr = errors.join().unwrap();
    }
    let status = child.wait().unwrap();
    drop(done);
    guard.join().unwrap();
    Output {
        status,
        stdout,
        stderr,
    }
}

/// Folders of a gateway: `data` and an empty `plugins`.
pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Home {
        let home = Home(tempfile::tempdir().unwrap());
        std::fs::create_dir(home.plugins()).unwrap();
        home
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn data(&self) -> PathBuf {
        self.path().join("data")
    }

    pub fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// `gateway run` on these folders.
    pub fn run(&self) -> Command {
        let mut command = gateway();
        command
            .arg("run")
            .arg("--data")
            .arg(self.data())
            .arg("--plugins")
            .arg(self.plugins());
        command
    }
}

/// A gateway that runs with a REST interface; killed when dropped.
pub struct Running {
    child: Option<Child>,
    lines: Receiver<String>,
    said: Vec<String>,
    pub door: Door,
    agent: ureq::Agent,
}

impl Running {
    /// Starts it and waits until it listens.
    pub fn start(home: &Home, arguments: &[&str]) -> Running {
        let mut command = home.run();
        command.args(["--listen", "127.0.0.1:0"]).args(arguments);
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut said = Vec::new();
        let end = Instant::now() + DEADLINE;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = lines.recv_timeout(left) else {
                let _ = child.kill();
                panic!("the gateway does not start: {said:#?}");
            };
            let listens = line.starts_with("console: ");
            said.push(line);
            if listens {
                break;
            }
        }
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(DEADLINE))
            .proxy(None)
            .build()
            .into();
        let door = Door::find(&home.data()).unwrap();
        Running {
            child: Some(child),
            lines,
            said,
            door,
            agent,
        }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.door.url)
    }

    pub fn bearer(&self) -> String {
        format!("Bearer {}", self.door.token.expose())
    }

    pub fn agent(&self) -> &ureq::Agent {
        &self.agent
    }

    /// GET below `/services`: status and JSON.
    pub fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(self.url(&format!("/services{path}")));
        answer(request.header("Authorization", self.bearer()).call())
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.post(self.url(&format!("/services{path}")));
        answer(
            request
                .header("Authorization", self.bearer())
                .send_json(body),
        )
    }

    pub fn put(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.put(self.url(&format!("/services{path}")));
        answer(
            request
                .header("Authorization", self.bearer())
                .send_json(body),
        )
    }

    pub fn delete(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.agent.delete(self.url(&format!("/services{path}")));
        answer(
            request
                .header("Authorization", self.bearer())
                .force_send_body()
                .send_json(body),
        )
    }

    /// Follows the stream of events from now on.
    pub fn follow(&self) -> Events {
        let request = self.agent.get(self.url("/services/events"));
        let response = request
            .header("Authorization", self.bearer())
            .call()
            .unwrap();
        let (sender, told) = channel();
        let mut lines = BufReader::new(response.into_body().into_reader()).lines();
        std::thread::spawn(move || {
            let mut name = String::new();
            while let Some(Ok(line)) = lines.next() {
                if let Some(event) = line.strip_prefix("event: ") {
                    name = event.to_owned();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    let _ = sender.send((name.clone(), serde_json::from_str(data).unwrap()));
                }
            }
        });
        Events(told)
    }

    /// Waits until it ends by itself; killed at the deadline.
    pub fn ended(mut self) -> std::process::ExitStatus {
        wait(self.child.take().unwrap()).status
    }

    /// Sends a signal and waits for the end: exit code, standard output, standard error.
    pub fn end(mut self, signal: Signal) -> (Option<i32>, String, String) {
        let child = self.child.take().unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let output = wait(child);
        self.said.extend(self.lines.iter());
        let stdout = String::from_utf8(output.stdout).unwrap();
        (output.status.code(), stdout, self.said.join("\n"))
    }
}

/// The stream of events.
pub struct Events(Receiver<(String, Value)>);

impl Events {
    /// Waits for an event of this name for which `wanted` holds, at most [`DEADLINE`].
    pub fn wait_for(&self, name: &str, mut wanted: impl FnMut(&Value) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut heard = Vec::new();
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((event, data)) = self.0.recv_timeout(left) else {
                panic!("no such {name:?} event among {heard:#?}");
            };
            if event == name && wanted(&data) {
                return;
            }
            heard.push((event, data));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

pub fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = result.unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    let json = if text.is_empty() {
        Value::Null
    } else {
        serde_json::from_str(&text).unwrap()
    };
    (response.status().as_u16(), json)
}

/// A self-signed certificate, PEM.
pub fn certificate(common_name: &str) -> String {
    use openssl::asn1::Asn1Time;
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::{X509Builder, X509NameBuilder};

    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common_name)
        .unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(10).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
}
