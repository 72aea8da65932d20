//! Which instance of a gateway provisions against a platform: the first that began.
//!
//! Instances know each other by their configurations only, and these do not say who runs already.
//! So whoever begins binds a name that the kernel keeps, and holds it until it has finished, is
//! disabled or is sent elsewhere. Nothing is ever sent there; the name is gone with the instance,
//! with the library and with the process, and two copies of the library see the same one. Why not
//! otherwise: `docs/decisions/one-instance-per-platform.md`. Called by the preflight.

use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use gateway_component_abi::value::Value;
use mqtt_session::BrokerUrl;
use openssl::sha::sha256;

use super::Worker;
use crate::diagnosis::{Code, Fault};
use crate::metatype::FACTORY_PID;
use crate::settings::Settings;
use crate::transaction::of_host;

/// Holds a platform for an instance until it is dropped.
#[derive(Debug)]
pub struct Claim {
    name: String,
    _bound: UnixDatagram,
}

/// Why there is no claim.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// Another instance holds it.
    #[error("another instance holds the platform")]
    Taken,
    /// The system gives no name.
    #[error("the system gives no name to hold a platform by")]
    Unavailable(#[source] io::Error),
}

/// What identifies `broker`, host and port, within the gateway whose components keep their folders
/// in `scope`.
pub fn name(scope: &Path, broker: &BrokerUrl) -> String {
    let process = std::process::id();
    let host = broker.host.to_ascii_lowercase();
    let whole = format!("{process}\n{}\n{host}\n{}", scope.display(), broker.port);
    let digest: String = sha256(whole.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("gwc.provisioning/{digest}")
}

impl Claim {
    /// Takes `name` where nobody holds it.
    ///
    /// # Errors
    /// See [`Denied`].
    pub fn take(name: &str) -> Result<Claim, Denied> {
        let bound = SocketAddr::from_abstract_name(name)
            .and_then(|address| UnixDatagram::bind_addr(&address));
        match bound {
            Ok(bound) => Ok(Claim {
                name: name.to_owned(),
                _bound: bound,
            }),
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => Err(Denied::Taken),
            Err(e) => Err(Denied::Unavailable(e)),
        }
    }

    /// Whether somebody holds `name`; takes nothing.
    ///
    /// # Errors
    /// [`Denied::Unavailable`].
    pub fn is_taken(name: &str) -> Result<bool, Denied> {
        let address = SocketAddr::from_abstract_name(name).map_err(Denied::Unavailable)?;
        let probe = UnixDatagram::unbound().map_err(Denied::Unavailable)?;
        match probe.connect_addr(&address) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::ConnectionRefused => Ok(false),
            Err(e) => Err(Denied::Unavailable(e)),
        }
    }

    /// What is held.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Worker {
    /// Two instances may not provision against the same platform: the first that begins may.
    /// Where this one `begins`, the platform is its own from now on.
    pub(super) fn check_others(
        &mut self,
        settings: &Settings,
        begins: bool,
    ) -> Result<String, Fault> {
        let refused = |message: String| Err(Fault::new(Code::ConfigSamePlatform, message));
        let own = self.shared.pid().to_owned();
        let list = self
            .host
            .configurations("", false)
            .map_err(|e| of_host("the list of configurations", &e))?;
        let mut rivals: Vec<String> = Vec::new();
        for other in &list {
            if other.pid == own || other.factory_pid() != Some(FACTORY_PID) {
                continue;
            }
            let flag = |name: &str| other.properties.get(name).and_then(Value::as_bool);
            let url = other.properties.get("broker-url").and_then(Value::as_str);
            let Some(Ok(broker)) = url.map(str::parse::<mqtt_session::BrokerUrl>) else {
                continue;
            };
            let same = broker.host.eq_ignore_ascii_case(&settings.broker.host)
                && broker.port == settings.broker.port;
            if same && flag("provisioned") == Some(true) {
                return refused(format!(
                    "{} has provisioned its connection against {broker}",
                    other.pid
                ));
            }
            if same && flag("enabled") == Some(true) {
                rivals.push(other.pid.clone());
            }
        }
        rivals.sort_by_key(|pid| (pid.len(), pid.clone()));
        let rival = rivals.first();
        let first = rival.filter(|pid| (pid.len(), pid.as_str()) < (own.len(), own.as_str()));
        let free = Ok("no other instance uses this platform".to_owned());
        let wanted = self
            .host
            .storage_folder()
            .inspect_err(|e| log::warn!("{own}: the host gives no folder: {}", e.message))
            .ok()
            .and_then(|folder| Some(name(folder.parent()?, &settings.broker)));
        if self.claim.as_ref().map(Claim::name) == wanted.as_deref() && wanted.is_some() {
            return free;
        }
        self.claim = None;
        let taken = match &wanted {
            Some(name) => Claim::is_taken(name),
            None => Err(Denied::Unavailable(std::io::ErrorKind::NotFound.into())),
        };
        match (taken, rival, first) {
            (Ok(true), Some(rival), _) => {
                return refused(format!(
                    "{rival} provisions against {} already",
                    settings.broker
                ))
            }
            (Err(e), _, Some(first)) => {
                log::debug!("{own}: {e}");
                return refused(format!(
                    "{first} provisions against {} already",
                    settings.broker
                ));
            }
            (Ok(false), _, Some(first)) if !self.gave_way => {
                self.gave_way = begins;
                return refused(format!(
                    "{first} is to provision against {}, and comes first",
                    settings.broker
                ));
            }
            _ => {}
        }
        if let (true, Some(name)) = (begins, &wanted) {
            match (Claim::take(name), rival) {
                (Ok(claim), _) => self.claim = Some(claim),
                (Err(Denied::Taken), Some(rival)) => {
                    return refused(format!(
                        "{rival} provisions against {} already",
                        settings.broker
                    ))
                }
                // Nobody here has a rival's configuration: there is none on this gateway.
                (Err(e), _) => log::debug!("{own}: {e}"),
            }
        }
        free
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn broker(url: &str) -> BrokerUrl {
        url.parse().unwrap()
    }

    #[test]
    fn one_holds_a_platform_until_it_lets_go() {
        let scope = Path::new("/one-holds-a-platform");
        let name = name(scope, &broker("mqtts://Broker.example.com"));
        assert!(!Claim::is_taken(&name).unwrap());
        let first = Claim::take(&name).unwrap();
        assert!(Claim::is_taken(&name).unwrap());
        assert!(matches!(Claim::take(&name), Err(Denied::Taken)));
        drop(first);
        assert!(!Claim::is_taken(&name).unwrap());
        drop(Claim::take(&name).unwrap());
    }

    #[test]
    fn a_platform_is_host_and_port_within_one_gateway() {
        let scope = Path::new("/a");
        let one = name(scope, &broker("mqtts://broker.example.com"));
        for same in [
            "mqtts://BROKER.example.com:8883",
            "wss://broker.example.com:8883",
        ] {
            assert_eq!(name(scope, &broker(same)), one, "{same}");
        }
        for other in ["mqtts://broker.example.com:8884", "mqtts://broker.example"] {
            assert_ne!(name(scope, &broker(other)), one, "{other}");
        }
        assert_ne!(
            name(Path::new("/b"), &broker("mqtts://broker.example.com")),
            one
        );
        // sun_path holds 108 bytes, the first of them a zero.
        assert!(one.len() < 107);
    }
}
