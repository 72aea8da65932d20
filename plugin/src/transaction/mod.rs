//! One transaction over certificates, keys, packages and configurations: never half-provisioned.
//!
//! [`Engine`] carries out what the state machine asks for: stage, seal, apply, undo, commit,
//! complete, clean; and [`Engine::recover`] brings whatever a crash left to one of the two ends.
//! It decides from the journal alone. It knows the host and the component's folder, nothing of
//! the network.

mod apply;
mod complete;
pub mod journal;
mod keys;
mod packages;
pub mod plan;
mod private;
pub mod record;
mod recover;
mod staged;
#[cfg(test)]
pub(crate) mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use kura_formats::configurations;

use crate::diagnosis::{Code, Fault};
use crate::host::{EntryKind, Host};
use crate::provisioner::{GaveUp, Memory};
use crate::settings::Identity;
use journal::{Journal, JournalError, Phase, Record, Summary};
pub use packages::MAX_PACKAGES;
use plan::{Operation, Plan};
use private::Private;
pub use staged::Item;
use staged::Staged;

/// The transaction of one component instance.
pub struct Engine {
    host: Arc<dyn Host>,
    own_pid: String,
    folder: PathBuf,
    journal: Journal,
    staged: Staged,
    plan: Option<Arc<Plan>>,
    next: usize,
    /// The host keeps configurations for this transaction, and no restore will end that.
    captured: bool,
}

impl Engine {
    /// Opens the journal in the host's folder for the instance `own_pid`.
    pub fn open(host: Arc<dyn Host>, own_pid: &str) -> Result<Engine, Fault> {
        let folder = host
            .storage_folder()
            .map_err(|e| of_host("the host gives no folder", &e))?;
        durable_file::create_folder(&folder.join("staging"))
            .map_err(|e| of_io(&folder.join("staging").display().to_string(), &e))?;
        let journal = Journal::open(&folder).map_err(|e| of_journal(&e))?;
        Ok(Engine {
            host,
            own_pid: own_pid.to_owned(),
            folder,
            journal,
            staged: Staged::default(),
            plan: None,
            next: 0,
            captured: false,
        })
    }

    /// The component's folder.
    pub fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The latest good time that is known, ms since 1970.
    pub fn good_time_ms(&self) -> i64 {
        self.journal.summary().good_time_ms
    }

    /// UUID of the last finished transaction.
    pub fn last_transaction(&self) -> Option<&str> {
        self.journal.summary().last_transaction.as_deref()
    }

    /// Whether the root was trusted at the last success; `None` before the first.
    pub fn root_verified(&self) -> Option<bool> {
        self.journal.summary().root_verified
    }

    /// Writes down that attempt `n` counts; with the first one, that the transaction begins, and that
    /// the one before has ended where that could not be written at the time.
    pub fn count(
        &mut self,
        n: u32,
        transaction: &str,
        identity: &Identity,
        parameters: &str,
        at_ms: i64,
    ) -> Result<(), Fault> {
        let mut records = Vec::new();
        let open = self.journal.summary().transaction.as_ref();
        let another = open.is_some_and(|open| open.id != transaction);
        if another {
            records.push(Record::Abandoned);
        }
        if another || open.is_none() {
            records.push(Record::Started {
                transaction: transaction.to_owned(),
                client_id: identity.client_id.clone(),
                username: identity.username.clone(),
                parameters: parameters.to_owned(),
            });
        }
        records.push(Record::Attempt { n, at_ms });
        self.write(&records)
    }

    /// Writes down that the attempts are used up; with `None`, that this is over.
    pub fn give_up(&mut self, gave_up: Option<Box<GaveUp>>) -> Result<(), Fault> {
        let summary = self.journal.summary();
        if summary.gave_up == gave_up {
            return Ok(());
        }
        let summary = Summary {
            gave_up,
            ..summary.clone()
        };
        self.write(&[Record::Summary(Box::new(summary))])
    }

    /// Writes down that the transaction ends without success.
    pub fn abandon(&mut self) -> Result<(), Fault> {
        if self.journal.summary().transaction.is_none() {
            return Ok(());
        }
        self.write(&[Record::Abandoned])
    }

    /// Keeps an item for the commit.
    pub fn stage(&mut self, item: Item) -> Result<(), Fault> {
        self.staged.add(item, &*self.host, &self.own_pid)
    }

    /// Writes the plan of everything staged; `signer_pem` becomes trusted at the commit, `manifest`
    /// and `chain` are for the record.
    pub fn seal(
        &mut self,
        signer_pem: &str,
        root_verified: bool,
        manifest: &str,
        chain: &[String],
    ) -> Result<(), Fault> {
        let (id, attempt) = self.open_transaction()?;
        self.captured = !self.staged.configurations().is_empty();
        let plan = Plan {
            attempt,
            operations: self.operations()?,
            signer_pem: signer_pem.to_owned(),
            root_verified,
            manifest: manifest.to_owned(),
            chain: chain.to_vec(),
        };
        let plan = self.write_plan(&id, plan)?;
        self.write(&[Record::Sealed])?;
        self.captured = false;
        self.plan = Some(plan);
        self.next = 0;
        Ok(())
    }

    /// Writes the plan, encrypted where the host does that, and gives it back. It may be large: so it
    /// is held as the text alone while the host holds it encrypted, on its way to the disk.
    fn write_plan(&self, transaction: &str, plan: Plan) -> Result<Arc<Plan>, Fault> {
        let broken = |e| Fault::new(Code::ApplyFailed, format!("the plan: {e}"));
        let json = plan.to_json().map_err(broken)?;
        drop(plan);
        let path = self.plan_path(transaction);
        let mut written = Ok(());
        let sealed = self
            .host
            .encrypt(&json, &mut |sealed| {
                written = durable_file::write(&path, sealed);
            })
            .map_err(|e| of_host("the host could not encrypt the plan", &e))?;
        if !sealed {
            written = durable_file::write(&path, &json);
        }
        written.map_err(|e| of_io(&path.display().to_string(), &e))?;
        serde_json::from_slice(&json).map(Arc::new).map_err(broken)
    }

    /// The operations of what is staged; the configurations become one of them, and are not staged
    /// any more.
    fn operations(&mut self) -> Result<Vec<Operation>, Fault> {
        let refused = |object: &str| {
            let object = object.to_owned();
            move |e: CallError| of_host(&object, &e)
        };
        let mut operations = Vec::new();
        if let Some(connection) = self
            .host
            .connection()
            .map_err(refused("the cloud connection"))?
        {
            operations.push(Operation::HoldConnection {
                was_connected: connection.wanted,
            });
        }
        for item in self.staged.items() {
            match item {
                Item::Certificate {
                    keystore,
                    alias,
                    pem,
                } => operations.push(Operation::PutCertificate {
                    keystore: keystore.clone(),
                    alias: alias.clone(),
                    pem: pem.clone(),
                    before: apply::present(
                        &*self.host,
                        keystore,
                        alias,
                        EntryKind::TrustedCertificate,
                    )
                    .map_err(refused(keystore))?,
                }),
                Item::Chain {
                    keystore,
                    alias,
                    pem,
                } => operations.push(Operation::PutChain {
                    keystore: keystore.clone(),
                    alias: alias.clone(),
                    pem: pem.clone(),
                    before: apply::present(&*self.host, keystore, alias, EntryKind::PrivateKey)
                        .map_err(refused(keystore))?
                        .unwrap_or_default(),
                }),
                _ => {}
            }
        }
        for item in self.staged.items() {
            if let Item::Package {
                name,
                version,
                path,
                ..
            } = item
            {
                operations.push(Operation::InstallPackage {
                    name: name.clone(),
                    version: version.clone(),
                    path: path.clone(),
                });
            }
        }
        let merged = self.staged.take_configurations();
        if !merged.is_empty() {
            let pids: Vec<&str> = merged.iter().map(|c| c.pid.as_str()).collect();
            operations.push(Operation::Configure {
                undo: self
                    .host
                    .capture(&pids)
                    .map(Private::new)
                    .map_err(|e| of_capture(&e))?,
                xml: configurations::write(&merged, &mut configurations::remote_seal)
                    .map(Private::new)
                    .map_err(|e| Fault::new(Code::ConfigurationInvalid, e.to_string()))?,
            });
        }
        Ok(operations)
    }

    /// Does the next operation; `true` when none is left.
    pub fn apply_next(&mut self) -> Result<bool, Fault> {
        let (id, _) = self.open_transaction()?;
        let Some(plan) = &self.plan else {
            return Err(Fault::new(Code::ApplyFailed, "there is no plan"));
        };
        if let Some(operation) = plan.operations.get(self.next) {
            apply::redo(operation, &plan.key(&id, self.next), &*self.host)
                .map_err(|e| of_apply(operation, &e))?;
            self.next += 1;
        }
        Ok(self.next >= plan.operations.len())
    }

    /// Takes everything back: what was staged, and what was or may have been applied. Nothing of
    /// that begins while a record that could not be written may still be on the disk: a start after
    /// a loss of power would go forward from half the way back, or look for a plan that is gone.
    pub fn undo(&mut self) -> Result<(), Fault> {
        self.journal.settle().map_err(|e| of_journal(&e))?;
        self.staged = Staged::default();
        if std::mem::take(&mut self.captured) {
            // It was not sealed, so there is nothing to restore, only to let go of.
            if let Err(e) = self.host.capture(&[]) {
                log::warn!("{}: the configurations: {}", self.own_pid, e.message);
            }
        }
        let Some(open) = self.journal.summary().transaction.clone() else {
            return Ok(());
        };
        if open.phase == Phase::Sealed {
            let plan = self.load_plan(&open.id)?;
            for (n, operation) in plan.operations.iter().enumerate().rev() {
                let left = apply::undo(operation, &plan.key(&open.id, n), &*self.host)
                    .map_err(|e| of_apply(operation, &e))?;
                if let Some(left) = left {
                    log::warn!("{}: {left}", self.own_pid);
                }
            }
        }
        self.remove_keys(&open)?;
        if open.phase == Phase::Sealed || !open.keys.is_empty() {
            self.write(&[Record::Undone])?;
        }
        self.plan = None;
        self.clean(&open.id)
    }

    /// Writes the commit record: from here on there is no way back.
    pub fn commit(&mut self, at_ms: i64) -> Result<(), Fault> {
        self.write(&[Record::Committed { at_ms }])
    }

    fn clean(&self, transaction: &str) -> Result<(), Fault> {
        let io = |path: &std::path::Path, result: std::io::Result<()>| {
            result.map_err(|e| of_io(&path.display().to_string(), &e))
        };
        let plan = self.plan_path(transaction);
        if plan.exists() {
            io(&plan, durable_file::remove(&plan))?;
        }
        let folder = self.folder.join("staging").join(transaction);
        if folder.exists() {
            io(&folder, durable_file::remove_folder(&folder))?;
        }
        Ok(())
    }

    fn plan_path(&self, transaction: &str) -> PathBuf {
        self.folder
            .join("staging")
            .join(format!("{transaction}.plan"))
    }

    fn load_plan(&self, transaction: &str) -> Result<Arc<Plan>, Fault> {
        if let Some(plan) = &self.plan {
            return Ok(Arc::clone(plan));
        }
        let path = self.plan_path(transaction);
        let bytes =
            durable_file::read(&path).map_err(|e| of_io(&path.display().to_string(), &e))?;
        let json = if bytes.first() == Some(&b'{') {
            bytes
        } else {
            self.host
                .decrypt(&bytes)
                .map_err(|e| of_host("the host could not decrypt the plan", &e))?
        };
        let json = zeroize::Zeroizing::new(json);
        serde_json::from_slice(&json).map(Arc::new).map_err(|e| {
            Fault::new(
                Code::StorageUnwritable,
                format!("{} cannot be read: {e}", path.display()),
            )
        })
    }

    fn open_transaction(&self) -> Result<(String, u32), Fault> {
        match &self.journal.summary().transaction {
            Some(open) => Ok((open.id.clone(), open.attempts)),
            None => Err(Fault::new(Code::ApplyFailed, "no transaction is open")),
        }
    }

    fn write(&mut self, records: &[Record]) -> Result<(), Fault> {
        self.journal.append(records).map_err(|e| of_journal(&e))
    }

    /// The past and the open transaction, for the state machine.
    pub fn memory(&self) -> Memory {
        let summary = self.journal.summary();
        let open = summary.transaction.as_ref();
        Memory {
            transaction: open.map(|open| open.id.clone()),
            identity: open.map(|open| Identity {
                client_id: open.client_id.clone(),
                username: open.username.clone(),
                mac: None,
                serial: None,
                model: None,
            }),
            parameters: open.map(|open| open.parameters.clone()),
            attempts: open.map_or(summary.last_attempts, |open| open.attempts),
            provisioned_before: summary.provisioned_before,
            gave_up: summary.gave_up.clone(),
        }
    }
}

/// What a host call that failed means, outside of a plan.
pub fn of_host(object: &str, error: &CallError) -> Fault {
    let code = match error.status {
        status::E_NO_SPACE => Code::StorageFull,
        status::E_IO | status::E_DENIED => Code::StorageUnwritable,
        status::E_UNSUPPORTED => Code::HostUnsupported,
        _ => Code::ApplyFailed,
    };
    Fault::new(code, format!("{object}: {}", error.message))
}

/// What it means that the host does not capture the configurations. Where another component is about
/// to change one of them, the message says which; that passes, so that a later attempt may do it.
fn of_capture(error: &CallError) -> Fault {
    match error.status {
        status::E_CONFLICT => Fault::new(Code::ConfigurationInvalid, &error.message),
        _ => of_host("the configurations", error),
    }
}

/// What it means that the host refused a package, which is the one that was announced: that
/// somebody on the platform must choose another one. A disk, or a host that is out of order, is
/// no reason for that.
fn of_package(object: &str, error: &CallError) -> Fault {
    match error.status {
        status::E_INVALID
        | status::E_INVALID_ARGUMENT
        | status::E_NOT_FOUND
        | status::E_CONFLICT
        | status::E_DENIED => Fault::new(
            Code::PackageFailed,
            format!("the host refused {object}: {}", error.message),
        ),
        status::E_UNSUPPORTED => {
            let lacks = Fault::new(Code::HostUnsupported, &error.message);
            Fault::new(Code::PackageFailed, format!("the host refused {object}")).because_of(&lacks)
        }
        _ => of_host(object, error),
    }
}

fn of_apply(operation: &Operation, error: &CallError) -> Fault {
    if let Operation::InstallPackage { .. } = operation {
        return of_package(&operation.object(), error);
    }
    let code = match error.status {
        status::E_NO_SPACE => Code::StorageFull,
        // A disk may recover; that of the host is no other than ours.
        status::E_IO => Code::StorageUnwritable,
        status::E_UNSUPPORTED => Code::HostUnsupported,
        _ => Code::ApplyFailed,
    };
    Fault::new(
        code,
        format!("the host refused {}: {}", operation.object(), error.message),
    )
}

/// What it means that a file of the component cannot be read or written.
pub fn of_io(object: &str, error: &std::io::Error) -> Fault {
    let code = match error.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Code::StorageFull,
        _ => Code::StorageUnwritable,
    };
    Fault::new(code, format!("{object}: {error}"))
}

fn of_journal(error: &JournalError) -> Fault {
    match error {
        JournalError::Io { path, error } => of_io(&path.display().to_string(), error),
        other => Fault::new(Code::StorageUnwritable, other.to_string()),
    }
}
