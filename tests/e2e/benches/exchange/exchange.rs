//! The contenders side by side: the same exchange with the same broker, taking turns.
//!
//! The broker is the platform's mosquitto with its access rules, and one more that differs in one
//! line ([`crate::prompt_broker`]); the device has a provision request there. What answers the trigger is a client of the bench and not the platform, so that all are
//! answered the same, at once. Contenders that cannot be built here are named and left out.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use mqtt_session::{Anchor, Event, Options, Publish, Session};
use provision_platform::broker::PLATFORM_USER;
use provision_platform::harness::TestPlatform;

use crate::contender::Contender;
use crate::figures::{head, row, Series};
use crate::prompt_broker::PromptBroker;
use crate::proxy::{Passed, Proxy};
use crate::{Outcome, ROLE};

/// One way of the slow link.
pub const DELAY: Duration = Duration::from_millis(25);

const CLIENT_ID: &str = "bench-1";
const PASSWORD: &str = "claim-secret";
const TRIGGER_BYTES: usize = 400;
const ANSWER_BYTES: usize = 3000;

/// One contender's rounds.
#[derive(Clone, Debug, Default)]
struct Measured {
    /// On loopback, with a broker that sends at once.
    near: Series,
    /// On loopback, with a broker as installed.
    held: Series,
    /// Over the slow link, with a broker as installed.
    far: Series,
    /// On the slow link, until the credentials were there.
    passed: Passed,
}

/// Runs the contenders and prints the table.
pub fn measure(rounds: usize) -> Outcome<()> {
    let platform = TestPlatform::start()?;
    platform.request(CLIENT_ID, PASSWORD)?;
    let account = &platform.settings().account;
    let folder = tempfile::tempdir()?;
    let roots = folder.path().join("roots.pem");
    std::fs::write(&roots, platform.pki().tls_root.certificate_pem()?)?;
    // Not MQTT/PROV: that one the platform answers.
    let trigger = format!("$EDC/{account}/{CLIENT_ID}/MQTT/BENCH");
    let answer = format!("$EDC/{account}/{CLIENT_ID}/PROV-V1/PUT/certificates");
    let anchor = Anchor::new()?;
    let usual = platform.provision_broker();
    let prompt = PromptBroker::like(usual)?;
    let mut responders = Vec::new();
    for port in [usual.platform_port(), prompt.plain] {
        let password = usual.platform_password().expose();
        responders.push(respond(&anchor, port, password, &trigger, &answer)?);
    }
    let told = |mut command: Command| {
        command
            .env("EXCHANGE_ROOTS", &roots)
            .env("EXCHANGE_CLIENT_ID", CLIENT_ID)
            .env("EXCHANGE_USERNAME", format!("user-{CLIENT_ID}"))
            .env("EXCHANGE_PASSWORD", PASSWORD)
            .env("EXCHANGE_FILTER", format!("$EDC/{account}/{CLIENT_ID}/#"))
            .env("EXCHANGE_TRIGGER", &trigger)
            .env("EXCHANGE_PAYLOAD", TRIGGER_BYTES.to_string());
        command
    };
    let mut ours = Command::new(std::env::current_exe()?);
    ours.env(ROLE, "ours");
    let candidates = [
        ("mqtt-session", Ok(ours)),
        ("floor: C, OpenSSL", floor(folder.path())),
        ("paho-mqtt alone", paho()),
    ];
    let mut contenders = Vec::new();
    for (name, command) in candidates {
        match command {
            Ok(command) => contenders.push(Contender::start(name, told(command))?),
            Err(why) => println!("skipped: {name}: {why}\n"),
        }
    }

    let proxy = Proxy::start(usual.port(), DELAY)?;
    let mut results = vec![Measured::default(); contenders.len()];
    // The first round is not like the others: libraries are read, the allocator grows.
    for round in 0..=rounds {
        for (contender, result) in contenders.iter_mut().zip(&mut results) {
            let near = contender.round(prompt.tls, ANSWER_BYTES, || {})?;
            let held = contender.round(usual.port(), ANSWER_BYTES, || {})?;
            let far = contender.round(proxy.port(), ANSWER_BYTES, || {
                result.passed = proxy.passed();
            })?;
            if round > 0 {
                result.near.push(near);
                result.held.push(held);
                result.far.push(far);
            }
        }
    }
    drop(responders);

    println!(
        "Exchange, start to credentials ({rounds} rounds each, taking turns; min / median / max):\n\n{}",
        head(&[
            "contender",
            "loopback, ms",
            "loopback, broker without TCP_NODELAY, ms",
            "25 ms each way, ms",
            "round trips",
            "CPU, ms",
            "peak RSS, MiB",
            "bytes sent",
            "bytes received",
        ])
    );
    for (contender, result) in contenders.iter().zip(&results) {
        let passed = result.passed;
        let cells = [
            contender.name.to_owned(),
            result.near.spread(),
            result.held.spread(),
            result.far.spread(),
            passed.round_trips.to_string(),
            format!("{:.1}", contender.cpu.median()),
            format!("{:.1}", contender.peak()?),
            passed.sent.to_string(),
            passed.received.to_string(),
        ];
        println!("{}", row(&cells));
    }
    println!();
    Ok(())
}

/// A client of the broker that answers every trigger at once, until it is dropped.
fn respond(
    anchor: &Anchor,
    port: u16,
    password: &str,
    trigger: &str,
    answer: &str,
) -> Outcome<Arc<Session>> {
    let mut options = Options::new(
        format!("mqtt://127.0.0.1:{port}").parse()?,
        "bench-responder",
    );
    options.username = Some(PLATFORM_USER.to_owned());
    options.password = Some(password.to_owned().into());
    options.subscriptions = vec![(trigger.to_owned(), 1)];
    let (events, incoming) = channel();
    let session = Session::open(anchor, options, move |event| drop(events.send(event)));
    let session = Arc::new(session);
    loop {
        match incoming.recv_timeout(Duration::from_secs(20))? {
            Event::Subscribed => break,
            Event::Failed(why) => return Err(why.into()),
            _ => {}
        }
    }
    let (weak, answer) = (Arc::downgrade(&session), answer.to_owned());
    thread::spawn(move || {
        // Ends when the session has ended, and its sender with it.
        for event in incoming {
            let (Event::Message(_), Some(session)) = (event, weak.upgrade()) else {
                continue;
            };
            let publish = Publish::new(&*answer, vec![b'y'; ANSWER_BYTES], 1);
            if let Err(why) = session.publish(publish) {
                eprintln!("bench: the trigger was not answered: {why}");
            }
        }
    });
    Ok(session)
}

/// Compiles the floor with the system's compiler.
fn floor(folder: &Path) -> Outcome<Command> {
    let program = folder.join("floor");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O2", "-Wall", "-Wextra"])
        .arg(source("floor.c"))
        .arg("-o")
        .arg(&program)
        .args(["-lssl", "-lcrypto"]);
    run(cc)?;
    Ok(Command::new(program))
}

/// Compiles paho-mqtt with its own TLS, apart from the workspace, which is built without.
fn paho() -> Outcome<Command> {
    let executable = std::env::current_exe()?;
    // target/release/deps/exchange-0123
    let target = executable.ancestors().nth(3).ok_or("no target folder")?;
    let target = target.join("paho-rival");
    let mut cargo = Command::new(std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
    cargo
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(source("paho-rival/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target);
    run(cargo)?;
    Ok(Command::new(target.join("release/paho-rival")))
}

fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("benches")
        .join(name)
}

fn run(mut command: Command) -> Outcome<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{program}: {status}").into()),
        Err(error) => Err(format!("{program}: {error}").into()),
    }
}
