//! The world around the state machine: answers every output as told, and lets time pass.

use std::collections::VecDeque;
use std::time::Duration;

use gateway_component_abi::value::{Properties, Secret};
use kura_formats::payload::{self, MetricValue, Payload};

use crate::diagnosis::{Code, Fault};
use crate::protocol::{names, Item, Manifest, Outgoing, Slot};
use crate::provisioner::{
    Arrived, ChainSummary, Input, Memory, Now, Output, Plan, Provisioner, Ready, Recovered,
    SessionEvent, StateName,
};
use crate::settings::{Identity, Settings};

/// Certificates, as far as the conversation is concerned.
pub const CHAIN: &[u8] = b"chain";
/// One configuration.
pub const CONF: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">
<esf:configuration pid="org.eclipse.kura.data.DataService"><esf:properties>
<esf:property name="connect.auto-on-startup" array="false" encrypted="false" type="Boolean"><esf:value>true</esf:value></esf:property>
</esf:properties></esf:configuration></esf:configurations>"#;

/// What the world does with each kind of output. `Ok` unless told otherwise.
pub struct World {
    pub machine: Provisioner,
    pub now: Now,
    /// Everything that was wanted, in order.
    pub log: Vec<String>,
    pub preflight: Result<(), Fault>,
    pub verified: Result<(), Fault>,
    pub chain: Result<ChainSummary, Fault>,
    pub staged: Result<(), Fault>,
    pub sealed: Result<(), Fault>,
    pub applied: VecDeque<Result<bool, Fault>>,
    /// `None`: the proof hangs.
    pub proved: Option<Result<(), Fault>>,
    pub committed: Result<(), Fault>,
    pub completed: Result<(), Fault>,
    pub undone: Result<(), Fault>,
    pub finished: Result<(), Fault>,
    pub disabled: Result<(), Fault>,
    pub recovered: Result<Recovered, Fault>,
    pub has_signers: bool,
    pub jitter_per_mille: u32,
    pub installs_packages: bool,
    /// Notifications of downloads: (name, status, percent, error code).
    pub notes: Vec<(String, String, i32, Option<String>)>,
    /// Downloads under way: number and name. What ends the attempt ends them.
    pub downloading: Vec<(usize, String)>,
    pub package_staged: Result<(), Fault>,
    /// The plan of the attempt at hand.
    pub plan: Option<Plan>,
    /// Replies published: (request id, response code, error code).
    pub replies: Vec<(String, i32, Option<String>)>,
    /// What the configuration says now.
    pub properties: Properties,
    pub attempts_begun: u32,
    /// Bytes handed to the link after it was ended.
    pub leaked: u32,
    /// Links opened and messages handed to them.
    pub sent: u32,
    /// The last restart found a commit record.
    pub recovered_committed: bool,
    /// What the journal would say: memory, and whether a commit record is open.
    journal: (Memory, bool),
    linked: bool,
    entropy: u8,
    manifest: Manifest,
    /// Places of the packages in it, by the number of the download.
    slots: Vec<Slot>,
    requests: u32,
}

impl World {
    pub fn new() -> Self {
        let mut properties = Properties::new();
        properties.insert("enabled".into(), true.into());
        properties.insert("broker-url".into(), "mqtts://broker.example.com".into());
        properties.insert("account-name".into(), "ec-provisioning".into());
        properties.insert("password".into(), Secret::from("secret").into());
        World {
            machine: Provisioner::new(),
            now: Now {
                mono: Duration::from_secs(5),
                wall_ms: 1_795_000_000_000,
            },
            log: Vec::new(),
            preflight: Ok(()),
            verified: Ok(()),
            chain: Ok(ChainSummary {
                leaf: "ab".into(),
                root_verified: true,
            }),
            staged: Ok(()),
            sealed: Ok(()),
            applied: VecDeque::new(),
            proved: Some(Ok(())),
            committed: Ok(()),
            completed: Ok(()),
            undone: Ok(()),
            finished: Ok(()),
            disabled: Ok(()),
            recovered: Ok(Recovered {
                memory: Memory::default(),
                committed: false,
            }),
            has_signers: false,
            jitter_per_mille: 0,
            installs_packages: true,
            notes: Vec::new(),
            downloading: Vec::new(),
            package_staged: Ok(()),
            plan: None,
            replies: Vec::new(),
            properties,
            attempts_begun: 0,
            leaked: 0,
            sent: 0,
            recovered_committed: false,
            journal: (Memory::default(), false),
            linked: false,
            entropy: 0,
            manifest: Manifest::default(),
            slots: Vec::new(),
            requests: 0,
        }
    }

    /// A world whose machine is active with the usual configuration.
    pub fn active() -> Self {
        let mut world = World::new();
        world.configure();
        world
    }

    /// Hands the present configuration over.
    pub fn configure(&mut self) {
        let parsed = Settings::parse(&self.properties);
        self.input(Input::Configured(Box::new(parsed)));
    }

    /// Changes one parameter and hands the configuration over.
    pub fn set(&mut self, name: &str, value: impl Into<gateway_component_abi::value::Value>) {
        self.properties.insert(name.into(), value.into());
        self.configure();
    }

    pub fn input(&mut self, input: Input) {
        self.machine.handle(self.now, input);
        self.drain();
    }

    pub fn session(&mut self, event: SessionEvent) {
        if self.linked {
            self.input(Input::Session(event));
        }
    }

    /// Time passes; the machine is called whenever it wants to be.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now.mono + time;
        while let Some(at) = self.machine.timeout().filter(|at| *at <= until) {
            let step = at.saturating_sub(self.now.mono);
            self.now.mono += step;
            self.now.wall_ms += step.as_millis() as i64;
            self.input(Input::Timeout);
        }
        let rest = until.saturating_sub(self.now.mono);
        self.now.mono += rest;
        self.now.wall_ms += rest.as_millis() as i64;
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub fn state(&self) -> StateName {
        self.machine.view().state
    }

    pub fn code(&self) -> Option<Code> {
        self.machine.view().fault.map(|(fault, _)| fault.code)
    }

    pub fn attempts(&self) -> u32 {
        self.machine.view().attempts
    }

    pub fn count(&self, what: &str) -> usize {
        self.log.iter().filter(|entry| *entry == what).count()
    }

    /// The link reaches the broker and the trigger is out.
    pub fn reach(&mut self) {
        self.session(SessionEvent::Opening);
        self.session(SessionEvent::Ready);
    }

    pub fn link_fails(&mut self, code: Code) {
        self.session(SessionEvent::Failed(Fault::new(code, "as scripted")));
        self.linked = false;
    }

    /// A request with this attempt's nonce; its id is returned.
    pub fn request(
        &mut self,
        app_topic: &str,
        body: &[u8],
        extra: &[(&str, MetricValue)],
    ) -> String {
        self.requests += 1;
        let id = format!("r{}", self.requests);
        self.request_as(&id, app_topic, body, extra);
        id
    }

    pub fn request_as(
        &mut self,
        id: &str,
        app_topic: &str,
        body: &[u8],
        extra: &[(&str, MetricValue)],
    ) {
        let Some(plan) = &self.plan else { return };
        let topic = format!(
            "$EDC/{}/{}/{app_topic}",
            plan.settings.account_name, plan.identity.client_id
        );
        let mut message = Payload::new()
            .with_metric("request.id", id)
            .with_metric("requester.client.id", "platform");
        for (name, value) in extra {
            message = message.with_metric(*name, value.clone());
        }
        if !body.is_empty() {
            message.body = Some(body.to_vec());
        }
        self.session(SessionEvent::Message {
            topic,
            payload: payload::encode(&message),
            retained: false,
        });
    }

    pub fn certificates(&mut self) -> String {
        self.manifest.accepted_body(Item::Certificates, CHAIN);
        self.request("PROV-V1/PUT/certificates", CHAIN, &[])
    }

    pub fn configuration(&mut self) -> String {
        self.manifest
            .accepted_body(Item::Configurations { pid: None }, CONF.as_bytes());
        self.request("CONF-V1/PUT/configurations", CONF.as_bytes(), &[])
    }

    /// A download is asked for; its place in the manifest is taken.
    pub fn download(&mut self, name: &str) -> String {
        self.slots.push(self.manifest.reserve(Item::Download {
            name: name.into(),
            version: "1.0".into(),
        }));
        self.download_again(name)
    }

    /// A download that the manifest does not count.
    pub fn download_again(&mut self, name: &str) -> String {
        self.requests += 1;
        let id = format!("r{}", self.requests);
        self.download_as(&id, name);
        id
    }

    /// A download under the id that is given.
    pub fn download_as(&mut self, id: &str, name: &str) {
        let hash = format!("SHA-256:{}", "ab".repeat(32));
        self.request_as(
            id,
            "DEPLOY-V2/EXEC/download",
            &[],
            &[
                ("dp.uri", "https://files.example/x".into()),
                ("dp.name", name.into()),
                ("dp.version", "1.0".into()),
                ("job.id", MetricValue::Int64(7)),
                ("dp.download.hash", hash.as_str().into()),
            ],
        );
    }

    /// The download under way is over.
    pub fn arrives(&mut self, result: Result<u64, Code>) {
        let (n, name) = self.downloading.remove(0);
        let result = match result {
            Ok(length) => {
                self.manifest.fill(self.slots[n], [0xab; 32], length);
                Ok(Arrived {
                    path: format!("/staging/{name}"),
                    sha256: [0xab; 32],
                    length,
                })
            }
            Err(code) => {
                self.manifest.withdraw(self.slots[n]);
                Err(Fault::new(code, "as scripted"))
            }
        };
        self.input(Input::Downloaded { n, result });
    }

    /// The download under way comes, but the host cannot use it.
    pub fn arrives_unusable(&mut self) {
        let (n, _) = self.downloading.remove(0);
        self.manifest.withdraw(self.slots[n]);
        let result = Ok(Arrived {
            path: "/staging/x".into(),
            sha256: [0xab; 32],
            length: 3,
        });
        self.input(Input::Downloaded { n, result });
    }

    fn note(&mut self, topic: &str, note: &Payload) {
        let text = |name: &str| note.string(name).map(str::to_owned);
        assert!(
            topic.ends_with("/platform/DEPLOY-V2/NOTIFY/AABBCCDDEEFF/download"),
            "{topic}"
        );
        assert_eq!(note.int64("job.id"), Some(7));
        self.notes.push((
            text("dp.name").unwrap(),
            text("dp.download.status").unwrap(),
            note.int32("dp.download.progress").unwrap(),
            text("prov.error.code"),
        ));
    }

    /// A commit that fits, unless something else is given.
    pub fn commit(
        &mut self,
        transaction: Option<&str>,
        nonce: Option<u8>,
        digest: Option<u8>,
    ) -> String {
        let Some(plan) = &self.plan else {
            return String::new();
        };
        let transaction = transaction.unwrap_or(&plan.transaction).to_owned();
        let nonce = nonce.map_or(plan.nonce, |byte| [byte; 32]);
        let right = self.manifest.digest().unwrap_or_default();
        let digest = digest.map_or(right, |byte| [byte; 32]);
        self.request(
            "PROV-V1/EXEC/commit",
            &[],
            &[
                (names::PROV_TRANSACTION_ID, transaction.as_str().into()),
                (names::PROV_NONCE, MetricValue::Bytes(nonce.to_vec())),
                (
                    names::PROV_MANIFEST_SHA256,
                    MetricValue::Bytes(digest.to_vec()),
                ),
            ],
        )
    }

    pub fn reject(&mut self, code: &str, retry_after: Option<i32>) -> String {
        let nonce = self.plan.as_ref().unwrap().nonce.to_vec();
        let mut extra = vec![
            ("prov.error.code", MetricValue::from(code)),
            (names::PROV_ERROR_MESSAGE, MetricValue::from("because")),
            (names::PROV_NONCE, MetricValue::Bytes(nonce)),
        ];
        if let Some(seconds) = retry_after {
            extra.push((names::RETRY_AFTER, MetricValue::Int32(seconds)));
        }
        self.request("PROV-V1/EXEC/reject", &[], &extra)
    }

    /// The whole flow up to the commit request.
    pub fn whole_flow(&mut self) -> String {
        self.reach();
        self.certificates();
        self.configuration();
        self.commit(None, None, None)
    }

    /// The reply to a request: response code and error code.
    pub fn reply(&self, id: &str) -> Option<(i32, Option<&str>)> {
        self.replies
            .iter()
            .find(|(other, ..)| other == id)
            .map(|(_, code, error)| (*code, error.as_deref()))
    }

    /// Carries out what an action asked for.
    pub fn settle(&mut self) {
        self.drain();
    }

    /// The process is killed and starts again: only the journal and the configuration survive.
    pub fn restart(&mut self) {
        let committed = self.journal.1;
        self.recovered_committed |= committed;
        self.recovered = Ok(Recovered {
            memory: self.journal.0.clone(),
            committed,
        });
        self.machine = Provisioner::new();
        self.downloading.clear();
        self.linked = false;
        self.plan = None;
        self.configure();
    }

    /// What the journal says of the past, to be changed.
    pub fn journal_memory(&mut self) -> &mut Memory {
        &mut self.journal.0
    }

    /// Whether the host's configuration asks for a provisioning.
    pub fn wanted(&self) -> bool {
        Settings::parse(&self.properties).runs()
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll() {
            if let Some(input) = self.effect(output) {
                self.machine.handle(self.now, input);
            }
        }
    }

    fn effect(&mut self, output: Output) -> Option<Input> {
        let (name, input) = match output {
            Output::ReadBack => {
                let parsed = Settings::parse(&self.properties);
                ("read back", Some(Input::ReadBack(Ok(Box::new(parsed)))))
            }
            Output::Recover => ("recover", Some(Input::Recovered(self.recovered.clone()))),
            Output::Preflight => ("preflight", Some(Input::Preflight(self.ready()))),
            Output::Connect(plan) => {
                assert!(!self.linked, "two attempts at once");
                self.linked = true;
                self.attempts_begun += 1;
                self.sent += 1;
                self.manifest = Manifest::default();
                self.slots.clear();
                self.plan = Some(*plan);
                ("connect", None)
            }
            Output::Count {
                n,
                transaction,
                identity,
                parameters,
            } => {
                self.journal.0 = Memory {
                    transaction: Some(transaction),
                    identity: Some(identity),
                    parameters: Some(parameters),
                    attempts: n,
                    gave_up: None,
                    ..self.journal.0.clone()
                };
                ("count", None)
            }
            Output::Publish(Outgoing { topic, payload }) => {
                self.sent += 1;
                if !self.linked {
                    self.leaked += 1;
                }
                let reply = payload::decode(&payload, &Default::default()).unwrap();
                if topic.contains("/NOTIFY/") {
                    self.note(&topic, &reply);
                    return None;
                }
                let id = topic.rsplit('/').next().unwrap().to_owned();
                let code = reply.int32("response.code").unwrap();
                let error = reply.string("prov.error.code").map(str::to_owned);
                self.replies.push((id, code, error));
                ("publish", None)
            }
            Output::Verify(_) => ("verify", Some(Input::Verified(self.verified.clone()))),
            Output::CheckChain { .. } => ("chain", Some(Input::ChainChecked(self.chain.clone()))),
            Output::Stage(_) => ("stage", Some(Input::Staged(self.staged.clone()))),
            Output::Download { n, download } => {
                assert!(self.downloading.is_empty(), "two downloads at once");
                self.downloading.push((n, download.name));
                ("download", None)
            }
            Output::StagePackage { n, .. } => {
                let result = self.package_staged.clone();
                ("stage package", Some(Input::PackageStaged { n, result }))
            }
            Output::ReadConfigurations { .. } => {
                ("read", Some(Input::Body(Ok(CONF.as_bytes().to_vec()))))
            }
            Output::Csr(_) => ("csr", Some(Input::Body(Ok(b"csr".to_vec())))),
            Output::Seal { .. } => ("seal", Some(Input::Sealed(self.sealed.clone()))),
            Output::ApplyNext => {
                let result = self.applied.pop_front().unwrap_or(Ok(true));
                ("apply", Some(Input::Applied(result)))
            }
            Output::Prove { .. } => ("prove", self.proved.clone().map(Input::Proved)),
            Output::Commit => {
                self.journal.1 = self.committed.is_ok();
                ("commit", Some(Input::Committed(self.committed.clone())))
            }
            Output::Complete => {
                if self.completed.is_ok() {
                    self.properties.insert("provisioned".into(), true.into());
                    self.properties.insert("enabled".into(), false.into());
                }
                ("complete", Some(Input::Completed(self.completed.clone())))
            }
            Output::Undo => {
                self.downloading.clear();
                ("undo", Some(Input::Undone(self.undone.clone())))
            }
            Output::Disconnect => {
                self.linked = false;
                ("disconnect", None)
            }
            Output::Finish => {
                if self.finished.is_ok() {
                    self.journal.0.succeed();
                    self.journal.1 = false;
                }
                ("finish", Some(Input::Finished(self.finished.clone())))
            }
            Output::GiveUp(gave_up) => {
                self.journal.0.gave_up = gave_up;
                ("give up", None)
            }
            Output::Abandon => {
                self.journal.0.abandon();
                ("abandon", None)
            }
            Output::Report { .. } => ("report", None),
            Output::Disable => {
                if self.disabled.is_ok() {
                    self.properties.insert("enabled".into(), false.into());
                }
                ("disable", Some(Input::Disabled(self.disabled.clone())))
            }
            Output::Reenable => {
                self.properties.insert("enabled".into(), true.into());
                self.properties.insert("provisioned".into(), false.into());
                ("reenable", None)
            }
        };
        self.log.push(name.to_owned());
        input
    }

    fn ready(&mut self) -> Result<Box<Ready>, Fault> {
        self.preflight.clone()?;
        self.entropy += 1;
        Ok(Box::new(Ready {
            identity: Identity {
                client_id: "AABBCCDDEEFF".into(),
                username: "AABBCCDDEEFF-1".into(),
                mac: None,
                serial: None,
                model: None,
            },
            nonce: [self.entropy; 32],
            transaction: format!("t{}", self.entropy),
            jitter_per_mille: self.jitter_per_mille,
            has_signers: self.has_signers,
            installs_packages: self.installs_packages,
        }))
    }
}
