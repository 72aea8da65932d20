//! Signed control messages: `provisioning_service::trust::Verifier`. Nobody has the signer's key
//! any more, so that whatever is accepted has to be one of the two messages that it signed.
//!
//! The first byte: 0, the rest is a payload; 1, likewise, in a session with a nonce; else, the
//! rest is a signature for the first message.

use kura_formats::payload::{decode, encode, Limits, MetricValue, Payload};
use openssl::x509::X509;
use provisioning_service::trust::{pem, Clock, Freshness, SignatureError, SignedView, Verifier};

use crate::certificates::{CHAIN, NOW};
use crate::Seed;

const MESSAGE: &[u8] = include_bytes!("../fixtures/message.bin");
const SESSION_MESSAGE: &[u8] = include_bytes!("../fixtures/session-message.bin");

/// The nonce of the session.
pub(crate) const NONCE: [u8; 32] = [7; 32];
/// `sig.timestamp` of both messages, and the time at which they are judged.
pub(crate) const NOW_MS: i64 = NOW * 1000;
const SIGNATURE: &str = "signature";

/// Where every message here was sent.
pub(crate) fn view(payload: &Payload) -> SignedView<'_> {
    SignedView {
        account: "acme",
        client_id: "gw-1",
        application_topic: "PROV-V1/EXEC/commit",
        payload,
    }
}

fn read(message: &[u8]) -> Option<Payload> {
    decode(message, &Limits::default()).ok()
}

pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else {
        return;
    };
    let payload = match mode {
        0 | 1 => read(rest),
        _ => read(MESSAGE).map(|mut payload| {
            payload.metrics.retain(|metric| metric.name != SIGNATURE);
            payload.push(SIGNATURE, rest);
            payload
        }),
    };
    let Some(payload) = payload else { return };
    let freshness = match mode {
        1 => Freshness::Session { nonce: &NONCE },
        _ => Freshness::Window,
    };
    let signer: X509 = pem::certificates(CHAIN).unwrap().swap_remove(0);
    let mut verifier = Verifier::new();
    assert!(verifier.trust(&[signer], &[]).is_empty());
    let mut judge = |clock| verifier.verify(&view(&payload), clock, freshness);
    assert!(judge(Clock::Implausible).is_err());
    let Ok(accepted) = judge(Clock::Plausible(NOW_MS)) else {
        return;
    };
    let canonical = view(&payload).canonical();
    assert!(
        [MESSAGE, SESSION_MESSAGE]
            .iter()
            .any(|known| view(&read(known).unwrap()).canonical() == canonical),
        "a forged message was accepted"
    );
    assert_eq!(accepted.timestamp, NOW_MS);
    assert!(matches!(
        judge(Clock::Plausible(NOW_MS)),
        Err(SignatureError::Replayed(_))
    ));
}

/// The two messages before they were signed.
pub(crate) fn unsigned() -> [Payload; 2] {
    let message = |id: &str| {
        Payload::new()
            .with_timestamp(NOW_MS)
            .with_metric("request.id", "r-1")
            .with_metric("requester.client.id", "cloud-1")
            .with_metric("sig.id", id)
            .with_metric("sig.timestamp", NOW_MS)
    };
    [
        message("s-1").with_body("<configurations/>"),
        message("s-2").with_metric("prov.nonce", NONCE.to_vec()),
    ]
}

pub(crate) fn seeds() -> Vec<Seed> {
    let signature = match read(MESSAGE).unwrap().get(SIGNATURE) {
        Some(MetricValue::Bytes(der)) => der.clone(),
        _ => panic!("the fixture is signed"),
    };
    let mut twice = read(MESSAGE).unwrap();
    twice.push(SIGNATURE, signature.clone());
    let of = |mode: u8, bytes: &[u8]| [&[mode], bytes].concat();
    vec![
        ("message", of(0, MESSAGE)),
        ("session", of(1, SESSION_MESSAGE)),
        ("signature", of(2, &signature)),
        ("two-signatures", of(0, &encode(&twice))),
        ("unsigned", of(0, &encode(&unsigned()[0]))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Else the target would assert nothing.
    #[test]
    fn the_fixtures_are_accepted() {
        let signer = pem::certificates(CHAIN).unwrap().swap_remove(0);
        let mut verifier = Verifier::new();
        verifier.trust(&[signer], &[]);
        for (message, freshness) in [
            (MESSAGE, Freshness::Window),
            (SESSION_MESSAGE, Freshness::Session { nonce: &NONCE }),
        ] {
            let payload = read(message).unwrap();
            verifier
                .verify(&view(&payload), Clock::Plausible(NOW_MS), freshness)
                .unwrap();
        }
    }
}
