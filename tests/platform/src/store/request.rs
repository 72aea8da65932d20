//! Provision requests: who may be provisioned, when, how often, and into what.

use super::{package, Attachment, JobState, NewRequest, Store, StoreError};
use crate::clock::{self, Millis};
use crate::pki::DeviceKey;
use crate::secret::Secret;
use rusqlite::{params, OptionalExtension, Row};

/// A stored request.
#[derive(Clone, Debug)]
pub struct ProvisionRequest {
    /// Its number in the database.
    pub id: i64,
    /// The client-id in the provisioning account.
    pub client_id: String,
    /// The user name there.
    pub username: String,
    /// The password there.
    pub password: Secret,
    /// What the trigger must present.
    pub activation_key: Option<Secret>,
    /// Not before.
    pub activates_on: Option<Millis>,
    /// Not at or after.
    pub expires_on: Option<Millis>,
    /// Triggers answered at most.
    pub max_attempts: Option<u32>,
    /// Triggers answered so far.
    pub attempts: u32,
    /// Cleared when the attempts are used up.
    pub enabled: bool,
    /// Where the device goes.
    pub target: TargetCredentials,
    /// The key that the device makes for the target account, if it is to.
    pub device_key: Option<DeviceKey>,
    /// When it was made.
    pub created_on: Millis,
}

/// What the device gets in the target account; the same in every attempt.
#[derive(Clone, Debug)]
pub struct TargetCredentials {
    /// The account.
    pub account: String,
    /// The client-id there.
    pub client_id: String,
    /// The user name there.
    pub username: String,
    /// The password there.
    pub password: Secret,
}

/// Where a request stands in its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// It may be used.
    Active,
    /// Not yet.
    NotActive,
    /// Not any more.
    Expired,
}

impl ProvisionRequest {
    /// Whether it may be used at this time, attempts apart.
    pub fn window(&self, now: Millis) -> Window {
        if self.expires_on.is_some_and(|t| now >= t) {
            Window::Expired
        } else if self.activates_on.is_some_and(|t| now < t) {
            Window::NotActive
        } else {
            Window::Active
        }
    }

    /// Whether all attempts are used up.
    pub fn exhausted(&self) -> bool {
        self.max_attempts.is_some_and(|max| self.attempts >= max)
    }
}

const COLUMNS: &str = "id, client_id, username, password_sealed, activation_key_sealed, \
    activates_on, expires_on, max_attempts, attempts, enabled, account, target_client_id, \
    target_username, target_password_sealed, created_on, device_key";

impl Store {
    /// Stores a new request with a job in state CREATED, and makes its target credentials.
    pub fn create_request(&mut self, new: &NewRequest) -> Result<i64, StoreError> {
        new.check()?;
        let target_client_id = new.target_client_id.as_ref().unwrap_or(&new.client_id);
        let target_username = format!("device-{target_client_id}");
        let target_password = crate::secret::random(32)?;
        let password = self
            .vault
            .seal("password", new.password.expose().as_bytes())?;
        let key = match &new.activation_key {
            Some(key) => Some(self.vault.seal("activation key", key.expose().as_bytes())?),
            None => None,
        };
        let target_password = self
            .vault
            .seal("target password", target_password.expose().as_bytes())?;
        let packages = new
            .packages
            .iter()
            .map(|package| package.take_in(&self.packages))
            .collect::<Result<Vec<_>, _>>()?;
        let credentials = match new.package_credentials {
            true => Some(self.vault.seal(
                "package password",
                crate::secret::random(32)?.expose().as_bytes(),
            )?),
            false => None,
        };
        let token = match packages.is_empty() {
            true => None,
            false => Some(crate::secret::random(32)?),
        };
        let now = clock::now();
        let change = self.db.transaction()?;
        if new.overwrite {
            change.execute("DELETE FROM request WHERE client_id = ?1", [&new.client_id])?;
        }
        for (field, column, value) in [
            ("client-id", "client_id", &new.client_id),
            ("username", "username", &new.username),
        ] {
            let query = format!("SELECT 1 FROM request WHERE {column} = ?1");
            if change
                .query_row(&query, [value], |_| Ok(()))
                .optional()?
                .is_some()
            {
                return Err(StoreError::Duplicate {
                    field,
                    value: value.clone(),
                });
            }
        }
        change.execute(
            "INSERT INTO request (client_id, username, password_sealed, activation_key_sealed, \
             activates_on, expires_on, max_attempts, account, target_client_id, target_username, \
             target_password_sealed, created_on, device_key, package_token, package_username, \
             package_password_sealed) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
            params![
                new.client_id,
                new.username,
                password,
                key,
                new.activates_on,
                new.expires_on,
                new.max_attempts,
                new.account,
                target_client_id,
                target_username,
                target_password,
                now,
                new.device_key.map(DeviceKey::name),
                token.as_ref().map(Secret::expose),
                credentials
                    .as_ref()
                    .map(|_| format!("packages-{}", new.client_id)),
                credentials
            ],
        )?;
        let id = change.last_insert_rowid();
        package::insert(&change, id, &packages)?;
        for (position, attachment) in new.configurations.iter().enumerate() {
            let content = self.vault.seal("attachment", &attachment.content)?;
            change.execute(
                "INSERT INTO attachment (request, position, name, content_sealed) \
                 VALUES (?1, ?2, ?3, ?4)",
                params![id, position, attachment.name, content],
            )?;
        }
        change.execute(
            "INSERT INTO job (request, state, created_on, changed_on) VALUES (?1, ?2, ?3, ?3)",
            params![id, JobState::Created.as_str(), now],
        )?;
        change.commit()?;
        Ok(id)
    }

    /// All requests, oldest first.
    pub fn requests(&self) -> Result<Vec<ProvisionRequest>, StoreError> {
        let mut query = self
            .db
            .prepare_cached(&format!("SELECT {COLUMNS} FROM request ORDER BY id"))?;
        let mut rows = query.query([])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(self.request_of(row)?);
        }
        Ok(all)
    }

    /// The request with this number.
    pub fn request(&self, id: i64) -> Result<Option<ProvisionRequest>, StoreError> {
        self.one_request("id = ?1", (id,))
    }

    /// The request with this client-id.
    pub fn request_of_client(
        &self,
        client_id: &str,
    ) -> Result<Option<ProvisionRequest>, StoreError> {
        self.one_request("client_id = ?1", (client_id,))
    }

    fn one_request(
        &self,
        condition: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<ProvisionRequest>, StoreError> {
        let query = format!("SELECT {COLUMNS} FROM request WHERE {condition}");
        let mut query = self.db.prepare_cached(&query)?;
        let mut rows = query.query(values)?;
        rows.next()?.map(|row| self.request_of(row)).transpose()
    }

    /// The documents attached to a request, in order.
    pub fn attachments(&self, request: i64) -> Result<Vec<Attachment>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT name, content_sealed FROM attachment WHERE request = ?1 ORDER BY position",
        )?;
        let mut rows = query.query([request])?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            let content = self
                .vault
                .unseal("attachment", &row.get::<_, Vec<u8>>(1)?)?;
            all.push(Attachment {
                name: row.get(0)?,
                content: content.to_vec(),
            });
        }
        Ok(all)
    }

    /// Counts one more trigger.
    pub fn count_attempt(&mut self, request: i64) -> Result<(), StoreError> {
        let sql = "UPDATE request SET attempts = attempts + 1 WHERE id = ?1";
        self.db.execute(sql, [request])?;
        Ok(())
    }

    /// Enables or disables a request; enabling gives it its attempts back.
    pub fn enable_request(&mut self, request: i64, enabled: bool) -> Result<(), StoreError> {
        let sql = "UPDATE request SET enabled = ?2, \
                   attempts = CASE WHEN ?2 THEN 0 ELSE attempts END WHERE id = ?1";
        self.db.execute(sql, params![request, enabled])?;
        Ok(())
    }

    /// Changes the window of a request.
    pub fn set_window(
        &mut self,
        request: i64,
        activates_on: Option<Millis>,
        expires_on: Option<Millis>,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE request SET activates_on = ?2, expires_on = ?3 WHERE id = ?1";
        self.db
            .execute(sql, params![request, activates_on, expires_on])?;
        Ok(())
    }

    /// Removes a request with its job and history. False: there is none.
    pub fn delete_request(&mut self, request: i64) -> Result<bool, StoreError> {
        Ok(self
            .db
            .execute("DELETE FROM request WHERE id = ?1", [request])?
            > 0)
    }

    fn request_of(&self, row: &Row<'_>) -> Result<ProvisionRequest, StoreError> {
        let open = |purpose, sealed: Vec<u8>| self.vault.unseal_text(purpose, &sealed);
        let key = row.get::<_, Option<Vec<u8>>>(4)?;
        Ok(ProvisionRequest {
            id: row.get(0)?,
            client_id: row.get(1)?,
            username: row.get(2)?,
            password: open("password", row.get(3)?)?,
            activation_key: key.map(|key| open("activation key", key)).transpose()?,
            activates_on: row.get(5)?,
            expires_on: row.get(6)?,
            max_attempts: row.get(7)?,
            attempts: row.get(8)?,
            enabled: row.get(9)?,
            target: TargetCredentials {
                account: row.get(10)?,
                client_id: row.get(11)?,
                username: row.get(12)?,
                password: open("target password", row.get(13)?)?,
            },
            created_on: row.get(14)?,
            device_key: match row.get::<_, Option<String>>(15)? {
                Some(name) => Some(name.parse().map_err(|_| StoreError::UnknownKey(name))?),
                None => None,
            },
        })
    }
}
