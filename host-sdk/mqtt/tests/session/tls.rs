//! Every way in which TLS can fail, and what is said of it.

use crate::certificates::*;
use crate::support::*;
use mqtt_session::{
    CertificateFacts, ClientIdentity, Event, Failure, PeerCertificate, SessionCache, Stage,
};
use openssl::ssl::SslVersion;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509Crl, X509StoreContext, X509StoreContextRef, X509};
use std::io::{BufRead, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::Duration;

/// Connects to a server with this leaf, trusting `root`; the failure, and whether the server saw
/// the handshake through.
fn refused(root: &Authority, leaf: Leaf, host: Option<&str>) -> (Failure, bool) {
    let context = server(&leaf, Manners::default());
    // Accepted once the client has sent its last flight, with its certificate if it has one.
    let peer = Peer::new(move |stream| accept(&context, stream).is_some());
    let mut options = options("mqtts", peer.address);
    if let Some(host) = host {
        options.broker.host = host.to_owned();
    }
    options.tls.anchors = vec![root.cert.clone()];
    let failure = open(options).failure();
    (failure, peer.result())
}

#[test]
fn an_unknown_issuer_is_untrusted() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let (failure, completed) = refused(&ours, theirs.issue(&Wish::default()), None);
    let Failure::Untrusted {
        cert,
        depth,
        reason,
    } = failure
    else {
        panic!("{failure:?}")
    };
    assert_eq!(
        (cert.subject.as_str(), cert.issuer.as_str(), depth),
        ("CN=broker,O=Test", "CN=Theirs,O=Test", 0)
    );
    assert!(reason.contains("issuer"), "{reason}");
    assert!(!completed);
}

#[test]
fn a_forged_issuer_name_is_untrusted() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Ours"));
    let (failure, _) = refused(&ours, theirs.issue(&Wish::default()), None);
    assert!(matches!(failure, Failure::Untrusted { .. }), "{failure:?}");
}

#[test]
fn a_wrong_host_name_names_both_sides() {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish {
        names: &["broker.example.com", "10.1.2.3"],
        ..Wish::default()
    });
    let (failure, completed) = refused(&root, leaf, Some("localhost"));
    let Failure::Hostname { host, names, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert_eq!(
        (host.as_str(), names.join(" ")),
        ("localhost", "broker.example.com 10.1.2.3".to_owned())
    );
    assert!(
        failure
            .to_string()
            .contains("is not for localhost, but for broker.example.com"),
        "{failure}"
    );
    assert!(!completed);
}

#[test]
fn a_wrong_address_is_a_wrong_name() {
    let root = Authority::new("Root");
    let (failure, _) = refused(
        &root,
        root.issue(&Wish {
            names: &["localhost"],
            ..Wish::default()
        }),
        None,
    );
    assert!(
        matches!(&failure, Failure::Hostname { host, .. } if host == "127.0.0.1"),
        "{failure:?}"
    );
}

#[test]
fn an_expired_certificate_says_when() {
    let root = Authority::new("Root");
    let (failure, completed) = refused(
        &root,
        root.issue(&Wish {
            from: -30,
            to: -2,
            ..Wish::default()
        }),
        None,
    );
    let Failure::Expired { cert, .. } = &failure else {
        panic!("{failure:?}")
    };
    assert!(
        cert.not_after.ends_with('Z') && failure.to_string().contains(&cert.not_after),
        "{failure}"
    );
    assert!(!completed);
}

#[test]
fn a_certificate_of_the_future_points_at_the_clock() {
    let root = Authority::new("Root");
    let (failure, _) = refused(
        &root,
        root.issue(&Wish {
            from: 2,
            ..Wish::default()
        }),
        None,
    );
    assert!(
        matches!(failure, Failure::NotYetValid { .. }),
        "{failure:?}"
    );
    assert!(failure.to_string().contains("clock"), "{failure}");
}

#[test]
fn of_several_problems_trust_comes_first_then_age_then_name() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let wish = Wish {
        names: &["elsewhere"],
        from: -30,
        to: -2,
        ..Wish::default()
    };
    let (failure, _) = refused(&ours, theirs.issue(&wish), None);
    assert!(matches!(failure, Failure::Untrusted { .. }), "{failure:?}");
    let (failure, _) = refused(&ours, ours.issue(&wish), None);
    assert!(matches!(failure, Failure::Expired { .. }), "{failure:?}");
}

#[test]
fn nothing_is_trusted_without_anchors() {
    let root = Authority::new("Root");
    let context = server(&root.issue(&Wish::default()), Manners::default());
    let peer = Peer::new(move |stream| accept(&context, stream).is_some());
    let failure = open(options("mqtts", peer.address)).failure();
    assert!(matches!(failure, Failure::Untrusted { .. }), "{failure:?}");
}

/// In a process of its own, whose system trusts the broker's root.
#[test]
fn what_the_system_trusts_is_not_trusted() {
    const FILE: &str = "SSL_CERT_FILE";
    const CHILD: &str = "TEST_SYSTEM_TRUST";
    if std::env::var_os(CHILD).is_none() {
        let folder = tempfile::tempdir().unwrap();
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::what_the_system_trusts_is_not_trusted"])
            .env(CHILD, "1")
            .env(FILE, folder.path().join("roots.pem"))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        return assert!(said.contains("1 passed"), "{said}");
    }
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Theirs"));
    let file = std::env::var_os(FILE).unwrap();
    std::fs::write(file, theirs.cert.to_pem().unwrap()).unwrap();
    let mut system = X509StoreBuilder::new().unwrap();
    system.set_default_paths().unwrap();
    let leaf = theirs.issue(&Wish::default());
    let trusted = X509StoreContext::new().unwrap().init(
        &system.build(),
        &leaf.cert,
        &Stack::new().unwrap(),
        X509StoreContextRef::verify_cert,
    );
    assert!(trusted.unwrap(), "the system does not trust it");
    let (failure, completed) = refused(&ours, leaf, None);
    assert!(matches!(failure, Failure::Untrusted { .. }), "{failure:?}");
    assert!(!completed);
}

#[test]
fn an_old_tls_version_is_told_as_such() {
    let root = Authority::new("Root");
    let manners = Manners {
        max: Some(SslVersion::TLS1_1),
        ..Manners::default()
    };
    let context = server(&root.issue(&Wish::default()), manners);
    let peer = Peer::new(move |stream| accept(&context, stream).is_some());
    let failure = open(options("mqtts", peer.address)).failure();
    assert!(
        matches!(&failure, Failure::TlsProtocol { reason } if reason.contains("version")),
        "{failure:?}"
    );
    assert!(!peer.result());
}

/// What is said of a broker that is not ours: the openssl command, offering one version of TLS.
/// `None` where it is not installed.
fn foreign(version: &str) -> Option<Failure> {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish::default());
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("cert"), leaf.cert.to_pem().unwrap()).unwrap();
    let key = leaf.key.private_key_to_pem_pkcs8().unwrap();
    std::fs::write(folder.path().join("key"), key).unwrap();
    let mut server = std::process::Command::new("openssl")
        .args(["s_server", version, "-cipher", "ALL:@SECLEVEL=0"])
        .args([
            "-accept",
            "127.0.0.1:0",
            "-naccept",
            "1",
            "-cert",
            "cert",
            "-key",
            "key",
        ])
        .current_dir(folder.path())
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .ok()?;
    let said = std::io::BufReader::new(server.stdout.take().unwrap());
    // "ACCEPT 127.0.0.1:40123"; the end of its output if it does not start.
    let port = said.lines().map_while(Result::ok).find_map(|line| {
        let address = line.strip_prefix("ACCEPT ")?;
        Some(address.parse::<SocketAddr>().unwrap())
    });
    let failure = port.map(|address| open(options("mqtts", address)).failure());
    let _ = server.kill();
    let _ = server.wait();
    Some(failure.expect("the server says where it listens"))
}

#[test]
fn an_old_tls_version_of_a_foreign_server_is_told_as_such() {
    for version in ["-tls1", "-tls1_1"] {
        let Some(failure) = foreign(version) else {
            println!("skipped: the openssl command is not installed");
            return;
        };
        assert_eq!(failure.code(), "tls.protocol", "{version}: {failure:?}");
        assert!(
            failure.to_string().contains("version"),
            "{version}: {failure}"
        );
    }
    // The same server, with a version that is spoken, gets as far as its certificate.
    let failure = foreign("-tls1_2").unwrap();
    assert_eq!(failure.code(), "tls.untrusted", "{failure:?}");
}

#[test]
fn a_missing_client_certificate_is_told_in_every_version() {
    let root = Authority::new("Root");
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let context = server(
            &root.issue(&Wish::default()),
            Manners {
                max: Some(max),
                wants_client: true,
                ..Manners::default()
            },
        );
        let peer = Peer::new(move |stream| accept(&context, stream).is_some());
        let mut options = options("mqtts", peer.address);
        options.tls.anchors = vec![root.cert.clone()];
        let failure = open(options).failure();
        // TLS 1.2 has no alert of its own for it.
        let told = match max {
            SslVersion::TLS1_2 => "alert handshake failure",
            _ => "demands a client certificate",
        };
        assert!(
            matches!(&failure, Failure::TlsProtocol { reason } if reason.contains(told)),
            "{failure:?}"
        );
    }
}

#[test]
fn a_client_certificate_is_shown_when_asked_for() {
    let root = Authority::new("Root");
    let context = server(
        &root.issue(&Wish::default()),
        Manners {
            wants_client: true,
            ..Manners::default()
        },
    );
    let own = root.issue(&Wish {
        names: &["device"],
        ..Wish::default()
    });
    let expected = own.cert.clone();
    let peer = Peer::new(move |stream| {
        let mut tls = accept(&context, stream).unwrap();
        assert_eq!(
            tls.ssl().peer_certificate().unwrap().to_der().unwrap(),
            expected.to_der().unwrap()
        );
        greet(&mut tls);
        until_closed(&mut tls);
    });
    let mut options = options("mqtts", peer.address);
    options.tls.anchors = vec![root.cert.clone()];
    options.tls.client = Some(ClientIdentity {
        chain: vec![own.cert],
        key: own.key,
    });
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    watched.subscribed();
    drop(watched.session.take());
    peer.result();
}

#[test]
fn a_port_that_does_not_speak_tls_is_recognised() {
    // One that answers something else, and one that just closes, as a plain broker does.
    let chatty = Peer::new(|mut stream| {
        stream.write_all(&[0x20, 2, 0, 1]).unwrap();
        until_closed(&mut stream);
    });
    let failure = open(options("mqtts", chatty.address)).failure();
    assert!(
        matches!(&failure, Failure::TlsProtocol { reason } if reason.contains("does not speak TLS")),
        "{failure:?}"
    );
    let mute = Peer::new(|mut stream| {
        use std::io::Read;
        let _ = stream.read(&mut [0u8; 10]);
    });
    let failure = open(options("mqtts", mute.address)).failure();
    assert!(
        matches!(&failure, Failure::TlsProtocol { reason } if reason.contains("may not speak TLS")),
        "{failure:?}"
    );
}

#[test]
fn a_handshake_cut_in_the_middle_is_a_lost_connection() {
    let peer = Peer::new(|mut stream| {
        use std::io::Read;
        let _ = stream.read(&mut [0u8; 4096]);
        stream.write_all(&[0x16, 3, 3, 0, 100, 2, 0]).unwrap();
    });
    let failure = open(options("mqtts", peer.address)).failure();
    assert!(
        matches!(
            failure,
            Failure::Lost {
                stage: Stage::Handshake,
                ..
            }
        ),
        "{failure:?}"
    );
}

#[test]
fn a_tls_port_spoken_to_in_clear_is_recognised() {
    let root = Authority::new("Root");
    let context = server(&root.issue(&Wish::default()), Manners::default());
    let peer = Peer::new(move |stream| accept(&context, stream).is_some());
    let failure = open(options("mqtt", peer.address)).failure();
    assert!(
        matches!(&failure, Failure::Lost { reason, .. } if reason.contains("speaks TLS")),
        "{failure:?}"
    );
    let polite = Peer::new(|mut stream| {
        stream.write_all(&[0x15, 3, 1, 0, 2, 2, 70]).unwrap();
        until_closed(&mut stream);
    });
    let failure = open(options("mqtt", polite.address)).failure();
    assert!(
        matches!(&failure, Failure::Unexpected { what } if what.contains("mqtts")),
        "{failure:?}"
    );
}

#[test]
fn a_revoked_certificate_is_untrusted_and_an_issuer_without_list_is_not_held_against_it() {
    let (root, other) = (Authority::new("Root"), Authority::new("Other"));
    let (bad, good) = (root.issue(&Wish::default()), root.issue(&Wish::default()));
    let (Some(list), Some(foreign)) = (root.crl(&[&bad.cert]), other.crl(&[])) else {
        println!("skipped: the openssl command is not installed");
        return;
    };
    let attempt = |leaf: &Leaf, list: &[u8]| {
        let context = server(leaf, Manners::default());
        let peer = Peer::new(move |stream| {
            if let Some(mut tls) = accept(&context, stream) {
                greet(&mut tls);
                until_closed(&mut tls);
            }
        });
        let mut options = options("mqtts", peer.address);
        options.tls.anchors = vec![root.cert.clone()];
        options.tls.crls = vec![X509Crl::from_pem(list).unwrap()].into();
        options.subscriptions = vec![("t".into(), 1)];
        open(options)
    };
    let failure = attempt(&bad, &list).failure();
    assert!(
        matches!(&failure, Failure::Untrusted { reason, .. } if reason.contains("revoked")),
        "{failure:?}"
    );
    attempt(&good, &list).subscribed();
    attempt(&bad, &foreign).subscribed();
}

/// A broker that takes any number of clients until dropped, all of one TLS context.
struct Broker {
    address: SocketAddr,
    cache: SessionCache,
}

impl Broker {
    fn new(leaf: &Leaf, max: SslVersion) -> Broker {
        let manners = Manners {
            max: Some(max),
            ..Manners::default()
        };
        let context = server(leaf, manners);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                if let Some(mut tls) = accept(&context, stream) {
                    greet(&mut tls);
                    until_closed(&mut tls);
                }
            }
        });
        Broker {
            address,
            cache: SessionCache::default(),
        }
    }

    /// One attempt with the cache that all share.
    fn attempt(&self, anchors: Vec<X509>, crls: &[&[u8]]) -> Watched {
        let mut options = options("mqtts", self.address);
        let lists = crls.iter().map(|list| X509Crl::from_pem(list).unwrap());
        options.tls.anchors = anchors;
        options.tls.crls = lists.collect::<Vec<_>>().into();
        options.tls.session_cache = Some(self.cache.clone());
        options.subscriptions = vec![("t".into(), 1)];
        open(options)
    }

    fn connects(&self, anchors: Vec<X509>, crls: &[&[u8]]) -> PeerCertificate {
        let mut watched = self.attempt(anchors, crls);
        let peer = watched.until(|event| match event {
            Event::TlsEstablished(peer) => Some(peer.clone()),
            _ => None,
        });
        watched.subscribed();
        *peer
    }
}

#[test]
fn an_attempt_resumes_the_session_of_the_one_before() {
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let root = Authority::new("Root");
        let broker = Broker::new(&root.issue(&Wish::default()), max);
        let first = broker.connects(vec![root.cert.clone()], &[]);
        let second = broker.connects(vec![root.cert.clone()], &[]);
        assert!(!first.resumed && second.resumed, "{first:?} {second:?}");
        assert_eq!(first.facts, second.facts);
        assert_eq!(second.facts.subject, "CN=broker,O=Test");
        // Another trust is another verdict: nothing may be resumed.
        let another = Authority::new("Another").cert;
        let third = broker.connects(vec![root.cert.clone(), another.clone()], &[]);
        assert!(!third.resumed);
        let without_root = broker.attempt(vec![another], &[]).failure();
        assert_eq!(without_root.code(), "tls.untrusted");
    }
}

#[test]
fn a_revocation_that_comes_between_two_attempts_is_not_resumed_past() {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish::default());
    let (Some(before), Some(after)) = (root.crl(&[]), root.crl(&[&leaf.cert])) else {
        println!("skipped: the openssl command is not installed");
        return;
    };
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let broker = Broker::new(&leaf, max);
        let anchors = || vec![root.cert.clone()];
        assert!(!broker.connects(anchors(), &[&before]).resumed);
        assert!(broker.connects(anchors(), &[&before]).resumed);
        let failure = broker.attempt(anchors(), &[&after]).failure();
        assert!(
            matches!(&failure, Failure::Untrusted { reason, .. } if reason.contains("revoked")),
            "{failure:?}"
        );
    }
}

#[test]
fn a_resumed_session_is_judged_by_the_clock_of_today() {
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let root = Authority::new("Root");
        let leaf = root.issue(&Wish {
            ends_in: Some(2),
            ..Wish::default()
        });
        let broker = Broker::new(&leaf, max);
        let end = now() + 2;
        assert!(!broker.connects(vec![root.cert.clone()], &[]).resumed);
        // The certificate ends with this second.
        while now() <= end {
            std::thread::park_timeout(Duration::from_millis(20));
        }
        let failure = broker.attempt(vec![root.cert.clone()], &[]).failure();
        assert_eq!(failure.code(), "tls.expired", "{failure:?}");
    }
}

/// Certificate, subject, issuer, dates and OpenSSL's reason: what somebody needs who cannot see
/// the broker.
#[test]
fn every_refusal_tells_which_certificate_of_whom_from_when_to_when_and_why() {
    let root = Authority::new("Root");
    let stranger = Authority::new("Stranger");
    let expired = Wish {
        from: -30,
        to: -2,
        ..Wish::default()
    };
    let early = Wish {
        from: 2,
        ..Wish::default()
    };
    let elsewhere = Wish {
        names: &["elsewhere.example.com"],
        ..Wish::default()
    };
    let weak = Wish {
        rsa_bits: Some(1024),
        ..Wish::default()
    };
    let usual = Wish::default();
    let cases = [
        (
            &stranger,
            &usual,
            "tls.untrusted",
            "unable to get local issuer certificate",
        ),
        (&root, &expired, "tls.expired", "certificate has expired"),
        (
            &root,
            &early,
            "tls.not-yet-valid",
            "certificate is not yet valid",
        ),
        (&root, &elsewhere, "tls.hostname", "IP address mismatch"),
        (&root, &weak, "tls.untrusted", "EE certificate key too weak"),
    ];
    for (issuer, wish, code, reason) in cases {
        let leaf = issuer.issue(wish);
        let (failure, completed) = refused(&root, issuer.issue(wish), None);
        assert_eq!(failure.code(), code, "{failure:?}");
        assert!(!completed, "{failure}");
        let facts = CertificateFacts::of(&leaf.cert);
        let told = failure.to_string();
        for part in [
            &facts.subject,
            &facts.issuer,
            &facts.not_before,
            &facts.not_after,
        ] {
            assert!(told.contains(part.as_str()), "{part} is not in: {told}");
        }
        assert!(
            told.contains("certificate") && told.contains(reason),
            "{told}"
        );
    }
}
