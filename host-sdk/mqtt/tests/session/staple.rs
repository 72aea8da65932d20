//! OCSP responses that a broker sends along.

use crate::certificates::*;
use crate::support::*;
use mqtt_session::Failure;
use openssl::ssl::SslVersion;

/// A session with a broker that shows `leaf` and sends `staple` along.
fn stapled(root: &Authority, leaf: &Leaf, staple: Option<Vec<u8>>, max: SslVersion) -> Watched {
    let manners = Manners {
        max: Some(max),
        staple,
        ..Manners::default()
    };
    let context = server(leaf, manners);
    let peer = Peer::new(move |stream| {
        if let Some(mut tls) = accept(&context, stream) {
            greet(&mut tls);
            until_closed(&mut tls);
        }
    });
    let mut options = options("mqtts", peer.address);
    options.tls.anchors = vec![root.cert.clone()];
    options.subscriptions = vec![("t".into(), 1)];
    open(options)
}

/// Accepted in both versions of TLS.
fn accepted(root: &Authority, leaf: &Leaf, staple: Option<Vec<u8>>) {
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        stapled(root, leaf, staple.clone(), max).subscribed();
    }
}

/// Refused in both versions of TLS, before the broker sees our last flight, for this reason.
fn refused(root: &Authority, leaf: &Leaf, staple: Option<Vec<u8>>, wanted: &str) {
    for max in [SslVersion::TLS1_2, SslVersion::TLS1_3] {
        let manners = Manners {
            max: Some(max),
            staple: staple.clone(),
            ..Manners::default()
        };
        let context = server(leaf, manners);
        let peer = Peer::new(move |stream| accept(&context, stream).is_some());
        let mut options = options("mqtts", peer.address);
        options.tls.anchors = vec![root.cert.clone()];
        let failure = open(options).failure();
        let Failure::Untrusted { cert, reason, .. } = &failure else {
            panic!("{failure:?}")
        };
        assert_eq!(cert.subject, "CN=broker,O=Test");
        assert!(
            reason.starts_with("OCSP: ") && reason.contains(wanted),
            "{reason}"
        );
        assert!(!peer.result(), "the handshake went through: {failure}");
    }
}

fn no_tool() {
    println!("skipped: the openssl or the faketime command is not installed");
}

#[test]
fn a_response_that_says_good_is_accepted_from_the_issuer_and_its_delegate() {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish::default());
    let delegate = root.issue(&Wish {
        ocsp_signing: true,
        ..Wish::default()
    });
    let own = root.ocsp(None, &leaf.cert, &[], "");
    let delegated = root.ocsp(Some(&delegate), &leaf.cert, &[], "");
    let (Some(own), Some(delegated)) = (own, delegated) else {
        return no_tool();
    };
    accepted(&root, &leaf, Some(own));
    accepted(&root, &leaf, Some(delegated));
}

#[test]
fn a_response_that_says_revoked_refuses_the_broker_also_when_it_is_old() {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish::default());
    let now = root.ocsp(None, &leaf.cert, &[&leaf.cert], "");
    let old = root.ocsp(None, &leaf.cert, &[&leaf.cert], "faketime -f -10d");
    let (Some(now), Some(old)) = (now, old) else {
        return no_tool();
    };
    refused(
        &root,
        &leaf,
        Some(now),
        "revoked on Jan 1 00:00:00 2020 GMT (keyCompromise)",
    );
    refused(&root, &leaf, Some(old), "revoked");
}

#[test]
fn a_response_by_somebody_else_refuses_the_broker() {
    let (root, other) = (Authority::new("Root"), Authority::new("Root"));
    let leaf = root.issue(&Wish::default());
    // Not made for answering OCSP requests.
    let colleague = root.issue(&Wish::default());
    let forged = other.ocsp(None, &leaf.cert, &[], "");
    let presumed = root.ocsp(Some(&colleague), &leaf.cert, &[], "");
    let (Some(forged), Some(presumed)) = (forged, presumed) else {
        return no_tool();
    };
    refused(
        &root,
        &leaf,
        Some(forged),
        "neither by the issuer nor by its delegate",
    );
    refused(
        &root,
        &leaf,
        Some(presumed),
        "neither by the issuer nor by its delegate",
    );
}

#[test]
fn a_response_that_is_damaged_an_error_or_about_another_certificate_refuses_the_broker() {
    let root = Authority::new("Root");
    let (leaf, other) = (root.issue(&Wish::default()), root.issue(&Wish::default()));
    let Some(about_other) = root.ocsp(None, &other.cert, &[], "") else {
        return no_tool();
    };
    refused(&root, &leaf, Some(about_other), "about another certificate");
    refused(&root, &leaf, Some(b"nonsense".to_vec()), "damaged");
    // OCSPResponse with tryLater (3) and nothing else.
    refused(&root, &leaf, Some(vec![0x30, 3, 0x0a, 1, 3]), "error 3");
}

#[test]
fn a_response_out_of_date_counts_as_none_unless_one_is_promised() {
    let root = Authority::new("Root");
    let leaf = root.issue(&Wish::default());
    let promising = root.issue(&Wish {
        must_staple: true,
        ..Wish::default()
    });
    let old = |leaf: &Leaf| root.ocsp(None, &leaf.cert, &[], "faketime -f -10d");
    let good = root.ocsp(None, &promising.cert, &[], "");
    let (Some(stale), Some(broken), Some(good)) = (old(&leaf), old(&promising), good) else {
        return no_tool();
    };
    accepted(&root, &leaf, Some(stale));
    accepted(&root, &leaf, None);
    accepted(&root, &promising, Some(good));
    refused(&root, &promising, Some(broken), "out of date");
    refused(&root, &promising, None, "must-staple");
}
