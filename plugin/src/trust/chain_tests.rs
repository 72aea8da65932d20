//! The received chain: each kind of fault gets its code, from OpenSSL or from us.
#![allow(clippy::unwrap_used)]

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::{X509Crl, X509};

use super::chain::{is_ca, validate_received, ChainError, RootCheck, ValidChain, MAX_BYTES};
use super::fixtures::{dsa_key, ec_key, ed25519_key, rsa_key, Ca, Leaf, NOW};

const DAY: i64 = 86_400;

struct Chain {
    root: Ca,
    intermediate: Ca,
    leaf: Ca,
}

fn chain(intermediate: Leaf, leaf: Leaf) -> Chain {
    let root = Ca::root("Root");
    let intermediate = root.issue("Intermediate", intermediate);
    let leaf = intermediate.issue("Signer", leaf);
    Chain {
        root,
        intermediate,
        leaf,
    }
}

fn good() -> Chain {
    chain(Leaf::intermediate(), Leaf::default())
}

impl Chain {
    fn message(&self) -> String {
        self.leaf.pem() + &self.intermediate.pem()
    }

    fn judge(&self) -> Result<ValidChain, ChainError> {
        required(&self.message(), &[&self.root])
    }

    fn code(&self) -> &'static str {
        self.judge().unwrap_err().code()
    }
}

fn required(pem: &str, roots: &[&Ca]) -> Result<ValidChain, ChainError> {
    with_lists(pem, roots, &[], RootCheck::Required)
}

fn chain_only(pem: &str) -> Result<ValidChain, ChainError> {
    with_lists(pem, &[], &[], RootCheck::ChainOnly)
}

fn with_lists(
    pem: &str,
    roots: &[&Ca],
    crls: &[X509Crl],
    mode: RootCheck,
) -> Result<ValidChain, ChainError> {
    let roots: Vec<X509> = roots.iter().map(|ca| ca.certificate.clone()).collect();
    validate_received(pem.as_bytes(), &roots, crls, mode, NOW)
}

fn leaf_code(leaf: Leaf) -> &'static str {
    chain(Leaf::intermediate(), leaf).code()
}

#[test]
fn a_good_chain_is_ordered_leaf_first_whatever_its_order() {
    let chain = good();
    let (leaf, intermediate, root) = (chain.leaf.pem(), chain.intermediate.pem(), chain.root.pem());
    for message in [
        format!("{leaf}{intermediate}"),
        format!("{intermediate}{leaf}"),
        format!("{root}{leaf}{intermediate}"),
        format!("{intermediate}{root}{leaf}{leaf}"),
    ] {
        let valid = required(&message, &[&chain.root]).unwrap();
        assert!(valid.root_verified);
        assert_eq!(valid.leaf, chain.leaf.certificate);
        let subjects: Vec<_> = valid
            .facts
            .iter()
            .map(|facts| facts.subject.as_str())
            .collect();
        assert_eq!(subjects, ["CN=Signer", "CN=Intermediate", "CN=Root"]);
        assert_eq!(valid.leaf_fingerprint().len(), 64);
    }
}

#[test]
fn rsa_signers_and_ed25519_above_the_leaf_are_accepted() {
    let root = Ca::root_signed_with("Root", ed25519_key(), MessageDigest::null());
    let leaf = Leaf {
        key: Some(rsa_key(2048)),
        ..Leaf::default()
    };
    assert!(required(&root.issue("Signer", leaf).pem(), &[&root]).is_ok());
}

#[test]
fn a_root_in_the_message_counts_for_nothing_by_itself() {
    let chain = good();
    let message = chain.message() + &chain.root.pem();
    assert_eq!(
        required(&message, &[]).unwrap_err().code(),
        "trust.untrusted-root"
    );
    let stranger = Ca::root("Root");
    let error = required(&message, &[&stranger]).unwrap_err();
    assert_eq!(error.code(), "trust.untrusted-root");
    assert_eq!(
        required(&chain.message(), &[&stranger]).unwrap_err().code(),
        "trust.untrusted-root"
    );
}

#[test]
fn an_intermediate_in_the_trust_store_is_no_root() {
    let chain = good();
    assert_eq!(
        required(&chain.message(), &[&chain.intermediate])
            .unwrap_err()
            .code(),
        "trust.untrusted-root"
    );
}

#[test]
fn chain_only_accepts_any_valid_chain_and_says_so() {
    let chain = good();
    for (message, length) in [
        (chain.message() + &chain.root.pem(), 3),
        (chain.message(), 2),
        (chain.leaf.pem(), 1),
    ] {
        let valid = chain_only(&message).unwrap();
        assert!(!valid.root_verified);
        assert_eq!(valid.chain.len(), length);
    }
}

#[test]
fn chain_only_still_refuses_what_is_no_chain() {
    let chain = good();
    let lookalike = Ca::root("Root").issue("Intermediate", Leaf::intermediate());
    let error = chain_only(&(chain.leaf.pem() + &lookalike.pem())).unwrap_err();
    assert!(
        matches!(
            error.code(),
            "trust.malformed" | "trust.untrusted-root" | "trust.invalid"
        ),
        "{error}"
    );
    let expired = Leaf {
        validity: (NOW - 2 * DAY, NOW - DAY),
        ..Leaf::intermediate()
    };
    let error = chain_only(&self::chain(expired, Leaf::default()).message()).unwrap_err();
    assert_eq!(error.code(), "trust.expired");
    let sha1 = Ca::root_signed_with("Root", rsa_key(2048), MessageDigest::sha1());
    let message = sha1.issue("Signer", Leaf::default()).pem() + &sha1.pem();
    assert_eq!(chain_only(&message).unwrap_err().code(), "trust.weak");
    assert!(
        required(&message, &[&sha1]).is_ok(),
        "a trusted root's own signature is of no interest"
    );
}

/// Changes the last octet of the signature of the first certificate.
fn damaged(ca: &Ca) -> String {
    let mut der = ca.certificate.to_der().unwrap();
    *der.last_mut().unwrap() ^= 1;
    String::from_utf8(X509::from_der(&der).unwrap().to_pem().unwrap()).unwrap()
}

#[test]
fn a_damaged_signature_is_invalid_in_both_modes() {
    let chain = good();
    let leaf_damaged = damaged(&chain.leaf) + &chain.intermediate.pem();
    let issuer_damaged = chain.leaf.pem() + &damaged(&chain.intermediate) + &chain.root.pem();
    for message in [&leaf_damaged, &issuer_damaged] {
        let error = required(message, &[&chain.root]).unwrap_err();
        assert_eq!(error.code(), "trust.invalid", "{error}");
        let error = chain_only(message).unwrap_err();
        assert_eq!(error.code(), "trust.invalid", "{error}");
    }
}

#[test]
fn dates_have_codes_of_their_own_at_every_depth() {
    let past = (NOW - 2 * DAY, NOW - DAY);
    let future = (NOW + DAY, NOW + 2 * DAY);
    let leaf = |validity| Leaf {
        validity,
        ..Leaf::default()
    };
    let issuer = |validity| Leaf {
        validity,
        ..Leaf::intermediate()
    };
    assert_eq!(leaf_code(leaf(past)), "trust.expired");
    assert_eq!(leaf_code(leaf(future)), "trust.not-yet-valid");
    let error = chain(issuer(past), Leaf::default()).judge().unwrap_err();
    assert_eq!(error.code(), "trust.expired");
    assert_eq!(error.refusal().depth, Some(1));
    let text = error.to_string();
    assert!(
        text.contains("CN=Intermediate") && text.contains("CN=Root"),
        "{text}"
    );
    assert!(
        text.contains("certificate has expired") && text.contains("2026-11-17T"),
        "{text}"
    );
    assert_eq!(
        chain(issuer(future), Leaf::default()).code(),
        "trust.not-yet-valid"
    );
}

#[test]
fn weak_keys_and_digests_are_weak() {
    for key in [
        rsa_key(1024),
        ec_key(Nid::SECP224R1),
        ec_key(Nid::X9_62_PRIME192V1),
        dsa_key(),
    ] {
        let leaf = Leaf {
            key: Some(key.clone()),
            ..Leaf::default()
        };
        assert_eq!(leaf_code(leaf), "trust.weak");
        let issuer = Leaf {
            key: Some(key),
            digest: Some(MessageDigest::sha256()),
            ..Leaf::intermediate()
        };
        assert_eq!(chain(issuer, Leaf::default()).code(), "trust.weak");
    }
    let root = Ca::root_signed_with("Root", rsa_key(2048), MessageDigest::sha256());
    for digest in [MessageDigest::sha1(), MessageDigest::md5()] {
        let leaf = root.issue(
            "Signer",
            Leaf {
                digest: Some(digest),
                ..Leaf::default()
            },
        );
        assert_eq!(
            required(&leaf.pem(), &[&root]).unwrap_err().code(),
            "trust.weak"
        );
        let issuer = root.issue(
            "Issuer",
            Leaf {
                digest: Some(digest),
                ..Leaf::intermediate()
            },
        );
        let message = issuer.issue("Signer", Leaf::default()).pem() + &issuer.pem();
        assert_eq!(
            required(&message, &[&root]).unwrap_err().code(),
            "trust.weak"
        );
    }
}

#[test]
fn a_leaf_that_may_not_sign_control_messages_is_invalid() {
    let with_eku = |usages: &[&'static str]| Leaf {
        extended_key_usage: usages.to_vec(),
        ..Leaf::default()
    };
    for usages in [
        &["serverAuth"][..],
        &["clientAuth"],
        &["serverAuth", "clientAuth"],
    ] {
        assert_eq!(leaf_code(with_eku(usages)), "trust.invalid", "{usages:?}");
    }
    for usages in [
        &["emailProtection"][..],
        &["anyExtendedKeyUsage"],
        &["clientAuth", "1.3.6.1.4.1.99999.7"],
    ] {
        let judged = chain(Leaf::intermediate(), with_eku(usages)).judge();
        assert!(judged.is_ok(), "{usages:?}");
    }
    let no_signature = Leaf {
        key_usage: Some("keyAgreement"),
        ..Leaf::default()
    };
    assert_eq!(leaf_code(no_signature), "trust.invalid");
    assert_eq!(
        leaf_code(Leaf {
            key: Some(ed25519_key()),
            ..Leaf::default()
        }),
        "trust.invalid"
    );
    assert_eq!(leaf_code(Leaf::intermediate()), "trust.invalid");
    let no_usage = Leaf {
        key_usage: None,
        ..Leaf::default()
    };
    assert!(chain(Leaf::intermediate(), no_usage).judge().is_ok());
}

#[test]
fn an_intermediate_for_tls_only_issues_no_signer() {
    let tls = Leaf {
        extended_key_usage: vec!["serverAuth"],
        ..Leaf::intermediate()
    };
    assert_eq!(chain(tls, Leaf::default()).code(), "trust.invalid");
}

#[test]
fn constraints_of_the_issuers_are_obeyed() {
    let no_ca = Leaf {
        ca: false,
        ..Leaf::intermediate()
    };
    assert_eq!(chain(no_ca, Leaf::default()).code(), "trust.invalid");
    let no_cert_sign = Leaf {
        key_usage: Some("critical,cRLSign"),
        ..Leaf::intermediate()
    };
    let error = chain(no_cert_sign, Leaf::default()).judge().unwrap_err();
    assert_eq!(error.code(), "trust.invalid", "{error}");
    assert!(error.to_string().contains("CN=Intermediate"), "{error}");
    let root = Ca::root("Root");
    let first = root.issue(
        "First",
        Leaf {
            path_len: Some(0),
            ..Leaf::intermediate()
        },
    );
    let second = first.issue("Second", Leaf::intermediate());
    let leaf = second.issue("Signer", Leaf::default());
    let error = required(&(leaf.pem() + &second.pem() + &first.pem()), &[&root]).unwrap_err();
    assert_eq!(error.code(), "trust.invalid");
    assert!(error.to_string().contains("path length"), "{error}");
    let constrained = Leaf {
        extensions: vec![(
            Nid::NAME_CONSTRAINTS,
            "critical,permitted;DNS:example.com".into(),
        )],
        ..Leaf::intermediate()
    };
    let elsewhere = Leaf {
        extensions: vec![(Nid::SUBJECT_ALT_NAME, "DNS:example.net".into())],
        ..Leaf::default()
    };
    let error = chain(constrained, elsewhere).judge().unwrap_err();
    assert!(error.to_string().contains("permitted subtree"), "{error}");
    let unknown = Leaf {
        extensions: vec![(Nid::NETSCAPE_COMMENT, "critical,x".into())],
        ..Leaf::default()
    };
    let error = chain(Leaf::intermediate(), unknown).judge().unwrap_err();
    assert!(error.to_string().contains("critical extension"), "{error}");
}

/// basicConstraints not critical: OpenSSL minds with X509_STRICT only.
#[test]
fn an_authority_against_rfc_5280_is_refused() {
    let lenient = Leaf {
        ca: false,
        extensions: vec![(Nid::BASIC_CONSTRAINTS, "CA:TRUE".into())],
        ..Leaf::intermediate()
    };
    let error = chain(lenient, Leaf::default()).judge().unwrap_err();
    assert_eq!(error.code(), "trust.invalid");
    assert!(error.to_string().contains("not marked critical"), "{error}");
}

#[test]
fn authorities_and_signers_of_a_keystore_are_told_apart() {
    let chain = good();
    assert!(is_ca(&chain.root.certificate) && is_ca(&chain.intermediate.certificate));
    assert!(!is_ca(&chain.leaf.certificate));
}

#[test]
fn a_signer_that_is_its_own_root_is_refused() {
    let own = Ca::root_signed_with("Own", rsa_key(2048), MessageDigest::sha256());
    assert_eq!(
        required(&own.pem(), &[&own]).unwrap_err().code(),
        "trust.invalid"
    );
}

#[test]
fn bounds_and_form_of_the_message_are_malformed() {
    let chain = good();
    let code = |message: &str| required(message, &[&chain.root]).unwrap_err().code();
    let other = chain.intermediate.issue("Other", Leaf::default());
    assert_eq!(code(&(chain.message() + &other.pem())), "trust.malformed");
    assert_eq!(
        code(&(chain.message() + &Ca::root("Unrelated").pem())),
        "trust.malformed"
    );
    assert_eq!(code(""), "trust.malformed");
    assert_eq!(code("no certificate"), "trust.malformed");
    assert_eq!(code(&chain.message().repeat(6)), "trust.malformed");
    assert!(required(&chain.message().repeat(5), &[&chain.root]).is_ok());
    assert_eq!(
        code(&(chain.message() + &" ".repeat(MAX_BYTES))),
        "trust.malformed"
    );
    let cut = chain.message();
    assert_eq!(code(&cut[..cut.len() - 40]), "trust.malformed");
}

#[test]
fn revocation_lists_of_issuers_on_the_path_are_obeyed() {
    let chain = good();
    let judge = |lists: &[X509Crl], mode| {
        with_lists(
            &(chain.message() + &chain.root.pem()),
            &[&chain.root],
            lists,
            mode,
        )
    };
    let fresh = NOW + 5 * DAY;
    for mode in [RootCheck::Required, RootCheck::ChainOnly] {
        let clean = [
            chain.intermediate.crl(&[], fresh),
            chain.root.crl(&[], fresh),
        ];
        judge(&clean, mode).unwrap();
        judge(&clean[..1], mode).unwrap();
        judge(&[Ca::root("Elsewhere").crl(&[], fresh)], mode).unwrap();
        let error = judge(
            &[chain.intermediate.crl(&[&chain.leaf.certificate], fresh)],
            mode,
        )
        .unwrap_err();
        assert_eq!(
            (error.code(), error.refusal().depth),
            ("trust.invalid", Some(0))
        );
        assert!(error.to_string().contains("certificate revoked"), "{error}");
        let error = judge(
            &[chain.root.crl(&[&chain.intermediate.certificate], fresh)],
            mode,
        )
        .unwrap_err();
        assert_eq!(
            (error.code(), error.refusal().depth),
            ("trust.invalid", Some(1))
        );
        let error = judge(&[chain.intermediate.crl(&[], NOW - 1)], mode).unwrap_err();
        assert!(error.to_string().contains("CRL has expired"), "{error}");
        let forged = Ca::root("Intermediate").crl(&[], fresh);
        assert!(judge(&[forged], mode).is_err());
    }
}

/// OpenSSL passes over each of these in silence, as it has a list that says nothing.
#[test]
fn a_revocation_that_openssl_does_not_look_at_counts() {
    let chain = good();
    let valid = (NOW - 4 * DAY, NOW + 5 * DAY);
    let leaf: [&X509; 1] = [&chain.leaf.certificate];
    let clean = || chain.intermediate.crl(&[], NOW + 5 * DAY);
    let refused = |list: &X509Crl, reason: &str| {
        for mode in [RootCheck::Required, RootCheck::ChainOnly] {
            let message = chain.message() + &chain.root.pem();
            let roots = [&chain.root];
            with_lists(&message, &roots, &[clean()], mode).unwrap();
            let list = X509Crl::from_der(&list.to_der().unwrap()).unwrap();
            let lists = [clean(), list];
            let error = with_lists(&message, &roots, &lists, mode).unwrap_err();
            assert_eq!(error.code(), "trust.invalid");
            assert!(error.to_string().contains(reason), "{error}");
        }
    };
    let delta: &[u8] = &[2, 1, 1];
    let list = chain.intermediate.crl_of(&leaf, valid, Some((27, delta)));
    refused(&list, "\"CN=Intermediate\" says only what has changed");
    let indirect: &[u8] = &[0x30, 3, 0x84, 1, 0xff];
    let list = Ca::root("Elsewhere").crl_of(&leaf, valid, Some((28, indirect)));
    refused(&list, "\"CN=Elsewhere\" is one of several issuers");
    let expired = (NOW - 4 * DAY, NOW - DAY);
    let list = chain.intermediate.crl_of(&leaf, expired, None);
    refused(&list, "certificate revoked");
    refused(&list, "CN=Signer");
}

/// Such an intermediate is exempt from the name constraints of its issuer (RFC 5280,
/// section 6.1.4 (b)); NIST PKITS, test 4.13.19.
#[test]
fn a_self_issued_intermediate_under_constraints_is_checked_for_revocation_only() {
    let root = Ca::root("Root");
    let constrained = Leaf {
        extensions: vec![(
            Nid::NAME_CONSTRAINTS,
            "critical,permitted;DNS:example.com,excluded;DNS:example.net".into(),
        )],
        ..Leaf::intermediate()
    };
    let old = root.issue("Authority", constrained);
    let new = old.issue(
        "Authority",
        Leaf {
            extensions: vec![(Nid::SUBJECT_ALT_NAME, "DNS:example.net".into())],
            ..Leaf::intermediate()
        },
    );
    let leaf = new.issue("Signer", Leaf::default());
    let message = leaf.pem() + &new.pem() + &old.pem();
    let judge = |lists: &[X509Crl]| with_lists(&message, &[&root], lists, RootCheck::Required);
    let fresh = NOW + 5 * DAY;
    assert_eq!(judge(&[]).unwrap().chain.len(), 4);
    let lists = |revoked: &[&X509]| [old.crl(revoked, fresh), new.crl(&[], fresh)];
    judge(&lists(&[])).unwrap();
    let error = judge(&lists(&[&new.certificate])).unwrap_err();
    assert!(error.to_string().contains("certificate revoked"), "{error}");
    assert_eq!(error.refusal().depth, Some(1));
}
