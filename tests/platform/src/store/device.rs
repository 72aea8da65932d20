//! The device registry: who has sent a BIRTH to a target account.

use super::{Store, StoreError};
use crate::clock::{self, Millis};
use rusqlite::params;

/// A device of a target account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// The account.
    pub account: String,
    /// Its client-id there.
    pub client_id: String,
    /// `prov.transaction.id` of its last BIRTH that had one.
    pub transaction_id: Option<String>,
    /// `display_name` of its last BIRTH.
    pub display_name: Option<String>,
    /// `serial_number` of its last BIRTH.
    pub serial_number: Option<String>,
    /// How many BIRTHs.
    pub births: u32,
    /// The first one.
    pub first_seen: Millis,
    /// The last one.
    pub last_seen: Millis,
}

impl Store {
    /// Notes a BIRTH.
    pub fn note_birth(
        &mut self,
        account: &str,
        client_id: &str,
        transaction_id: Option<&str>,
        display_name: Option<&str>,
        serial_number: Option<&str>,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO device (account, client_id, transaction_id, display_name, \
             serial_number, births, first_seen, last_seen) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?6) \
             ON CONFLICT (account, client_id) DO UPDATE SET births = births + 1, last_seen = ?6, \
             transaction_id = COALESCE(?3, transaction_id), \
             display_name = COALESCE(?4, display_name), \
             serial_number = COALESCE(?5, serial_number)",
            params![
                account,
                client_id,
                transaction_id,
                display_name,
                serial_number,
                clock::now()
            ],
        )?;
        Ok(())
    }

    /// All devices, by account and client-id.
    pub fn devices(&self) -> Result<Vec<Device>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT account, client_id, transaction_id, display_name, serial_number, births, \
             first_seen, last_seen FROM device ORDER BY account, client_id",
        )?;
        let rows = query.query_map([], |row| {
            Ok(Device {
                account: row.get(0)?,
                client_id: row.get(1)?,
                transaction_id: row.get(2)?,
                display_name: row.get(3)?,
                serial_number: row.get(4)?,
                births: row.get(5)?,
                first_seen: row.get(6)?,
                last_seen: row.get(7)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
