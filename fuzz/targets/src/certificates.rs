//! PEM, and the chain in it: `provisioning_service::trust`.

use std::sync::OnceLock;

use openssl::x509::X509;
use provisioning_service::trust::{pem, validate_received, RootCheck};

use crate::Seed;

/// The only root that is trusted: `fixtures/chain.pem` ends in it.
fn root() -> &'static X509 {
    static ROOT: OnceLock<X509> = OnceLock::new();
    ROOT.get_or_init(|| pem::certificates(CHAIN).unwrap().pop().unwrap())
}

/// Leaf, intermediate and root, valid for a hundred years; nobody has their keys any more.
pub(crate) const CHAIN: &[u8] = include_bytes!("../fixtures/chain.pem");
/// A time within the validity of the fixtures, seconds since 1970.
pub(crate) const NOW: i64 = 1_795_500_000;

pub(crate) fn run(data: &[u8]) {
    if let Ok(all) = pem::certificates(data) {
        assert!(!all.is_empty());
        let written: Vec<u8> = all.iter().flat_map(|c| c.to_pem().unwrap()).collect();
        let again = pem::certificates(&written).expect("what was written is read again");
        let ders = |list: &[X509]| -> Vec<_> { list.iter().map(|c| c.to_der().unwrap()).collect() };
        assert_eq!(ders(&again), ders(&all));
    }
    if let Ok(lists) = pem::revocation_lists(data) {
        assert!(!lists.is_empty());
    }
    for mode in [RootCheck::Required, RootCheck::ChainOnly] {
        match validate_received(data, std::slice::from_ref(root()), &[], mode, NOW) {
            Ok(valid) => {
                assert!(!valid.chain.is_empty() && valid.chain.len() <= 10);
                assert_eq!(valid.facts.len(), valid.chain.len());
                assert_eq!(valid.leaf_fingerprint().len(), 64);
                if mode == RootCheck::Required {
                    assert!(valid.root_verified);
                    assert!(
                        valid.chain.last() == Some(root()),
                        "another root was trusted"
                    );
                }
            }
            Err(error) => assert!(!error.to_string().contains(['\n', '\r'])),
        }
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let text = String::from_utf8(CHAIN.to_vec()).unwrap();
    let blocks: Vec<&str> = text
        .split_inclusive("-----END CERTIFICATE-----\n")
        .collect();
    let short = [blocks[0], blocks[1]].concat();
    let upside_down = [blocks[2], blocks[1], blocks[0]].concat();
    let crlf = text.replace('\n', "\r\n");
    vec![
        ("chain", CHAIN.to_vec()),
        ("without-root", short.into_bytes()),
        ("upside-down", upside_down.into_bytes()),
        ("leaf", blocks[0].as_bytes().to_vec()),
        ("crlf-bom", format!("\u{feff}text\r\n{crlf}").into_bytes()),
        ("list", include_bytes!("../fixtures/list.pem").to_vec()),
    ]
}
