//! TLS servers: each fault has its code, alone and in a real handshake.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::os::unix::net::UnixStream;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::ssl::{Ssl, SslAcceptor, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::X509VerifyParam;
use openssl::x509::{X509Crl, X509VerifyResult, X509};

use super::fixtures::{dsa_key, ed25519_key, rsa_key, Ca, Leaf, NOW};
use super::server::prepare_handshake;
use super::{validate_tls_server, ServerError, ServerName};

const DAY: i64 = 86_400;

fn broker() -> Leaf {
    Leaf {
        extended_key_usage: vec!["serverAuth"],
        extensions: vec![(
            Nid::SUBJECT_ALT_NAME,
            "DNS:broker.example.com,DNS:*.cloud.example.com,IP:192.0.2.1,IP:2001:db8::1".into(),
        )],
        ..Leaf::default()
    }
}

fn judge(leaf: Leaf, host: &str) -> Result<Vec<X509>, ServerError> {
    let root = Ca::root("Root");
    let issuer = root.issue("Issuer", Leaf::intermediate());
    let server = issuer.issue("Broker", leaf);
    with(&server, &issuer, &[&root], &[], host)
}

fn with(
    server: &Ca,
    issuer: &Ca,
    anchors: &[&Ca],
    crls: &[X509Crl],
    host: &str,
) -> Result<Vec<X509>, ServerError> {
    let anchors: Vec<X509> = anchors.iter().map(|ca| ca.certificate.clone()).collect();
    let untrusted = std::slice::from_ref(&issuer.certificate);
    let host = ServerName::parse(host).unwrap();
    validate_tls_server(&server.certificate, untrusted, &anchors, crls, &host, NOW)
}

fn code(leaf: Leaf) -> &'static str {
    judge(leaf, "broker.example.com").unwrap_err().code()
}

#[test]
fn the_server_that_was_called_is_accepted_under_each_of_its_names() {
    for host in [
        "broker.example.com",
        "BROKER.example.com.",
        "eu.cloud.example.com",
        "192.0.2.1",
        "[2001:db8::1]",
    ] {
        assert_eq!(judge(broker(), host).unwrap().len(), 3, "{host}");
    }
}

#[test]
fn another_server_is_named_with_the_host_that_was_called() {
    for host in [
        "example.com",
        "a.b.cloud.example.com",
        "cloud.example.com",
        "192.0.2.2",
        "::1",
    ] {
        let error = judge(broker(), host).unwrap_err();
        assert_eq!(error.code(), "tls.hostname", "{host}");
        let text = error.to_string();
        assert!(text.contains(host) && text.contains("CN=Broker"), "{text}");
    }
    let partial = Leaf {
        extensions: vec![(Nid::SUBJECT_ALT_NAME, "DNS:br*.example.com".into())],
        ..broker()
    };
    assert_eq!(code(partial), "tls.hostname");
}

#[test]
fn faults_have_their_codes() {
    assert_eq!(
        code(Leaf {
            validity: (NOW - 2, NOW - 1),
            ..broker()
        }),
        "tls.expired"
    );
    assert_eq!(
        code(Leaf {
            validity: (NOW + 1, NOW + 2),
            ..broker()
        }),
        "tls.not-yet-valid"
    );
    assert_eq!(
        code(Leaf {
            extended_key_usage: vec!["clientAuth"],
            ..broker()
        }),
        "tls.untrusted"
    );
    assert_eq!(
        code(Leaf {
            key: Some(rsa_key(1024)),
            ..broker()
        }),
        "tls.untrusted"
    );
    assert_eq!(
        code(Leaf {
            key: Some(dsa_key()),
            ..broker()
        }),
        "tls.untrusted"
    );
    assert!(judge(
        Leaf {
            key: Some(ed25519_key()),
            ..broker()
        },
        "192.0.2.1"
    )
    .is_ok());
    let root = Ca::root_signed_with("Root", rsa_key(2048), MessageDigest::sha256());
    let server = root.issue(
        "Broker",
        Leaf {
            digest: Some(MessageDigest::sha1()),
            ..broker()
        },
    );
    let error = with(&server, &root, &[&root], &[], "192.0.2.1").unwrap_err();
    assert_eq!(error.code(), "tls.untrusted");
    assert!(
        error.to_string().contains("digest algorithm too weak"),
        "{error}"
    );
}

/// Nobody vouches for the issuer yet: its key decides what it costs to say so.
#[test]
fn an_issuer_whose_key_costs_too_much_is_refused_and_a_trusted_one_is_not() {
    let key = rsa_key(4104);
    let root = Ca::root_signed_with("Root", key, MessageDigest::sha256());
    let server = root.issue("Broker", broker());
    assert!(with(&server, &root, &[&root], &[], "192.0.2.1").is_ok());
    let error = with(&server, &root, &[], &[], "192.0.2.1").unwrap_err();
    assert_eq!(error.code(), "tls.untrusted");
    let text = error.to_string();
    assert!(text.contains("CN=Root") && text.contains("4104"), "{text}");
}

#[test]
fn only_the_trust_store_is_trusted() {
    let root = Ca::root("Root");
    let server = root.issue("Broker", broker());
    let error = with(&server, &root, &[], &[], "192.0.2.1").unwrap_err();
    assert_eq!(error.code(), "tls.untrusted");
    let other = Ca::root("Root");
    assert!(with(&server, &root, &[&other], &[], "192.0.2.1").is_err());
    assert!(with(&server, &root, &[&other, &root], &[], "192.0.2.1").is_ok());
}

#[test]
fn a_revoked_server_is_refused() {
    let root = Ca::root("Root");
    let server = root.issue("Broker", broker());
    let lists = |revoked: &[&X509]| [root.crl(revoked, NOW + DAY)];
    assert!(with(&server, &root, &[&root], &lists(&[]), "192.0.2.1").is_ok());
    let error = with(
        &server,
        &root,
        &[&root],
        &lists(&[&server.certificate]),
        "192.0.2.1",
    )
    .unwrap_err();
    assert_eq!(error.code(), "tls.untrusted");
    assert!(error.to_string().contains("revoked"), "{error}");
}

/// A handshake over a socket pair, in which OpenSSL applies the parameters itself.
fn handshake(root: &Ca, server: &Ca, mut param: X509VerifyParam) -> Result<(), X509VerifyResult> {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).unwrap();
    acceptor.set_certificate(&server.certificate).unwrap();
    acceptor.set_private_key(&server.key).unwrap();
    let acceptor = acceptor.build();
    let peer = std::thread::spawn(move || drop(acceptor.accept(theirs)));
    let mut store = X509StoreBuilder::new().unwrap();
    store.add_cert(root.certificate.clone()).unwrap();
    param.set_time(NOW);
    store.set_param(&param).unwrap();
    let mut context = SslContext::builder(SslMethod::tls()).unwrap();
    context.set_cert_store(store.build());
    context.set_verify(SslVerifyMode::PEER);
    let client = Ssl::new(&context.build()).unwrap();
    let verdict = match client.connect(ours) {
        Ok(_) => Ok(()),
        Err(openssl::ssl::HandshakeError::Failure(failed)) => Err(failed.ssl().verify_result()),
        Err(other) => panic!("{other}"),
    };
    peer.join().unwrap();
    verdict
}

#[test]
fn a_live_handshake_can_be_given_the_same_policy() {
    let root = Ca::root("Root");
    let server = root.issue("Broker", broker());
    let param = |host| {
        let mut param = X509VerifyParam::new().unwrap();
        prepare_handshake(&mut param, &ServerName::parse(host).unwrap()).unwrap();
        param
    };
    assert_eq!(
        handshake(&root, &server, param("broker.example.com")),
        Ok(())
    );
    assert_eq!(handshake(&root, &server, param("192.0.2.1")), Ok(()));
    let refused = |host| {
        handshake(&root, &server, param(host))
            .unwrap_err()
            .error_string()
    };
    assert_eq!(refused("example.com"), "hostname mismatch");
    assert_eq!(refused("192.0.2.9"), "IP address mismatch");
    let no_server = root.issue(
        "Broker",
        Leaf {
            extended_key_usage: vec!["clientAuth"],
            ..broker()
        },
    );
    let verdict = handshake(&root, &no_server, param("192.0.2.1")).unwrap_err();
    assert_eq!(verdict.error_string(), "unsuitable certificate purpose");
}
