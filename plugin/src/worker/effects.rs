//! Carrying out what the state machine wants.

use gateway_component_abi::value::Properties;

use super::{wall_ms, Link, Worker};
use crate::diagnosis::{Code, Fault};
use crate::provisioner::{Input, Output, Recovered};
use crate::settings::{Parsed, Settings};
use crate::transaction::{of_host, record, Engine};
use crate::trust::{Clock, RootCheck};

impl Worker {
    /// Does one thing; the input that answers it, unless it comes later.
    pub(super) fn effect(&mut self, output: Output) -> Option<Input> {
        let trouble = |result: Result<(), Fault>| result.err().map(Input::Trouble);
        match output {
            Output::Recover => Some(Input::Recovered(self.recover())),
            Output::ReadBack => Some(Input::ReadBack(self.read_back())),
            Output::Preflight => Some(Input::Preflight(self.preflight())),
            Output::Connect(plan) => {
                self.trusted.begin();
                let result = self.reload_signers().and_then(|()| self.open_link(*plan));
                trouble(result)
            }
            Output::Count {
                n,
                transaction,
                identity,
                parameters,
            } => trouble(self.with_engine(|engine| {
                engine.count(n, &transaction, &identity, &parameters, wall_ms())
            })),
            Output::Publish(message) => {
                self.publish(message);
                None
            }
            Output::Verify(request) => {
                let nonce = self
                    .plan
                    .as_ref()
                    .map(|plan| plan.nonce)
                    .unwrap_or_default();
                Some(Input::Verified(self.trusted.verify(
                    &request,
                    &nonce,
                    wall_ms(),
                )))
            }
            Output::CheckChain { request } => {
                Some(Input::ChainChecked(self.check_chain(request.body())))
            }
            Output::Stage(item) => Some(Input::Staged(self.with_engine(|e| e.stage(item)))),
            Output::Download { n, download } => {
                let result = self.begin_download(n, &download);
                let failed = |fault| Input::Downloaded {
                    n,
                    result: Err(fault),
                };
                result.err().map(failed)
            }
            Output::StagePackage {
                n,
                name,
                version,
                path,
            } => Some(Input::PackageStaged {
                n,
                result: self.with_engine(|e| e.stage_package(&name, &version, &path)),
            }),
            Output::ReadConfigurations { pid } => {
                Some(Input::Body(self.read_configurations(pid.as_deref())))
            }
            Output::Csr(csr) => Some(Input::Body(
                self.with_engine(|engine| engine.request_certificate(&csr)),
            )),
            Output::Seal { manifest } => {
                let signer = self.trusted.leaf_pem().unwrap_or_default().to_owned();
                let root_verified = self.extras.root_verified == Some(true);
                let chain = self.trusted.chain().to_vec();
                Some(Input::Sealed(self.with_engine(|e| {
                    e.seal(&signer, root_verified, &manifest, &chain)
                })))
            }
            Output::ApplyNext => Some(Input::Applied(self.with_engine(Engine::apply_next))),
            Output::Prove { within } => self
                .begin_proof(within)
                .err()
                .map(|fault| Input::Proved(Err(fault))),
            Output::Commit => Some(Input::Committed(self.with_engine(|e| e.commit(wall_ms())))),
            Output::Complete => {
                let result = self.with_engine(Engine::complete);
                let reloaded = self.reload_signers();
                Some(Input::Completed(result.and(reloaded)))
            }
            Output::Undo => {
                self.proof = None;
                self.end_download();
                let result = self.with_engine(Engine::undo);
                Some(Input::Undone(result))
            }
            Output::Disconnect => {
                self.close_link();
                None
            }
            Output::Finish => {
                // What the record says of a success is known only before it is forgotten; and
                // written later, it would be lost with a process that ends in between.
                let entry = self.record_entry(record::SUCCESS);
                let transaction = entry.transaction.clone();
                self.append_record(entry);
                let result = self.with_engine(Engine::finish);
                if result.is_ok() {
                    self.extras.last_transaction = Some(transaction);
                    // With the claim secrets in it.
                    self.plan = None;
                }
                Some(Input::Finished(result))
            }
            Output::GiveUp(gave_up) => trouble(self.with_engine(|e| e.give_up(gave_up))),
            Output::Abandon => trouble(self.with_engine(Engine::abandon)),
            Output::Report { fault } => {
                if let Some(fault) = fault {
                    self.append_record(self.record_entry(fault.code.as_str()));
                }
                None
            }
            Output::Disable => Some(Input::Disabled(self.write_own(&[("enabled", false)]))),
            Output::Reenable => {
                trouble(self.write_own(&[("enabled", true), ("provisioned", false)]))
            }
        }
    }

    fn read_back(&self) -> Result<Box<Parsed>, Fault> {
        let own = self.shared.pid();
        let list = self
            .host
            .configurations(own, true)
            .map_err(|e| of_host("the own configuration", &e))?;
        let properties = list
            .into_iter()
            .find(|c| c.pid == own)
            .map(|c| c.properties)
            .unwrap_or_default();
        Ok(Box::new(Settings::parse(&properties)))
    }

    fn recover(&mut self) -> Result<Recovered, Fault> {
        self.engine = None;
        let mut engine = Engine::open(self.host.clone(), self.shared.pid())?;
        let recovered = engine.recover()?;
        self.extras.last_transaction = engine.last_transaction().map(str::to_owned);
        self.extras.root_verified = engine.root_verified();
        self.shared
            .control()
            .recall(self.shared.pid(), engine.folder());
        self.engine = Some(engine);
        self.reload_signers()?;
        self.shared
            .set_provisioned(recovered.memory.provisioned_before);
        Ok(recovered)
    }

    /// Trusts the signers of DMKeystore.
    fn reload_signers(&mut self) -> Result<(), Fault> {
        self.extras.signers = self.trusted.reload(&*self.host)?;
        if let Some(engine) = &self.engine {
            self.shared
                .set_provisioned(engine.memory().provisioned_before);
        }
        Ok(())
    }

    /// Trusts whom DMKeystore holds at this moment, as an entry may have come, gone or been revoked
    /// since; and looks at the clock. In the session of a first provisioning its signer stays.
    pub(super) fn signers_now(&mut self) -> Result<Clock, Fault> {
        let memory = self.engine.as_ref().map(Engine::memory);
        if memory.is_some_and(|memory| memory.provisioned_before) {
            self.reload_signers()?;
        }
        Ok(match self.check_clock() {
            Ok(_) => Clock::Plausible(wall_ms()),
            Err(_) => Clock::Implausible,
        })
    }

    fn check_chain(&mut self, pem: &[u8]) -> Result<crate::provisioner::ChainSummary, Fault> {
        let (mode, first) = match &self.plan {
            Some(plan) if plan.settings.ca_authentication => {
                (RootCheck::Required, !plan.reprovisioning)
            }
            Some(plan) => (RootCheck::ChainOnly, !plan.reprovisioning),
            None => (RootCheck::Required, false),
        };
        let chain = self
            .trusted
            .check_chain(&*self.host, pem, mode, wall_ms() / 1000, first)?;
        self.extras.chain(&chain);
        Ok(crate::provisioner::ChainSummary {
            leaf: chain.leaf_fingerprint().to_owned(),
            root_verified: chain.root_verified,
        })
    }

    fn read_configurations(&self, pid: Option<&str>) -> Result<Vec<u8>, Fault> {
        let list = self
            .host
            .configurations(pid.unwrap_or_default(), false)
            .map_err(|e| match e.status {
                gateway_component_abi::status::E_NOT_FOUND => {
                    Fault::not_found(format!("no configuration of {}", pid.unwrap_or_default()))
                }
                _ => of_host("the configurations", &e),
            })?;
        kura_formats::configurations::write(&list, &mut kura_formats::configurations::remote_seal)
            .map_err(|e| Fault::new(Code::ApplyFailed, format!("the configurations: {e}")))
    }

    fn write_own(&self, flags: &[(&str, bool)]) -> Result<(), Fault> {
        let properties: Properties = flags
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).into()))
            .collect();
        self.host
            .update_own(&properties)
            .map_err(|e| of_host("the own configuration", &e))
    }

    fn record_entry(&self, outcome: &str) -> record::Entry {
        let view = self.provisioner.view();
        // After a restart there is no plan of a session, but what the transaction runs with.
        let settings = self
            .plan
            .as_ref()
            .map(|plan| &plan.settings)
            .or_else(|| view.parsed.and_then(|parsed| parsed.result.as_ref().ok()));
        let identity = self
            .plan
            .as_ref()
            .map(|plan| &plan.identity)
            .or(view.identity);
        let bytes = self.link.as_ref().map_or(self.extras.bytes, Link::bytes);
        let mut entry = record::Entry {
            time: crate::time::rfc3339(wall_ms()),
            transaction: view.transaction.unwrap_or_default().to_owned(),
            attempt: view.attempts,
            broker: settings.map(|s| s.broker.to_string()).unwrap_or_default(),
            account: settings.map(|s| s.account_name.clone()).unwrap_or_default(),
            client_id: identity.map(|i| i.client_id.clone()).unwrap_or_default(),
            username: identity.map(|i| i.username.clone()).unwrap_or_default(),
            chain: self.trusted.chain().to_vec(),
            manifest: String::new(),
            packages: Vec::new(),
            outcome: outcome.to_owned(),
            bytes_sent: bytes.sent,
            bytes_received: bytes.received,
        };
        if let Some(engine) = &self.engine {
            engine.describe(&mut entry);
        }
        entry
    }

    /// A record that cannot be written, tried twice, stops nothing; the log says so.
    fn append_record(&self, entry: record::Entry) {
        let Some(engine) = &self.engine else { return };
        let result = engine.record(entry.clone()).or_else(|fault| {
            log::warn!("{}: {fault}", self.shared.pid());
            engine.record(entry)
        });
        if let Err(fault) = result {
            log::warn!("{}: {fault}", self.shared.pid());
        }
    }

    pub(super) fn with_engine<T>(
        &mut self,
        call: impl FnOnce(&mut Engine) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        match &mut self.engine {
            Some(engine) => call(engine),
            None => Err(Fault::new(
                Code::StorageUnwritable,
                "the journal is not open",
            )),
        }
    }
}
