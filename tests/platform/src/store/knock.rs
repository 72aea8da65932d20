//! Devices that were refused at the door of the provision broker.

use super::{Store, StoreError};
use crate::clock::Millis;
use rusqlite::{params, OptionalExtension};

/// After so long without one, in ms, the next begins a new series.
const SERIES: Millis = 3_600_000;

/// A series of refused connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Knock {
    /// Whether the broker told that it was this client-id; else it may have been anybody.
    pub named: bool,
    /// How often.
    pub count: u32,
    /// The first of them.
    pub first_on: Millis,
    /// The last.
    pub last_on: Millis,
}

impl Store {
    /// Notes refused connections, under a client-id only where a request has it: anybody may call
    /// himself anything.
    pub fn note_knock(
        &mut self,
        client_id: Option<&str>,
        count: u32,
        last_on: Millis,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO knock (client_id, count, first_on, last_on) VALUES ( \
             COALESCE((SELECT client_id FROM request WHERE client_id = ?1), ''), ?2, ?3, ?3) \
             ON CONFLICT (client_id) DO UPDATE SET \
             count = ?2 + CASE WHEN last_on < ?4 THEN 0 ELSE count END, \
             first_on = CASE WHEN last_on < ?4 THEN ?3 ELSE first_on END, last_on = ?3",
            params![client_id, count, last_on, last_on.saturating_sub(SERIES)],
        )?;
        Ok(())
    }

    /// The last refused connections that may have been of this client-id, at or after `since`: those
    /// that the broker told to be of it, else those of which it does not tell.
    pub fn knock(&self, client_id: &str, since: Millis) -> Result<Option<Knock>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT client_id <> '', count, first_on, last_on FROM knock \
             WHERE client_id IN (?1, '') AND last_on >= ?2 ORDER BY client_id DESC LIMIT 1",
        )?;
        let row = query.query_row(params![client_id, since], |row| {
            Ok(Knock {
                named: row.get(0)?,
                count: row.get(1)?,
                first_on: row.get(2)?,
                last_on: row.get(3)?,
            })
        });
        Ok(row.optional()?)
    }
}
