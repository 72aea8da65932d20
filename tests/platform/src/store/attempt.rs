//! Attempts: what was sent in each, what came back, and how it ended.

use super::{Store, StoreError};
use crate::clock::{self, Millis};
use rusqlite::params;

/// One attempt of a device, from its trigger on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its number in the database.
    pub id: i64,
    /// Counted from 1 within the request.
    pub number: u32,
    /// When the trigger came.
    pub started_on: Millis,
    /// When it was over.
    pub ended_on: Option<Millis>,
    /// `ok`, or an error code; none while it runs.
    pub outcome: Option<String>,
    /// What there is to say about it.
    pub message: Option<String>,
}

/// One request to the device and its reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The request's id on the wire.
    pub request_id: String,
    /// Such as `PROV-V1/EXEC/commit`.
    pub application_topic: String,
    /// Size of the payload sent.
    pub payload_bytes: usize,
    /// When it was sent.
    pub sent_on: Millis,
    /// When the first reply came.
    pub replied_on: Option<Millis>,
    /// `response.code` of the first reply.
    pub response_code: Option<i32>,
    /// Its `prov.error.code`.
    pub error_code: Option<String>,
    /// Its `response.exception.message`.
    pub message: Option<String>,
    /// How many replies came.
    pub replies: u32,
}

impl Store {
    /// Begins an attempt.
    pub fn begin_attempt(&mut self, job: i64, number: u32) -> Result<i64, StoreError> {
        let sql = "INSERT INTO attempt (job, number, started_on) VALUES (?1, ?2, ?3)";
        self.db.execute(sql, params![job, number, clock::now()])?;
        Ok(self.db.last_insert_rowid())
    }

    /// Ends an attempt; the first end counts.
    pub fn end_attempt(
        &mut self,
        attempt: i64,
        outcome: &str,
        message: &str,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE attempt SET ended_on = ?2, outcome = ?3, message = ?4 \
                   WHERE id = ?1 AND ended_on IS NULL";
        self.db
            .execute(sql, params![attempt, clock::now(), outcome, message])?;
        Ok(())
    }

    /// Ends what an earlier process left unfinished: its attempts, and with them the jobs whose
    /// commit was not on its way. Those others may still be completed by a BIRTH, and all of them by
    /// another attempt.
    pub fn end_interrupted(&mut self) -> Result<(), StoreError> {
        const CODE: &str = "network.lost";
        const WHY: &str = "the platform was restarted";
        let mut query = self.db.prepare(
            "SELECT attempt.id, job.id, job.commit_sent FROM attempt \
             JOIN job ON job.id = attempt.job WHERE attempt.ended_on IS NULL",
        )?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let open: Vec<(i64, i64, bool)> = rows.collect::<Result<_, _>>()?;
        drop(query);
        for (attempt, job, commit_sent) in open {
            self.end_attempt(attempt, CODE, WHY)?;
            if !commit_sent {
                self.fail_job(job, CODE, WHY)?;
            }
        }
        Ok(())
    }

    /// Notes a request to the device.
    pub fn note_sent(
        &mut self,
        attempt: i64,
        request_id: &str,
        application_topic: &str,
        payload_bytes: usize,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO exchange \
                   (attempt, request_id, application_topic, payload_bytes, sent_on) \
                   VALUES (?1, ?2, ?3, ?4, ?5)";
        let now = clock::now();
        self.db.execute(
            sql,
            params![attempt, request_id, application_topic, payload_bytes, now],
        )?;
        Ok(())
    }

    /// Notes a reply.
    pub fn note_reply(
        &mut self,
        request_id: &str,
        response_code: i32,
        error_code: Option<&str>,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE exchange SET replies = replies + 1, \
                   replied_on = COALESCE(replied_on, ?2), \
                   response_code = COALESCE(response_code, ?3), \
                   error_code = COALESCE(error_code, ?4), message = COALESCE(message, ?5) \
                   WHERE request_id = ?1";
        self.db.execute(
            sql,
            params![request_id, clock::now(), response_code, error_code, message],
        )?;
        Ok(())
    }

    /// The attempts of a job, oldest first.
    pub fn attempts(&self, job: i64) -> Result<Vec<Attempt>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT id, number, started_on, ended_on, outcome, message FROM attempt \
             WHERE job = ?1 ORDER BY id",
        )?;
        let rows = query.query_map([job], |row| {
            Ok(Attempt {
                id: row.get(0)?,
                number: row.get(1)?,
                started_on: row.get(2)?,
                ended_on: row.get(3)?,
                outcome: row.get(4)?,
                message: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The requests and replies of an attempt, oldest first.
    pub fn exchanges(&self, attempt: i64) -> Result<Vec<Exchange>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT request_id, application_topic, payload_bytes, sent_on, replied_on, \
             response_code, error_code, message, replies FROM exchange \
             WHERE attempt = ?1 ORDER BY id",
        )?;
        let rows = query.query_map([attempt], |row| {
            Ok(Exchange {
                request_id: row.get(0)?,
                application_topic: row.get(1)?,
                payload_bytes: row.get(2)?,
                sent_on: row.get(3)?,
                replied_on: row.get(4)?,
                response_code: row.get(5)?,
                error_code: row.get(6)?,
                message: row.get(7)?,
                replies: row.get(8)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
