//! Which certificate of a received message issued which, by their signatures.
//!
//! Before there is a path, nobody vouches for anything in a message, and ten
//! certificates of one name may have issued one another in ninety ways. So nothing is
//! verified twice, what a signature already says of one key is not asked of another,
//! the likely issuer comes first, and there are no more than [`MAX_VERIFICATIONS`].
//! It trusts nobody and looks at no date or usage. Called by `message`.

use openssl::x509::X509;

use super::message::{names_meet, MAX_CERTIFICATES};
use super::path;
use super::refusal::{Reason, Refusal};

/// Signatures that are verified for one message, at most. A chain needs one for each
/// certificate, unless names recur in it and no key identifiers tell who is meant.
pub(super) const MAX_VERIFICATIONS: usize = 2 * MAX_CERTIFICATES;

/// The answers so far.
pub(super) struct Issuance<'a> {
    certificates: &'a [X509],
    stopped: &'a dyn Fn() -> bool,
    /// Issuer, issued, and whether its key made that signature.
    known: Vec<(usize, usize, bool)>,
    verifications: usize,
}

impl<'a> Issuance<'a> {
    /// Nothing is known yet. `stopped` is asked before each verification.
    pub(super) fn new(certificates: &'a [X509], stopped: &'a dyn Fn() -> bool) -> Self {
        Self {
            certificates,
            stopped,
            known: Vec::new(),
            verifications: 0,
        }
    }

    /// The certificates that issued no other one.
    pub(super) fn leaves(&mut self) -> Result<Vec<&'a X509>, Refusal> {
        let all = self.certificates;
        let mut has_issued = vec![false; all.len()];
        for (other, certificate) in all.iter().enumerate() {
            for issuer in self.likely_issuers(other, certificate) {
                if self.signed(issuer, other)? {
                    if let Some(has_issued) = has_issued.get_mut(issuer) {
                        *has_issued = true;
                    }
                }
            }
        }
        let leaves = all.iter().zip(has_issued);
        Ok(leaves
            .filter(|(_, has_issued)| !has_issued)
            .map(|(leaf, _)| leaf)
            .collect())
    }

    /// Those with the name of its issuer; first those that it means by key identifier.
    fn likely_issuers(&self, other: usize, certificate: &X509) -> Vec<usize> {
        let wanted = certificate.authority_key_id().map(|id| id.as_slice());
        let all = self.certificates.iter().enumerate();
        let mut found: Vec<_> = all
            .filter(|(index, issuer)| *index != other && names_meet(issuer, certificate))
            .map(|(index, issuer)| {
                let is_meant = issuer.subject_key_id().map(|id| id.as_slice()) == wanted;
                (!(is_meant && wanted.is_some()), index)
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, index)| index).collect()
    }

    /// Whether the key of the one made the signature of the other, whatever else they say.
    ///
    /// # Errors
    /// It would be one verification too many, or nobody waits for the answer.
    pub(super) fn signed(&mut self, issuer: usize, other: usize) -> Result<bool, Refusal> {
        let all = self.certificates;
        let (Some(one), Some(certificate)) = (all.get(issuer), all.get(other)) else {
            return Ok(false);
        };
        let earlier = self.known.iter().filter(|(_, issued, _)| *issued == other);
        for (known, _, made) in earlier {
            // A signature that one key made is no other key's.
            let is_same_key = all.get(*known).is_some_and(|known| same_key(known, one));
            if *made || is_same_key {
                return Ok(*made && is_same_key);
            }
        }
        if (self.stopped)() {
            return Err(Refusal::whole(Reason::Stopped));
        }
        if self.verifications == MAX_VERIFICATIONS {
            return Err(Refusal::whole(Reason::Form(format!(
                "its certificates may have issued one another in too many ways: \
                 more than {MAX_VERIFICATIONS} signatures would have to be verified"
            ))));
        }
        self.verifications += 1;
        let made = path::signed(one, certificate);
        self.known.push((issuer, other, made));
        Ok(made)
    }
}

fn same_key(one: &X509, other: &X509) -> bool {
    match (one.public_key(), other.public_key()) {
        (Ok(one), Ok(other)) => one.public_eq(&other),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trust::fixtures::{Ca, Leaf};

    /// How many signatures were verified to find the leaves, and how many those are.
    fn cost(certificates: &[&Ca]) -> (usize, usize) {
        let all: Vec<X509> = certificates
            .iter()
            .map(|ca| ca.certificate.clone())
            .collect();
        let mut issuance = Issuance::new(&all, &path::never);
        let leaves = issuance.leaves().unwrap().len();
        let once = issuance.verifications;
        issuance.leaves().unwrap();
        assert_eq!(
            issuance.verifications, once,
            "a signature was verified twice"
        );
        (once, leaves)
    }

    #[test]
    fn one_signature_is_verified_for_each_issuer_in_the_message() {
        let root = Ca::root("Root");
        let issuer = root.issue("Issuer", Leaf::intermediate());
        let leaf = issuer.issue("Leaf", Leaf::default());
        assert_eq!(cost(&[&leaf]), (0, 1));
        assert_eq!(cost(&[&leaf, &issuer]), (1, 1));
        assert_eq!(cost(&[&root, &leaf, &issuer]), (2, 1));
    }

    #[test]
    fn key_identifiers_lead_to_the_issuer_among_ten_of_one_name() {
        let mut all = vec![Ca::root("Same")];
        for _ in 0..9 {
            let next = all.last().unwrap().issue("Same", Leaf::intermediate());
            all.push(next);
        }
        // For the first the issuer is missing, so that all others are tried.
        let all: Vec<&Ca> = all.iter().skip(1).collect();
        assert_eq!(cost(&all), (8 + 8, 1));
    }

    #[test]
    fn two_certificates_of_one_key_are_one_issuer() {
        let root = Ca::root("Root");
        let profile = Leaf {
            key: Some(root.key.clone()),
            ..Leaf::intermediate()
        };
        let again = Ca::root("Other").issue("Root", profile);
        let leaf = root.issue("Leaf", Leaf::default());
        // Of the root and of the leaf, but not of either by the other of the two.
        assert_eq!(cost(&[&root, &leaf, &again]), (2, 1));
    }
}
