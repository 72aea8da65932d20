//! The set of certificates that a platform runs with, and its folder.

use super::profile::Profile;
use super::{openssl_error, Identity, PkiError};
use openssl::pkey::PKey;
use openssl::x509::X509;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Everything a platform needs. Four unrelated roots: one above the device-management signer, one
/// above the servers (both brokers and the packages), one that only a target broker with a root of
/// its own uses, and one above the certificates of devices.
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
    /// The package server, for the same names, by the brokers' root.
    pub package_server: Identity,
    /// Root of the devices' certificates; target brokers trust it.
    pub device_root: Identity,
    /// Certifies keys of devices; issued by `device_root`.
    pub device_authority: Identity,
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
        let package_server = tls_root.issue(&Profile::server("Package Server", &LOOPBACK))?;
        let device_root = Identity::self_signed(&Profile::authority("Device Root"))?;
        let device_authority =
            device_root.issue(&Profile::authority("Device Intermediate").path_len(0))?;
        Ok(Pki {
            root,
            intermediate,
            signer,
            tls_root,
            broker,
            target_broker,
            target_root,
            target_broker_apart,
            package_server,
            device_root,
            device_authority,
        })
    }

    fn members(&self) -> [(&'static str, &Identity); 11] {
        [
            ("root", &self.root),
            ("intermediate", &self.intermediate),
            ("signer", &self.signer),
            ("tls-root", &self.tls_root),
            ("broker", &self.broker),
            ("target-broker", &self.target_broker),
            ("target-root", &self.target_root),
            ("target-broker-apart", &self.target_broker_apart),
            ("package-server", &self.package_server),
            ("device-root", &self.device_root),
            ("device-authority", &self.device_authority),
        ]
    }

    /// Writes `NAME.pem` (the certificate and its issuers, leaf first; mode 0644) and `NAME.key`
    /// (mode 0600) for each member into the folder, which is created if need be.
    pub fn save(&self, folder: &Path) -> Result<(), PkiError> {
        fs::create_dir_all(folder).map_err(written(folder))?;
        for (name, identity) in self.members() {
            save(folder, name, identity)?;
        }
        Ok(())
    }

    /// Whether the folder holds a set, complete or not.
    pub fn is_in(folder: &Path) -> bool {
        folder.join("root.pem").exists() || folder.join("root.key").exists()
    }

    /// Reads what [`Pki::save`] wrote. What an earlier version did not write yet is made and added.
    pub fn load(folder: &Path) -> Result<Pki, PkiError> {
        let or_make = |name: &str, make: &dyn Fn() -> Result<Identity, PkiError>| {
            if folder.join(format!("{name}.pem")).exists() {
                return load(folder, name);
            }
            let new = make()?;
            save(folder, name, &new).map(|()| new)
        };
        let tls_root = load(folder, "tls-root")?;
        let device_root = or_make("device-root", &|| {
            Identity::self_signed(&Profile::authority("Device Root"))
        })?;
        Ok(Pki {
            root: load(folder, "root")?,
            intermediate: load(folder, "intermediate")?,
            signer: load(folder, "signer")?,
            broker: load(folder, "broker")?,
            target_broker: load(folder, "target-broker")?,
            target_root: load(folder, "target-root")?,
            target_broker_apart: load(folder, "target-broker-apart")?,
            package_server: or_make("package-server", &|| {
                tls_root.issue(&Profile::server("Package Server", &LOOPBACK))
            })?,
            device_authority: or_make("device-authority", &|| {
                device_root.issue(&Profile::authority("Device Intermediate").path_len(0))
            })?,
            tls_root,
            device_root,
        })
    }
}

fn written(path: &Path) -> impl FnOnce(std::io::Error) -> PkiError {
    let path = path.to_owned();
    move |source| PkiError::File {
        path,
        action: "written",
        source,
    }
}

fn save(folder: &Path, name: &str, identity: &Identity) -> Result<(), PkiError> {
    let path = folder.join(format!("{name}.key"));
    durable_file::write(&path, &identity.key_pem()?).map_err(written(&path))?;
    let path = folder.join(format!("{name}.pem"));
    durable_file::write(&path, &identity.chain_pem()?).map_err(written(&path))?;
    let public = fs::Permissions::from_mode(0o644);
    fs::set_permissions(&path, public).map_err(written(&path))
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
