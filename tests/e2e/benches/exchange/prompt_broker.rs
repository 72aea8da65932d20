//! A second mosquitto like the platform's own, with one line more: `set_tcp_nodelay true`.
//!
//! Without that line the kernel holds back a small packet of the broker until the one before is
//! acknowledged (Nagle), and a client that waits acknowledges after 40 ms: on loopback that is nearly
//! all one sees. Both are measured: this one shows what the contenders cost, the usual one what a
//! broker as installed makes of it. Copied once the device is known to the original.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use provision_platform::broker::Broker;
use tempfile::TempDir;

use crate::Outcome;

const PATIENCE: Duration = Duration::from_secs(10);

/// Killed when dropped.
pub struct PromptBroker {
    process: Child,
    /// The port for devices.
    pub tls: u16,
    /// The port for the answering client.
    pub plain: u16,
    _folder: TempDir,
}

impl PromptBroker {
    /// Copies a running broker's folder and starts another one there.
    pub fn like(broker: &Broker) -> Outcome<PromptBroker> {
        let folder = tempfile::tempdir()?;
        for entry in fs::read_dir(broker.folder())? {
            let entry = entry?;
            if entry.path().is_file() {
                fs::copy(entry.path(), folder.path().join(entry.file_name()))?;
            }
        }
        // All are held until all are known, so that they differ.
        let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listeners = [free()?, free()?, free()?];
        let [tls, plain, mutual] = &listeners;
        let (tls, plain) = (tls.local_addr()?.port(), plain.local_addr()?.port());
        let mutual = mutual.local_addr()?.port();
        drop(listeners);
        let other = broker.mutual_url();
        let other = other.rsplit(':').next().unwrap_or_default();
        let path = folder.path().join("mosquitto.conf");
        let listener = |port: u16| format!("listener {port} ");
        let configuration = fs::read_to_string(&path)?
            .replace(
                &broker.folder().display().to_string(),
                &folder.path().display().to_string(),
            )
            .replace(&listener(broker.port()), &listener(tls))
            .replace(&listener(broker.platform_port()), &listener(plain))
            .replace(&format!("listener {other} "), &listener(mutual));
        fs::write(&path, format!("set_tcp_nodelay true\n{configuration}"))?;
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]);
        command.arg(std::env::var_os("MOSQUITTO").unwrap_or_else(|| "mosquitto".into()));
        // Debian keeps servers where an ordinary user does not look.
        let search = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{search}:/usr/sbin:/usr/local/sbin"));
        let process = command.arg("-c").arg(&path).stderr(Stdio::null()).spawn()?;
        let broker = PromptBroker {
            process,
            tls,
            plain,
            _folder: folder,
        };
        let until = Instant::now() + PATIENCE;
        for port in [tls, plain] {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
                if Instant::now() > until {
                    return Err(format!("the second mosquitto is silent for {PATIENCE:?}").into());
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        Ok(broker)
    }
}

impl Drop for PromptBroker {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
