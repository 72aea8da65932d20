#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
//! Keystores on real files, with certificates made here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::hash::MessageDigest;
use openssl::pkey::{HasPublic, PKey, PKeyRef, Private};
use openssl::x509::{X509Builder, X509CrlBuilder, X509Extension, X509NameBuilder, X509Req, X509};

use crate::crypto::Crypto;

use super::*;

struct Gateway {
    dir: tempfile::TempDir,
    stores: Keystores,
}

fn gateway() -> Gateway {
    let dir = tempfile::tempdir().unwrap();
    let stores = open(dir.path());
    Gateway { dir, stores }
}

fn open(dir: &Path) -> Keystores {
    let crypto = Arc::new(Crypto::open(dir).unwrap());
    Keystores::open(&dir.join("keystores"), crypto).unwrap()
}

fn key() -> PKey<Private> {
    KeyAlgorithm::EcP256.generate().unwrap()
}

fn certificate<T: HasPublic>(cn: &str, public: &PKeyRef<T>, signer: &PKeyRef<Private>) -> X509 {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", cn).unwrap();
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_subject_name(&name).unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(public).unwrap();
    let start = Asn1Time::days_from_now(0).unwrap();
    let end = Asn1Time::days_from_now(1).unwrap();
    builder.set_not_before(&start).unwrap();
    builder.set_not_after(&end).unwrap();
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

fn ca(cn: &str) -> X509 {
    let key = key();
    certificate(cn, &key, &key)
}

fn all_files(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files.extend(all_files(&path)),
            false => files.push(path),
        }
    }
    files
}

#[test]
fn a_trusted_certificate_is_kept_and_anchors() {
    let gateway = gateway();
    let (one, two) = (ca("one"), ca("two"));
    let stores = &gateway.stores;
    stores
        .put_certificate(SSL_KEYSTORE, "b/ä", &pem(&one))
        .unwrap();
    stores
        .put_certificate(SSL_KEYSTORE, "a", &pem(&two))
        .unwrap();
    let again = open(gateway.dir.path());
    let list = again.list(SSL_KEYSTORE).unwrap();
    assert_eq!(
        list.iter().map(|e| e.alias.as_str()).collect::<Vec<_>>(),
        ["a", "b/ä"]
    );
    assert_eq!(list[1].kind, EntryKind::TrustedCertificate);
    assert_eq!(list[1].pem, pem(&one));
    let anchors = again.anchors(SSL_KEYSTORE).unwrap();
    assert_eq!(
        anchors.iter().map(pem).collect::<Vec<_>>(),
        [pem(&two), pem(&one)]
    );
    assert!(again.anchors(DM_KEYSTORE).unwrap().is_empty());
    stores
        .put_certificate(SSL_KEYSTORE, "a", &pem(&one))
        .unwrap();
    assert_eq!(again.entry(SSL_KEYSTORE, "a").unwrap().pem, pem(&one));
    again.remove(SSL_KEYSTORE, "a").unwrap();
    again.remove(SSL_KEYSTORE, "a").unwrap();
    assert_eq!(stores.list(SSL_KEYSTORE).unwrap().len(), 1);
}

#[test]
fn everything_is_private_and_no_private_key_is_in_clear() {
    let gateway = gateway();
    let stores = &gateway.stores;
    stores
        .create_key(SSL_KEYSTORE, "tls", KeyAlgorithm::EcP384)
        .unwrap();
    stores
        .put_certificate(DM_KEYSTORE, "root", &pem(&ca("x")))
        .unwrap();
    let secret = stores.private_key(SSL_KEYSTORE, "tls").unwrap();
    let key = PKey::private_key_from_pem(secret.expose().as_bytes()).unwrap();
    let der = key.private_key_to_pkcs8().unwrap();
    let scalar = key.ec_key().unwrap().private_key().to_vec();
    let base64 = openssl::base64::encode_block(&der);
    for path in all_files(gateway.dir.path()) {
        let content = fs::read(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path:?}");
        assert!(
            !content.windows(scalar.len()).any(|part| part == scalar),
            "{path:?}"
        );
        let text = String::from_utf8_lossy(&content).replace('\n', "");
        assert!(!text.contains(&base64[40..80]), "{path:?}");
    }
    for name in stores.names() {
        let folder = gateway.dir.path().join("keystores").join(name);
        assert_eq!(
            fs::metadata(folder).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }
    let shown = format!("{stores:?} {:?}", stores.list(SSL_KEYSTORE).unwrap());
    assert!(!shown.contains("PRIVATE"));
}

#[test]
fn a_key_is_made_once_and_its_request_verifies() {
    let gateway = gateway();
    let stores = &gateway.stores;
    for (algorithm, size, signature) in [
        ("EC", 256, "SHA256withECDSA"),
        ("EC", 384, ""),
        ("RSA", 2048, "SHA384withRSA"),
    ] {
        let alias = format!("{algorithm}-{size}");
        let kind = KeyAlgorithm::new(algorithm, size).unwrap();
        stores.create_key(DM_KEYSTORE, &alias, kind).unwrap();
        let before = stores.private_key(DM_KEYSTORE, &alias).unwrap();
        stores.create_key(DM_KEYSTORE, &alias, kind).unwrap();
        assert!(stores.private_key(DM_KEYSTORE, &alias).unwrap() == before);
        let key = PKey::private_key_from_pem(before.expose().as_bytes()).unwrap();
        assert_eq!(key.bits(), size);
        let signature = SignatureAlgorithm::new(signature).unwrap();
        let csr = stores
            .csr(DM_KEYSTORE, &alias, "CN=gw,C=IT", signature)
            .unwrap();
        let request = X509Req::from_pem(csr.as_bytes()).unwrap();
        let public = request.public_key().unwrap();
        assert!(request.verify(&public).unwrap());
        assert!(public.public_eq(&key));
        let first = request.subject_name().entries().next().unwrap();
        assert_eq!(first.object().nid().short_name().unwrap(), "C");
    }
    let wrong = SignatureAlgorithm::new("SHA256withRSA").unwrap();
    let refused = stores.csr(DM_KEYSTORE, "EC-256", "CN=gw", wrong);
    assert!(matches!(refused, Err(KeystoreError::BadAlgorithm { .. })));
    assert!(KeyAlgorithm::new("EC", 192).is_err());
    assert!(KeyAlgorithm::new("RSA", 1024).is_err());
    assert!(SignatureAlgorithm::new("MD5withRSA").is_err());
}

#[test]
fn a_chain_must_be_for_the_key() {
    let gateway = gateway();
    let stores = &gateway.stores;
    stores
        .create_key(SSL_KEYSTORE, "tls", KeyAlgorithm::EcP256)
        .unwrap();
    let secret = stores.private_key(SSL_KEYSTORE, "tls").unwrap();
    let own = PKey::private_key_from_pem(secret.expose().as_bytes()).unwrap();
    let issuer = key();
    let leaf = certificate("leaf", &own, &issuer);
    let root = certificate("root", &issuer, &issuer);
    let wrong = stores.put_chain(SSL_KEYSTORE, "tls", &(pem(&root) + &pem(&leaf)));
    assert!(matches!(wrong, Err(KeystoreError::OtherKey { .. })));
    assert_eq!(stores.entry(SSL_KEYSTORE, "tls").unwrap().pem, "");
    let chain = pem(&leaf) + &pem(&root);
    stores.put_chain(SSL_KEYSTORE, "tls", &chain).unwrap();
    let entry = open(gateway.dir.path()).entry(SSL_KEYSTORE, "tls").unwrap();
    assert_eq!((entry.kind, entry.pem), (EntryKind::PrivateKey, chain));
    assert!(stores.private_key(SSL_KEYSTORE, "tls").unwrap() == secret);
    assert!(stores.anchors(SSL_KEYSTORE).unwrap().is_empty());
    // What an undo needs: the same key without a chain.
    stores.put_chain(SSL_KEYSTORE, "tls", "").unwrap();
    assert_eq!(stores.entry(SSL_KEYSTORE, "tls").unwrap().pem, "");
    assert!(stores.private_key(SSL_KEYSTORE, "tls").unwrap() == secret);
    let over = stores.put_certificate(SSL_KEYSTORE, "tls", &pem(&root));
    assert!(matches!(over, Err(KeystoreError::KeyInTheWay { .. })));
    stores
        .put_certificate(SSL_KEYSTORE, "root", &pem(&root))
        .unwrap();
    for result in [
        stores.put_chain(SSL_KEYSTORE, "root", &pem(&root)),
        stores.create_key(SSL_KEYSTORE, "root", KeyAlgorithm::EcP256),
        stores.private_key(SSL_KEYSTORE, "root").map(drop),
    ] {
        assert!(matches!(result, Err(KeystoreError::NoKey { .. })));
    }
}

/// Made with `openssl ca -gencrl`.
const CRL: &str = "\
-----BEGIN X509 CRL-----
MIGlME0CAQEwCgYIKoZIzj0EAwIwDjEMMAoGA1UEAwwDY3JsFw0yNjExMjQwNDI4
MjNaFw0zNjExMjEwNDI4MjNaoA4wDDAKBgNVHRQEAwIBATAKBggqhkjOPQQDAgNI
ADBFAiEA1TuBcYiVPqm+cGzMGjjyBunGxgn93vOe7M6q/8DETAsCIAhjKHL8Z6B9
EliivkBOvRdDDqXVLAdIWP4LCoePGbr+
-----END X509 CRL-----
";

#[test]
fn a_revocation_list_is_kept_as_one() {
    let gateway = gateway();
    let stores = &gateway.stores;
    stores.put_crl(SSL_KEYSTORE, "crl", CRL).unwrap();
    let entry = stores.entry(SSL_KEYSTORE, "crl").unwrap();
    assert_eq!((entry.kind, entry.pem.as_str()), (EntryKind::Crl, CRL));
    assert!(stores.anchors(SSL_KEYSTORE).unwrap().is_empty());
    assert!(stores.put_certificate(SSL_KEYSTORE, "x", CRL).is_err());
    assert!(stores.put_crl(SSL_KEYSTORE, "x", &pem(&ca("x"))).is_err());
    let bundle = pem(&ca("one")) + CRL;
    let aliases = stores.import_pem(SSL_KEYSTORE, "both", &bundle).unwrap();
    assert_eq!(aliases, ["both", "both-2"]);
    assert_eq!(
        stores.entry(SSL_KEYSTORE, "both-2").unwrap().kind,
        EntryKind::Crl
    );
}

/// A list of "crl" with one critical extension: the last arc of its identifier below 2.5.29, and
/// its value.
fn list_with(arc: u8, value: &[u8]) -> String {
    let mut list = X509CrlBuilder::new().unwrap();
    list.set_issuer_name(ca("crl").subject_name()).unwrap();
    let [from, to] = [0, 1].map(|days| Asn1Time::days_from_now(days).unwrap());
    list.set_last_update(&from).unwrap();
    list.set_next_update(&to).unwrap();
    let authority: (u8, &[u8]) = (35, &[0x30, 3, 0x80, 1, 1]);
    let number: (u8, &[u8]) = (20, &[2, 1, 1]);
    for (arc, value) in [authority, number, (arc, value)] {
        let name = Asn1Object::from_str(&format!("2.5.29.{arc}")).unwrap();
        let value = Asn1OctetString::new_from_bytes(value).unwrap();
        let extension = X509Extension::new_from_der(&name, (21..30).contains(&arc), &value);
        list.append_extension(extension.unwrap()).unwrap();
    }
    list.sign(&key(), MessageDigest::sha256()).unwrap();
    String::from_utf8(list.build().unwrap().to_pem().unwrap()).unwrap()
}

#[test]
fn a_revocation_list_that_nobody_could_obey_is_not_taken() {
    let gateway = gateway();
    let stores = &gateway.stores;
    let indirect: &[u8] = &[0x30, 3, 0x84, 1, 0xff];
    for (list, why) in [
        (list_with(27, &[2, 1, 1]), "deltaCRLIndicator"),
        (list_with(28, indirect), "indirectCRL"),
    ] {
        let bundle = pem(&ca("one")) + CRL + &list;
        for refused in [
            stores.put_crl(SSL_KEYSTORE, "crl", &list),
            stores.import_pem(SSL_KEYSTORE, "crl", &bundle).map(drop),
        ] {
            let text = refused.unwrap_err().to_string();
            assert!(text.contains("\"CN=crl\"") && text.contains(why), "{text}");
        }
        assert!(stores.list(SSL_KEYSTORE).unwrap().is_empty());
    }
    let only_authorities: &[u8] = &[0x30, 3, 0x82, 1, 0xff];
    stores
        .put_crl(SSL_KEYSTORE, "crl", &list_with(28, only_authorities))
        .unwrap();
}

#[test]
fn an_import_takes_bundles_and_keys() {
    let gateway = gateway();
    let stores = &gateway.stores;
    let bundle = format!(
        "Subject: one\n{}\n# two\n{}",
        pem(&ca("one")),
        pem(&ca("two"))
    );
    let aliases = stores.import_pem(SSL_KEYSTORE, "ca", &bundle).unwrap();
    assert_eq!(aliases, ["ca", "ca-2"]);
    assert_eq!(stores.anchors(SSL_KEYSTORE).unwrap().len(), 2);
    let key = key();
    let key_pem = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let own = pem(&certificate("c", &key, &key));
    let aliases = stores
        .import_pem(SSL_KEYSTORE, "client", &(key_pem.clone() + &own))
        .unwrap();
    assert_eq!(aliases, ["client"]);
    assert!(stores.private_key(SSL_KEYSTORE, "client").unwrap().expose() == key_pem);
    assert_eq!(stores.entry(SSL_KEYSTORE, "client").unwrap().pem, own);
    let other = stores.import_pem(SSL_KEYSTORE, "x", &(key_pem + &pem(&ca("other"))));
    assert!(matches!(other, Err(KeystoreError::OtherKey { .. })));
    let locked = key
        .private_key_to_pem_pkcs8_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"pw")
        .unwrap();
    let locked = String::from_utf8(locked).unwrap();
    let refused = stores.import_pem(SSL_KEYSTORE, "x", &locked).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the private key is protected by a passphrase"
    );
}

#[test]
fn what_is_no_certificate_is_refused() {
    let gateway = gateway();
    let stores = &gateway.stores;
    let good = pem(&ca("x"));
    let cut = &good[..good.len() - 20];
    let spoiled = good.replacen("\nMI", "\nAA", 1);
    let two = good.clone() + &good;
    let key = String::from_utf8(key().private_key_to_pem_pkcs8().unwrap()).unwrap();
    for bad in ["", "text", cut, &spoiled, &two, &key] {
        let result = stores.put_certificate(DM_KEYSTORE, "a", bad);
        assert!(matches!(result, Err(KeystoreError::BadPem { .. })), "{bad}");
    }
    for (keystore, alias) in [
        ("NoKeystore", "a"),
        (DM_KEYSTORE, ""),
        (DM_KEYSTORE, "a\nb"),
    ] {
        assert!(stores.put_certificate(keystore, alias, &good).is_err());
    }
    assert!(stores.list(DM_KEYSTORE).unwrap().is_empty());
    let missing = stores.entry(DM_KEYSTORE, "a").unwrap_err();
    assert_eq!(
        missing.to_string(),
        r#"the keystore DMKeystore has no entry "a""#
    );
}

#[test]
fn a_certificate_copied_by_hand_counts_and_a_damaged_file_is_named() {
    let gateway = gateway();
    let stores = &gateway.stores;
    let folder = gateway.dir.path().join("keystores").join(SSL_KEYSTORE);
    fs::write(folder.join("by-hand.pem"), pem(&ca("x"))).unwrap();
    fs::write(folder.join("README.txt"), "x").unwrap();
    fs::write(folder.join(".x.pem.1-0.tmp"), "x").unwrap();
    assert_eq!(stores.anchors(SSL_KEYSTORE).unwrap().len(), 1);
    fs::write(folder.join("bad.pem"), "x").unwrap();
    let error = stores.list(SSL_KEYSTORE).unwrap_err();
    assert!(matches!(error, KeystoreError::Damaged { .. }));
    assert!(error.to_string().contains("bad.pem"), "{error}");
    stores.remove(SSL_KEYSTORE, "bad").unwrap();
    assert_eq!(stores.list(SSL_KEYSTORE).unwrap().len(), 1);
}

#[test]
fn a_key_of_another_gateway_is_of_no_use() {
    let (one, two) = (gateway(), gateway());
    one.stores
        .create_key(SSL_KEYSTORE, "k", KeyAlgorithm::EcP256)
        .unwrap();
    let file = Path::new("keystores").join(SSL_KEYSTORE).join("k.pem");
    fs::copy(one.dir.path().join(&file), two.dir.path().join(&file)).unwrap();
    let result = two.stores.private_key(SSL_KEYSTORE, "k");
    assert!(matches!(result, Err(KeystoreError::Crypto { .. })));
}

/// Large enough to fill a keystore with a few: a name of so many bytes.
fn long(bytes: usize) -> String {
    let key = key();
    let mut name = X509NameBuilder::new().unwrap();
    for _ in 0..bytes / 64 {
        name.append_entry_by_text("OU", &"x".repeat(64)).unwrap();
    }
    let name = name.build();
    let mut builder = X509Builder::new().unwrap();
    builder.set_issuer_name(&name).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    pem(&builder.build())
}

fn too_much(result: Result<(), KeystoreError>) {
    let error = result.unwrap_err();
    assert!(matches!(&error, KeystoreError::TooMuch { .. }), "{error:?}");
    let message = error.to_string();
    assert!(
        message.contains(SSL_KEYSTORE) && message.contains("remove"),
        "{message}"
    );
}

#[test]
fn a_keystore_has_no_more_entries_than_there_is_room_for() {
    let Gateway { dir, stores } = gateway();
    let key = key();
    let pem = pem(&certificate("root", &key, &key));
    for n in 0..256 {
        stores
            .put_certificate(SSL_KEYSTORE, &n.to_string(), &pem)
            .unwrap();
    }
    too_much(stores.put_certificate(SSL_KEYSTORE, "new", &pem));
    too_much(stores.import_pem(SSL_KEYSTORE, "new", &pem).map(drop));
    too_much(stores.create_key(SSL_KEYSTORE, "new", KeyAlgorithm::EcP256));
    // What is there may be replaced, and another keystore is another one.
    stores
        .put_certificate(SSL_KEYSTORE, "0", &long(1024))
        .unwrap();
    stores.put_certificate(DM_KEYSTORE, "new", &pem).unwrap();
    // A provisioning finds room, and not for ever.
    let component =
        |n: usize| stores.put_certificate_in(Room::Component, SSL_KEYSTORE, &format!("c{n}"), &pem);
    let brought = (0..100).take_while(|n| component(*n).is_ok()).count();
    assert_eq!(brought, 32);
    drop(stores);
    let stores = open(dir.path());
    assert_eq!(stores.list(SSL_KEYSTORE).unwrap().len(), 256 + 32);
    stores.remove(SSL_KEYSTORE, "c0").unwrap();
    too_much(stores.put_certificate(SSL_KEYSTORE, "new", &pem));
}

#[test]
fn a_keystore_has_no_more_bytes_than_there_is_room_for() {
    let Gateway { dir, stores } = gateway();
    let large = long(200 << 10);
    let each = large.len() as u64;
    let most = (2 << 20) / each;
    for n in 0..most {
        stores
            .put_certificate(SSL_KEYSTORE, &n.to_string(), &large)
            .unwrap();
    }
    too_much(stores.put_certificate(SSL_KEYSTORE, "new", &large));
    too_much(stores.put_certificate(SSL_KEYSTORE, "0", &long(500 << 10)));
    stores
        .put_certificate(SSL_KEYSTORE, "0", &long(1024))
        .unwrap();
    stores.put_certificate(SSL_KEYSTORE, "new", &large).unwrap();
    drop(stores);
    let entries = open(dir.path()).list(SSL_KEYSTORE).unwrap().len() as u64;
    assert_eq!(entries, most + 1);
}
