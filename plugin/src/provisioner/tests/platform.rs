//! What the platform may send, in every order.

use kura_formats::payload::MetricValue;

use super::world::{World, CHAIN, CONF};
use crate::diagnosis::{Code, Fault};
use crate::provisioner::StateName;

#[test]
fn staged_requests_before_certificates_are_409_and_end_nothing() {
    for (topic, body) in [
        ("CONF-V1/PUT/configurations", CONF.as_bytes()),
        (
            "KEYS-V1/POST/keystores/entries/certificate",
            br#"{"keystoreServicePid":"SSLKeystore","alias":"a","certificate":"x"}"#,
        ),
        ("DEPLOY-V2/EXEC/download", b""),
    ] {
        let mut world = World::active();
        world.reach();
        let id = world.request(topic, body, &[]);
        assert_eq!(
            world.reply(&id),
            Some((409, Some("protocol.unexpected"))),
            "{topic}"
        );
        assert_eq!(world.state(), StateName::Receiving, "{topic}");
    }
    let mut world = World::active();
    world.reach();
    let id = world.commit(None, None, None);
    assert_eq!(world.reply(&id), Some((409, Some("protocol.unexpected"))));
    assert_eq!(world.state(), StateName::Receiving);
    assert_eq!(world.count("seal"), 0);
}

#[test]
fn the_last_refusal_is_the_code_at_the_deadline() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world.staged = Err(Fault::new(Code::ConfigurationInvalid, "DataService: x"));
    let id = world.configuration();
    assert_eq!(world.reply(&id), Some((400, Some("configuration.invalid"))));
    world.seconds(300);
    assert_eq!(world.code(), Some(Code::ConfigurationInvalid));
}

#[test]
fn all_that_is_staged_in_an_attempt_is_bounded_by_size_and_by_number() {
    use kura_formats::configurations::MAX_WEIGHT;
    let large = format!("{CONF}{}", "\n".repeat(MAX_WEIGHT / 4 - (12 << 10)));
    // A request, and the configuration in it.
    let most = MAX_WEIGHT / (4096 + 4096);
    for (body, expected) in [(large.as_str(), 4..=4), (CONF, most * 3 / 4..=most)] {
        let mut world = World::active();
        world.reach();
        world.certificates();
        let mut taken = 0;
        let refused = loop {
            let id = world.request("CONF-V1/PUT/configurations", body.as_bytes(), &[]);
            if world.reply(&id) != Some((200, None)) {
                break id;
            }
            taken += 1;
            assert!(taken <= *expected.end(), "there is no bound");
        };
        let too_large = Some((413, Some("protocol.too-large")));
        assert_eq!(world.reply(&refused), too_large, "{taken} were taken");
        assert!(expected.contains(&taken), "{taken} were taken");
        assert_eq!(world.count("stage"), taken);
        assert_eq!(world.state(), StateName::Receiving);
    }
}

#[test]
fn the_largest_configuration_is_taken_and_one_byte_more_is_not_even_read() {
    use kura_formats::configurations::{MAX_WEIGHT, PER_CONFIGURATION, PER_VALUE};
    let filled = |bytes: usize| format!("{CONF}{}", " ".repeat(bytes - CONF.len()));
    // The certificates, and what each request counts.
    let (chain, place) = (CHAIN.len(), 4096);
    let within = MAX_WEIGHT - PER_CONFIGURATION - PER_VALUE - chain - 2 * place;
    for (bytes, reply, staged) in [
        (within, (200, None), 1),
        (within + 1, (413, Some("protocol.too-large")), 0),
    ] {
        let mut world = World::active();
        world.reach();
        world.certificates();
        let id = world.request("CONF-V1/PUT/configurations", filled(bytes).as_bytes(), &[]);
        assert_eq!(world.reply(&id), Some(reply), "{bytes}");
        assert_eq!(world.count("stage"), staged, "{bytes}");
    }
    // Such a document would be malformed, if it were read.
    let mut world = World::active();
    world.reach();
    world.certificates();
    let id = world.request("CONF-V1/PUT/configurations", &vec![b'<'; MAX_WEIGHT], &[]);
    assert_eq!(world.reply(&id), Some((413, Some("protocol.too-large"))));
}

#[test]
fn no_more_keys_are_made_in_an_attempt_than_a_gateway_can_need() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    let mut order = |n: usize| {
        let body = format!(
            r#"{{"keystoreServicePid":"SSLKeystore","alias":"key-{n}","attributes":"CN=gw"}}"#
        );
        let id = world.request("KEYS-V1/POST/keystores/entries/csr", body.as_bytes(), &[]);
        world.reply(&id).map(|(code, _)| code)
    };
    for n in 0..16 {
        assert_eq!(order(n), Some(200), "{n}");
    }
    assert_eq!(order(16), Some(409));
    assert_eq!(world.state(), StateName::Receiving);
}

#[test]
fn a_refused_chain_ends_the_attempt() {
    let mut world = World::active();
    world.chain = Err(Fault::new(Code::TrustUntrustedRoot, "who?"));
    world.reach();
    let id = world.certificates();
    assert_eq!(world.reply(&id), Some((403, Some("trust.untrusted-root"))));
    assert_eq!(world.state(), StateName::Waiting);
}

#[test]
fn after_the_certificates_everything_must_be_signed() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    assert_eq!(world.count("verify"), 0);
    world.verified = Err(Fault::new(Code::SignatureMissing, "none"));
    let id = world.request("CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    assert_eq!(world.reply(&id), Some((403, Some("signature.missing"))));
    assert_eq!(world.state(), StateName::Waiting);
    assert_eq!(world.count("stage"), 0);
}

#[test]
fn at_reprovisioning_the_certificates_must_be_signed_too() {
    let mut world = World::new();
    world.has_signers = true;
    world.verified = Err(Fault::new(Code::SignatureUntrusted, "who?"));
    world.configure();
    world.reach();
    let id = world.certificates();
    assert_eq!(world.reply(&id), Some((403, Some("signature.untrusted"))));
    assert_eq!(world.count("chain"), 0);
}

#[test]
fn a_repeated_request_gets_the_recorded_reply_and_has_no_second_effect() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world.request_as("same", "CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    world.request_as("same", "CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    assert_eq!(world.count("stage"), 1);
    let replies: Vec<_> = world
        .replies
        .iter()
        .filter(|(id, ..)| id == "same")
        .collect();
    assert_eq!(replies.len(), 2);
    assert!(replies.iter().all(|(_, code, _)| *code == 200));
    world.request_as("same", "CONF-V1/PUT/configurations", b"<other/>", &[]);
    assert_eq!(world.replies.last().unwrap().1, 409);
}

#[test]
fn a_signature_refusal_is_not_recorded() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    world.verified = Err(Fault::new(Code::SignatureMissing, "none"));
    world.request_as("x", "CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    world.seconds(60);
    world.verified = Ok(());
    world.reach();
    world.certificates();
    world.request_as("x", "CONF-V1/PUT/configurations", CONF.as_bytes(), &[]);
    assert_eq!(world.replies.last().unwrap().1, 200);
}

#[test]
fn the_same_chain_again_is_200_and_another_409() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    let again = world.request("PROV-V1/PUT/certificates", CHAIN, &[]);
    assert_eq!(world.reply(&again), Some((200, None)));
    assert_eq!(world.count("chain"), 1);
    let other = world.request("PROV-V1/PUT/certificates", b"another", &[]);
    assert_eq!(
        world.reply(&other),
        Some((409, Some("protocol.unexpected")))
    );
    assert_eq!(world.state(), StateName::Receiving);
}

#[test]
fn a_commit_that_does_not_fit_is_409_and_ends_the_attempt() {
    for (transaction, nonce, digest) in [
        (Some("other"), None, None),
        (None, Some(99), None),
        (None, None, Some(99)),
    ] {
        let mut world = World::active();
        world.reach();
        world.certificates();
        world.configuration();
        let id = world.commit(transaction, nonce, digest);
        assert_eq!(world.reply(&id), Some((409, Some("transaction.mismatch"))));
        assert_eq!(world.state(), StateName::Waiting);
        assert_eq!(world.count("seal"), 0);
    }
}

#[test]
fn a_reject_without_this_attempts_nonce_rejects_nothing() {
    let mut world = World::active();
    world.reach();
    let id = world.request(
        "PROV-V1/EXEC/reject",
        &[],
        &[
            ("prov.error.code", MetricValue::from("request.expired")),
            ("prov.nonce", MetricValue::Bytes(vec![99; 32])),
        ],
    );
    assert_eq!(world.reply(&id), Some((409, Some("transaction.mismatch"))));
    assert_eq!(world.state(), StateName::Receiving);
}

#[test]
fn a_reject_is_answered_200_and_its_words_are_kept() {
    let mut world = World::active();
    world.reach();
    let id = world.reject("activation-key.invalid", None);
    assert_eq!(world.reply(&id), Some((200, None)));
    let view = world.machine.view();
    let (fault, _) = view.fault.unwrap();
    assert_eq!(
        fault.platform,
        Some(("activation-key.invalid".into(), "because".into()))
    );
}

#[test]
fn a_reject_while_applying_is_409() {
    let mut world = World::active();
    world.proved = None;
    world.whole_flow();
    let id = world.reject("request.expired", None);
    assert_eq!(world.reply(&id).unwrap().0, 409);
    assert_eq!(world.state(), StateName::Proving);
}

#[test]
fn unknown_requests_get_404_and_do_no_harm() {
    for topic in [
        "CMD-V1/EXEC/command",
        "PROV-V1/PUT/else",
        "CONF-V1/EXEC/snapshot",
    ] {
        let mut world = World::active();
        world.reach();
        let id = world.request(topic, &[], &[]);
        assert_eq!(
            world.reply(&id),
            Some((404, Some("protocol.unexpected"))),
            "{topic}"
        );
        assert_eq!(world.state(), StateName::Receiving);
    }
}

#[test]
fn configurations_are_read_at_any_time() {
    let mut world = World::active();
    world.reach();
    let id = world.request("CONF-V1/GET/configurations", &[], &[]);
    assert_eq!(world.reply(&id), Some((200, None)));
    assert_eq!(world.count("read"), 1);
}

#[test]
fn a_malformed_body_is_400_and_may_be_mended() {
    let mut world = World::active();
    world.reach();
    world.certificates();
    let id = world.request("CONF-V1/PUT/configurations", b"<esf", &[]);
    assert_eq!(world.reply(&id), Some((400, Some("protocol.malformed"))));
    let id = world.configuration();
    assert_eq!(world.reply(&id), Some((200, None)));
    let id = world.commit(None, None, None);
    assert_eq!(world.reply(&id), Some((200, None)));
}
