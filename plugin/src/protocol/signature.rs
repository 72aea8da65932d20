//! A request as `trust` wants to see it. Nothing is judged here.

use super::request::Request;
use crate::trust::SignedView;

impl Request {
    /// What the signature of this request covers.
    pub fn signed_view(&self) -> SignedView<'_> {
        SignedView {
            account: &self.topic.account,
            client_id: &self.topic.client_id,
            application_topic: &self.application_topic,
            payload: &self.payload,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::print_stdout)]
    use super::super::request::{Inbox, Incoming};
    use super::super::testing::{payload, request};
    use crate::trust::{Clock, Freshness, Verifier};
    use kura_formats::topic::Topics;
    use openssl::x509::X509;
    use std::path::PathBuf;

    #[test]
    fn a_request_is_signed_with_the_topic_it_came_by() {
        let request = request("PROV-V1", "EXEC", "commit", payload().with_body("body"));
        let view = request.signed_view();
        assert_eq!((view.account, view.client_id), ("acme", "gw-1"));
        assert_eq!(view.application_topic, "PROV-V1/EXEC/commit");
        assert_eq!(view.payload.body.as_deref(), Some(&b"body"[..]));
    }

    /// From the bytes on the wire to the verdict, as in a session.
    #[test]
    fn shared_vectors_are_judged_as_expected() {
        let folder = std::env::var_os("GWC_SHARED_DATA").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
            PathBuf::from,
        );
        let Ok(text) = std::fs::read(folder.join("signed_vectors.json")) else {
            println!("skipped: no signed_vectors.json in {}", folder.display());
            return;
        };
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let list = |value: &serde_json::Value| value.as_array().unwrap().clone();
        let signers: Vec<X509> = list(&file["trusted_signers_pem"])
            .iter()
            .map(|pem| X509::from_pem(pem.as_str().unwrap().as_bytes()).unwrap())
            .collect();
        let (mut accepted, mut refused) = (0, 0);
        for vector in list(&file["vectors"]) {
            let text = |name: &str| vector[name].as_str().unwrap().to_owned();
            let (name, expected) = (text("name"), text("expected"));
            let (account, client_id) = (text("account"), text("client_id"));
            let topic = format!("$EDC/{account}/{client_id}/{}", text("application_topic"));
            let inbox = Inbox::new(Topics::default(), account, client_id);
            let read = inbox.read(&topic, false, unhex(&text("payload_hex")));
            let Incoming::Request(request) = read else {
                println!("{name}: {read:?}");
                continue;
            };
            let mut verifier = Verifier::new();
            verifier.trust(&signers, &[]);
            let clock = Clock::Plausible(vector["now_ms"].as_i64().unwrap());
            match verifier.verify(&request.signed_view(), clock, Freshness::Window) {
                Ok(_) => {
                    assert_eq!(expected, "accepted", "{name}");
                    accepted += 1;
                }
                Err(error) => {
                    assert_eq!(error.code(), expected, "{name}");
                    refused += 1;
                }
            }
        }
        assert!(
            accepted > 0 && refused > 0,
            "{accepted} accepted, {refused} refused"
        );
    }

    fn unhex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }
}
