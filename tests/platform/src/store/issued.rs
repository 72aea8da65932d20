//! Client certificates that were issued for keys on devices.

use super::{Store, StoreError};
use crate::clock::{self, Millis};
use rusqlite::params;

/// A certificate that a job issued. The device may not have taken it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// Serial number, upper hex.
    pub serial: String,
    /// SHA-256 over its DER, lower hex.
    pub fingerprint: String,
    /// The common name of its subject.
    pub common_name: String,
    /// The kind of its key, such as `EC-256`.
    pub key: String,
    /// When it was issued.
    pub issued_on: Millis,
    /// Itself, as PEM.
    pub certificate: String,
}

impl Store {
    /// Notes a certificate that was issued now; `issued_on` of the argument counts for nothing.
    pub fn note_issued(
        &mut self,
        job: i64,
        certificate: &IssuedCertificate,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO issued (job, serial, fingerprint, common_name, key, issued_on, \
             certificate) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                job,
                certificate.serial,
                certificate.fingerprint,
                certificate.common_name,
                certificate.key,
                clock::now(),
                certificate.certificate,
            ],
        )?;
        Ok(())
    }

    /// The certificates of a job, oldest first.
    pub fn issued(&self, job: i64) -> Result<Vec<IssuedCertificate>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT serial, fingerprint, common_name, key, issued_on, certificate FROM issued \
             WHERE job = ?1 ORDER BY id",
        )?;
        let rows = query.query_map([job], |row| {
            Ok(IssuedCertificate {
                serial: row.get(0)?,
                fingerprint: row.get(1)?,
                common_name: row.get(2)?,
                key: row.get(3)?,
                issued_on: row.get(4)?,
                certificate: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
