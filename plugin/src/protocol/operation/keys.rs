//! Kura's `KEYS-V1`: a key with its certificate request, a trusted certificate; and the body of
//! an issued certificate. JSON members are Kura's (`KeystoreRestService` of the REST provider);
//! members not known here are ignored, as Kura does.

use serde::Deserialize;

use super::metric::malformed;
use crate::diagnosis::{Code, Fault};
use crate::protocol::request::Request;

/// The largest body here, in bytes, and the most of a chain.
const MAX_BODY: usize = 64 * 1024;

/// `POST KEYS-V1/keystores/entries/csr`: the key pair is made if the alias has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Csr {
    /// `keystoreServicePid`.
    pub keystore: String,
    /// `alias`.
    pub alias: String,
    /// `algorithm`: `EC` or `RSA`; `EC` if absent.
    pub algorithm: String,
    /// `size` in bits: 256 or 384 of EC (256 if absent), 2048, 3072 or 4096 of RSA (2048 if
    /// absent).
    pub size: u32,
    /// `signatureAlgorithm`, e.g. `SHA256withECDSA`; empty leaves it to the host.
    pub signature_algorithm: String,
    /// `attributes`: the subject, an RFC 4514 name.
    pub attributes: String,
}

/// `POST KEYS-V1/keystores/entries/certificate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeystoreCertificate {
    /// `keystoreServicePid`.
    pub keystore: String,
    /// `alias`.
    pub alias: String,
    /// `certificate`: PEM, not judged here.
    pub certificate: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CsrBody {
    keystore_service_pid: String,
    alias: String,
    algorithm: Option<String>,
    size: Option<u32>,
    signature_algorithm: Option<String>,
    attributes: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CertificateBody {
    keystore_service_pid: String,
    alias: String,
    certificate: String,
}

/// The body, where it is not empty and not too large.
pub(super) fn pem_body(request: &Request) -> Result<&[u8], Fault> {
    let body = request.body();
    if body.is_empty() {
        return Err(malformed("the request has no body"));
    }
    if body.len() > MAX_BODY {
        return Err(Fault::new(
            Code::ProtocolTooLarge,
            format!("the body has {} bytes, more than {MAX_BODY}", body.len()),
        ));
    }
    Ok(body)
}

pub(super) fn csr(request: &Request) -> Result<Csr, Fault> {
    let body: CsrBody = json(request)?;
    let algorithm = body.algorithm.unwrap_or_else(|| "EC".to_owned());
    let sizes: &[u32] = match algorithm.as_str() {
        "EC" => &[256, 384],
        "RSA" => &[2048, 3072, 4096],
        _ => return Err(malformed("algorithm is neither EC nor RSA")),
    };
    let size = match (body.size, sizes.first()) {
        (Some(size), _) if sizes.contains(&size) => size,
        (None, Some(default)) => *default,
        _ => {
            return Err(malformed(format!(
                "size is none of {sizes:?} bits, which {algorithm} may have"
            )))
        }
    };
    let signature_algorithm = body.signature_algorithm.unwrap_or_default();
    let plain = signature_algorithm
        .bytes()
        .all(|b| b.is_ascii_alphanumeric());
    if !plain || signature_algorithm.len() > 64 {
        return Err(malformed(
            "signatureAlgorithm is no name such as SHA256withECDSA",
        ));
    }
    Ok(Csr {
        keystore: name("keystoreServicePid", body.keystore_service_pid)?,
        alias: name("alias", body.alias)?,
        algorithm,
        size,
        signature_algorithm,
        attributes: subject(body.attributes)?,
    })
}

pub(super) fn certificate(request: &Request) -> Result<KeystoreCertificate, Fault> {
    let body: CertificateBody = json(request)?;
    if body.certificate.trim().is_empty() {
        return Err(malformed("certificate is empty"));
    }
    Ok(KeystoreCertificate {
        keystore: name("keystoreServicePid", body.keystore_service_pid)?,
        alias: name("alias", body.alias)?,
        certificate: body.certificate,
    })
}

fn json<'a, T: Deserialize<'a>>(request: &'a Request) -> Result<T, Fault> {
    serde_json::from_slice(pem_body(request)?)
        .map_err(|error| malformed(format!("the body is not the JSON asked for: {error}")))
}

/// A pid or an alias: it becomes a key in files of the host, so no control characters, no path.
fn name(member: &str, value: String) -> Result<String, Fault> {
    let holds = (1..=255).contains(&value.len())
        && !value.chars().any(char::is_control)
        && !value.contains(['/', '\\'])
        && value != "."
        && value != "..";
    if holds {
        Ok(value)
    } else {
        Err(malformed(format!(
            "{member} is not 1 to 255 bytes without control characters, / and \\"
        )))
    }
}

fn subject(value: String) -> Result<String, Fault> {
    let holds = (1..=1024).contains(&value.len()) && !value.chars().any(char::is_control);
    if holds {
        Ok(value)
    } else {
        Err(malformed("attributes is not a name of 1 to 1024 bytes"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::protocol::testing::{payload, request};
    use crate::protocol::Operation;
    use serde_json::{json, Value};

    fn ask(resource: &str, body: &[u8]) -> Result<Operation, Fault> {
        let resource = format!("keystores/entries/{resource}");
        request("KEYS-V1", "POST", &resource, payload().with_body(body)).operation()
    }

    fn csr_with(changes: Value) -> Result<Csr, Fault> {
        let mut body = json!({
            "keystoreServicePid": "SSLKeystore", "alias": "device", "algorithm": "RSA",
            "size": 3072, "signatureAlgorithm": "SHA256withRSA", "attributes": "CN=gw,O=Acme",
            "newer": 1,
        });
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(body.as_object_mut().unwrap().remove(key)),
                value => drop(
                    body.as_object_mut()
                        .unwrap()
                        .insert(key.clone(), value.clone()),
                ),
            }
        }
        ask("csr", body.to_string().as_bytes()).map(|operation| match operation {
            Operation::Csr(csr) => csr,
            other => unreachable!("{other:?}"),
        })
    }

    #[test]
    fn a_request_for_a_key_is_read_with_its_defaults() {
        let csr = csr_with(json!({})).unwrap();
        assert_eq!((csr.algorithm.as_str(), csr.size), ("RSA", 3072));
        assert_eq!(csr.signature_algorithm, "SHA256withRSA");
        assert_eq!(csr.attributes, "CN=gw,O=Acme");
        let csr = csr_with(json!({"algorithm": null, "size": null, "signatureAlgorithm": null}));
        let csr = csr.unwrap();
        assert_eq!((csr.algorithm.as_str(), csr.size), ("EC", 256));
        assert_eq!(csr.signature_algorithm, "");
        assert_eq!(csr_with(json!({"size": null})).unwrap().size, 2048);
    }

    #[test]
    fn every_member_of_a_request_for_a_key_is_checked() {
        for (member, value) in [
            ("keystoreServicePid", json!(null)),
            ("keystoreServicePid", json!("")),
            ("keystoreServicePid", json!("../x")),
            ("alias", json!(null)),
            ("alias", json!("a\u{0}")),
            ("alias", json!("a".repeat(256))),
            ("alias", json!("..")),
            ("algorithm", json!("DSA")),
            ("size", json!(1024)),
            ("size", json!(256)),
            ("signatureAlgorithm", json!("SHA256 with RSA")),
            ("attributes", json!("")),
            ("attributes", json!(null)),
            ("attributes", json!("C".repeat(1025))),
        ] {
            let fault = csr_with(json!({member: value})).unwrap_err();
            assert_eq!(fault.code, Code::ProtocolMalformed, "{member}");
            assert!(fault.message.contains(member), "{member} {value}: {fault}");
        }
        for mistyped in [
            json!({"alias": 5}),
            json!({"size": -1}),
            json!({"size": "256"}),
        ] {
            assert_eq!(csr_with(mistyped).unwrap_err().response_code(), 400);
        }
        assert!(csr_with(json!({"alias": "a".repeat(255)})).is_ok());
    }

    #[test]
    fn a_trusted_certificate_names_its_place() {
        let body =
            json!({"keystoreServicePid": "SSLKeystore", "alias": "root", "certificate": "PEM"});
        let read = ask("certificate", body.to_string().as_bytes());
        let expected = KeystoreCertificate {
            keystore: "SSLKeystore".into(),
            alias: "root".into(),
            certificate: "PEM".into(),
        };
        assert_eq!(read, Ok(Operation::KeystoreCertificate(expected)));
        let mut empty = body;
        empty["certificate"] = json!(" ");
        assert!(ask("certificate", empty.to_string().as_bytes()).is_err());
    }

    #[test]
    fn bodies_have_bounds_on_both_sides() {
        for resource in ["csr", "certificate"] {
            assert_eq!(ask(resource, b"").unwrap_err().response_code(), 400);
            assert_eq!(ask(resource, b"[1").unwrap_err().response_code(), 400);
            let large = vec![b' '; MAX_BODY + 1];
            assert_eq!(ask(resource, &large).unwrap_err().response_code(), 413);
        }
        let credentials = |size| {
            let message = payload().with_body(vec![b'x'; size]);
            request("PROV-V1", "PUT", "credentials/certificate", message).operation()
        };
        assert_eq!(credentials(0).unwrap_err().response_code(), 400);
        assert_eq!(credentials(MAX_BODY), Ok(Operation::CredentialsCertificate));
        assert_eq!(credentials(MAX_BODY + 1).unwrap_err().response_code(), 413);
    }
}
