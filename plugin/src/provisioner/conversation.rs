//! The platform's requests within one attempt: what is answered, staged, refused, and what ends
//! the attempt.
//!
//! The order of the checks on a request (rulings, 8): ids, recorded reply, signature, resource,
//! content. Pure, as everything in here: a signature is verified, an item staged by whoever
//! carries the [`Decision`]s out, and the result comes back. One request is at hand at a time.

use super::outputs::Output;
use super::steps::Step;
use crate::diagnosis::{Code, Fault};
use crate::protocol::{
    self, Incoming, Ledger, Manifest, ManifestItem, Operation, Recorded, Request,
};
use crate::transaction::Item;

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
    /// Everything is here: carry the plan out, and reply then.
    Commit(ReplyTo),
    /// The attempt is over.
    End(Fault),
}

/// Where the reply of a request goes, to be made later.
#[derive(Clone, Debug)]
pub struct ReplyTo {
    topic: String,
    /// Lower hex of the manifest.
    manifest: String,
}

impl ReplyTo {
    /// 200.
    pub fn ok(&self, wall_ms: i64) -> Output {
        Output::Publish {
            topic: self.topic.clone(),
            payload: protocol::reply_ok(None, wall_ms),
        }
    }

    /// The fault's own code.
    pub fn error(&self, fault: &Fault, wall_ms: i64) -> Output {
        Output::Publish {
            topic: self.topic.clone(),
            payload: protocol::reply_error(fault, wall_ms),
        }
    }

    /// Lower hex of the manifest's digest.
    pub fn manifest(&self) -> &str {
        &self.manifest
    }
}

/// One attempt's conversation.
pub struct Conversation {
    account: String,
    client_id: String,
    transaction: String,
    nonce: [u8; 32],
    reprovisioning: bool,
    ledger: Ledger,
    manifest: Manifest,
    /// Digest of the accepted certificates body.
    certificates: Option<[u8; 32]>,
    downloading: bool,
    /// Keystore, alias and request (PEM) of the keys made for the platform.
    keys: Vec<(String, String, Vec<u8>)>,
    configurations: u32,
    applying: bool,
    at_hand: Option<AtHand>,
    last_refusal: Option<Fault>,
}

struct AtHand {
    request: Box<Request>,
    /// What is entered in the manifest once it is accepted.
    item: Option<ManifestItem>,
    wall_ms: i64,
}

impl Conversation {
    /// A conversation about to begin.
    pub fn new(
        account: &str,
        client_id: &str,
        transaction: &str,
        nonce: [u8; 32],
        reprovisioning: bool,
    ) -> Self {
        Conversation {
            account: account.to_owned(),
            client_id: client_id.to_owned(),
            transaction: transaction.to_owned(),
            nonce,
            reprovisioning,
            ledger: Ledger::default(),
            manifest: Manifest::default(),
            certificates: None,
            downloading: false,
            keys: Vec::new(),
            configurations: 0,
            applying: false,
            at_hand: None,
            last_refusal: None,
        }
    }

    /// What the deadline means: the last refusal, or the platform's silence (rulings, 12).
    pub fn silence(&self) -> Fault {
        self.last_refusal.clone().unwrap_or_else(|| {
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
        payload: &[u8],
        retained: bool,
        wall_ms: i64,
    ) -> Vec<Decision> {
        if retained {
            return Vec::new();
        }
        let request = match protocol::classify(&self.account, &self.client_id, topic, payload) {
            Incoming::Ignored => return Vec::new(),
            Incoming::Unanswerable(reason) => {
                log::warn!("a message on {topic} cannot be answered: {reason}");
                return Vec::new();
            }
            Incoming::Request(request) => request,
        };
        match self.ledger.look_up(&request) {
            Recorded::New => {}
            Recorded::Same(payload) => return vec![self.publish(&request, payload)],
            Recorded::Pending => return Vec::new(),
            Recorded::Other => {
                let fault = Fault::new(
                    Code::ProtocolUnexpected,
                    format!(
                        "request.id {} was used for another request",
                        request.request_id
                    ),
                );
                return vec![self.publish(&request, protocol::reply_error(&fault, wall_ms))];
            }
        }
        let application_topic = request.application_topic.clone();
        log::debug!("request {application_topic}");
        self.at_hand = Some(AtHand {
            request: request.clone(),
            item: None,
            wall_ms,
        });
        if self.signature_demanded(&request) {
            return vec![Decision::Do(Output::Verify(request))];
        }
        self.dispatch()
    }

    /// From the certificates on everything is signed; at a re-provisioning from the start.
    fn signature_demanded(&self, request: &Request) -> bool {
        if self.reprovisioning {
            return true;
        }
        // The same chain again needs no more than the first time.
        let again = matches!(request.operation, Ok(Operation::Certificates));
        self.certificates.is_some() && !again
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
        let operation = match &at_hand.request.operation {
            Ok(operation) => operation.clone(),
            Err(fault) => return self.refuse(fault.clone(), true),
        };
        if self.applying {
            return self.refuse(unexpected("the commit is being carried out"), true);
        }
        let body = at_hand.request.body().to_vec();
        let resource = at_hand.request.resource_path();
        match operation {
            Operation::Certificates => self.take_certificates(body),
            Operation::Reject {
                code,
                message,
                retry_after,
                nonce,
            } => self.rejected(&code, &message, retry_after, nonce.as_deref()),
            Operation::GetConfigurations { pid } => {
                vec![Decision::Do(Output::ReadConfigurations { pid })]
            }
            Operation::Commit {
                transaction,
                nonce,
                manifest,
            } => self.commit(&transaction, &nonce, &manifest),
            _ if self.certificates.is_none() => {
                self.refuse(unexpected("PROV-V1/certificates comes first"), true)
            }
            Operation::Configurations { list } => {
                self.configurations += 1;
                self.stage(
                    Item::Configurations(list),
                    ManifestItem::body(&resource, &body),
                )
            }
            Operation::KeystoreCertificate {
                keystore,
                alias,
                pem,
            } => self.stage(
                Item::Certificate {
                    keystore,
                    alias,
                    pem,
                },
                ManifestItem::body(&resource, &body),
            ),
            Operation::CredentialsCertificate { pem } => {
                let Some((keystore, alias)) = self.key_of(&pem) else {
                    return self.refuse(
                        unexpected("the certificate is for none of the requested keys"),
                        true,
                    );
                };
                self.stage(
                    Item::Chain {
                        keystore,
                        alias,
                        pem,
                    },
                    ManifestItem::body(&resource, &body),
                )
            }
            Operation::Csr(csr) => vec![Decision::Do(Output::Csr(csr))],
            Operation::Download => self.refuse(
                Fault::new(Code::PackageFailed, "this host installs no packages"),
                true,
            ),
        }
    }

    fn take_certificates(&mut self, pem: Vec<u8>) -> Vec<Decision> {
        let digest = openssl::sha::sha256(&pem);
        match self.certificates {
            None => vec![Decision::Do(Output::CheckChain { pem })],
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
                let body = at_hand.request.body().to_vec();
                let resource = at_hand.request.resource_path();
                self.certificates = Some(openssl::sha::sha256(&body));
                at_hand.item = Some(ManifestItem::body(&resource, &body));
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

    fn stage(&mut self, item: Item, entry: ManifestItem) -> Vec<Decision> {
        if let Some(at_hand) = &mut self.at_hand {
            at_hand.item = Some(entry);
        }
        vec![Decision::Do(Output::Stage(item))]
    }

    /// The item at hand was staged.
    pub fn staged(&mut self, result: Result<(), Fault>) -> Vec<Decision> {
        match result {
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
        }
    }

    /// The body of the reply at hand is there.
    pub fn body(&mut self, result: Result<Vec<u8>, Fault>, _wall_ms: i64) -> Vec<Decision> {
        match result {
            Ok(body) => {
                let operation = self.at_hand.as_ref().map(|at| &at.request.operation);
                if let Some(Ok(Operation::Csr(csr))) = operation {
                    self.keys
                        .push((csr.keystore.clone(), csr.alias.clone(), body.clone()));
                }
                self.accept(Some(&body))
            }
            Err(fault) => self.refuse(fault, true),
        }
    }

    /// Keystore and alias of the requested key that the leaf certifies.
    fn key_of(&self, pem: &str) -> Option<(String, String)> {
        let chain = openssl::x509::X509::stack_from_pem(pem.as_bytes()).ok()?;
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

    fn rejected(
        &mut self,
        code: &str,
        message: &str,
        retry_after: Option<i32>,
        nonce: Option<&[u8]>,
    ) -> Vec<Decision> {
        if nonce != Some(&self.nonce[..]) {
            return self.refuse(
                Fault::new(
                    Code::TransactionMismatch,
                    "the reject carries another attempt's prov.nonce",
                ),
                true,
            );
        }
        let mut decisions = self.accept(None);
        decisions.push(Decision::End(Fault::rejected(code, message, retry_after)));
        decisions
    }

    fn commit(&mut self, transaction: &str, nonce: &[u8], manifest: &[u8]) -> Vec<Decision> {
        if self.certificates.is_none() {
            return self.refuse(unexpected("PROV-V1/certificates comes first"), true);
        }
        if self.downloading {
            return self.refuse(unexpected("a download is under way"), true);
        }
        let digest = self.manifest.digest();
        let differs = if transaction != self.transaction {
            Some("prov.transaction.id is not that of this transaction")
        } else if nonce != self.nonce {
            Some("prov.nonce is not that of this attempt")
        } else if manifest != digest {
            Some("prov.manifest.sha256 is not that of what was received")
        } else {
            None
        };
        if let Some(what) = differs {
            let fault = Fault::new(Code::TransactionMismatch, what);
            let mut decisions = self.refuse(fault.clone(), true);
            decisions.push(Decision::End(fault));
            return decisions;
        }
        let Some(at_hand) = &self.at_hand else {
            return Vec::new();
        };
        self.applying = true;
        let reply = ReplyTo {
            topic: at_hand.request.reply_topic(),
            manifest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        // A repetition while the commit is carried out has no second effect.
        self.ledger.pending(&at_hand.request);
        self.at_hand = None;
        vec![Decision::Commit(reply)]
    }

    /// The request at hand is accepted.
    fn accept(&mut self, body: Option<&[u8]>) -> Vec<Decision> {
        let Some(at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        if let Some(item) = at_hand.item {
            self.manifest.accept(&item);
        }
        let payload = protocol::reply_ok(body, at_hand.wall_ms);
        self.ledger.record(&at_hand.request, &payload);
        vec![self.publish(&at_hand.request, payload)]
    }

    /// The request at hand is refused. A 403 ends the attempt (rulings, 12).
    fn refuse(&mut self, fault: Fault, record: bool) -> Vec<Decision> {
        let Some(at_hand) = self.at_hand.take() else {
            return Vec::new();
        };
        log::debug!("refused {}: {fault}", at_hand.request.application_topic);
        let payload = protocol::reply_error(&fault, at_hand.wall_ms);
        if record {
            self.ledger.record(&at_hand.request, &payload);
        }
        let mut decisions = vec![self.publish(&at_hand.request, payload)];
        if fault.response_code() == 403 {
            decisions.push(Decision::End(fault));
        } else {
            self.last_refusal = Some(fault);
        }
        decisions
    }

    fn publish(&self, request: &Request, payload: Vec<u8>) -> Decision {
        Decision::Do(Output::Publish {
            topic: request.reply_topic(),
            payload,
        })
    }
}

fn unexpected(what: &str) -> Fault {
    Fault::new(Code::ProtocolUnexpected, what)
}
