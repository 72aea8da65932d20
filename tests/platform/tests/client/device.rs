//! A device in a hundred lines: it triggers, checks what it gets with the component's own judges,
//! and answers as the test says.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::{Client, Login};
use kura_formats::payload::{decode, encode, Limits, Payload};
use kura_formats::request::{ids, refusal, reply, ResponseCode};
use kura_formats::topic::{Incoming, RequestTopic, Topics};
use mqtt_session::Failure;
use openssl::sha::sha256;
use provision_platform::harness::TestPlatform;
use provisioning_service::trust::{
    validate_received, Clock, Freshness, RootCheck, SignedView, Verifier,
};

pub const ACCOUNT: &str = "ec-provisioning";

pub struct Device {
    pub client: Client,
    pub id: String,
    pub transaction: String,
    pub nonce: Vec<u8>,
    pub activation_key: Option<String>,
    pub trusted_signers: String,
    pub verifier: Verifier,
    manifest: String,
}

/// A request of the platform.
pub struct Request {
    pub topic: RequestTopic,
    pub payload: Payload,
}

impl Request {
    pub fn name(&self) -> String {
        self.topic.application_topic()
    }
}

pub fn transaction(number: u8) -> String {
    format!("00000000-0000-4000-8000-0000000000{number:02x}")
}

/// The root that received chains must end in.
pub fn root(platform: &TestPlatform) -> Vec<openssl::x509::X509> {
    vec![platform.pki().root.certificate().clone()]
}

impl Device {
    /// Connects as the harness's requests have it.
    pub fn connect(platform: &TestPlatform, id: &str, password: &str) -> Result<Device, Failure> {
        let username = format!("user-{id}");
        let login = Login {
            client_id: id,
            username: &username,
            password,
        };
        let topic = format!("$EDC/{ACCOUNT}/{id}/#");
        let root = platform.pki().tls_root.certificate();
        let client = Client::connect(&platform.provision_broker().url(), root, login, &[&topic])?;
        let mut nonce = vec![0; 32];
        openssl::rand::rand_bytes(&mut nonce).unwrap();
        Ok(Device {
            client,
            id: id.to_owned(),
            transaction: transaction(1),
            nonce,
            activation_key: None,
            trusted_signers: String::new(),
            verifier: Verifier::new(),
            manifest: String::new(),
        })
    }

    pub fn trigger(&self) {
        let mut payload = Payload::new()
            .with_timestamp(1)
            .with_metric("request.id", "trigger")
            .with_metric("requester.client.id", self.id.as_str())
            .with_metric("prov.profile", 1)
            .with_metric("prov.transaction.id", self.transaction.as_str())
            .with_metric("prov.nonce", self.nonce.clone())
            .with_metric("prov.trusted.signers", self.trusted_signers.as_str())
            .with_metric("accept_encoding", "gzip");
        if let Some(key) = &self.activation_key {
            payload.push("activation.key", key.as_str());
        }
        self.client.publish(
            &format!("$EDC/{ACCOUNT}/{}/MQTT/PROV", self.id),
            encode(&payload),
        );
    }

    /// The next request.
    pub fn request(&self) -> Request {
        loop {
            let message = self.client.message();
            match Topics::default().classify(&message.topic) {
                Incoming::Request(topic) => {
                    assert_eq!(
                        (topic.account.as_str(), &topic.client_id),
                        (ACCOUNT, &self.id)
                    );
                    let payload = decode(&message.payload, &Limits::default()).unwrap();
                    assert!(!payload.has_unknown_fields && payload.position.is_none());
                    return Request { topic, payload };
                }
                Incoming::Lifecycle { .. } => {} // Its own trigger.
                other => panic!("unexpected: {other:?}"),
            }
        }
    }

    pub fn expect(&self, name: &str) -> Request {
        let request = self.request();
        assert_eq!(request.name(), name);
        request
    }

    /// What the component's verifier says of a request in this session.
    pub fn judge(&mut self, request: &Request) -> Result<(), &'static str> {
        let application_topic = request.name();
        let view = SignedView {
            account: &request.topic.account,
            client_id: &request.topic.client_id,
            application_topic: &application_topic,
            payload: &request.payload,
        };
        let clock = Clock::Plausible(provision_platform::clock::now());
        let freshness = Freshness::Session { nonce: &self.nonce };
        self.verifier
            .verify(&view, clock, freshness)
            .map(drop)
            .map_err(|e| e.code())
    }

    /// Trusts the leaf of a certificates request, if its chain is good.
    pub fn judge_chain(
        &mut self,
        request: &Request,
        roots: &[openssl::x509::X509],
    ) -> Result<(), &'static str> {
        let pem = request.payload.body.as_deref().unwrap();
        let now = provision_platform::clock::now() / 1000;
        let chain =
            validate_received(pem, roots, &[], RootCheck::Required, now).map_err(|e| e.code())?;
        assert!(self.verifier.trust(&[chain.leaf], &[]).is_empty());
        Ok(())
    }

    pub fn accept(&mut self, request: &Request) {
        if let Some(body) = &request.payload.body {
            let digest: String = sha256(body).iter().map(|b| format!("{b:02x}")).collect();
            let (app, resource) = (&request.topic.app, request.topic.resource());
            self.manifest
                .push_str(&format!("{app}/{resource} {digest} {}\n", body.len()));
        }
        self.answer(request, &reply(ResponseCode::Ok, 1));
    }

    /// Says how far it is with a download.
    pub fn notify(&self, download: &Request, status: &str, progress: i32, error: Option<&str>) {
        let ids = ids(&download.payload).unwrap();
        let mut payload = Payload::new()
            .with_timestamp(1)
            .with_metric("client.id", self.id.as_str())
            .with_metric("job.id", download.payload.int64("job.id").unwrap())
            .with_metric("dp.name", download.payload.string("dp.name").unwrap())
            .with_metric("dp.download.progress", progress)
            .with_metric("dp.download.status", status);
        if let Some(code) = error {
            payload.push("prov.error.code", code);
            payload.push("dp.download.error.message", "says the test");
        }
        let topic = Topics::default()
            .notify(ACCOUNT, &ids.requester, "DEPLOY-V2", &self.id, "download")
            .unwrap();
        self.client.publish(&topic, encode(&payload));
    }

    /// Says 200 to a download, and that it is complete.
    pub fn fetched(&mut self, download: &Request, file: &[u8]) {
        let text = |name| download.payload.string(name).unwrap();
        let digest: String = sha256(file).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(text("dp.download.hash"), format!("SHA-256:{digest}"));
        let (name, version) = (text("dp.name"), text("dp.version"));
        self.manifest.push_str(&format!(
            "DEPLOY-V2/download/{name}/{version} {digest} {}\n",
            file.len()
        ));
        self.answer(download, &reply(ResponseCode::Ok, 1));
        self.notify(download, "COMPLETED", 100, None);
    }

    pub fn refuse(&self, request: &Request, code: ResponseCode, error: &str) {
        self.answer(request, &refusal(code, error, "says the test", 1));
    }

    pub fn answer(&self, request: &Request, payload: &Payload) {
        let ids = ids(&request.payload).unwrap();
        let app = &request.topic.app;
        let topic = Topics::default()
            .reply(ACCOUNT, &ids.requester, app, &ids.request_id)
            .unwrap();
        self.client.publish(&topic, encode(payload));
    }

    /// Checks the commit against what was accepted, without answering it.
    pub fn check_commit(&self, commit: &Request) {
        assert_eq!(commit.name(), "PROV-V1/EXEC/commit");
        let payload = &commit.payload;
        assert_eq!(
            payload.string("prov.transaction.id"),
            Some(self.transaction.as_str())
        );
        assert_eq!(payload.bytes("prov.nonce"), Some(self.nonce.as_slice()));
        let digest = sha256(self.manifest.as_bytes());
        assert_eq!(payload.bytes("prov.manifest.sha256"), Some(&digest[..]));
    }

    /// Goes through the flow of one configuration, up to the commit, which it returns unanswered
    /// with the configuration's body.
    pub fn run_to_commit(&mut self, platform: &TestPlatform) -> (Request, Vec<u8>) {
        self.trigger();
        let certificates = self.expect("PROV-V1/PUT/certificates");
        self.judge_chain(&certificates, &root(platform)).unwrap();
        self.accept(&certificates);
        let configuration = self.expect("CONF-V1/PUT/configurations");
        self.judge(&configuration).unwrap();
        self.accept(&configuration);
        let commit = self.expect("PROV-V1/EXEC/commit");
        self.judge(&commit).unwrap();
        self.check_commit(&commit);
        (commit, configuration.payload.body.unwrap())
    }
}
