//! Keys that the host makes for the platform's certificate request.
//!
//! A key is made before the plan is known, so the journal names it first: whatever way the attempt
//! ends, also by a loss of power, the keystore is as before. A key that was there already is used
//! and stays.

use super::journal::{Made, Open, Record};
use super::{of_host, Engine};
use crate::diagnosis::Fault;
use crate::protocol::Csr;

impl Engine {
    /// A certificate request (PKCS#10, PEM) for the key that the platform names, which is made
    /// where the keystore has none.
    pub fn request_certificate(&mut self, csr: &Csr) -> Result<Vec<u8>, Fault> {
        let object = format!("key {} of {}", csr.alias, csr.keystore);
        let refused = |e| of_host(&object, &e);
        let (id, _) = self.open_transaction()?;
        let entries = self.host.keystore(&csr.keystore).map_err(refused)?;
        let made = Made {
            keystore: csr.keystore.clone(),
            alias: csr.alias.clone(),
        };
        // Anything under this alias is somebody's; the host says whether it is a key.
        if !entries.iter().any(|entry| entry.alias == csr.alias) {
            self.write(&[Record::Key(made)])?;
        }
        self.host
            .create_key(
                &format!("{id}/key/{}/{}", csr.keystore, csr.alias),
                &csr.keystore,
                &csr.alias,
                &csr.algorithm,
                csr.size,
            )
            .map_err(refused)?;
        self.host
            .csr(
                &csr.keystore,
                &csr.alias,
                &csr.attributes,
                &csr.signature_algorithm,
            )
            .map(String::into_bytes)
            .map_err(refused)
    }

    /// Removes the keys that the open transaction made, or was about to make.
    pub(super) fn remove_keys(&self, open: &Open) -> Result<(), Fault> {
        for Made { keystore, alias } in &open.keys {
            self.host
                .remove_entry(
                    &format!("{}/key/{keystore}/{alias}/undo", open.id),
                    keystore,
                    alias,
                )
                .map_err(|e| of_host(&format!("key {alias} of {keystore}"), &e))?;
        }
        Ok(())
    }
}
