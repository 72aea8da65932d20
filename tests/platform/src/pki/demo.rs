//! The set of certificates that a platform runs with, and its folder.

use super::profile::Profile;
use super::{openssl_error, Identity, PkiError};
use openssl::pkey::PKey;
use openssl::x509::X509;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everything a platform needs. Three unrelated roots: one above the device-management signer, one
/// above both brokers, one that only a target broker with a root of its own uses.
#[derive(Clone, Debug)]
pub struct Pki {
    /// Root of the device-management chain; belongs into the gateway's DMKeystore.
    pub root: Identity,
    /// Issued by `root`.
    pub intermediate: Identity,
    /// Signs the requests of a provisioning; issued by `intermediate`.
    pub signer: Identity,
    /// Root of the brokers' certificates; belongs into the gateway's SSLKeystore.
    pub tls_root: Identity,
    /// The provision broker, for `localhost`, `127.0.0.1` and `::1`.
    pub broker: Identity,
    /// The target account's broker, for the same names, by the same root.
    pub target_broker: Identity,
    /// Root of `target_broker_apart`; the gateway learns it during the provisioning.
    pub target_root: Identity,
    /// The target account's broker for the same names, by a root of its own.
    pub target_broker_apart: Identity,
}

/// The names of this machine for itself.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

impl Pki {
    /// Makes a new set, all keys EC P-256. Takes a few milliseconds.
    pub fn create() -> Result<Pki, PkiError> {
        let root = Identity::self_signed(&Profile::authority("Device Management Root"))?;
        let intermediate =
            root.issue(&Profile::authority("Device Management Intermediate").path_len(0))?;
        let signer = intermediate.issue(&Profile::signer("Device Management Signer"))?;
        let tls_root = Identity::self_signed(&Profile::authority("Broker Root"))?;
        let broker = tls_root.issue(&Profile::server("Provision Broker", &LOOPBACK))?;
        let target_broker = tls_root.issue(&Profile::server("Target Broker", &LOOPBACK))?;
        let target_root = Identity::self_signed(&Profile::authority("Target Broker Root"))?;
        let target_broker_apart =
            target_root.issue(&Profile::server("Target Broker", &LOOPBACK))?;
        Ok(Pki {
            root,
            intermediate,
            signer,
            tls_root,
            broker,
            target_broker,
            target_root,
            target_broker_apart,
        })
    }

    fn members(&self) -> [(&'static str, &Identity); 8] {
        [
            ("root", &self.root),
            ("intermediate", &self.intermediate),
            ("signer", &self.signer),
            ("tls-root", &self.tls_root),
            ("broker", &self.broker),
            ("target-broker", &self.target_broker),
            ("target-root", &self.target_root),
            ("target-broker-apart", &self.target_broker_apart),
        ]
    }

    /// Writes `NAME.pem` (the certificate and its issuers, leaf first; mode 0644) and `NAME.key`
    /// (mode 0600) for each member into the folder, which is created if need be.
    pub fn save(&self, folder: &Path) -> Result<(), PkiError> {
        let error = |path: &Path| {
            let path = path.to_owned();
            move |source| PkiError::File {
                path,
                action: "written",
                source,
            }
        };
        fs::create_dir_all(folder).map_err(error(folder))?;
        for (name, identity) in self.members() {
            let path = folder.join(format!("{name}.key"));
            durable_file::write(&path, &identity.key_pem()?).map_err(error(&path))?;
            let path = folder.join(format!("{name}.pem"));
            durable_file::write(&path, &identity.chain_pem()?).map_err(error(&path))?;
            let public = fs::Permissions::from_mode(0o644);
            fs::set_permissions(&path, public).map_err(error(&path))?;
        }
        Ok(())
    }

    /// Whether the folder holds a set, complete or not.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("root.pem").exists() || folder.join("root.key").exists()
    }

    /// Reads what [`Pki::save`] wrote.
    pub fn load(folder: &Path) -> Result<Pki, PkiError> {
        Ok(Pki {
            root: load(folder, "root")?,
            intermediate: load(folder, "intermediate")?,
            signer: load(folder, "signer")?,
            tls_root: load(folder, "tls-root")?,
            broker: load(folder, "broker")?,
            target_broker: load(folder, "target-broker")?,
            target_root: load(folder, "target-root")?,
            target_broker_apart: load(folder, "target-broker-apart")?,
        })
    }
}

fn load(folder: &Path, name: &str) -> Result<Identity, PkiError> {
    let path = folder.join(format!("{name}.pem"));
    let mut chain = X509::stack_from_pem(&read(&path)?)
        .map_err(openssl_error(format!(
            "certificates from {}",
            path.display()
        )))?
        .into_iter();
    let Some(certificate) = chain.next() else {
        return Err(PkiError::Content {
            path,
            expected: "a certificate",
        });
    };
    let issuers = chain.collect();
    let path = folder.join(format!("{name}.key"));
    let key = PKey::private_key_from_pem(&read(&path)?).map_err(openssl_error(format!(
        "a private key from {}",
        path.display()
    )))?;
    if !certificate
        .public_key()
        .is_ok_and(|public| public.public_eq(&key))
    {
        return Err(PkiError::Content {
            path,
            expected: "the key of the certificate",
        });
    }
    Ok(Identity {
        certificate,
        key,
        issuers,
    })
}

fn read(path: &Path) -> Result<zeroize::Zeroizing<Vec<u8>>, PkiError> {
    let content = fs::read(path);
    content
        .map(zeroize::Zeroizing::new)
        .map_err(|source| PkiError::File {
            path: path.to_owned(),
            action: "read",
            source,
        })
}
