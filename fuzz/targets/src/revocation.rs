//! What is said of certificates by others, in DER: the OCSP response that a server sends along, a
//! revocation list, the extensions of both and of a certificate: `x509_policy`.

use std::sync::OnceLock;

use openssl::sha::sha1;
use openssl::x509::{X509Crl, X509};
use x509_policy::extensions::{Extensions, ListExtensions};
use x509_policy::{check_staple, pem, revocation};

use crate::certificates::CHAIN;
use crate::Seed;

/// Leaf, intermediate and root; nobody has their keys any more.
fn chain() -> &'static [X509] {
    static CERTIFICATES: OnceLock<Vec<X509>> = OnceLock::new();
    CERTIFICATES.get_or_init(|| pem::certificates(CHAIN).unwrap())
}

pub(crate) fn run(data: &[u8]) {
    let path = chain();
    match check_staple(Some(data), path, &path[2..]) {
        // The issuer has signed none.
        Ok(verdict) => assert!(
            data.is_empty(),
            "a forged response was believed: {verdict:?}"
        ),
        Err(error) => {
            let text = error.to_string();
            assert!(text.starts_with("certificate 0") && !text.contains(['\n', '\r']));
        }
    }
    let found = ListExtensions::of(data);
    if let Ok(list) = X509Crl::from_der(data) {
        // What counts is what OpenSSL has read.
        let der = list.to_der().unwrap();
        let read = ListExtensions::of(&der);
        let plain = read
            .as_ref()
            .is_some_and(|found| !found.is_delta && !found.is_indirect);
        assert_eq!(revocation::usable(&list).is_ok(), plain);
        if der == data {
            assert_eq!(read, found);
        }
        for certificate in path {
            let revoked = revocation::is_revoked(certificate, &[&list]);
            // The same list twice says the same.
            assert_eq!(
                revoked,
                revocation::is_revoked(certificate, &[&list, &list])
            );
        }
    }
    if let Ok(certificate) = X509::from_der(data) {
        if let Some(found) = Extensions::of(&certificate) {
            let usages = found.extended_key_usage.as_ref();
            assert!(!found.is_for_tls_only() || usages.is_some());
        }
        drop(check_staple(None, &[certificate], path));
    }
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

/// A response about the leaf, with this status of it, and a signature that nobody has made.
fn response(status: &[u8], responder: Option<&X509>) -> Vec<u8> {
    let [leaf, issuer, ..] = chain() else {
        panic!("the fixtures are a chain");
    };
    let sha1_is = tlv(0x30, &[&[6, 5, 0x2b, 0x0e, 3, 2, 0x1a], &[5, 0]]);
    let key = leaf.authority_key_id().unwrap().as_slice();
    let name = sha1(&issuer.subject_name().to_der().unwrap());
    let id = tlv(
        0x30,
        &[&sha1_is, &tlv(4, &[&name]), &tlv(4, &[key]), &[2, 1, 3]],
    );
    let when = tlv(0x18, &[b"20261124120000Z"]);
    let single = tlv(0x30, &[&id, status, &when]);
    let by = tlv(0xa2, &[&tlv(4, &[key])]);
    let data = tlv(0x30, &[&by, &when, &tlv(0x30, &[&single])]);
    // ecdsa-with-SHA256
    let by_ecdsa = tlv(0x30, &[&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2]]);
    let signature = tlv(3, &[&[0], &tlv(0x30, &[&[2, 1, 1], &[2, 1, 1]])]);
    let certificates = responder.map_or_else(Vec::new, |responder| {
        tlv(0xa0, &[&tlv(0x30, &[&responder.to_der().unwrap()])])
    });
    let basic = tlv(0x30, &[&data, &by_ecdsa, &signature, &certificates]);
    let is_basic = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
    let bytes = tlv(0x30, &[&is_basic, &tlv(4, &[&basic])]);
    tlv(0x30, &[&[0x0a, 1, 0], &tlv(0xa0, &[&bytes])])
}

pub(crate) fn seeds() -> Vec<Seed> {
    let list = pem::revocation_lists(include_bytes!("../fixtures/list.pem")).unwrap();
    let revoked = tlv(0xa1, &[&tlv(0x18, &[b"20261124120000Z"])]);
    vec![
        ("good", response(&[0x80, 0], None)),
        ("good-by-delegate", response(&[0x80, 0], Some(&chain()[0]))),
        ("good-by-issuer", response(&[0x80, 0], Some(&chain()[1]))),
        ("revoked", response(&revoked, None)),
        ("unknown", response(&[0x82, 0], None)),
        ("try-later", tlv(0x30, &[&[0x0a, 1, 3]])),
        ("list", list[0].to_der().unwrap()),
        ("certificate", chain()[0].to_der().unwrap()),
    ]
}
