//! One attempt of one device: which step comes next, and what a reply means for it.

use super::keys::KeyOrder;
use super::manifest::Manifest;
use super::message::{Draft, MessageError, Outgoing};
use super::packages::{Asked, PackageOrder};
use super::plan::{address, plan, Extent, Planned};
use super::trigger::Trigger;
use crate::behaviour::{Behaviour, CommitFault, Rejection, Signing, Step};
use crate::pki::{Identity, PkiError};
use kura_formats::payload::MetricValue;
use kura_formats::topic::Method;
use std::collections::VecDeque;
use std::time::Instant;

/// Where the attempt stands.
#[derive(Clone, Debug)]
pub(crate) enum Phase {
    /// The next step is due then.
    Due(Instant),
    /// A reply to this request is due before then.
    Waiting {
        request_id: String,
        planned: Planned,
        deadline: Instant,
    },
    /// The device fetches a package; it says more before then.
    Fetching { planned: Planned, deadline: Instant },
    /// A reject has been sent; its reply, or its deadline, ends the conversation.
    Rejected {
        request_id: String,
        deadline: Instant,
    },
    /// Nothing more will be sent.
    Stalled { deadline: Instant },
}

/// Who talks, about what.
pub(crate) struct Conversation {
    pub(crate) client_id: String,
    pub(crate) trigger: Trigger,
    pub(crate) request: i64,
    pub(crate) job: i64,
    pub(crate) attempt: i64,
    pub(crate) behaviour: Behaviour,
    pub(crate) phase: Phase,
    pub(crate) commit_sent: bool,
    /// The latest download.
    pub(crate) asked: Option<Asked>,
    /// Who signs: whose chain is sent, or at re-provisioning one that the device trusts.
    signing_as: Identity,
    /// From then on the device can check signatures.
    signer_known: bool,
    steps: VecDeque<Planned>,
    manifest: Manifest,
    certificates: Vec<u8>,
    packages: Vec<PackageOrder>,
    documents: Vec<Vec<u8>>,
    target_root: Option<Vec<u8>>,
    device_key: Option<KeyOrder>,
    key_request: Option<Vec<u8>>,
    /// The chain for the device's key, once it is issued.
    client_chain: Option<Vec<u8>>,
}

/// What an attempt is made of.
pub(crate) struct Material {
    pub(crate) signer: Identity,
    pub(crate) signing_as: Identity,
    pub(crate) packages: Vec<PackageOrder>,
    pub(crate) documents: Vec<Vec<u8>>,
    /// Body of the keystore request.
    pub(crate) target_root: Option<Vec<u8>>,
    pub(crate) device_key: Option<KeyOrder>,
}

/// A request that no flow has.
pub(crate) struct Stray {
    pub(crate) app: &'static str,
    pub(crate) method: Method,
    pub(crate) resources: &'static [&'static str],
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) gzip: bool,
}

/// Names of a message.
pub(crate) struct Names<'a> {
    pub(crate) account: &'a str,
    pub(crate) requester: &'a str,
}

impl Conversation {
    pub(crate) fn new(
        client_id: &str,
        trigger: Trigger,
        (request, job, attempt): (i64, i64, i64),
        behaviour: Behaviour,
        material: Material,
        now: Instant,
    ) -> Result<Conversation, PkiError> {
        let certificates = match &behaviour.certificates {
            Some(bytes) => bytes.clone(),
            None => material.signer.chain_pem()?,
        };
        let extent = Extent {
            target_root: material.target_root.is_some(),
            device_key: material.device_key.is_some(),
            packages: material.packages.len(),
            documents: material.documents.len(),
        };
        let steps = plan(&behaviour.order, extent);
        Ok(Conversation {
            client_id: client_id.to_owned(),
            signer_known: !trigger.trusted_signers.is_empty(),
            trigger,
            request,
            job,
            attempt,
            phase: Phase::Due(now + behaviour.delay),
            behaviour,
            commit_sent: false,
            asked: None,
            signing_as: material.signing_as,
            steps,
            manifest: Manifest::default(),
            certificates,
            packages: material.packages,
            documents: material.documents,
            target_root: material.target_root,
            key_request: material.device_key.as_ref().map(KeyOrder::body),
            device_key: material.device_key,
            client_chain: None,
        })
    }

    /// Takes the next step, if there is one.
    pub(crate) fn next_step(&mut self) -> Option<Planned> {
        self.steps.pop_front()
    }

    /// The key that the device was asked for.
    pub(crate) fn device_key(&self) -> Option<&KeyOrder> {
        self.device_key.as_ref()
    }

    /// What the device gets for its key.
    pub(crate) fn set_client_chain(&mut self, chain: Vec<u8>) {
        self.client_chain = Some(chain);
    }

    /// The packages of this attempt.
    pub(crate) fn packages(&self) -> &[PackageOrder] {
        &self.packages
    }

    /// A package of this attempt.
    pub(crate) fn package(&self, number: usize) -> Option<&PackageOrder> {
        self.packages.get(number)
    }

    /// Whether packages are still to be sent.
    pub(crate) fn packages_left(&self) -> bool {
        self.steps
            .iter()
            .any(|p| matches!(p.step, Step::Package(_)))
    }

    /// Whether configurations are still to be sent.
    pub(crate) fn configurations_left(&self) -> bool {
        self.steps
            .iter()
            .any(|p| matches!(p.step, Step::Configuration(_)))
    }

    /// The request of a step.
    pub(crate) fn message(
        &mut self,
        planned: &Planned,
        names: &Names<'_>,
    ) -> Result<Outgoing, MessageError> {
        let mut metrics = Vec::new();
        let (app, method, resources) = address(planned.step);
        if planned.step == Step::Commit {
            let (transaction, nonce, digest) = self.commit_values()?;
            metrics.push(("prov.transaction.id", MetricValue::from(transaction)));
            metrics.push(("prov.nonce", MetricValue::from(nonce)));
            metrics.push(("prov.manifest.sha256", MetricValue::from(digest)));
        }
        if let Step::Package(number) = planned.step {
            let job_id = job_id()?;
            if let Some(order) = self.packages.get(number) {
                metrics.extend(order.metrics(job_id));
            }
            let outcome = None;
            self.asked = Some(Asked { job_id, outcome });
        }
        let body = match (&planned.other, planned.step) {
            (Some(other), _) => Some(other.chain_pem()?),
            (None, step) => self.body(step).map(<[u8]>::to_vec),
        };
        // At first provisioning nobody can check a signature before the chain is there.
        let signed = self.signer_known || !matches!(planned.step, Step::Certificates);
        let signer = signed.then_some((&self.signing_as, self.behaviour.signing));
        let draft = Draft {
            account: names.account,
            client_id: &self.client_id,
            requester: names.requester,
            app,
            method,
            resources,
            nonce: &self.trigger.nonce,
            metrics,
            body,
            gzip: self.trigger.gzip,
        };
        let message = draft.finish(signer)?;
        self.signer_known |= planned.step == Step::Certificates;
        self.commit_sent |= planned.step == Step::Commit && !planned.out_of_order;
        Ok(message)
    }

    /// A request that no flow has.
    pub(crate) fn stray(&self, stray: Stray, names: &Names<'_>) -> Result<Outgoing, MessageError> {
        let draft = Draft {
            account: names.account,
            client_id: &self.client_id,
            requester: names.requester,
            app: stray.app,
            method: stray.method,
            resources: stray.resources,
            nonce: &self.trigger.nonce,
            metrics: Vec::new(),
            body: stray.body,
            gzip: stray.gzip,
        };
        let signer = (&self.signing_as, self.behaviour.signing);
        draft.finish(self.signer_known.then_some(signer))
    }

    /// The reject.
    pub(crate) fn reject(
        &self,
        rejection: &Rejection,
        names: &Names<'_>,
    ) -> Result<Outgoing, MessageError> {
        let signer = (&self.signing_as, Signing::Right);
        let signer = self.signer_known.then_some(signer);
        reject(
            &self.client_id,
            &self.trigger.nonce,
            rejection,
            names,
            signer,
        )
    }

    /// Adds an accepted step to the manifest.
    pub(crate) fn accepted(&mut self, planned: &Planned) -> Result<(), MessageError> {
        let path = match planned.step {
            Step::Certificates => "PROV-V1/certificates",
            Step::TargetRoot => "KEYS-V1/keystores/entries/certificate",
            Step::ClientCertificate => "PROV-V1/credentials/certificate",
            Step::Configuration(_) => "CONF-V1/configurations",
            Step::Package(number) => {
                if let Some(order) = self.packages.get(number) {
                    let path = order.manifest_path();
                    self.manifest.add_digest(&path, &order.sha256, order.size);
                }
                return Ok(());
            }
            // A key request changes nothing that the commit could mean.
            Step::DeviceKey | Step::Commit => return Ok(()),
        };
        if planned.out_of_order && planned.step == Step::Certificates {
            // The same chain again is one item.
            return Ok(());
        }
        if let Some(body) = self.body(planned.step).map(<[u8]>::to_vec) {
            self.manifest.add(path, &body)?;
        }
        Ok(())
    }

    fn body(&self, step: Step) -> Option<&[u8]> {
        match step {
            Step::Certificates => Some(&self.certificates),
            Step::TargetRoot => self.target_root.as_deref(),
            Step::DeviceKey => self.key_request.as_deref(),
            Step::ClientCertificate => self.client_chain.as_deref(),
            Step::Configuration(number) => self.documents.get(number).map(Vec::as_slice),
            Step::Package(_) | Step::Commit => None,
        }
    }

    fn commit_values(&self) -> Result<(String, Vec<u8>, Vec<u8>), MessageError> {
        let flip = |bytes: Vec<u8>| bytes.into_iter().map(|b| !b).collect::<Vec<u8>>();
        let mut transaction = self.trigger.transaction_id.clone();
        let mut nonce = self.trigger.nonce.clone();
        let mut digest = self.manifest.digest()?;
        match self.behaviour.commit {
            CommitFault::None => {}
            CommitFault::Digest => digest = flip(digest),
            CommitFault::Nonce => nonce = flip(nonce),
            CommitFault::Transaction => {
                transaction = "00000000-0000-4000-8000-000000000000".to_owned();
            }
        }
        Ok((transaction, nonce, digest))
    }
}

/// Positive, and unique for all purposes.
pub(crate) fn job_id() -> Result<i64, MessageError> {
    let mut bytes = [0; 8];
    openssl::rand::rand_bytes(&mut bytes)?;
    Ok(i64::from_be_bytes(bytes) & i64::MAX)
}

/// A reject outside of a conversation, too.
pub(crate) fn reject(
    client_id: &str,
    nonce: &[u8],
    rejection: &Rejection,
    names: &Names<'_>,
    signer: Option<(&Identity, Signing)>,
) -> Result<Outgoing, MessageError> {
    let mut metrics = vec![
        (
            "prov.error.code",
            MetricValue::from(rejection.code.as_str()),
        ),
        (
            "prov.error.message",
            MetricValue::from(rejection.message.as_str()),
        ),
    ];
    if let Some(seconds) = rejection.retry_after {
        metrics.push(("retry.after", MetricValue::from(seconds)));
    }
    let draft = Draft {
        account: names.account,
        client_id,
        requester: names.requester,
        app: "PROV-V1",
        method: Method::Exec,
        resources: &["reject"],
        nonce,
        metrics,
        body: None,
        gzip: false,
    };
    draft.finish(signer)
}
