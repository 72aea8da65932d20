//! Revocation lists in the keystores: a broker that is on one is refused by name, another of the
//! same root is not.

use std::time::{SystemTime, UNIX_EPOCH};

use e2e::Site;
use gateway_host_sdk::keystore::SSL_KEYSTORE;
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::x509::extension::AuthorityKeyIdentifier;
use openssl::x509::{X509Builder, X509CrlBuilder, X509Extension, X509RevokedBuilder};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, Pki, Profile};

/// A list of the authority, in PEM, on which this certificate stands.
fn list(authority: &Identity, revoked: &Identity) -> String {
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
    site.start().unwrap();
    let before = site.world().unwrap();
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
