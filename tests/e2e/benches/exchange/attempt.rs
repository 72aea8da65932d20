//! Whole attempts: from the start of a gateway to provisioned, applied, proved, committed, connected.
//!
//! Three views of the same thing: the real library in the real framework inside this process (the
//! time), the gateway as a process of its own (CPU and memory without the platform), and the same
//! under strace ([`crate::writes`]). Every attempt is a new gateway with a new provision request.
//! On the slow link only the way to the provision broker is slow: the target account's broker is
//! named by the platform, which knows it by its own address.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use e2e::site::PID;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use kura_formats::configurations::{self, Configuration};
use provision_platform::harness::TestPlatform;
use rustix::process::{kill_process, Pid, Signal};

use crate::contender::peak_mib;
use crate::exchange::DELAY;
use crate::figures::{head, row, Series};
use crate::proxy::Proxy;
use crate::{writes, Outcome, ROLE};

const PASSWORD: &str = "claim-secret";
const PATIENCE: Duration = Duration::from_secs(60);

/// Measures and prints.
pub fn measure(rounds: usize) -> Outcome<()> {
    let platform = TestPlatform::start()?;
    let proxy = Proxy::start(platform.provision_broker().port(), DELAY)?;
    let slow = format!("mqtts://localhost:{}", proxy.port());
    let direct = platform.provision_broker().url();
    let (mut near, mut far) = (Series::default(), Series::default());
    let (mut wall, mut cpu, mut peak) = (Series::default(), Series::default(), Series::default());
    for round in 0..rounds {
        near.push(in_process(&platform, &format!("near-{round}"), &direct)?);
        far.push(in_process(&platform, &format!("far-{round}"), &slow)?);
        let usage = as_process(&platform, &format!("process-{round}"))?;
        wall.push(usage.wall);
        cpu.push(usage.cpu);
        peak.push(usage.peak);
    }
    let passed = proxy.passed();
    println!(
        "Whole attempt, start to provisioned and connected to the account ({rounds} rounds each, taking turns; min / median / max):\n\n{}",
        head(&["what", "measured"])
    );
    let lines = [
        (
            "start of the framework to connected, loopback, ms",
            near.spread(),
        ),
        (
            "the same, 25 ms each way to the provision broker, ms",
            far.spread(),
        ),
        (
            "`gateway run`, process start to BIRTH seen by the platform, ms",
            wall.spread(),
        ),
        ("`gateway run`, CPU, ms", cpu.spread()),
        ("`gateway run`, peak RSS, MiB", peak.spread()),
        (
            "provisioning session, bytes sent / received",
            format!("{} / {}", passed.sent, passed.received),
        ),
        (
            "provisioning session, round trips",
            passed.round_trips.to_string(),
        ),
    ];
    for (what, measured) in lines {
        println!("{}", row(&[what.to_owned(), measured]));
    }
    match under_strace(&platform)? {
        Some(written) => println!("{}\n", written.table()),
        None => println!("\nskipped: fsyncs and bytes written: strace is not installed\n"),
    }
    Ok(())
}

/// Milliseconds.
fn in_process(platform: &TestPlatform, client_id: &str, broker: &str) -> Outcome<f64> {
    platform.request(client_id, PASSWORD)?;
    let mut site = Site::new(platform, client_id, PASSWORD)?.with("broker-url", broker);
    let start = Instant::now();
    site.start()?;
    site.wait_provisioned()?;
    let elapsed = start.elapsed();
    site.stop();
    Ok(elapsed.as_secs_f64() * 1e3)
}

struct Usage {
    wall: f64,
    cpu: f64,
    peak: f64,
}

fn as_process(platform: &TestPlatform, client_id: &str) -> Outcome<Usage> {
    platform.request(client_id, PASSWORD)?;
    let site = Site::new(platform, client_id, PASSWORD)?;
    let mut command = Command::new(std::env::current_exe()?);
    gateway(&mut command, platform, &site, client_id)?;
    let start = Instant::now();
    let gateway = Running(command.spawn()?);
    let member = platform.wait_until(PATIENCE, |store| {
        let mut devices = store.devices()?.into_iter();
        Ok(devices.find(|device| device.client_id == client_id))
    })?;
    let wall = start.elapsed().as_secs_f64() * 1e3;
    member.ok_or_else(|| format!("{client_id}: no BIRTH within {PATIENCE:?}"))?;
    let process = gateway.0.id();
    Ok(Usage {
        wall,
        cpu: cpu_ms(process)?,
        peak: peak_mib(process)?,
    })
}

/// A gateway that is ended in good order when dropped, so that it leaves nothing behind.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            let _ = kill_process(Pid::from_child(&self.0), Signal::TERM);
        }
        let _ = self.0.wait();
    }
}

/// User and system time of a process so far; the kernel tells it in hundredths of a second.
fn cpu_ms(process: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in brackets may hold spaces; user and system time are the 14th and 15th field.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat")?;
    let ticks: Result<Vec<f64>, _> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(str::parse)
        .collect();
    Ok(ticks?.iter().sum::<f64>() * 10.0)
}

fn under_strace(platform: &TestPlatform) -> Outcome<Option<writes::Written>> {
    let known = Command::new("strace")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if known.is_err() {
        return Ok(None);
    }
    let client_id = "traced";
    platform.request(client_id, PASSWORD)?;
    let site = Site::new(platform, client_id, PASSWORD)?;
    let trace = tempfile::NamedTempFile::new()?;
    let mut command = Command::new("strace");
    command.args(writes::STRACE).arg("-o").arg(trace.path());
    command.arg(std::env::current_exe()?);
    gateway(&mut command, platform, &site, client_id)?;
    command.args(["--until", "provisioned", "--deadline", "60"]);
    let status = command.status()?;
    if !status.success() {
        return Err(format!("the gateway under strace: {status}").into());
    }
    let text = std::fs::read_to_string(trace.path())?;
    let port = platform.provision_broker().port();
    Ok(Some(writes::read(&text, &root(&site)?, port)))
}

/// The arguments of `gateway run` for a site.
fn gateway(
    command: &mut Command,
    platform: &TestPlatform,
    site: &Site,
    client_id: &str,
) -> Outcome<()> {
    let seed = root(site)?.join("seed.xml");
    let properties = Properties::from([
        ("service.factoryPid".into(), PID.into()),
        ("kura.service.pid".into(), PID.into()),
        ("enabled".into(), true.into()),
        (
            "broker-url".into(),
            platform.provision_broker().url().into(),
        ),
        (
            "account-name".into(),
            platform.settings().account.clone().into(),
        ),
        ("client-id".into(), client_id.into()),
        ("username".into(), format!("user-{client_id}").into()),
        ("password".into(), Secret::from(PASSWORD).into()),
    ]);
    let configuration = Configuration {
        pid: PID.into(),
        properties,
    };
    let xml = configurations::write(&[configuration], &mut |secret: &Secret| {
        (false, secret.expose().to_owned())
    })?;
    std::fs::write(&seed, xml)?;
    command
        .env(ROLE, "gateway")
        .arg("run")
        .arg("--data")
        .arg(site.data())
        .arg("--plugins")
        .arg(site.plugins())
        .arg("--config")
        .arg(seed)
        .arg("--properties")
        .arg(root(site)?.join("system.properties"))
        .arg("--allow-insecure-plugins")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(())
}

/// The folder that holds everything of a site.
fn root(site: &Site) -> Outcome<PathBuf> {
    let plugins = site.plugins();
    Ok(plugins
        .parent()
        .ok_or("a site without a folder")?
        .to_owned())
}
