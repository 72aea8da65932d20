//! The good chains are good, and the bad ones bad in the way they claim, for OpenSSL itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use openssl::stack::Stack;
use openssl::x509::store::{X509Store, X509StoreBuilder};
use openssl::x509::verify::{X509VerifyFlags, X509VerifyParam};
use openssl::x509::{X509StoreContext, X509};
use provision_platform::pki::{fingerprint, Identity, KeyKind, Pki, Profile};
use std::os::unix::fs::PermissionsExt;

fn store(root: &X509, host: Option<&str>) -> X509Store {
    let mut builder = X509StoreBuilder::new().unwrap();
    builder.add_cert(root.clone()).unwrap();
    let mut param = X509VerifyParam::new().unwrap();
    param.set_flags(X509VerifyFlags::X509_STRICT).unwrap();
    param.set_auth_level(2);
    if let Some(host) = host {
        param.set_host(host).unwrap();
    }
    builder.set_param(&param).unwrap();
    builder.build()
}

/// OpenSSL's verdict, in its own words.
fn verdict(identity: &Identity, root: &X509, host: Option<&str>) -> String {
    let mut chain = Stack::new().unwrap();
    for issuer in identity.issuers() {
        chain.push(issuer.clone()).unwrap();
    }
    let store = store(root, host);
    let mut context = X509StoreContext::new().unwrap();
    context
        .init(&store, identity.certificate(), &chain, |c| {
            let good = c.verify_cert()?;
            Ok(if good {
                "ok".to_owned()
            } else {
                c.error().error_string().to_owned()
            })
        })
        .unwrap()
}

#[test]
fn every_chain_of_the_set_verifies_strictly_and_is_named_for_this_host() {
    let pki = Pki::create().unwrap();
    let root = pki.root.certificate();
    assert_eq!(verdict(&pki.signer, root, None), "ok");
    let tls = pki.tls_root.certificate();
    for broker in [&pki.broker, &pki.target_broker] {
        assert_eq!(verdict(broker, tls, Some("localhost")), "ok");
        assert!(verdict(broker, tls, Some("example.org")).contains("ostname mismatch"));
    }
    assert!(verdict(&pki.target_broker_apart, tls, None).contains("self"));
    assert_eq!(
        verdict(
            &pki.target_broker_apart,
            pki.target_root.certificate(),
            None
        ),
        "ok"
    );
}

#[test]
fn bad_certificates_are_bad_in_the_way_they_claim() {
    let root = Identity::self_signed(&Profile::authority("root")).unwrap();
    let check =
        |profile: &Profile| verdict(&root.issue(profile).unwrap(), root.certificate(), None);
    assert_eq!(check(&Profile::signer("good")), "ok");
    assert_eq!(check(&Profile::signer("rsa").key(KeyKind::Rsa(2048))), "ok");
    assert_eq!(
        check(&Profile::signer("no usage").without_key_usage()),
        "ok"
    );
    assert!(check(&Profile::signer("old").expired()).contains("expired"));
    assert!(check(&Profile::signer("young").not_yet_valid()).contains("not yet valid"));
    assert!(check(&Profile::signer("weak").key(KeyKind::Rsa(1024))).contains("key too weak"));
    assert!(check(&Profile::signer("p192").key(KeyKind::EcP192)).contains("key too weak"));
    assert!(check(&Profile::signer("sha1").sha1()).contains("digest algorithm too weak"));
    let unknown = check(&Profile::signer("unknown").unknown_critical_extension());
    assert!(unknown.contains("critical extension"), "{unknown}");
}

#[test]
fn path_length_and_issuing_leaf_are_refused() {
    let root = Identity::self_signed(&Profile::authority("root").path_len(0)).unwrap();
    let below = root.issue(&Profile::authority("below")).unwrap();
    let leaf = below.issue(&Profile::signer("leaf")).unwrap();
    assert!(verdict(&leaf, root.certificate(), None).contains("path length"));
    let issuing = root.issue(&Profile::signer("issuing leaf")).unwrap();
    let leaf = issuing.issue(&Profile::signer("leaf")).unwrap();
    assert!(verdict(&leaf, root.certificate(), None).contains("CA cert"));
}

#[test]
fn a_saved_set_is_private_and_reads_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new/pki");
    assert!(!Pki::is_in(&path));
    let pki = Pki::create().unwrap();
    pki.save(&path).unwrap();
    assert!(Pki::is_in(&path));
    let back = Pki::load(&path).unwrap();
    assert_eq!(
        fingerprint(back.signer.certificate()).unwrap(),
        fingerprint(pki.signer.certificate()).unwrap()
    );
    assert_eq!(back.signer.issuers().len(), 2);
    let mut keys = 0;
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        let is_key = entry.path().extension().is_some_and(|e| e == "key");
        assert_eq!(
            mode,
            if is_key { 0o600 } else { 0o644 },
            "{}",
            entry.path().display()
        );
        keys += usize::from(is_key);
    }
    assert_eq!(keys, 11);
}

#[test]
fn a_set_of_an_earlier_version_is_completed_once() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create().unwrap();
    pki.save(folder.path()).unwrap();
    for name in ["package-server", "device-root", "device-authority"] {
        for kind in ["pem", "key"] {
            std::fs::remove_file(folder.path().join(format!("{name}.{kind}"))).unwrap();
        }
    }
    let completed = Pki::load(folder.path()).unwrap();
    let again = Pki::load(folder.path()).unwrap();
    for (first, second) in [
        (&completed.package_server, &again.package_server),
        (&completed.device_root, &again.device_root),
        (&completed.device_authority, &again.device_authority),
    ] {
        assert_eq!(
            fingerprint(first.certificate()).unwrap(),
            fingerprint(second.certificate()).unwrap()
        );
    }
    let server = verdict(&again.package_server, pki.tls_root.certificate(), None);
    assert_eq!(server, "ok");
}

#[test]
fn a_key_of_another_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create().unwrap();
    pki.save(folder.path()).unwrap();
    let from = folder.path().join("root.key");
    std::fs::copy(from, folder.path().join("signer.key")).unwrap();
    let error = Pki::load(folder.path()).unwrap_err().to_string();
    assert!(error.contains("signer.key") && error.contains("the key of the certificate"));
}
