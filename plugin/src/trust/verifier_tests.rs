//! Signed messages as a hostile sender would like to have them accepted.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use kura_formats::payload::{MetricValue, Payload, Position};
use openssl::x509::{X509Crl, X509};

use super::canonical::SignedView;
use super::cms::sign;
use super::fixtures::{p256, rsa_key, Ca, Leaf, NOW};
use super::replay::REMEMBERED_IDS;
use super::verifier::{Clock, Freshness, SignatureError, Verifier};

const NOW_MS: i64 = NOW * 1000;
const NONCE: [u8; 32] = [7; 32];

/// A message and where it was sent.
#[derive(Clone)]
struct Message {
    topic: &'static str,
    payload: Payload,
}

impl Message {
    fn new(id: &str) -> Self {
        Self::at(id, NOW_MS)
    }

    fn at(id: &str, timestamp: i64) -> Self {
        Self {
            topic: "CONF-V1/PUT/configurations",
            payload: Payload::new()
                .with_metric("request.id", "r-1")
                .with_metric("sig.id", id)
                .with_metric("sig.timestamp", timestamp)
                .with_body("<configurations/>"),
        }
    }

    fn with(mut self, name: &str, value: MetricValue) -> Self {
        self.payload.push(name, value);
        self
    }

    fn view(&self) -> SignedView<'_> {
        SignedView {
            account: "acme",
            client_id: "AABBCC",
            application_topic: self.topic,
            payload: &self.payload,
        }
    }

    fn signed_by(self, signer: &Ca) -> Self {
        let bytes = self.view().canonical().unwrap();
        let der = sign(&bytes, &signer.certificate, &signer.key).unwrap();
        self.with("signature", MetricValue::Bytes(der))
    }
}

struct World {
    root: Ca,
    signer: Ca,
    verifier: Verifier,
}

fn trusting(profile: Leaf, lists: impl Fn(&Ca, &Ca) -> Vec<X509Crl>) -> World {
    let root = Ca::root("Root");
    let signer = root.issue("Signer", profile);
    let mut verifier = Verifier::new();
    let lists = lists(&root, &signer);
    assert!(verifier
        .trust(std::slice::from_ref(&signer.certificate), &lists)
        .is_empty());
    World {
        root,
        signer,
        verifier,
    }
}

fn world() -> World {
    trusting(Leaf::default(), |_, _| Vec::new())
}

impl World {
    fn judge(&mut self, message: &Message) -> Result<(), SignatureError> {
        let clock = Clock::Plausible(NOW_MS);
        self.verifier
            .verify(&message.view(), clock, Freshness::Window)
            .map(drop)
    }

    fn code(&mut self, message: &Message) -> &'static str {
        self.judge(message).unwrap_err().code()
    }
}

#[test]
fn a_signed_message_is_accepted_once() {
    let mut world = world();
    let message = Message::new("one").signed_by(&world.signer);
    let clock = Clock::Plausible(NOW_MS);
    let accepted = world
        .verifier
        .verify(&message.view(), clock, Freshness::Window)
        .unwrap();
    assert_eq!((accepted.id.as_str(), accepted.timestamp), ("one", NOW_MS));
    assert_eq!(
        world.verifier.trusted_fingerprints(),
        [accepted.signer.as_str()]
    );
    assert_eq!(world.code(&message), "signature.replayed");
}

#[test]
fn two_signers_are_trusted_during_rotation_and_the_first_not_after() {
    let mut world = world();
    let rsa = Leaf {
        key: Some(rsa_key(2048)),
        ..Leaf::default()
    };
    let next = world.root.issue("Next", rsa);
    let both = [world.signer.certificate.clone(), next.certificate.clone()];
    assert!(world.verifier.trust(&both, &[]).is_empty());
    let old = |id: &str, world: &World| Message::new(id).signed_by(&world.signer);
    world.judge(&old("old", &world)).unwrap();
    world.judge(&Message::new("new").signed_by(&next)).unwrap();
    world.verifier.trust(&both[1..], &[]);
    let late = old("late", &world);
    assert_eq!(world.code(&late), "signature.untrusted");
    assert_eq!(
        world.code(&Message::new("new").signed_by(&next)),
        "signature.replayed"
    );
}

#[test]
fn an_embedded_certificate_of_the_same_authority_is_not_trust() {
    let mut world = world();
    let other = world.root.issue("Signer", Leaf::default());
    assert_eq!(
        world.code(&Message::new("x").signed_by(&other)),
        "signature.untrusted"
    );
    let mut nobody = Verifier::new();
    let message = Message::new("y").signed_by(&world.signer);
    let verdict = nobody.verify(&message.view(), Clock::Plausible(NOW_MS), Freshness::Window);
    assert_eq!(verdict.unwrap_err().code(), "signature.untrusted");
}

/// The message names the trusted signer (issuer and serial), but the key is another.
#[test]
fn a_signer_who_only_bears_the_name_is_invalid() {
    let mut world = world();
    let forged_key = p256();
    let mut forged = openssl::x509::X509Builder::new().unwrap();
    let model = &world.signer.certificate;
    forged.set_serial_number(model.serial_number()).unwrap();
    forged.set_issuer_name(model.issuer_name()).unwrap();
    forged.set_subject_name(model.subject_name()).unwrap();
    forged.set_not_before(model.not_before()).unwrap();
    forged.set_not_after(model.not_after()).unwrap();
    forged.set_pubkey(&forged_key).unwrap();
    forged
        .sign(&forged_key, openssl::hash::MessageDigest::sha256())
        .unwrap();
    let forged = Ca {
        certificate: forged.build(),
        key: forged_key,
    };
    assert_eq!(
        world.code(&Message::new("x").signed_by(&forged)),
        "signature.invalid"
    );
}

#[test]
fn what_no_signature_covers_is_refused() {
    let mut world = world();
    let mut message = Message::new("x").signed_by(&world.signer);
    message.payload.position = Some(Position::default());
    assert_eq!(world.code(&message), "signature.invalid");
    let mut message = Message::new("x").signed_by(&world.signer);
    message.payload.has_unknown_fields = true;
    assert_eq!(world.code(&message), "signature.invalid");
    let mut elsewhere = Message::new("x").signed_by(&world.signer);
    elsewhere.topic = "DEPLOY-V2/EXEC/download";
    assert_eq!(world.code(&elsewhere), "signature.invalid");
    let message = Message::new("x");
    assert_eq!(world.code(&message), "signature.missing");
    let message = message.with("signature", MetricValue::Bytes(b"not a signature".to_vec()));
    assert_eq!(world.code(&message), "signature.invalid");
}

#[test]
fn ambiguous_or_mistyped_metrics_are_invalid() {
    let mut world = world();
    let signed = Message::new("x").signed_by(&world.signer);
    for name in ["signature", "sig.id", "sig.timestamp"] {
        let again = signed.payload.get(name).unwrap().clone();
        let twice = signed.clone().with(name, again);
        assert_eq!(world.code(&twice), "signature.invalid", "{name}");
    }
    for (name, other) in [
        ("signature", MetricValue::String("x".into())),
        ("sig.id", MetricValue::Int32(1)),
        ("sig.id", MetricValue::String(String::new())),
        ("sig.timestamp", MetricValue::Double(1.0)),
    ] {
        let mut message = Message::new("x");
        message.payload.metrics.retain(|metric| metric.name != name);
        let mut message = message.with(name, other);
        if name != "signature" {
            message = message.signed_by(&world.signer);
        }
        assert_eq!(world.code(&message), "signature.invalid", "{name}");
    }
}

/// Whoever passes a message on could choose which of the two a reader takes: both orders have the
/// same canonical bytes.
#[test]
fn a_metric_that_is_there_twice_is_refused_in_either_order() {
    let mut world = world();
    for second in [
        MetricValue::String("second".into()),
        MetricValue::String("first".into()),
        MetricValue::Int32(1),
    ] {
        let twice = Message::new("x")
            .with("dup", MetricValue::String("first".into()))
            .with("dup", second);
        let signed = twice.signed_by(&world.signer);
        let mut swapped = signed.clone();
        swapped.payload.metrics.reverse();
        for message in [signed, swapped] {
            let refusal = world.judge(&message).unwrap_err();
            assert_eq!(refusal.code(), "signature.invalid");
            assert!(matches!(refusal, SignatureError::Ambiguous), "{refusal}");
            // Who did not sign it is told that, and nothing of metrics.
            let changed = message.with("dup", MetricValue::Int32(2));
            let refusal = world.judge(&changed).unwrap_err();
            assert!(matches!(refusal, SignatureError::Invalid(_)), "{refusal}");
        }
    }
    world
        .judge(&Message::new("x").signed_by(&world.signer))
        .unwrap();
}

#[test]
fn the_window_is_300_s_either_way() {
    let mut world = world();
    for (offset, fresh) in [
        (300_000, true),
        (-300_000, true),
        (300_001, false),
        (-300_001, false),
    ] {
        let message = Message::at(&offset.to_string(), NOW_MS + offset);
        assert_eq!(
            world.judge(&message.signed_by(&world.signer)).is_ok(),
            fresh,
            "{offset}"
        );
    }
    for timestamp in [i64::MIN, i64::MAX] {
        let message = Message::at("extreme", timestamp).signed_by(&world.signer);
        assert_eq!(world.code(&message), "signature.replayed");
    }
}

#[test]
fn in_a_session_the_nonce_replaces_the_clock_and_the_memory_outlives_it() {
    let mut world = world();
    let with_nonce = |message: Message, signer: &Ca| {
        let nonce = MetricValue::Bytes(NONCE.to_vec());
        message.with("prov.nonce", nonce).signed_by(signer)
    };
    let message = with_nonce(Message::at("s", 12), &world.signer);
    let clock = Clock::Plausible(NOW_MS);
    let mut judge = |message: &Message, nonce: &[u8]| {
        let verdict = world
            .verifier
            .verify(&message.view(), clock, Freshness::Session { nonce });
        verdict.map(drop).map_err(|error| error.code())
    };
    assert_eq!(judge(&message, &[8; 32]), Err("signature.replayed"));
    assert_eq!(judge(&message, &[]), Err("signature.replayed"));
    assert_eq!(judge(&message, &NONCE), Ok(()));
    assert_eq!(judge(&message, &NONCE), Err("signature.replayed"));
    let without = Message::new("w").signed_by(&world.signer);
    assert_eq!(judge(&without, &NONCE), Err("signature.replayed"));
    let fresh = with_nonce(Message::new("f"), &world.signer);
    assert_eq!(judge(&fresh, &NONCE), Ok(()));
    assert_eq!(
        world.code(&fresh),
        "signature.replayed",
        "after the session"
    );
}

#[test]
fn in_a_session_each_message_is_accepted_once_however_many_there_are() {
    let World {
        signer,
        mut verifier,
        ..
    } = world();
    let clock = Clock::Plausible(NOW_MS);
    let mut at = 7;
    let mut accepts = |id: &str, timestamp: i64, session: u8| {
        if session != at {
            verifier.begin_session();
            at = session;
        }
        let nonce = [session; 32];
        let message = Message::at(id, timestamp)
            .with("prov.nonce", MetricValue::Bytes(nonce.to_vec()))
            .signed_by(&signer);
        let freshness = Freshness::Session { nonce: &nonce };
        let verdict = verifier.verify(&message.view(), clock, freshness);
        verdict.is_ok()
    };
    for number in 1..=REMEMBERED_IDS as i64 {
        assert!(accepts(&number.to_string(), number, 7));
    }
    // There is no room for more of an earlier time: refused, not accepted again and again.
    assert!(accepts("newer", 5000, 7));
    assert!(!accepts("older", 1, 7));
    assert!(!accepts("1", 1, 7));
    // Nothing of it counts in the next session, which has a nonce of its own.
    assert!(accepts("1", 0, 8));
    assert!(!accepts("1", 0, 8));
}

#[test]
fn an_implausible_clock_accepts_nothing_and_blames_no_forger() {
    let mut world = world();
    let message = Message::new("x").signed_by(&world.signer);
    let mut judge = |message: &Message| {
        let verdict = world
            .verifier
            .verify(&message.view(), Clock::Implausible, Freshness::Window);
        verdict.unwrap_err().code()
    };
    assert_eq!(judge(&message), "clock.implausible");
    let mut changed = message.clone();
    changed.topic = "PROV-V1/EXEC/commit";
    assert_eq!(judge(&changed), "signature.invalid");
    world.judge(&message).unwrap();
}

#[test]
fn signers_are_trusted_within_their_validity_only() {
    for (validity, trusted) in [
        ((NOW - 10, NOW + 1), true),
        ((NOW - 10, NOW), false),
        ((NOW + 1, NOW + 10), false),
    ] {
        let mut world = trusting(
            Leaf {
                validity,
                ..Leaf::default()
            },
            |_, _| Vec::new(),
        );
        let message = Message::new("x").signed_by(&world.signer);
        match world.judge(&message) {
            Ok(()) => assert!(trusted),
            Err(error) => {
                assert_eq!(error.code(), "signature.untrusted");
                assert!(
                    !trusted && error.to_string().contains("CN=Signer"),
                    "{error}"
                );
            }
        }
    }
}

#[test]
fn a_revoked_signer_is_untrusted() {
    let mut world = trusting(Leaf::default(), |root, signer| {
        vec![root.crl(&[&signer.certificate], NOW + 1000)]
    });
    let message = Message::new("x").signed_by(&world.signer);
    assert_eq!(world.code(&message), "signature.untrusted");
    let mut world = trusting(Leaf::default(), |root, _| vec![root.crl(&[], NOW + 1000)]);
    let message = Message::new("x").signed_by(&world.signer);
    world.judge(&message).unwrap();
}

#[test]
fn certificates_that_may_not_sign_are_left_out_with_their_reason() {
    let root = Ca::root("Root");
    let tls = Leaf {
        extended_key_usage: vec!["clientAuth"],
        ..Leaf::default()
    };
    let weak = Leaf {
        key: Some(rsa_key(1024)),
        ..Leaf::default()
    };
    let all: Vec<X509> = [
        root.issue("TLS", tls),
        root.issue("Weak", weak),
        root.issue("Good", Leaf::default()),
    ]
    .into_iter()
    .map(|ca| ca.certificate)
    .chain([root.certificate.clone()])
    .collect();
    let mut verifier = Verifier::new();
    let left_out = verifier.trust(&all, &[]);
    let codes: Vec<_> = left_out.iter().map(super::ChainError::code).collect();
    assert_eq!(codes, ["trust.invalid", "trust.weak", "trust.invalid"]);
    assert_eq!(verifier.trusted_fingerprints().len(), 1);
}

#[test]
fn refused_messages_fill_no_memory() {
    let mut world = world();
    let stranger = Ca::root("Elsewhere").issue("Stranger", Leaf::default());
    let message = Message::new("x").signed_by(&stranger);
    assert_eq!(world.code(&message), "signature.untrusted");
    let own = Message::new("x").signed_by(&world.signer);
    let mut changed = own.clone();
    changed.topic = "PROV-V1/EXEC/commit";
    assert_eq!(world.code(&changed), "signature.invalid");
    assert_eq!(world.code(&Message::new("x")), "signature.missing");
    world.judge(&own).unwrap();
    assert_eq!(world.code(&own), "signature.replayed");
}

#[test]
fn what_is_only_judged_is_not_remembered() {
    let mut world = world();
    let message = Message::new("x").signed_by(&world.signer);
    for _ in 0..2 {
        let clock = Clock::Plausible(NOW_MS);
        let view = message.view();
        let judged = world
            .verifier
            .judge(&view, view.body(), clock, Freshness::Window);
        assert_eq!(judged.unwrap().id, "x");
    }
    world.judge(&message).unwrap();
}

/// Not even by a verifier that has not seen it, as after a restart.
#[test]
fn a_message_of_a_session_is_none_of_the_time_after_it() {
    let mut world = world();
    for nonce in [MetricValue::Bytes(NONCE.to_vec()), MetricValue::Int32(1)] {
        let message = Message::new("x").with("prov.nonce", nonce);
        let refusal = world.judge(&message.signed_by(&world.signer)).unwrap_err();
        assert_eq!(refusal.code(), "signature.replayed");
        assert!(refusal.to_string().contains("session"), "{refusal}");
    }
}

#[test]
fn a_flood_of_signed_messages_closes_the_window() {
    let mut world = world();
    let first = Message::new("first").signed_by(&world.signer);
    world.judge(&first).unwrap();
    for number in 0..REMEMBERED_IDS {
        let message = Message::at(&number.to_string(), NOW_MS + 1).signed_by(&world.signer);
        world.judge(&message).unwrap();
    }
    assert_eq!(world.code(&first), "signature.replayed");
    let same_time = Message::new("same time").signed_by(&world.signer);
    assert_eq!(world.code(&same_time), "signature.replayed");
}
