//! What a received chain can cost whoever judges it, its sender being trusted by nobody.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::Cell;
use std::time::Duration;

use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::x509::X509;
use rustix::time::{clock_gettime, ClockId};

use super::chain::{ChainCheck, ChainError, RootCheck, ValidChain, MAX_BYTES};
use super::fixtures::{dsa_key, ec_key, rogue, rsa_key, rsa_public, tlv, Ca, Leaf, NOW};

const MODES: [RootCheck; 2] = [RootCheck::Required, RootCheck::ChainOnly];

fn judge(
    pem: &str,
    roots: &[X509],
    mode: RootCheck,
    stopped: &dyn Fn() -> bool,
) -> Result<ValidChain, ChainError> {
    ChainCheck::of_signer(roots, &[], mode, NOW).validate_unless(pem.as_bytes(), stopped)
}

/// The processor time of this thread alone: what else runs on the machine does not count.
fn cpu_time<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let now = || Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap();
    let before = now();
    let done = work();
    (done, now() - before)
}

fn pem(certificates: &[X509]) -> String {
    let pem = certificates.iter().flat_map(|one| one.to_pem().unwrap());
    let pem = String::from_utf8(pem.collect()).unwrap();
    assert!(pem.len() <= MAX_BYTES, "{}", pem.len());
    pem
}

fn public(key: &PKey<openssl::pkey::Private>) -> PKey<Public> {
    PKey::public_key_from_der(&key.public_key_to_der().unwrap()).unwrap()
}

/// Ten authorities of one name, each with a key of its own that is made here, and with a
/// signature that OpenSSL must work on before it knows that it is none.
fn same_named(key: impl Fn() -> PKey<Public>) -> String {
    let ten: Vec<X509> = (0..10)
        .map(|_| {
            let key = key();
            let half = |size: i32| {
                let mut number = vec![0x55; usize::try_from(size).unwrap()];
                openssl::rand::rand_bytes(number.get_mut(1..).unwrap()).unwrap();
                number
            };
            let signature = match key.rsa() {
                Ok(rsa) => half(i32::try_from(rsa.size()).unwrap()),
                Err(_) => {
                    let size = match key.ec_key() {
                        Ok(key) => i32::try_from(key.group().order_bits())
                            .unwrap()
                            .div_euclid(8),
                        Err(_) => 28,
                    };
                    let half = || tlv(0x02, &[&half(size)]);
                    tlv(0x30, &[&half(), &half()])
                }
            };
            rogue(&key, &signature)
        })
        .collect();
    pem(&ten)
}

fn refused_at_once(key: impl Fn() -> PKey<Public>, why: &str) {
    let message = same_named(key);
    for mode in MODES {
        let (verdict, cost) = cpu_time(|| judge(&message, &[], mode, &|| false));
        let error = verdict.unwrap_err();
        assert_eq!(error.code(), "trust.weak", "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(cost < Duration::from_millis(20), "{why}: {cost:?}");
    }
}

#[test]
fn a_key_that_costs_too_much_is_refused_before_anything_is_verified_with_it() {
    let dense = [0xff; 8];
    refused_at_once(|| rsa_public(16_384, &dense), "16384 bits");
    refused_at_once(|| rsa_public(8192, &[1, 0, 1]), "8192 bits");
    // OpenSSL bounds the exponent only if the modulus has more than 3072 bits.
    refused_at_once(|| rsa_public(3072, &[0x7f; 384]), "exponent");
    refused_at_once(|| public(&ec_key(Nid::SECT571R1)), "sect571r1");
    let dsa = public(&dsa_key());
    refused_at_once(|| dsa.clone(), "DSA");
}

fn given_up_in_time(what: &str, key: impl Fn() -> PKey<Public>) {
    let message = same_named(key);
    for mode in MODES {
        let (verdict, cost) = cpu_time(|| judge(&message, &[], mode, &|| false));
        let error = verdict.unwrap_err();
        assert_eq!(error.code(), "trust.malformed", "{what}: {error}");
        assert!(error.to_string().contains("too many ways"), "{error}");
        assert!(cost < Duration::from_millis(50), "{what}: {cost:?}");
    }
}

/// Each may have issued each other one: ninety signatures, of which most are not tried.
#[test]
fn ten_authorities_of_one_name_are_given_up_in_time() {
    given_up_in_time("RSA", || rsa_public(4096, &[0xff; 4]));
    given_up_in_time("P-384", || public(&ec_key(Nid::SECP384R1)));
    given_up_in_time("P-521", || public(&ec_key(Nid::SECP521R1)));
    given_up_in_time("Brainpool", || public(&ec_key(Nid::BRAINPOOL_P512R1)));
}

fn long_chain(key: impl Fn() -> Option<PKey<openssl::pkey::Private>>) -> (Ca, String) {
    let authority = || Leaf {
        key: key(),
        ..Leaf::intermediate()
    };
    let mut all = vec![Ca::root("Same")];
    for _ in 0..8 {
        let next = all.last().unwrap().issue("Same", authority());
        all.push(next);
    }
    let signer = Leaf {
        key: key(),
        ..Leaf::default()
    };
    all.push(all.last().unwrap().issue("Same", signer));
    let certificates: Vec<X509> = all.iter().map(|ca| ca.certificate.clone()).collect();
    (all.swap_remove(0), pem(&certificates))
}

/// An authority that changed its key eight times, and that issued a signer of its own name:
/// the key identifiers tell whom each certificate means.
#[test]
fn the_longest_good_chain_of_one_name_is_judged_within_100_ms() {
    let (root, message) = long_chain(|| Some(ec_key(Nid::SECP521R1)));
    let roots = [root.certificate];
    for mode in MODES {
        let (verdict, cost) = cpu_time(|| judge(&message, &roots, mode, &|| false));
        assert_eq!(verdict.unwrap().chain.len(), 10);
        assert!(cost < Duration::from_millis(100), "{cost:?}");
    }
}

/// The operator put it there, and pays for it.
#[test]
fn a_trusted_root_may_have_a_larger_key_than_what_is_received() {
    let key = rsa_key(4104);
    let root = Ca::root_signed_with("Root", key.clone(), MessageDigest::sha256());
    let signer = root.issue("Signer", Leaf::default());
    let message = signer.pem() + &root.pem();
    let roots = [root.certificate.clone()];
    for mode in [RootCheck::Required, RootCheck::ChainOnly] {
        judge(&message, &roots, mode, &|| false).unwrap();
        let error = judge(&message, &[], mode, &|| false).unwrap_err();
        assert_eq!(error.code(), "trust.weak");
        assert!(error.to_string().contains("CN=Root"), "{error}");
    }
}

#[test]
fn a_judgement_that_nobody_waits_for_ends_between_two_signatures() {
    let (root, message) = long_chain(|| None);
    let roots = [root.certificate];
    let asked = Cell::new(0);
    let ask = |limit: u32| {
        asked.set(0);
        judge(&message, &roots, RootCheck::Required, &|| {
            asked.set(asked.get() + 1);
            asked.get() > limit
        })
    };
    ask(u32::MAX).unwrap();
    let all = asked.get();
    assert!(all >= 10, "asked {all} times");
    for limit in 0..all {
        let error = ask(limit).unwrap_err();
        assert!(error.to_string().contains("not judged"), "{error}");
        assert_eq!(asked.get(), limit + 1, "it went on");
    }
}
