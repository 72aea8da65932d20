//! Which client key a broker that asks for one is shown.
//!
//! The one that the configuration names. Where it names none, as that of a provision broker cannot,
//! any key of the keystore may be meant, as with Kura, whose JSSE looks for one by the authorities
//! that the broker lists. OpenSSL's Rust binding has no callback for that, so the choice does not
//! depend on the broker: of the keys whose certificate is valid now, or of all if none is, the one
//! whose alias comes first, by its bytes. Whoever keeps several in a keystore names aliases by that.
//!
//! A host whose keystore tells its entries in another order, a restart, or another key with a later
//! name does not change the choice. The component calls this for the provision link and the proof,
//! the host for its cloud connections: both have to come to the same.

use std::cmp::Ordering;

use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::error::ErrorStack;
use openssl::x509::X509;

/// Why there is no key to be shown although there should be one.
#[derive(Debug, thiserror::Error)]
pub enum ClientKeyError {
    /// The named one is not there.
    #[error("there is no key {alias:?} with a certificate")]
    Absent {
        /// Its alias.
        alias: String,
    },
    /// Its chain cannot be read.
    #[error("the chain of the key {alias:?} cannot be read")]
    Damaged {
        /// Its alias.
        alias: String,
        /// OpenSSL's reason.
        #[source]
        source: ErrorStack,
    },
}

/// A key that was chosen.
#[derive(Clone, Debug)]
pub struct Chosen {
    /// Its alias.
    pub alias: String,
    /// Its chain, leaf first.
    pub chain: Vec<X509>,
}

/// Chooses among the private keys of a keystore, each with its alias and the PEM of its chain, which
/// is empty while its certificate has not come. `named` is the alias that the configuration names,
/// if it does. No key at all is fine, unless one is named.
///
/// # Errors
/// [`ClientKeyError`]; a chain that cannot be read counts only if no other key can be chosen.
pub fn choose<'a>(
    keys: impl IntoIterator<Item = (&'a str, &'a str)>,
    named: Option<&str>,
) -> Result<Option<Chosen>, ClientKeyError> {
    let mut candidates: Vec<(&str, &str)> = keys
        .into_iter()
        .filter(|(alias, pem)| !pem.is_empty() && named.is_none_or(|named| named == *alias))
        .collect();
    candidates.sort_unstable();
    let now = Asn1Time::days_from_now(0).ok();
    let (mut second, mut damaged) = (None, None);
    for (alias, pem) in candidates {
        let alias = alias.to_owned();
        let chain = match X509::stack_from_pem(pem.as_bytes()) {
            Ok(chain) => chain,
            Err(source) => {
                damaged.get_or_insert(ClientKeyError::Damaged { alias, source });
                continue;
            }
        };
        let Some(leaf) = chain.first() else { continue };
        let valid = now.as_ref().is_some_and(|now| is_valid(leaf, now));
        let chosen = Chosen { alias, chain };
        if valid {
            return Ok(Some(chosen));
        }
        // A broker says better than we why it does not take this.
        second.get_or_insert(chosen);
    }
    match (second, damaged, named) {
        (Some(chosen), _, _) => Ok(Some(chosen)),
        (None, Some(damaged), _) => Err(damaged),
        (None, None, Some(alias)) => Err(ClientKeyError::Absent {
            alias: alias.to_owned(),
        }),
        (None, None, None) => Ok(None),
    }
}

fn is_valid(leaf: &X509, now: &Asn1TimeRef) -> bool {
    let before = leaf.not_before().compare(now);
    let after = now.compare(leaf.not_after());
    let holds = |order: Result<Ordering, ErrorStack>| order.is_ok_and(|o| o != Ordering::Greater);
    holds(before) && holds(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use openssl::ec::{EcGroup, EcKey};
    use openssl::hash::MessageDigest;
    use openssl::nid::Nid;
    use openssl::pkey::PKey;
    use openssl::x509::X509Builder;

    use super::*;

    /// A certificate, valid from and until so many days from now.
    fn certificate(from: i64, until: i64) -> String {
        let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
        let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
        let time = |days: i64| Asn1Time::from_unix(now + days * 86_400).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.set_not_before(&time(from)).unwrap();
        builder.set_not_after(&time(until)).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
    }

    fn alias(keys: &[(&str, &str)], named: Option<&str>) -> Option<String> {
        let chosen = choose(keys.iter().copied(), named).unwrap();
        chosen.map(|chosen| chosen.alias)
    }

    #[test]
    fn the_first_by_name_that_is_valid_is_chosen_whatever_the_order() {
        let (valid, expired, future) = (certificate(-1, 1), certificate(-2, -1), certificate(1, 2));
        let mut keys = [
            ("c", valid.as_str()),
            ("b", valid.as_str()),
            ("A", expired.as_str()),
            ("0", future.as_str()),
            ("", ""),
        ];
        assert_eq!(alias(&keys, None).unwrap(), "b");
        keys.reverse();
        assert_eq!(alias(&keys, None).unwrap(), "b");
        assert_eq!(alias(&keys, Some("A")).unwrap(), "A");
        // If none is valid, one of them is better than none.
        assert_eq!(
            alias(&[("A", &expired), ("0", &future)], None).unwrap(),
            "0"
        );
    }

    #[test]
    fn a_key_without_a_certificate_is_none_and_a_named_one_must_be_there() {
        assert_eq!(alias(&[], None), None);
        assert_eq!(alias(&[("a", "")], None), None);
        let valid = certificate(-1, 1);
        let keys = [("a", ""), ("b", valid.as_str())];
        let absent = choose(keys, Some("a")).unwrap_err();
        assert!(absent.to_string().contains("\"a\""), "{absent}");
        assert!(choose([], Some("a")).is_err());
    }

    #[test]
    fn a_damaged_chain_is_passed_over_unless_it_is_meant() {
        let valid = certificate(-1, 1);
        let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let keys = [("a", damaged), ("b", valid.as_str())];
        assert_eq!(alias(&keys, None).unwrap(), "b");
        assert!(choose(keys, Some("a")).is_err());
        assert!(choose([("a", damaged)], None).is_err());
    }
}
