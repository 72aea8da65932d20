//! The platform's requests within one attempt: what is answered, staged, refused, and what ends
//! the attempt.
//!
//! The order of the checks on a request (rulings, 8): ids, recorded reply, signature, resource,
//! content. Pure, as everything in here: a signature is verified, an item staged by whoever
//! carries the [`Decision`]s out, and the result comes back. One request is at hand at a time.

mod packages;

use std::sync::Arc;

use kura_formats::configurations;
use kura_formats::topic::Topics;

use super::outputs::Output;
use super::steps::Step;
use crate::diagnosis::{Code, Fault};
use crate::protocol::{
    self, Commit, Inbox, Incoming, Ledger, Lookup, Manifest, Operation, Outgoing, Reject, Replies,
    Request, Slot,
};
use crate::transaction::Item;
use packages::Packages;
pub use packages::{PackageLine, PackageState};

/// The application topic of the chain.
const CERTIFICATES: &str = "PROV-V1/PUT/certificates";
/// What is kept in one attempt may weigh so much: the bodies, and what the configurations in them take
/// besides (`configurations::weight`).
const KEPT: usize = configurations::MAX_WEIGHT;
/// What each request counts as besides its bytes, so that their number is bounded, too.
const PLACE: usize = 4096;
/// Orders of a key in one attempt.
const KEYS: usize = 16;

/// What a validated chain is to the conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainSummary {
    /// Fingerprint of the leaf.
    pub leaf: String,
    /// Whether its root is trusted.
    pub root_verified: bool,
}

/// What follows from an input.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Have this done.
    Do(Output),
    /// A step begins; with something to say.
    Step(Step, String),
    /// How the packages stand.
    Packages(Vec<PackageLine>),
    /// Everything is here: carry the plan out, and reply then.
    Commit(ReplyTo),
    /// The attempt is over.
    End(Fault),
}

/// Where the reply of a request goes, to be made later.
#[derive(Clone, Debug)]
pub struct ReplyTo {
    replies: Replies,
    request: Arc<Request>,
    /// Lower hex of the manifest.
    manifest: String,
}

impl ReplyTo {
    /// 200.
    pub fn ok(&self, wall_ms: i64) -> Option<Output> {
        let reply = self.replies.done(&self.request, None, wall_ms).ok();
        reply.map(Output::Publish)
    }

    /// The fault's own code.
    pub fn error(&self, fault: &Fault, wall_ms: i64) -> Option<Output> {
        let reply = self.replies.refused(&self.request, fault, wall_ms).ok();
        reply.map(Output::Publish)
    }

    /// Lower hex of the manifest's digest.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }
}

/// One attempt's conversation.
pub struct Conversation {
    inbox: Inbox,
    replies: Replies,
    transaction: String,
    nonce: [u8; 32],
    reprovisioning: bool,
    ledger: Ledger,
    manifest: Manifest,
    /// Digest of the accepted certificates body.
    certificates: Option<[u8; 32]>,
    /// Keystore, alias and request (PEM) of the keys made for the platform.
    keys: Vec<(String, String, Vec<u8>)>,
    configurations: u32,
    /// Of [`KEPT`].
    kept: usize,
    installs_packages: bool,
    packages: Packages,
    applying: bool,
    at_hand: Option<AtHand>,
    last_refusal: Option<Fault>,
    /// Messages that could not be answered.
    unanswered: u32,
}

struct AtHand {
    request: Arc<Request>,
    /// What is entered in the manifest once it is accepted.
    item: Option<protocol::Item>,
    /// Its place in the manifest, where it has one already.
    slot: Option<Slot>,
    /// Of [`KEPT`], if it is kept: its body, and what is in it.
    weight: usize,
    wall_ms: i64,
}

impl Conversation {
    /// A conversation about to begin. `installs_packages`: the host does.
    pub fn new(
        account: &str,
        client_id: &str,
        transaction: &str,
        nonce: [u8; 32],
        reprovisioning: bool,
        installs_packages: bool,
    ) -> Self {
        let inbox = Inbox::new(Topics::default(), account, client_id);
        Conversation {
            replies: Replies::to(&inbox),
            inbox,
            transaction: transaction.to_owned(),
            nonce,
            reprovisioning,
            ledger: Ledger::default(),
            manifest: Manifest::default(),
            certificates: None,
            keys: Vec::new(),
            configurations: 0,
            kept: 0,
            installs_packages,
            packages: Packages::default(),
            applying: false,
            at_hand: None,
            last_refusal: None,
            unanswered: 0,
        }
    }

    /// What the deadline means: a download that took too long, the last refusal, or the platform's
    /// silence (rulings, 12).
    pub fn silence(&self) -> Fault {
        let told = self.packages.overdue();
        told.or_else(|| self.last_refusal.clone())
            .unwrap_or_else(|| {
                let what = if self.certificates.is_none() {
                    "did not answer the trigger"
                } else {
                    "did not send the commit"
                };
                Fault::new(Code::PlatformSilent, format!("the platform {what} in time"))
            })
    }

    /// A message on our topics.
    pub fn message(
        &mut self,
        topic: &str,
        payload: Vec<u8>,
        retained: bool,
        wall_ms: i64,
    ) -> Vec<Decision> {
        let request = match self.inbox.read(topic, retained, payload) {
            Incoming::Ignored => return Vec::new(),
            Incoming::Undecodable(reason) => return self.cannot_answer(topic, &reason),
            Incoming::Unanswerable(reason) => return self.cannot_answer(topic, &reason),
            Incoming::Request(request) => request,
        };
        match self.ledger.lookup(&request) {
            Lookup::New => {}
            Lookup::Repeated(reply) => return vec![publish(reply)],
            Lookup::Pending => return Vec::new(),
            Lookup::Conflict(fault) => {
                let reply = self.replies.refused(&request, &fault, wall_ms).ok();
                return reply.into_iter().map(publish).collect();
            }
        }
        let application_topic = request.application_topic.clone();
        log::debug!("request {application_topic}");
        self.ledger.open(&request);
        let certificates = application_topic == CERTIFICATES;
        self.at_hand = Some(AtHand {
            request: Arc::clone(&request),
            item: None,
            slot: None,
            weight: request.body().len(),
            wall_ms,
        });
        if self.signature_demanded(certificates) {
            return vec![Decision::Do(Output::Verify(request))];
        }
        self.dispatch()
    }

    /// From the certificates on everything is signed; at a re-provisioning from the start.
    fn signature_demanded(&self, certificates: bool) -> bool {
        // At a first provisioning the same chain again needs no more than the first time.
        self.reprovisioning || (self.certificates.is_some() && !certificates)
    }

    /// Counted and logged: nobody can be answered (rulings, 9). The 1st, 2nd, 4th, 8th, ... are
    /// worth a line, the others for debugging only: who floods the gateway must not fill its disk.
    fn cannot_answer(&mut self, topic: &str, reason: &dyn std::error::Error) -> Vec<Decision> {
        self.unanswered = self.unanswered.saturating_add(1);
        let level = match self.unanswered.is_power_of_two() {
            true => log::Level::Warn,
            false => log::Level::Debug,
        };
        let n = self.unanswered;
        log::log!(
            level,
            "message {n} of this attempt that cannot be answered, on {topic}: {reason}"
        );
        Vec::new()
    }

    /// The signature of the request at hand was judged.
    pub fn verified(&mut self, result: Result<(), Fault>) -> Vec<Decision> {
        match result {
            Ok(()) => self.dispatch(),
            // Not recorded: the same request with a good signature must have its chance.
            Err(fault) => self.refuse(fault, false),
        }
    }

    fn dispatch(&mut self) -> Vec<Decision> {
        let Some(at_hand) = &self.at_hand else {
            return Vec::new();
        };
        let request = Arc::clone(&at_hand.request);
        if request.is_configurations() && self.certificates.is_none() {
            // Nobody has signed it: it is not even read.
            return self.refuse(unexpected("PROV-V1/certificates comes first"), true);
        }
        if request.is_configurations() && !self.applying && !self.has_room() {
            // Nor what is too large anyway: reading it takes more memory than it has itself.
            return self.refuse(too_large(), true);
        }
        let operation = match request.operation() {
            Ok(operation) => operation,
            // Before the certificates nothing else is looked into, the reject excepted.
            Err(_) if self.certificates.is_none() && !request.is_reject() => {
                return self.refuse(unexpected("PROV-V1/certificates comes first"), true);
            }
            Err(fault) => return self.refuse(fault, true),
        };
        if operation == Operation::Unknown {
            let fault = Operation::not_found(&request);
            return self.refuse(fault, true);
        }
        if self.applying {
            return self.refuse(unexpected("the commit is being carried out"), true);
        }
        match operation {
            Operation::Certificates => self.take_certificates(request),
            Operation::Reject(reject) => self.rejected(&reject),
            Operation::GetConfigurations { pid } => {
                vec![Decision::Do(Output::ReadConfigurations { pid })]
            }
            _ if self.certificates.is_none() => {
                self.refuse(unexpected("PROV-V1/certificates comes first"), true)
            }
            Operation::Commit(commit) => self.commit(&commit),
            Operation::Configurations {
                pid,
                configurations,
            } => {
                if let Some(at_hand) = &mut self.at_hand {
                    at_hand.weight = configurations::weight(at_hand.weight, &configurations);
                }
                let item = Item::Configurations(configurations);
                let entry = protocol::Item::Configurations { pid };
                if self.packages.is_busy() {
                    return self.hold(item, &entry);
                }
                self.configurations += 1;
                self.stage(item, entry)
            }
            Operation::KeystoreCertificate(certificate) => self.stage(
                Item::Certificate {
                    keystore: certificate.keystore,
                    alias: certificate.alias,
                    pem: certificate.certificate,
                },
                protocol::Item::KeystoreCertificate,
            ),
            Operation::CredentialsCertificate => {
                let Some((keystore, alias)) = self.key_of(request.body()) else {
                    return self.refuse(
                        unexpected("the certificate is for none of the requested keys"),
                        true,
                    );
                };
                self.stage(
                    Item::Chain {
                        keystore,
                        alias,
                        pem: String::from_utf8_lossy(request.body()).into_owned(),
                    },
                    protocol::Item::CredentialsCertificate,
                )
            }
            Operation::Csr(_) if self.keys.len() >= KEYS => {
                let most = format!("at most {KEYS} keys are made in one provisioning");
                self.refuse(unexpected(&most), true)
            }
            Operation::Csr(csr) => vec![Decision::Do(Output::Csr(csr))],
            Operation::Download(download) => self.take_download(*download),
            Operation::Unknown => Vec::new(),
        }
    }

    fn take_certificates(&mut self, request: Arc<Request>) -> Vec<Decision> {
        let digest = openssl::sha::sha256(request.body());
        match self.certificates {
            None => vec![Decision::Do(Output::CheckChain { request })],
            Some(before) if before == digest => self.accept(None),
            Some(_) => self.refuse(
                unexpected("another chain was accepted in this attempt"),
                true,
            ),
        }
    }

    /// The chain at hand was validated.
    pub fn chain_checked(&mut self, result: Result<ChainSummary, Fault>) -> Vec<Decision> {
        let fault = match result {
            Ok(summary) => {
                let Some(at_hand) = &mut self.at_hand else {
                    return Vec::new();
                };
                self.certificates = Some(openssl::sha::sha256(at_hand.request.body()));
                at_hand.item = Some(protocol::Item::Certificates);
                let root = if summary.root_verified {
                    "root verified"
                } else {
                    "root not verified"
                };
                let mut decisions = self.accept(None);
                decisions.push(Decision::Step(Step::Configuration, String::new()));
                decisions.insert(
                    0,
                    Decision::Step(
                        Step::Certificates,
                        format!("{root}, signer {}", summary.leaf),
                    ),
                );
                return decisions;
            }
            Err(fault) => fault,
        };
        self.refuse(fault, true)
    }

    /// Whether the request at hand can be kept besides what is, and what waits for packages.
    fn has_room(&self) -> bool {
        let size = self.at_hand.as_ref().map_or(0, |at_hand| at_hand.weight);
        self.kept + self.packages.weight() + size + PLACE <= KEPT
    }

    fn stage(&mut self, item: Item, entry: protocol::Item) -> Vec<Decision> {
        if !self.has_room() {
            return self.refuse(too_large(), true);
        }
        if let Some(at_hand) = &mut self.at_hand {
            at_hand.item = Some(entry);
        }
        vec![Decision::Do(Output::Stage(item))]
    }

    /// The item at hand was staged.
    pub fn staged(&mut self, result: Result<(), Fault>) -> Vec<Decision> {
        let mut decisions = match result {
            Ok(()) => {
                let mut decisions = self.accept(None);
                if self.configurations > 0 {
                    decisions.push(Decision::Step(
                        Step::Configuration,
                        format!("{} received", self.configurations),
                    ));
                }
                decisions
            }
            Err(fault) => self.refuse(fault, true),
        };
        decisions.extend(self.release());
        decisions
    }

    /// The body of the reply at hand is there.
    pub fn body(&mut self, result: Result<Vec<u8>, Fault>, _wall_ms: i64) -> Vec<Decision> {
        match result {
            Ok(body) => {
                let operation = self.at_hand.as_ref().map(|at| at.request.operation());
                if let Some(Ok(Operation::Csr(csr))) = operation {
                    self.keys.push((csr.keystore, csr.alias, body.clone()));
                }
                self.accept(Some(body))
            }
            Err(fault) => self.refuse(fault, true),
        }
    }

    /// Keystore and alias of the requested key that the leaf certifies.
    fn key_of(&self, pem: &[u8]) -> Option<(String, String)> {
        let chain = openssl::x509::X509::stack_from_pem(pem).ok()?;
        let key = chain.first()?.public_key().ok()?;
        self.keys
            .iter()
            .find(|(_, _, csr)| {
                openssl::x509::X509Req::from_pem(csr)
                    .and_then(|csr| csr.public_key())
                    .is_ok_and(|requested| requested.public_eq(&key))
            })
            .map(|(keystore, alias, _)| (keystore.clone(), alias.clone()))
    }

    fn rejected(&mut self, reject: &Reject) -> Vec<Decision> {
        if reject.nonce != self.nonce {
            return self.refuse(
                Fault::new(
                    Code::TransactionMismatch,
                    "the reject carries another attempt's prov.nonce",
                ),
                true,
            );
        }
        let mut decisions = self.accept(None);
        decisions.push(Decision::End(self.meant(reject.fault())));
        decisions
    }

    /// A platform that gives up because of what was refused here repeats the code of the refusal;
    /// the refusal itself says more.
    fn meant(&self, rejected: Fault) -> Fault {
        let repeats = |own: &&Fault| {
            let code = rejected.platform.as_ref().map(|(code, _)| code.as_str());
            code == Some(own.code.as_str())
        };
        match self.last_refusal.as_ref().filter(repeats) {
            Some(own) => Fault {
                retry_after: rejected.retry_after,
                ..own.clone()
            },
            None => rejected,
        }
    }

    /// Any error to it ends the attempt (rulings, 12).
    fn commit(&mut self, commit: &Commit) -> Vec<Decision> {
        let differs = |what| Err(Fault::new(Code::TransactionMismatch, what));
        let checked = match self.manifest.digest() {
            None => Err(unexpected(
                "a download is under way, or a configuration waits for one",
            )),
            Some(_) if commit.transaction_id != self.transaction => {
                differs("prov.transaction.id is not that of this transaction")
            }
            Some(_) if commit.nonce != self.nonce => {
                differs("prov.nonce is not that of this attempt")
            }
            Some(digest) if commit.manifest != digest => {
                differs("prov.manifest.sha256 is not that of what was received")
            }
            Some(digest) => Ok(digest),
        };
        let digest = match checked {
            Ok(digest) => digest,
            Err(fault) => {
                let mut decisions = self.refuse(fault.clone(), true);
                decisions.push(Decision::End(fault));
                return decisions;
            }
        };
        // The ledger keeps it open: a repetition meanwhile has no second effect.
        let Some(at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        self.applying = true;
        vec![Decision::Commit(ReplyTo {
            replies: self.replies.clone(),
            request: at_hand.request,
            manifest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        })]
    }

    /// The request at hand is accepted.
    fn accept(&mut self, body: Option<Vec<u8>>) -> Vec<Decision> {
        let Some(at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        let body_of = at_hand.request.body();
        if at_hand.slot.is_some() || at_hand.item.is_some() {
            self.kept += at_hand.weight + PLACE;
        }
        match (at_hand.slot, at_hand.item) {
            (Some(slot), _) => {
                let digest = openssl::sha::sha256(body_of);
                self.manifest.fill(slot, digest, body_of.len() as u64);
            }
            (None, Some(item)) => drop(self.manifest.accepted_body(item, body_of)),
            (None, None) => {}
        }
        let reply = self.replies.done(&at_hand.request, body, at_hand.wall_ms);
        self.answer(&at_hand.request, reply.ok(), true)
    }

    /// The request at hand is refused. A 403 ends the attempt (rulings, 12).
    fn refuse(&mut self, fault: Fault, record: bool) -> Vec<Decision> {
        let Some(at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        // What the gateway itself cannot do is no matter of the platform alone.
        let level = match fault.response_code() {
            500 => log::Level::Warn,
            _ => log::Level::Debug,
        };
        log::log!(
            level,
            "refused {}: {fault}",
            at_hand.request.application_topic
        );
        if let Some(slot) = at_hand.slot {
            self.manifest.withdraw(slot);
        }
        let reply = self
            .replies
            .refused(&at_hand.request, &fault, at_hand.wall_ms);
        let mut decisions = self.answer(&at_hand.request, reply.ok(), record);
        if fault.response_code() == 403 {
            decisions.push(Decision::End(fault));
        } else {
            self.last_refusal = Some(fault);
        }
        decisions
    }

    fn answer(
        &mut self,
        request: &Request,
        reply: Option<Outgoing>,
        record: bool,
    ) -> Vec<Decision> {
        match &reply {
            Some(reply) if record => self.ledger.record(request, reply.clone()),
            _ => self.ledger.forget(request),
        }
        reply.into_iter().map(publish).collect()
    }
}

fn publish(message: Outgoing) -> Decision {
    Decision::Do(Output::Publish(message))
}

/// More than [`KEPT`].
fn too_large() -> Fault {
    Fault::new(
        Code::ProtocolTooLarge,
        format!(
            "more than {} KiB of configurations and certificates in one provisioning, where each \
             component and each password counts {} bytes besides its text, each other value {}",
            KEPT >> 10,
            configurations::PER_CONFIGURATION,
            configurations::PER_VALUE
        ),
    )
}

fn unexpected(what: &str) -> Fault {
    Fault::new(Code::ProtocolUnexpected, what)
}
