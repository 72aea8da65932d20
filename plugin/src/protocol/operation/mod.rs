//! What a request asks for, exactly: parsed once, into types.
//!
//! Strict: what is missing, of another type or out of bounds is refused with one line that names
//! the metric or member. Whether it may be asked now, and by this signer, is the provisioner's.

mod configurations;
mod control;
mod download;
mod keys;
mod metric;

use kura_formats::configurations::Configuration;
use kura_formats::topic::Method;

use super::names;
use super::request::Request;
use crate::diagnosis::Fault;

pub use control::{Commit, Reject};
pub use download::Download;
pub use keys::{Csr, KeystoreCertificate};

/// What a request asks for. Bodies that are staged as they are stay in the request.
#[derive(Clone, Debug, PartialEq)]
pub enum Operation {
    /// `PUT PROV-V1/certificates`: the chain that will sign, PEM in the body. Its content is
    /// judged by `trust` alone.
    Certificates,
    /// `PUT PROV-V1/credentials/certificate`: the issued client certificate, PEM in the body, not
    /// empty.
    CredentialsCertificate,
    /// `POST KEYS-V1/keystores/entries/certificate`: a trusted certificate for a keystore.
    KeystoreCertificate(KeystoreCertificate),
    /// `POST KEYS-V1/keystores/entries/csr`: a key that stays here, and its request.
    Csr(Csr),
    /// `PUT CONF-V1/configurations[/pid]`.
    Configurations {
        /// The pid named by the topic; the document then holds exactly that one.
        pid: Option<String>,
        /// At least one, none of them of this component; passwords in clear.
        configurations: Vec<Configuration>,
    },
    /// `GET CONF-V1/configurations[/pid]`.
    GetConfigurations {
        /// The pid named by the topic.
        pid: Option<String>,
    },
    /// `EXEC DEPLOY-V2/download`.
    Download(Box<Download>),
    /// `EXEC PROV-V1/commit`.
    Commit(Commit),
    /// `EXEC PROV-V1/reject`.
    Reject(Reject),
    /// Nothing known here: 404.
    Unknown,
}

impl Operation {
    /// The refusal of [`Operation::Unknown`].
    pub fn not_found(request: &Request) -> Fault {
        Fault::not_found(format!(
            "{} is not part of provisioning profile {}",
            request.application_topic,
            names::PROFILE
        ))
    }
}

/// See [`Request::is_configurations`].
pub(super) fn is_configurations(request: &Request) -> bool {
    let resources: Vec<&str> = request.topic.resources.iter().map(String::as_str).collect();
    let known = matches!(&resources[..], ["configurations", rest @ ..] if pid(rest).is_some());
    known && request.app() == names::CONF_V1 && request.method() == Method::Put
}

/// See [`Request::operation`].
pub(super) fn of(request: &Request) -> Result<Operation, Fault> {
    let resources: Vec<&str> = request.topic.resources.iter().map(String::as_str).collect();
    Ok(
        match (request.app(), request.method(), resources.as_slice()) {
            (names::PROV_V1, Method::Put, ["certificates"]) => Operation::Certificates,
            (names::PROV_V1, Method::Put, ["credentials", "certificate"]) => {
                keys::pem_body(request)?;
                Operation::CredentialsCertificate
            }
            (names::PROV_V1, Method::Exec, ["commit"]) => {
                Operation::Commit(control::commit(&request.payload)?)
            }
            (names::PROV_V1, Method::Exec, ["reject"]) => {
                Operation::Reject(control::reject(&request.payload)?)
            }
            (names::KEYS_V1, Method::Post, ["keystores", "entries", "csr"]) => {
                Operation::Csr(keys::csr(request)?)
            }
            (names::KEYS_V1, Method::Post, ["keystores", "entries", "certificate"]) => {
                Operation::KeystoreCertificate(keys::certificate(request)?)
            }
            (names::CONF_V1, Method::Put, ["configurations", rest @ ..]) => match pid(rest) {
                Some(pid) => Operation::Configurations {
                    configurations: configurations::read(request.body(), pid.as_deref())?,
                    pid,
                },
                None => Operation::Unknown,
            },
            (names::CONF_V1, Method::Get, ["configurations", rest @ ..]) => match pid(rest) {
                Some(pid) => Operation::GetConfigurations { pid },
                None => Operation::Unknown,
            },
            (names::DEPLOY_V2, Method::Exec, ["download"]) => {
                Operation::Download(Box::new(download::download(&request.payload)?))
            }
            _ => Operation::Unknown,
        },
    )
}

/// The pid behind `configurations`: none, or one that is not empty; anything else is unknown.
fn pid(rest: &[&str]) -> Option<Option<String>> {
    match rest {
        [] => Some(None),
        [pid] if !pid.is_empty() && pid.len() <= 255 && !pid.contains(char::is_control) => {
            Some(Some((*pid).to_owned()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{payload, request};
    use super::*;

    #[test]
    fn what_is_not_known_is_unknown_and_404() {
        for (app, method, resource) in [
            ("PROV-V1", "GET", "certificates"),
            ("PROV-V1", "PUT", "certificates/x"),
            ("PROV-V1", "PUT", "credentials"),
            ("PROV-V1", "PUT", ""),
            ("PROV-V2", "EXEC", "commit"),
            ("PROV-V1", "EXEC", "Commit"),
            ("CONF-V1", "PUT", "configurations/a/b"),
            ("CONF-V1", "PUT", "configurations/"),
            ("CONF-V1", "GET", "snapshots"),
            ("CONF-V1", "DEL", "configurations"),
            ("KEYS-V1", "DEL", "keystores/entries"),
            ("KEYS-V1", "GET", "keystores"),
            ("DEPLOY-V2", "EXEC", "install"),
            ("DEPLOY-V2", "GET", "packages"),
            ("CMD-V1", "EXEC", "command"),
        ] {
            let request = request(app, method, resource, payload());
            assert_eq!(
                request.operation(),
                Ok(Operation::Unknown),
                "{app} {method} {resource}"
            );
            let fault = Operation::not_found(&request);
            assert_eq!(fault.response_code(), 404);
            assert!(fault.message.starts_with(&request.application_topic));
        }
    }

    #[test]
    fn a_read_names_all_or_one() {
        let all = request("CONF-V1", "GET", "configurations", payload());
        assert_eq!(
            all.operation(),
            Ok(Operation::GetConfigurations { pid: None })
        );
        let one = request("CONF-V1", "GET", "configurations/org.a-2", payload());
        let pid = Some("org.a-2".to_owned());
        assert_eq!(one.operation(), Ok(Operation::GetConfigurations { pid }));
    }

    #[test]
    fn the_received_chain_is_left_to_the_judge_of_chains() {
        for body in [Vec::new(), vec![0; 100_000]] {
            let request = request("PROV-V1", "PUT", "certificates", payload().with_body(body));
            assert_eq!(request.operation(), Ok(Operation::Certificates));
        }
    }
}
