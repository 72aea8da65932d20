//! Requests to the device: metrics, nonce, signature, topic.

use crate::behaviour::Signing;
use crate::clock;
use crate::pki::{Identity, KeyKind, PkiError, Profile};
use kura_formats::payload::{encode, gzip, MetricValue, Payload};
use kura_formats::request::{self, Ids};
use kura_formats::topic::{Method, RequestTopic, TopicError, Topics};
use openssl::error::ErrorStack;
use openssl::rand::rand_bytes;
use provisioning_service::trust::{sign, SignedView};
use zeroize::Zeroizing;

/// Why a request could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// An id that cannot be in a topic.
    #[error("a request cannot be addressed")]
    Topic(#[from] TopicError),
    /// OpenSSL refused.
    #[error("OpenSSL could not sign a request")]
    OpenSsl(#[from] ErrorStack),
    /// The other signer could not be made.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// Longer than the signed form can say.
    #[error("a request is too long to be signed")]
    TooLong,
}

/// Above this size a payload is compressed for a device that understands it.
const WORTH_COMPRESSING: usize = 1024;

/// What is to be sent.
pub(crate) struct Draft<'a> {
    pub(crate) account: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) requester: &'a str,
    pub(crate) app: &'static str,
    pub(crate) method: Method,
    pub(crate) resources: &'static [&'static str],
    pub(crate) nonce: &'a [u8],
    pub(crate) metrics: Vec<(&'static str, MetricValue)>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) gzip: bool,
}

/// What goes over the wire.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) topic: String,
    pub(crate) request_id: String,
    pub(crate) application_topic: String,
    pub(crate) payload: Vec<u8>,
}

/// 128 random bits in hexadecimal.
pub(crate) fn random_id() -> Result<String, ErrorStack> {
    let mut bytes = [0; 16];
    rand_bytes(&mut bytes)?;
    Ok(crate::hex(&bytes))
}

impl Draft<'_> {
    /// Makes the message; `signer` none is unsigned.
    pub(crate) fn finish(
        self,
        signer: Option<(&Identity, Signing)>,
    ) -> Result<Outgoing, MessageError> {
        let topic = RequestTopic {
            account: self.account.to_owned(),
            client_id: self.client_id.to_owned(),
            app: self.app.to_owned(),
            method: self.method,
            resources: self.resources.iter().map(|r| (*r).to_owned()).collect(),
        };
        let request_id = random_id()?;
        let ids = Ids {
            request_id: request_id.clone(),
            requester: self.requester.to_owned(),
        };
        let now = clock::now();
        let mut payload = request::request(&ids, now);
        for (name, value) in self.metrics {
            payload.push(name, value);
        }
        let signing = signer.map(|(_, signing)| signing);
        if signing != Some(Signing::WithoutNonce) && payload.get("prov.nonce").is_none() {
            payload.push("prov.nonce", self.nonce);
        }
        payload.body = self.body;
        if let Some((signer, signing)) = signer.filter(|(_, s)| *s != Signing::Missing) {
            if signing != Signing::WithoutTimestamp {
                payload.push("sig.timestamp", now);
            }
            payload.push("sig.id", random_id()?);
            let mut signed_for = topic.clone();
            if signing == Signing::OtherClient {
                signed_for.client_id.push_str("-other");
            }
            let mut content = canonical(&signed_for, &payload).ok_or(MessageError::TooLong)?;
            if signing == Signing::Altered {
                content.push(0);
            }
            let signature = match signing {
                Signing::OtherSigner => {
                    let other = other_signer(signer)?;
                    sign(&content, other.certificate(), other.key())?
                }
                _ => sign(&content, signer.certificate(), signer.key())?,
            };
            payload.push("signature", signature);
        }
        let mut bytes = encode(&payload);
        if self.gzip && bytes.len() > WORTH_COMPRESSING {
            bytes = gzip(&bytes);
        }
        Ok(Outgoing {
            topic: Topics::default().request(&topic)?,
            application_topic: topic.application_topic(),
            request_id,
            payload: bytes,
        })
    }
}

/// A signer that looks like the right one and is not: same issuer name and subject, other keys.
pub(super) fn other_signer(like: &Identity) -> Result<Identity, PkiError> {
    let name = |name: &openssl::x509::X509NameRef| {
        let entry = name.entries_by_nid(openssl::nid::Nid::COMMONNAME).next();
        entry
            .and_then(|e| e.data().to_string().ok())
            .unwrap_or_default()
    };
    let issuer = name(like.certificate().issuer_name());
    let subject = name(like.certificate().subject_name());
    let issuer = Identity::self_signed(&Profile::authority(&issuer).key(KeyKind::EcP256))?;
    issuer.issue(&Profile::signer(&subject))
}

pub(super) fn canonical(topic: &RequestTopic, payload: &Payload) -> Option<Zeroizing<Vec<u8>>> {
    let application_topic = topic.application_topic();
    SignedView {
        account: &topic.account,
        client_id: &topic.client_id,
        application_topic: &application_topic,
        payload,
    }
    .canonical()
}
