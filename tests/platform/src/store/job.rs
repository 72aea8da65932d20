//! Provision jobs: one for each transaction that a device starts under a request.

use super::{Store, StoreError};
use crate::clock::{self, Millis};
use rusqlite::{params, OptionalExtension, Row};

/// The public states of a provision job (Everyware Cloud's words).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JobState {
    /// The request is there; no device has come.
    Created,
    /// A trigger has been accepted.
    Running,
    /// The device has accepted the certificates.
    Started,
    /// Configurations are on their way.
    ConfUpdating,
    /// The device has accepted all configurations.
    ConfUpdated,
    /// Packages are on their way.
    AppsInstalling,
    /// The device has accepted all packages.
    AppsInstalled,
    /// The device has committed.
    Completed,
    /// The last attempt failed; another one may follow.
    Failed,
    /// The device started another transaction instead.
    Abandoned,
}

impl JobState {
    const ALL: [JobState; 10] = [
        JobState::Created,
        JobState::Running,
        JobState::Started,
        JobState::ConfUpdating,
        JobState::ConfUpdated,
        JobState::AppsInstalling,
        JobState::AppsInstalled,
        JobState::Completed,
        JobState::Failed,
        JobState::Abandoned,
    ];

    /// The public word.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Created => "CREATED",
            JobState::Running => "RUNNING",
            JobState::Started => "STARTED",
            JobState::ConfUpdating => "CONF_UPDATING",
            JobState::ConfUpdated => "CONF_UPDATED",
            JobState::AppsInstalling => "APPS_INSTALLING",
            JobState::AppsInstalled => "APPS_INSTALLED",
            JobState::Completed => "COMPLETED",
            JobState::Failed => "FAILED",
            JobState::Abandoned => "ABANDONED",
        }
    }

    fn parse(word: &str) -> Result<JobState, StoreError> {
        let found = JobState::ALL.into_iter().find(|s| s.as_str() == word);
        found.ok_or_else(|| StoreError::UnknownState(word.to_owned()))
    }
}

impl std::fmt::Display for JobState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A stored job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its number in the database.
    pub id: i64,
    /// The request that it belongs to.
    pub request: i64,
    /// The device's transaction; none while CREATED.
    pub transaction_id: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// Whether a commit has been sent: from then on a BIRTH completes the job.
    pub commit_sent: bool,
    /// Code of the last failure.
    pub error_code: Option<String>,
    /// And its message.
    pub error_message: Option<String>,
    /// When it was made.
    pub created_on: Millis,
    /// When its state changed last.
    pub changed_on: Millis,
}

const COLUMNS: &str = "id, request, transaction_id, state, commit_sent, error_code, \
    error_message, created_on, changed_on";

impl Store {
    /// The jobs of a request, oldest first.
    pub fn jobs(&self, request: i64) -> Result<Vec<Job>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM job WHERE request = ?1 ORDER BY id");
        let mut query = self.db.prepare_cached(&query)?;
        let mut rows = query.query([request])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(job_of(row)?);
        }
        Ok(all)
    }

    /// The job with this number.
    pub fn job(&self, id: i64) -> Result<Option<Job>, StoreError> {
        self.one_job("id = ?1", (id,))
    }

    /// The latest job of a request.
    pub fn current_job(&self, request: i64) -> Result<Option<Job>, StoreError> {
        self.one_job("request = ?1 ORDER BY id DESC LIMIT 1", (request,))
    }

    /// The job of a transaction in an account, whatever its request.
    pub fn job_of_transaction(
        &self,
        account: &str,
        transaction_id: &str,
    ) -> Result<Option<Job>, StoreError> {
        self.one_job(
            "transaction_id = ?2 AND request IN (SELECT id FROM request WHERE account = ?1)",
            (account, transaction_id),
        )
    }

    fn one_job(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<Job>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM job WHERE {condition}");
        let mut query = self.db.prepare_cached(&query)?;
        let mut rows = query.query(values)?;
        rows.next()?.map(job_of).transpose()
    }

    /// Finds the job of a transaction, or gives the transaction to the request's CREATED job, or
    /// makes a new one and abandons those that are not over.
    pub fn find_or_start_job(
        &mut self,
        request: i64,
        transaction_id: &str,
    ) -> Result<Job, StoreError> {
        let now = clock::now();
        let change = self.db.transaction()?;
        let find = "SELECT id FROM job WHERE request = ?1 AND transaction_id = ?2";
        let known = change
            .query_row(find, params![request, transaction_id], |r| r.get(0))
            .optional()?;
        let id: i64 = match known {
            Some(id) => id,
            None => {
                let claimed = change.execute(
                    "UPDATE job SET transaction_id = ?2 \
                     WHERE request = ?1 AND transaction_id IS NULL",
                    params![request, transaction_id],
                )?;
                if claimed == 0 {
                    change.execute(
                        "UPDATE job SET state = ?2, changed_on = ?3 \
                         WHERE request = ?1 AND state <> 'COMPLETED'",
                        params![request, JobState::Abandoned.as_str(), now],
                    )?;
                    change.execute(
                        "INSERT INTO job (request, transaction_id, state, created_on, changed_on) \
                         VALUES (?1, ?2, ?3, ?4, ?4)",
                        params![request, transaction_id, JobState::Created.as_str(), now],
                    )?;
                }
                change.query_row(find, params![request, transaction_id], |r| r.get(0))?
            }
        };
        change.commit()?;
        self.job(id)?
            .ok_or_else(|| rusqlite::Error::QueryReturnedNoRows.into())
    }

    /// Moves a job on. A job that is COMPLETED stays so.
    pub fn set_state(&mut self, job: i64, state: JobState) -> Result<(), StoreError> {
        self.change_state(job, state, None)
    }

    /// Moves a job to FAILED, unless it is COMPLETED.
    pub fn fail_job(&mut self, job: i64, code: &str, message: &str) -> Result<(), StoreError> {
        self.change_state(job, JobState::Failed, Some((code, message)))
    }

    fn change_state(
        &mut self,
        job: i64,
        state: JobState,
        error: Option<(&str, &str)>,
    ) -> Result<(), StoreError> {
        let now = clock::now();
        let (code, message) = error.unzip();
        let change = self.db.transaction()?;
        let changed = change.execute(
            "UPDATE job SET state = ?2, changed_on = ?3, error_code = ?4, error_message = ?5 \
             WHERE id = ?1 AND state <> 'COMPLETED'",
            params![job, state.as_str(), now, code, message],
        )?;
        if changed > 0 {
            let sql = "INSERT INTO job_state (job, state, since) VALUES (?1, ?2, ?3)";
            change.execute(sql, params![job, state.as_str(), now])?;
        }
        change.commit()?;
        Ok(())
    }

    /// The states that a job went through, oldest first, CREATED not among them.
    pub fn states(&self, job: i64) -> Result<Vec<JobState>, StoreError> {
        let mut query = self
            .db
            .prepare_cached("SELECT state FROM job_state WHERE job = ?1 ORDER BY rowid")?;
        let words = query.query_map([job], |row| row.get::<_, String>(0))?;
        words.map(|word| JobState::parse(&word?)).collect()
    }

    /// Notes that a commit goes out.
    pub fn note_commit(&mut self, job: i64) -> Result<(), StoreError> {
        self.db
            .execute("UPDATE job SET commit_sent = 1 WHERE id = ?1", [job])?;
        Ok(())
    }

    /// The configuration documents of a job: fixed at the first attempt, equal in all later ones.
    pub fn documents(&self, job: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT content_sealed FROM document WHERE job = ?1 ORDER BY position",
        )?;
        let mut rows = query.query([job])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let content = self.vault.unseal("document", &row.get::<_, Vec<u8>>(0)?)?;
            all.push(content.to_vec());
        }
        Ok(all)
    }

    /// Fixes the documents of a job.
    pub fn set_documents(&mut self, job: i64, documents: &[Vec<u8>]) -> Result<(), StoreError> {
        let change = self.db.transaction()?;
        change.execute("DELETE FROM document WHERE job = ?1", [job])?;
        for (position, document) in documents.iter().enumerate() {
            let content = self.vault.seal("document", document)?;
            change.execute(
                "INSERT INTO document (job, position, content_sealed) VALUES (?1, ?2, ?3)",
                params![job, position, content],
            )?;
        }
        change.commit()?;
        Ok(())
    }
}

fn job_of(row: &Row<'_>) -> Result<Job, StoreError> {
    Ok(Job {
        id: row.get(0)?,
        request: row.get(1)?,
        transaction_id: row.get(2)?,
        state: JobState::parse(&row.get::<_, String>(3)?)?,
        commit_sent: row.get(4)?,
        error_code: row.get(5)?,
        error_message: row.get(6)?,
        created_on: row.get(7)?,
        changed_on: row.get(8)?,
    })
}
