//! What a platform is started with.

use crate::behaviour::Script;
use crate::broker::TlsStrength;
use crate::pki::{Identity, Pki};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The provisioning account if none is named; Everyware Cloud's name for it.
pub const PROVISIONING_ACCOUNT: &str = "ec-provisioning";
/// The target account if none is named.
pub const TARGET_ACCOUNT: &str = "acme";

/// When a device is let in at the provision broker.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// While its request is active, as a real platform does: the broker refuses it otherwise.
    #[default]
    WhileActive,
    /// Whenever there is a request: the trigger is answered with a reject that says why not.
    ByTrigger,
}

/// What a platform is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder.
    pub data: PathBuf,
    /// Its certificates; the signer signs.
    pub pki: Pki,
    /// The provisioning account.
    pub account: String,
    /// What the provision broker shows.
    pub broker_certificate: Identity,
    /// What the target broker shows.
    pub target_certificate: Identity,
    /// Whether both may show weak keys.
    pub strength: TlsStrength,
    /// TLS port of the provision broker. None: a free one.
    pub port: Option<u16>,
    /// TLS port of the target broker. None: a free one.
    pub target_port: Option<u16>,
    /// Port of the package server. None: a free one.
    pub package_port: Option<u16>,
    /// The target account lives at the provision broker, too.
    pub same_broker: bool,
    /// Send the root of `target_certificate` to the device's SSLKeystore during the provisioning.
    pub send_target_root: bool,
    /// When a device is let in.
    pub admission: Admission,
    /// Signers of earlier times, which a device may still trust.
    pub former_signers: Vec<Identity>,
    /// Time for each reply, the one to the commit apart.
    pub reply_timeout: Duration,
    /// Time for the reply to the commit: the device applies and proves before.
    pub commit_timeout: Duration,
    /// Time between two notifications of a device that fetches a package.
    pub download_timeout: Duration,
    /// What goes wrong.
    pub script: Script,
}

impl Settings {
    /// A flawless platform on free ports, with two brokers under one root.
    pub fn new(data: &Path, pki: Pki) -> Settings {
        Settings {
            data: data.to_owned(),
            account: PROVISIONING_ACCOUNT.to_owned(),
            broker_certificate: pki.broker.clone(),
            target_certificate: pki.target_broker.clone(),
            pki,
            strength: TlsStrength::Usual,
            port: None,
            target_port: None,
            package_port: None,
            same_broker: false,
            send_target_root: false,
            admission: Admission::WhileActive,
            former_signers: Vec::new(),
            reply_timeout: Duration::from_secs(60),
            commit_timeout: Duration::from_secs(180),
            download_timeout: Duration::from_secs(300),
            script: Script::default(),
        }
    }

    /// The target broker gets a certificate of another root, which the device learns during the
    /// provisioning.
    pub fn with_target_root_apart(mut self) -> Settings {
        self.target_certificate = self.pki.target_broker_apart.clone();
        self.send_target_root = true;
        self
    }
}
