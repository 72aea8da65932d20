//! What a certificate shall be.

use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The kind of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// NIST P-256, the default.
    EcP256,
    /// NIST P-384.
    EcP384,
    /// NIST P-192: too weak on purpose.
    EcP192,
    /// RSA with this many bits; below 2048 is too weak on purpose.
    Rsa(u32),
    /// Ed25519; fit above the leaf only, since OpenSSL 3.0 cannot sign CMS with it.
    Ed25519,
}

impl KeyKind {
    pub(super) fn generate(self) -> Result<PKey<Private>, ErrorStack> {
        let ec = |curve| {
            let group = EcGroup::from_curve_name(curve)?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        };
        match self {
            KeyKind::EcP256 => ec(Nid::X9_62_PRIME256V1),
            KeyKind::EcP384 => ec(Nid::SECP384R1),
            KeyKind::EcP192 => ec(Nid::X9_62_PRIME192V1),
            KeyKind::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits)?),
            KeyKind::Ed25519 => PKey::generate_ed25519(),
        }
    }
}

/// What a certificate is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Authority { path_len: Option<u32> },
    Signer,
    Server { names: Vec<String> },
    Client,
}

/// A certificate to be: good by default, made wrong by the methods that say so.
#[derive(Clone, Debug)]
pub struct Profile {
    pub(super) common_name: String,
    pub(super) purpose: Purpose,
    pub(super) key: KeyKind,
    pub(super) sha1: bool,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    pub(super) key_usage: bool,
    pub(super) server_auth_only: bool,
    pub(super) unknown_critical: bool,
}

impl Profile {
    fn new(common_name: &str, purpose: Purpose, days: i64) -> Profile {
        Profile {
            common_name: common_name.to_owned(),
            purpose,
            key: KeyKind::EcP256,
            sha1: false,
            not_before: -HOUR,
            not_after: days * DAY,
            key_usage: true,
            server_auth_only: false,
            unknown_critical: false,
        }
    }

    /// A certification authority, valid for ten years; a root if self-signed.
    pub fn authority(common_name: &str) -> Profile {
        Profile::new(common_name, Purpose::Authority { path_len: None }, 3650)
    }

    /// A signer of control messages (digitalSignature, no extended usage), valid for two years.
    pub fn signer(common_name: &str) -> Profile {
        Profile::new(common_name, Purpose::Signer, 730)
    }

    /// A TLS server for these DNS names and IP addresses, valid for one year.
    pub fn server(common_name: &str, names: &[&str]) -> Profile {
        let names = names.iter().map(|n| (*n).to_owned()).collect();
        Profile::new(common_name, Purpose::Server { names }, 365)
    }

    /// A TLS client (digitalSignature, clientAuth), valid for one year: of no use to sign control
    /// messages with.
    pub fn client(common_name: &str) -> Profile {
        Profile::new(common_name, Purpose::Client, 365)
    }

    /// Another key than EC P-256.
    pub fn key(mut self, key: KeyKind) -> Profile {
        self.key = key;
        self
    }

    /// Validity in seconds relative to now.
    pub fn valid(mut self, from: i64, until: i64) -> Profile {
        (self.not_before, self.not_after) = (from, until);
        self
    }

    /// Expired an hour ago.
    pub fn expired(self) -> Profile {
        self.valid(-30 * DAY, -HOUR)
    }

    /// Valid from tomorrow on.
    pub fn not_yet_valid(self) -> Profile {
        self.valid(DAY, 365 * DAY)
    }

    /// The largest number of authorities below this one. Authorities only.
    pub fn path_len(mut self, length: u32) -> Profile {
        if let Purpose::Authority { path_len } = &mut self.purpose {
            *path_len = Some(length);
        }
        self
    }

    /// Signed over SHA-1: too weak on purpose.
    pub fn sha1(mut self) -> Profile {
        self.sha1 = true;
        self
    }

    /// No keyUsage extension.
    pub fn without_key_usage(mut self) -> Profile {
        self.key_usage = false;
        self
    }

    /// Extended usage serverAuth and nothing else: for a signer, wrong on purpose.
    pub fn server_auth_only(mut self) -> Profile {
        self.server_auth_only = true;
        self
    }

    /// A critical extension that nobody knows.
    pub fn unknown_critical_extension(mut self) -> Profile {
        self.unknown_critical = true;
        self
    }
}
