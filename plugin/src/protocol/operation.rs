//! What a request asks for.

use kura_formats::configurations::{self, Configuration, XmlLimits};
use kura_formats::payload::{MetricValue, Payload};
use kura_formats::topic::{Method, RequestTopic};
use serde::Deserialize;

use super::{metric, PROV_APP};
use crate::diagnosis::{Code, Fault};

/// The operations of a provisioning session.
#[derive(Clone, Debug)]
pub enum Operation {
    /// `PUT PROV-V1/certificates`: the chain that will sign.
    Certificates,
    /// `PUT PROV-V1/credentials/certificate`: the certificate issued for a request of ours.
    CredentialsCertificate {
        /// Leaf first.
        pem: String,
    },
    /// `POST KEYS-V1/keystores/entries/certificate`: a certificate to trust.
    KeystoreCertificate {
        /// E.g. `SSLKeystore`.
        keystore: String,
        /// Its alias.
        alias: String,
        /// PEM.
        pem: String,
    },
    /// `POST KEYS-V1/keystores/entries/csr`: a key that stays here.
    Csr(CsrRequest),
    /// `PUT CONF-V1/configurations[/pid]`.
    Configurations {
        /// What to merge.
        list: Vec<Configuration>,
    },
    /// `GET CONF-V1/configurations[/pid]`.
    GetConfigurations {
        /// One component, or all.
        pid: Option<String>,
    },
    /// `EXEC DEPLOY-V2/download`.
    Download,
    /// `EXEC PROV-V1/commit`.
    Commit {
        /// Metric `prov.transaction.id`.
        transaction: String,
        /// Metric `prov.nonce`.
        nonce: Vec<u8>,
        /// Metric `prov.manifest.sha256`.
        manifest: Vec<u8>,
    },
    /// `EXEC PROV-V1/reject`.
    Reject {
        /// The platform's code.
        code: String,
        /// The platform's words.
        message: String,
        /// Seconds to wait at least.
        retry_after: Option<i32>,
        /// Metric `prov.nonce`.
        nonce: Option<Vec<u8>>,
    },
}

/// A certificate request for a key of a keystore.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CsrRequest {
    /// E.g. `SSLKeystore`.
    #[serde(rename = "keystoreServicePid")]
    pub keystore: String,
    /// Its alias.
    pub alias: String,
    /// `EC` or `RSA`.
    #[serde(default = "ec")]
    pub algorithm: String,
    /// Bits; 0 for the algorithm's usual one.
    #[serde(default)]
    pub size: u32,
    /// A Java name, or empty.
    #[serde(default, rename = "signatureAlgorithm")]
    pub signature_algorithm: String,
    /// The subject, RFC 4514.
    #[serde(default, rename = "attributes")]
    pub subject: String,
}

fn ec() -> String {
    "EC".into()
}

#[derive(Deserialize)]
struct CertificateBody {
    #[serde(rename = "keystoreServicePid")]
    keystore: String,
    alias: String,
    certificate: String,
}

/// Reads the operation of a request.
pub fn parse(topic: &RequestTopic, payload: &Payload) -> Result<Operation, Fault> {
    let resources: Vec<&str> = topic.resources.iter().map(String::as_str).collect();
    let body = payload.body.as_deref().unwrap_or_default();
    match (topic.app.as_str(), topic.method, resources.as_slice()) {
        (PROV_APP, Method::Put, ["certificates"]) => Ok(Operation::Certificates),
        (PROV_APP, Method::Put, ["credentials", "certificate"]) => {
            Ok(Operation::CredentialsCertificate {
                pem: text(body, "the certificate")?,
            })
        }
        (PROV_APP, Method::Exec, ["commit"]) => Ok(Operation::Commit {
            transaction: string(payload, metric::TRANSACTION)?,
            nonce: bytes(payload, metric::NONCE)?,
            manifest: bytes(payload, metric::MANIFEST)?,
        }),
        (PROV_APP, Method::Exec, ["reject"]) => Ok(Operation::Reject {
            code: string(payload, metric::ERROR_CODE)?,
            message: payload
                .string(metric::ERROR_MESSAGE)
                .unwrap_or_default()
                .to_owned(),
            retry_after: payload.int32(metric::RETRY_AFTER),
            nonce: payload.bytes(metric::NONCE).map(<[u8]>::to_vec),
        }),
        ("KEYS-V1", Method::Post, ["keystores", "entries", "certificate"]) => {
            let body: CertificateBody = json(body)?;
            Ok(Operation::KeystoreCertificate {
                keystore: body.keystore,
                alias: body.alias,
                pem: body.certificate,
            })
        }
        ("KEYS-V1", Method::Post, ["keystores", "entries", "csr"]) => {
            let mut csr: CsrRequest = json(body)?;
            if csr.size == 0 {
                csr.size = if csr.algorithm == "RSA" { 2048 } else { 256 };
            }
            Ok(Operation::Csr(csr))
        }
        ("CONF-V1", Method::Put, ["configurations", pid @ ..]) if pid.len() <= 1 => {
            configurations(body, pid.first().copied())
        }
        ("CONF-V1", Method::Get, ["configurations", pid @ ..]) if pid.len() <= 1 => {
            Ok(Operation::GetConfigurations {
                pid: pid.first().map(|pid| (*pid).to_owned()),
            })
        }
        ("DEPLOY-V2", Method::Exec, ["download"]) => Ok(Operation::Download),
        _ => Err(Fault::not_found(format!(
            "{} is not part of a provisioning session",
            topic.application_topic()
        ))),
    }
}

fn configurations(body: &[u8], pid: Option<&str>) -> Result<Operation, Fault> {
    let list = configurations::read(
        body,
        &XmlLimits::default(),
        &mut configurations::remote_open,
    )
    .map_err(|e| Fault::new(Code::ProtocolMalformed, format!("the configurations: {e}")))?;
    if let Some(pid) = pid {
        if let Some(other) = list.iter().find(|c| c.pid != pid) {
            return Err(Fault::new(
                Code::ProtocolMalformed,
                format!("a configuration of {} under the resource {pid}", other.pid),
            ));
        }
    }
    if list.is_empty() {
        return Err(Fault::new(
            Code::ProtocolMalformed,
            "the configurations: none in the body",
        ));
    }
    Ok(Operation::Configurations { list })
}

fn json<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(body)
        .map_err(|e| Fault::new(Code::ProtocolMalformed, format!("the JSON body: {e}")))
}

fn text(body: &[u8], what: &str) -> Result<String, Fault> {
    String::from_utf8(body.to_vec())
        .map_err(|_| Fault::new(Code::ProtocolMalformed, format!("{what} is not text")))
}

fn string(payload: &Payload, name: &str) -> Result<String, Fault> {
    payload
        .string(name)
        .map(str::to_owned)
        .ok_or_else(|| lacking(payload, name, "a String"))
}

fn bytes(payload: &Payload, name: &str) -> Result<Vec<u8>, Fault> {
    payload
        .bytes(name)
        .map(<[u8]>::to_vec)
        .ok_or_else(|| lacking(payload, name, "BYTES"))
}

fn lacking(payload: &Payload, name: &str, kind: &str) -> Fault {
    let what = match payload.get(name) {
        None::<&MetricValue> => "is missing".to_owned(),
        Some(_) => format!("is not {kind}"),
    };
    Fault::new(Code::ProtocolMalformed, format!("metric {name} {what}"))
}
