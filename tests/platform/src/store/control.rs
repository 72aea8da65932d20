//! Control requests that one process leaves for the running platform, and their replies.
//!
//! Everything of a request and of its reply is sealed: configurations hold passwords.

use super::{Store, StoreError};
use crate::clock;
use crate::control::{ControlError, ControlFault, ControlReply, ControlRequest};
use kura_formats::payload::{decode, encode, Limits, Payload};
use kura_formats::topic::Method;
use rusqlite::{params, OptionalExtension};
use serde_json::{json, Value};
use std::time::Duration;

/// How long a request stays in the database after its time.
const KEPT: i64 = 3_600_000;

impl Store {
    /// Leaves a request for the running platform. Those of long ago are removed.
    pub fn leave_control(&mut self, asked: &ControlRequest) -> Result<i64, StoreError> {
        let mut carrier = Payload::new();
        for (name, value) in &asked.metrics {
            carrier.push(name.clone(), value.clone());
        }
        carrier.body.clone_from(&asked.body);
        let package = asked.package.as_ref().map(|p| {
            json!({
                "name": p.name, "version": p.version, "file_name": p.file_name,
                "sha256": p.sha256, "size": p.size,
            })
        });
        let what = json!({
            "account": asked.account,
            "client_id": asked.client_id,
            "app": asked.app,
            "method": asked.method.name(),
            "resources": asked.resources,
            "package": package,
            "until_notified": asked.until_notified,
            "fault": asked.fault.name(),
            "has_body": asked.body.is_some(),
        });
        let what = self.vault.seal("control", what.to_string().as_bytes())?;
        let carrier = self.vault.seal("control", &encode(&carrier))?;
        let within = i64::try_from(asked.within.as_millis()).unwrap_or(i64::MAX);
        let now = clock::now();
        let change = self.db.transaction()?;
        let old = "DELETE FROM control WHERE created_on < ?1";
        change.execute(old, [now - KEPT])?;
        change.execute(
            "INSERT INTO control (what_sealed, payload_sealed, within, created_on) \
             VALUES (?1, ?2, ?3, ?4)",
            params![what, carrier, within, now],
        )?;
        let id = change.last_insert_rowid();
        change.commit()?;
        Ok(id)
    }

    /// Takes what was left and is still of use, oldest first; each is taken once.
    pub(crate) fn take_controls(&mut self) -> Result<Vec<(i64, ControlRequest)>, StoreError> {
        // Most changes are others, and a look takes no lock from those who write.
        let left = "SELECT EXISTS (SELECT 1 FROM control WHERE taken_on IS NULL)";
        if !self.db.query_row(left, [], |row| row.get::<_, bool>(0))? {
            return Ok(Vec::new());
        }
        let mut query = self.db.prepare_cached(
            "UPDATE control SET taken_on = ?1 WHERE taken_on IS NULL AND created_on + within > ?1 \
             RETURNING id, what_sealed, payload_sealed, within",
        )?;
        let mut rows = query.query([clock::now()])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let what = self.vault.unseal("control", &row.get::<_, Vec<u8>>(1)?)?;
            let payload = self.vault.unseal("control", &row.get::<_, Vec<u8>>(2)?)?;
            let within = u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default();
            if let Some(asked) = self.read(&what, &payload, Duration::from_millis(within)) {
                all.push((row.get(0)?, asked));
            }
        }
        all.sort_by_key(|(id, _)| *id);
        Ok(all)
    }

    fn read(&self, what: &[u8], payload: &[u8], within: Duration) -> Option<ControlRequest> {
        let what: Value = serde_json::from_slice(what).ok()?;
        let carrier = decode(payload, &Limits::default()).ok()?;
        let text = |name: &str| Some(what.get(name)?.as_str()?.to_owned());
        let package = what.get("package").filter(|p| !p.is_null());
        let part = |name: &str| Some(package?.get(name)?.as_str()?.to_owned());
        let sha256 = part("sha256");
        Some(ControlRequest {
            account: text("account")?,
            client_id: text("client_id")?,
            app: text("app")?,
            method: Method::from_name(&text("method")?)?,
            resources: what
                .get("resources")?
                .as_array()?
                .iter()
                .filter_map(|r| r.as_str().map(str::to_owned))
                .collect(),
            metrics: carrier
                .metrics
                .into_iter()
                .map(|m| (m.name, m.value))
                .collect(),
            body: carrier
                .body
                .or_else(|| what.get("has_body")?.as_bool()?.then(Vec::new)),
            package: sha256.and_then(|sha256| {
                Some(super::Package {
                    name: part("name")?,
                    version: part("version")?,
                    file_name: part("file_name")?,
                    size: package?.get("size")?.as_u64()?,
                    file: self.packages.join(&sha256),
                    sha256,
                })
            }),
            until_notified: text("until_notified"),
            fault: ControlFault::from_name(&text("fault")?)?,
            within,
        })
    }

    /// Writes down what came of a request.
    pub(crate) fn end_control(
        &mut self,
        id: i64,
        result: &Result<ControlReply, ControlError>,
    ) -> Result<(), StoreError> {
        let seal = |payload: &Payload| self.vault.seal("control reply", &encode(payload));
        let (reply, notification, error) = match result {
            Ok(reply) => (
                Some(seal(&reply.payload)?),
                reply.notification.as_ref().map(seal).transpose()?,
                None,
            ),
            Err(error) => (None, None, Some(error.to_string())),
        };
        self.db.execute(
            "UPDATE control SET ended_on = ?2, reply_sealed = ?3, notification_sealed = ?4, \
             error = ?5 WHERE id = ?1",
            params![id, clock::now(), reply, notification, error],
        )?;
        Ok(())
    }

    /// What came of a request that was left: nothing yet, a reply, or the reason why there is none.
    pub fn control(&self, id: i64) -> Result<ControlState, StoreError> {
        type Columns = (
            Option<i64>,
            Option<i64>,
            Option<Vec<u8>>,
            Option<Vec<u8>>,
            Option<String>,
        );
        let row: Option<Columns> = self
            .db
            .query_row(
                "SELECT taken_on, ended_on, reply_sealed, notification_sealed, error \
                 FROM control WHERE id = ?1",
                [id],
                |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?)),
            )
            .optional()?;
        let Some((taken, ended, reply, notification, error)) = row else {
            return Ok(ControlState::Failed("the request is gone".to_owned()));
        };
        let open = |sealed: Vec<u8>| -> Result<Payload, StoreError> {
            let bytes = self.vault.unseal("control reply", &sealed)?;
            Ok(decode(&bytes, &Limits::default()).unwrap_or_default())
        };
        Ok(match (taken, ended, reply, error) {
            (None, ..) => ControlState::Left,
            (_, None, ..) => ControlState::Sent,
            (_, _, Some(reply), _) => {
                let payload = open(reply)?;
                ControlState::Answered(Box::new(ControlReply {
                    code: payload
                        .int32(kura_formats::request::RESPONSE_CODE)
                        .unwrap_or(0),
                    payload,
                    notification: notification.map(open).transpose()?,
                }))
            }
            (_, _, None, error) => ControlState::Failed(error.unwrap_or_default()),
        })
    }
}

/// Where a request stands that was left in the database.
#[derive(Clone, Debug)]
pub enum ControlState {
    /// No platform has taken it.
    Left,
    /// It is on its way.
    Sent,
    /// There is a reply.
    Answered(Box<ControlReply>),
    /// There will be none.
    Failed(String),
}
