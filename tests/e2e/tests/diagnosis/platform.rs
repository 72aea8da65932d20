//! What a platform may send that the gateway must not take.

use e2e::Site;
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Order, Script, Step};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, KeyKind, Pki, Profile};
use serde_json::Value;

use super::succeeds;

/// One attempt with `behaviour` ends in `code` with the gateway as before; the next succeeds.
fn once(platform: &TestPlatform, behaviour: Behaviour, code: &str) -> Value {
    platform.request("gw-1", "secret").unwrap();
    platform.behave(Script::once(behaviour)).unwrap();
    let mut site = Site::new(platform, "gw-1", "secret")
        .unwrap()
        .with("timeout", 10)
        .with("retry-interval", 3600);
    let before = site.first_start().unwrap();
    // Not earlier: what was staged is taken back by then.
    let status = site.wait_for_code(code).unwrap();
    assert_eq!(site.world().unwrap(), before);
    site.retry_now().unwrap();
    succeeds(&mut site);
    status
}

/// A signer of this kind under the platform's own root.
fn signed_by(make: impl FnOnce(&Pki) -> Identity, code: &str) -> Value {
    let platform = TestPlatform::start().unwrap();
    let behaviour = Behaviour {
        signer: Some(make(platform.pki())),
        ..Behaviour::default()
    };
    once(&platform, behaviour, code)
}

fn signer(pki: &Pki, change: impl FnOnce(Profile) -> Profile) -> Identity {
    let profile = change(Profile::signer("Odd Signer"));
    pki.intermediate.issue(&profile).unwrap()
}

fn names_the_signer(status: &Value) {
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("Odd Signer"), "{message}");
}

#[test]
fn a_signer_that_has_expired() {
    names_the_signer(&signed_by(
        |pki| signer(pki, Profile::expired),
        "trust.expired",
    ));
}

#[test]
fn a_signer_of_tomorrow() {
    names_the_signer(&signed_by(
        |pki| signer(pki, Profile::not_yet_valid),
        "trust.not-yet-valid",
    ));
}

#[test]
fn a_signer_with_a_weak_key() {
    names_the_signer(&signed_by(
        |pki| signer(pki, |profile| profile.key(KeyKind::Rsa(1024))),
        "trust.weak",
    ));
}

#[test]
fn a_signer_that_is_made_for_tls_servers() {
    names_the_signer(&signed_by(
        |pki| signer(pki, Profile::server_auth_only),
        "trust.invalid",
    ));
}

#[test]
fn a_chain_that_is_none() {
    let platform = TestPlatform::start().unwrap();
    let behaviour = Behaviour {
        certificates: Some(b"-----BEGIN NONSENSE-----".to_vec()),
        ..Behaviour::default()
    };
    once(&platform, behaviour, "trust.malformed");
}

/// A configuration of these bytes, and a platform that then says nothing more: what was refused
/// last is the code at the deadline.
fn configured_with(document: &[u8], code: &str) {
    let platform = TestPlatform::start().unwrap();
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Documents(vec![document.to_vec()]),
        deaf_to: Some(Step::Configuration(0)),
        ..Behaviour::default()
    };
    once(&platform, behaviour, code);
}

#[test]
fn a_configuration_that_is_no_xml() {
    configured_with(b"<configurations><configuration", "protocol.malformed");
}

#[test]
fn a_configuration_beyond_the_limits() {
    // More attributes than anybody needs, which a parser would compare with each other.
    let attributes: String = (0..100).map(|n| format!(" a{n}=\"\"")).collect();
    let document = format!(
        "<?xml version=\"1.0\"?><esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\">\
         <esf:configuration pid=\"a\"{attributes}/></esf:configurations>"
    );
    configured_with(document.as_bytes(), "protocol.too-large");
}

#[test]
fn other_certificates_in_the_middle_of_an_attempt() {
    let platform = TestPlatform::start().unwrap();
    let other = platform
        .pki()
        .intermediate
        .issue(&Profile::signer("Other Signer"))
        .unwrap();
    let behaviour = Behaviour {
        order: Order::OtherCertificates(Box::new(other)),
        silent_from: Some(Step::Configuration(0)),
        ..Behaviour::default()
    };
    once(&platform, behaviour, "protocol.unexpected");
}
