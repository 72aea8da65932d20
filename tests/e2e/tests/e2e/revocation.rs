//! Revocation lists in the keystores: a broker or a signer that is on one is refused by name, another
//! of the same authority is not.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::site::PID;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::keystore::{DM_KEYSTORE, SSL_KEYSTORE};
use kura_formats::topic::Method;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::x509::extension::AuthorityKeyIdentifier;
use openssl::x509::{X509Builder, X509CrlBuilder, X509Extension, X509RevokedBuilder};
use provision_platform::control::{ControlReply, ControlRequest};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, Pki, Profile};

/// A list of the authority, in PEM, on which this certificate stands.
fn list(authority: &Identity, revoked: &Identity) -> String {
    list_of(authority, revoked, false)
}

/// Complete, or of what has changed since another one.
fn list_of(authority: &Identity, revoked: &Identity, is_delta: bool) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let at = |days: i64| Asn1Time::from_unix(since.as_secs() as i64 + days * 86_400).unwrap();
    let mut list = X509CrlBuilder::new().unwrap();
    list.set_issuer_name(authority.certificate().subject_name())
        .unwrap();
    list.set_last_update(&at(-2)).unwrap();
    list.set_next_update(&at(5)).unwrap();
    let mut entry = X509RevokedBuilder::new().unwrap();
    entry
        .set_serial_number(revoked.certificate().serial_number())
        .unwrap();
    entry.set_revocation_date(&at(-1)).unwrap();
    list.add_revoked(entry.build()).unwrap();
    let context = X509Builder::new().unwrap();
    let issuer = AuthorityKeyIdentifier::new()
        .keyid(true)
        .build(&context.x509v3_context(Some(authority.certificate()), None))
        .unwrap();
    list.append_extension(issuer).unwrap();
    // crlNumber 1
    let number = Asn1Object::from_str("2.5.29.20").unwrap();
    let one = Asn1OctetString::new_from_bytes(&[2, 1, 1]).unwrap();
    list.append_extension(X509Extension::new_from_der(&number, false, &one).unwrap())
        .unwrap();
    if is_delta {
        // deltaCRLIndicator: since list 1
        let indicator = Asn1Object::from_str("2.5.29.27").unwrap();
        list.append_extension(X509Extension::new_from_der(&indicator, true, &one).unwrap())
            .unwrap();
    }
    list.sign(authority.key(), MessageDigest::sha256()).unwrap();
    String::from_utf8(list.build().unwrap().to_pem().unwrap()).unwrap()
}

#[test]
fn a_broker_whose_certificate_is_revoked() {
    let pki = Pki::create().unwrap();
    let profile = Profile::server("Stolen Broker", &["localhost", "127.0.0.1"]);
    let stolen = pki.tls_root.issue(&profile).unwrap();
    let revoked = list(&pki.tls_root, &stolen);
    let bad = TestPlatform::start_with(pki.clone(), |mut settings| {
        settings.broker_certificate = stolen;
        settings
    })
    .unwrap();
    let good = TestPlatform::start_with(pki, |settings| settings).unwrap();
    good.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&bad, "gw-1", "secret").unwrap();
    site.keystores()
        .unwrap()
        .put_crl(SSL_KEYSTORE, "broker-root-crl", &revoked)
        .unwrap();
    let before = site.first_start().unwrap();
    let status = site.wait_for_code("tls.untrusted").unwrap();
    assert_eq!(site.world().unwrap(), before);
    let message = status["error"]["message"].as_str().unwrap();
    for part in [
        "Stolen Broker",
        "Broker Root",
        "valid 20",
        "certificate revoked",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
    site.set("broker-url", good.provision_broker().url())
        .unwrap();
    site.wait_provisioned().unwrap();
}

const SIGNER: &str = "CN=Device Management Signer,O=Provision Platform";

/// The account asks something harmless.
fn control(platform: &TestPlatform) -> ControlReply {
    let get = ControlRequest::new("acme", "gw-1", Method::Get, "CONF-V1", "snapshots");
    platform.control(&get).unwrap()
}

#[test]
fn a_signer_that_is_revoked_while_it_is_in_use_signs_nothing_any_more() {
    let pki = Pki::create().unwrap();
    let old = TestPlatform::start_with(pki.clone(), |settings| settings).unwrap();
    let new = TestPlatform::start_with(pki.clone(), |settings| settings).unwrap();
    for platform in [&old, &new] {
        platform.request("gw-1", "secret").unwrap();
    }
    let mut site = Site::new(&old, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    let born = old.wait_until(Duration::from_secs(20), |store| {
        Ok(store.devices()?.into_iter().find(|d| d.client_id == "gw-1"))
    });
    assert!(born.unwrap().is_some(), "no BIRTH");
    let put = |revoked: &Identity| {
        let keystores = site.framework().unwrap().keystores();
        let crl = list(&pki.intermediate, revoked);
        keystores.put_crl(DM_KEYSTORE, "signers-crl", &crl).unwrap();
    };

    // Of the same authority, but somebody else.
    put(&pki
        .intermediate
        .issue(&Profile::signer("Stolen Signer"))
        .unwrap());
    assert_eq!(control(&old).code, 200);
    put(&pki.signer);
    let refused = control(&old);
    let error = refused.payload.string("prov.error.code");
    assert_eq!((refused.code, error), (403, Some("signature.untrusted")));
    let message = refused
        .payload
        .string("response.exception.message")
        .unwrap();
    assert!(
        message.contains(SIGNER) && message.contains("revoked"),
        "{message}"
    );

    // Nor does it move the gateway to another account.
    let before = site.world().unwrap();
    let order = Properties::from([
        ("enabled".into(), true.into()),
        ("provisioned".into(), false.into()),
        ("broker-url".into(), new.provision_broker().url().into()),
        ("password".into(), Secret::from("secret").into()),
        ("retry-interval".into(), 3600.into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &order).unwrap();
    let status = site.wait_for_code("signature.untrusted").unwrap();
    let message = status["error"]["message"].as_str().unwrap();
    assert!(
        message.contains(SIGNER) && message.contains("revoked"),
        "{message}"
    );
    assert_eq!(site.world().unwrap(), before, "not as before");

    // Without the list it is as good as it was.
    let framework = site.framework().unwrap();
    framework
        .keystores()
        .remove(DM_KEYSTORE, "signers-crl")
        .unwrap();
    assert_eq!(control(&old).code, 200);
    framework
        .act(PID, gateway_host_sdk::Action::RetryNow)
        .unwrap();
    site.wait_provisioned().unwrap();
}

#[test]
fn a_revoked_signer_is_refused_at_the_first_provisioning() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let pki = platform.pki();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    let crl = list(&pki.intermediate, &pki.signer);
    let keystores = site.keystores().unwrap();
    keystores.put_crl(DM_KEYSTORE, "signers-crl", &crl).unwrap();
    let before = site.first_start().unwrap();
    let status = site.wait_for_code("trust.invalid").unwrap();
    assert_eq!(site.world().unwrap(), before);
    let message = status["error"]["message"].as_str().unwrap();
    for part in [
        SIGNER,
        "Device Management Intermediate",
        "certificate revoked",
    ] {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

/// OpenSSL would pass over it in silence. Such an entry cannot be imported, but may have come with a
/// backup, or by hand.
#[test]
fn a_list_that_nobody_can_obey_stops_what_it_is_for_and_says_where_it_is() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let pki = platform.pki();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    let keystores = site.keystores().unwrap();
    let delta = list_of(&pki.intermediate, &pki.signer, true);
    let error = keystores.put_crl(DM_KEYSTORE, "x", &delta).unwrap_err();
    assert!(error.to_string().contains("deltaCRLIndicator"), "{error}");
    for keystore in [SSL_KEYSTORE, DM_KEYSTORE] {
        let folder = site.data().join("keystores").join(keystore);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("by-hand.pem"), &delta).unwrap();
    }
    site.start().unwrap();
    for (keystore, code) in [
        (SSL_KEYSTORE, "tls.untrusted"),
        (DM_KEYSTORE, "trust.invalid"),
    ] {
        let status = site.wait_for_code(code).unwrap();
        let message = status["error"]["message"].as_str().unwrap();
        for part in [keystore, "by-hand", "Device Management Intermediate"] {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
        let framework = site.framework().unwrap();
        framework.keystores().remove(keystore, "by-hand").unwrap();
        framework
            .act(PID, gateway_host_sdk::Action::RetryNow)
            .unwrap();
    }
    site.wait_provisioned().unwrap();

    // Afterwards, too, it believes nobody; it has no way to know who is revoked.
    let born = platform.wait_until(Duration::from_secs(20), |store| {
        Ok(store.devices()?.into_iter().find(|d| d.client_id == "gw-1"))
    });
    assert!(born.unwrap().is_some(), "no BIRTH");
    assert_eq!(control(&platform).code, 200);
    let by_hand = site.data().join("keystores/DMKeystore/by-hand.pem");
    std::fs::write(&by_hand, &delta).unwrap();
    let refused = control(&platform);
    let error = refused.payload.string("prov.error.code");
    assert_eq!((refused.code, error), (403, Some("signature.untrusted")));
    std::fs::remove_file(&by_hand).unwrap();
    assert_eq!(control(&platform).code, 200);
}
