//! The plan: the host operations of a transaction, in order, each with its undo.
//!
//! Written as one encrypted file, `staging/{transaction}.plan`, before the first operation; all
//! that is needed to go back or forward after a restart is in it.

use std::io;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::private::Private;

/// One change of the host.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Keeps the cloud connection disconnected while it changes.
    HoldConnection {
        /// Whether it was connected before, or trying to be.
        was_connected: bool,
    },
    /// Sets a trusted certificate.
    PutCertificate {
        /// E.g. `SSLKeystore`.
        keystore: String,
        /// Its alias.
        alias: String,
        /// The certificate.
        pem: String,
        /// What the alias held before.
        before: Option<String>,
    },
    /// Sets the chain of a key that the host made.
    PutChain {
        /// Its keystore.
        keystore: String,
        /// Its alias.
        alias: String,
        /// The chain, leaf first.
        pem: String,
        /// The chain before; empty if there was none.
        before: String,
    },
    /// Installs an application.
    InstallPackage {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
        /// The archive, within the staging folder.
        path: String,
    },
    /// Merges configurations.
    Configure {
        /// `esf:configurations`, passwords as CONF-V1 writes them.
        xml: Private,
        /// The host's own undo data.
        undo: Private,
    },
}

impl Operation {
    /// For messages: what it changes.
    pub fn object(&self) -> String {
        match self {
            Operation::HoldConnection { .. } => "the cloud connection".into(),
            Operation::PutCertificate {
                keystore, alias, ..
            } => format!("certificate {alias} of {keystore}"),
            Operation::PutChain {
                keystore, alias, ..
            } => format!("key {alias} of {keystore}"),
            Operation::InstallPackage { name, version, .. } => format!("package {name} {version}"),
            Operation::Configure { .. } => "the configurations".into(),
        }
    }
}

/// All operations, and what the completion needs.
#[derive(Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Makes the keys of host operations unique: `{transaction}/{attempt}.{n}`.
    pub attempt: u32,
    /// In order.
    pub operations: Vec<Operation>,
    /// The signer that becomes trusted at the commit.
    pub signer_pem: String,
    /// Whether the root above it is trusted, for the status.
    pub root_verified: bool,
    /// For the record: digest of the manifest, lower hex.
    pub manifest: String,
    /// For the record: fingerprints of the received chain, leaf first.
    #[serde(default)]
    pub chain: Vec<String>,
}

impl Plan {
    /// As it is written. The buffer never grows, which would leave parts of it behind.
    pub fn to_json(&self) -> serde_json::Result<Zeroizing<Vec<u8>>> {
        let mut size = Size(0);
        serde_json::to_writer(&mut size, self)?;
        let mut json = Zeroizing::new(Vec::with_capacity(size.0));
        serde_json::to_writer(&mut *json, self)?;
        Ok(json)
    }

    /// The key of operation `n`.
    pub fn key(&self, transaction: &str, n: usize) -> String {
        format!("{transaction}/{}.{n}", self.attempt)
    }
}

/// Counts what is written to it.
struct Size(usize);

impl io::Write for Size {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_plan_is_written_into_a_buffer_of_its_size() {
        let plan = Plan {
            attempt: 1,
            operations: vec![Operation::Configure {
                xml: Private::new("<a b=\"c\"/>\n".repeat(10_000).into_bytes()),
                undo: Private::new((0..=255).cycle().take(100_000).collect()),
            }],
            signer_pem: String::new(),
            root_verified: true,
            manifest: String::new(),
            chain: Vec::new(),
        };
        let json = plan.to_json().unwrap();
        assert_eq!(json.capacity(), json.len());
        assert_eq!(*json, serde_json::to_vec(&plan).unwrap());
    }
}
