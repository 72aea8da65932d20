//! A message to the component: topic and payload, up to what it asks for.
//!
//! The input is the topic below `$EDC/acme/gw-1/`, a line feed, and the payload.

use kura_formats::payload::{encode, Payload};
use kura_formats::topic::{check_id, Topics};
use provisioning_service::protocol::{Inbox, Incoming, Operation};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let Some(at) = data.iter().position(|byte| *byte == b'\n') else {
        return;
    };
    let Ok(rest) = std::str::from_utf8(&data[..at]) else {
        return;
    };
    let inbox = Inbox::new(Topics::default(), "acme", "gw-1");
    let topic = format!("$EDC/acme/gw-1/{rest}");
    let payload = &data[at + 1..];
    assert!(matches!(
        inbox.read(&topic, true, payload.to_vec()),
        Incoming::Ignored
    ));
    let Incoming::Request(request) = inbox.read(&topic, false, payload.to_vec()) else {
        return;
    };
    check_id(&request.ids.request_id).unwrap();
    check_id(&request.ids.requester).unwrap();
    let reply = Topics::default().reply(
        "acme",
        &request.ids.requester,
        request.app(),
        &request.ids.request_id,
    );
    reply.expect("a request can be answered");
    match request.operation() {
        Ok(Operation::Download(download)) => {
            for part in [&download.name, &download.version] {
                assert!(!part.is_empty() && part.len() <= 255 && part != "." && part != "..");
                assert!(part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)));
            }
            let hash = &download.hash;
            assert_eq!(hash.digest().len(), hash.algorithm().size());
            assert_eq!(hash.to_string().parse().as_ref(), Ok(hash));
        }
        Ok(Operation::Configurations {
            pid,
            configurations,
        }) => {
            assert!(!configurations.is_empty());
            if let Some(pid) = pid {
                assert!(configurations.len() == 1 && configurations[0].pid == pid);
            }
        }
        Ok(Operation::Reject(reject)) => {
            let fault = reject.fault();
            assert!(fault.retry_after.is_none_or(|s| s <= 86_400));
        }
        Ok(_) => {}
        Err(fault) => {
            assert!(!fault.message.is_empty() && !fault.message.contains(['\n', '\r']));
            assert!(matches!(
                fault.response_code(),
                400 | 403 | 404 | 409 | 413 | 500
            ));
        }
    }
}

fn request(topic: &str, payload: Payload) -> Vec<u8> {
    let payload = payload
        .with_metric("request.id", "r-1")
        .with_metric("requester.client.id", "cloud-1");
    [topic.as_bytes(), b"\n", &encode(&payload)].concat()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let xml = crate::configurations::sample();
    let empty = Payload::new;
    let csr = r#"{"keystoreServicePid":"HttpsKeystore","alias":"dev","algorithm":"EC","size":256,
"signatureAlgorithm":"SHA256withECDSA","attributes":"CN=gw-1, O=acme"}"#;
    let certificate = r#"{"keystoreServicePid":"SSLKeystore","alias":"ca","certificate":"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"}"#;
    vec![
        ("certificates", request("PROV-V1/PUT/certificates", empty())),
        (
            "credentials",
            request(
                "PROV-V1/PUT/credentials/certificate",
                empty().with_body("pem"),
            ),
        ),
        (
            "commit",
            request(
                "PROV-V1/EXEC/commit",
                empty()
                    .with_metric(
                        "prov.transaction.id",
                        "5f6a7b80-0000-4000-8000-000000000001",
                    )
                    .with_metric("prov.nonce", vec![7u8; 32])
                    .with_metric("prov.manifest.sha256", vec![8u8; 32]),
            ),
        ),
        (
            "reject",
            request(
                "PROV-V1/EXEC/reject",
                empty()
                    .with_metric("prov.error.code", "request.expired")
                    .with_metric("prov.error.message", "it has expired")
                    .with_metric("retry.after", 60),
            ),
        ),
        (
            "csr",
            request("KEYS-V1/POST/keystores/entries/csr", empty().with_body(csr)),
        ),
        (
            "trusted-certificate",
            request(
                "KEYS-V1/POST/keystores/entries/certificate",
                empty().with_body(certificate),
            ),
        ),
        (
            "configurations",
            request("CONF-V1/PUT/configurations", empty().with_body(xml)),
        ),
        ("read", request("CONF-V1/GET/configurations/org.a", empty())),
        (
            "download",
            request(
                "DEPLOY-V2/EXEC/download",
                empty()
                    .with_metric("dp.uri", "https://h/x.dp")
                    .with_metric("dp.name", "x")
                    .with_metric("dp.version", "1.0")
                    .with_metric("job.id", 1i64)
                    .with_metric("dp.download.hash", format!("SHA-256:{}", "0".repeat(64)))
                    .with_metric("dp.install", true),
            ),
        ),
    ]
}
