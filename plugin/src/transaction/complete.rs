//! After the commit record: forward, until it is true.

use gateway_component_abi::value::{Properties, Secret, Value};
use openssl::x509::X509;

use super::journal::Record;
use super::{of_host, record, Engine};
use crate::diagnosis::{Code, Fault};
use crate::host::{EntryKind, DM_KEYSTORE};

/// So many signers are trusted at once: the present one and, during a rotation, its successor.
const SIGNERS: usize = 2;

impl Engine {
    /// Trusts the new signer, sets `provisioned=true` and `enabled=false`, blanks the claim
    /// secrets, and reads back that it is so. Idempotent.
    pub fn complete(&mut self) -> Result<(), Fault> {
        let (id, _) = self.open_transaction()?;
        let plan = self.load_plan(&id)?;
        self.trust_signer(&id, &plan.signer_pem)?;
        self.write_success()
    }

    /// Lets the cloud connection connect, closes the journal's transaction, and cleans up.
    pub fn finish(&mut self) -> Result<(), Fault> {
        let (id, _) = self.open_transaction()?;
        self.host
            .connect(&id)
            .map_err(|e| of_host("the cloud connection", &e))?;
        let plan = self.load_plan(&id);
        let root_verified = plan.as_ref().is_ok_and(|plan| plan.root_verified);
        if let Ok(plan) = plan {
            for (n, operation) in plan.operations.iter().enumerate() {
                if matches!(operation, super::Operation::InstallPackage { .. }) {
                    self.host
                        .settle_package(&plan.key(&id, n))
                        .map_err(|e| of_host("an installed package", &e))?;
                }
            }
        }
        self.write(&[Record::Finished { root_verified }])?;
        self.staged = super::Staged::default();
        self.plan = None;
        // It is finished whatever is left over; the next start sweeps that up.
        if let Err(fault) = self.clean(&id) {
            log::warn!("{}: {fault}", self.own_pid);
        }
        Ok(())
    }

    /// What the plan at hand says for the record, and the session does not know after a restart:
    /// the manifest, the chain and the packages. Nothing where no plan was sealed.
    pub fn describe(&self, entry: &mut record::Entry) {
        let sealed = |(id, _): (String, u32)| self.load_plan(&id).ok();
        let Some(plan) = self.open_transaction().ok().and_then(sealed) else {
            return;
        };
        entry.packages = plan
            .operations
            .iter()
            .filter_map(|operation| match operation {
                super::Operation::InstallPackage { name, version, .. } => {
                    Some(format!("{name} {version}"))
                }
                _ => None,
            })
            .collect();
        entry.manifest = plan.manifest.clone();
        entry.chain = plan.chain.clone();
    }

    /// Appends to the provisioning record.
    pub fn record(&self, entry: record::Entry) -> Result<(), Fault> {
        record::append(&self.folder, entry)
            .map_err(|e| super::of_io(&self.folder.join(record::FILE).display().to_string(), &e))
    }

    fn trust_signer(&self, id: &str, pem: &str) -> Result<(), Fault> {
        let broken = |e: openssl::error::ErrorStack| {
            Fault::new(Code::ApplyFailed, format!("the signer's certificate: {e}"))
        };
        let refused = |e| of_host(DM_KEYSTORE, &e);
        let signer = X509::from_pem(pem.as_bytes()).map_err(broken)?;
        let fingerprint = fingerprint(&signer).map_err(broken)?;
        let alias = format!("dm-{}", fingerprint.get(..16).unwrap_or(&fingerprint));
        let mut others: Vec<(i64, String)> = Vec::new();
        for entry in self.host.keystore(DM_KEYSTORE).map_err(refused)? {
            if entry.kind != EntryKind::TrustedCertificate || entry.alias == alias {
                continue;
            }
            let Ok(certificate) = X509::from_pem(entry.pem.as_bytes()) else {
                continue;
            };
            if crate::trust::is_ca(&certificate) {
                continue;
            }
            let epoch = openssl::asn1::Asn1Time::from_unix(0).map_err(broken)?;
            let days = epoch
                .diff(certificate.not_before())
                .map(|d| i64::from(d.days) * 86_400 + i64::from(d.secs))
                .map_err(broken)?;
            others.push((days, entry.alias));
        }
        self.host
            .put_certificate(&format!("{id}/signer"), DM_KEYSTORE, &alias, pem)
            .map_err(refused)?;
        others.sort();
        let surplus = (others.len() + 1).saturating_sub(SIGNERS);
        for (_, alias) in others.into_iter().take(surplus) {
            self.host
                .remove_entry(&format!("{id}/signer/{alias}"), DM_KEYSTORE, &alias)
                .map_err(refused)?;
        }
        Ok(())
    }

    fn write_success(&self) -> Result<(), Fault> {
        let refused = |e| of_host("the own configuration", &e);
        let mut properties = Properties::new();
        properties.insert("provisioned".into(), true.into());
        properties.insert("enabled".into(), false.into());
        properties.insert("password".into(), Secret::default().into());
        properties.insert("activation-key".into(), Secret::default().into());
        // Also where it reads back so already: the host may have been cut off before it erased the
        // claim secrets from older configurations.
        self.host.update_own(&properties).map_err(refused)?;
        if self.succeeded().map_err(refused)? {
            return Ok(());
        }
        Err(Fault::new(
            Code::ApplyFailed,
            "the host took provisioned=true and enabled=false, but reads back something else",
        ))
    }

    fn succeeded(&self) -> Result<bool, gateway_component_abi::safe::error::CallError> {
        let own = self.host.configurations(&self.own_pid, true)?;
        let Some(own) = own.into_iter().find(|c| c.pid == self.own_pid) else {
            return Ok(false);
        };
        let is = |name: &str| own.properties.get(name).and_then(Value::as_bool);
        let blank = |name: &str| match own.properties.get(name) {
            None => true,
            Some(value) => {
                value.as_secret().is_some_and(Secret::is_empty) || value.as_str() == Some("")
            }
        };
        Ok(is("provisioned") == Some(true)
            && is("enabled") == Some(false)
            && blank("password")
            && blank("activation-key"))
    }
}

fn fingerprint(certificate: &X509) -> Result<String, openssl::error::ErrorStack> {
    let digest = certificate.digest(openssl::hash::MessageDigest::sha256())?;
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
