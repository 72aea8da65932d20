//! Certificate revocation lists: which can be obeyed, and how OpenSSL gets them.
//!
//! OpenSSL takes one list for a certificate, the newest that is valid now, and in
//! silence passes over one that says only what has changed (delta), one of several
//! issuers (indirect), and an expired one beside one that is valid. So the first two
//! are refused, where they are imported and where they are used ([`usable`]), and a
//! certificate that stands on the newest list of a kind is revoked whatever became of
//! that list ([`is_revoked`]). Nothing is fetched.
//!
//! The `openssl` crate has no `X509_STORE_add_crl`; its file lookup is the safe
//! door to it, and an anonymous in-memory file is a file that touches no disk.
//! Whether a list is a clean bill (signature, dates, scope) is OpenSSL's to say. Called by
//! `path`, and by whoever reads lists out of a keystore or puts them there.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use openssl::ssl::SslFiletype;
use openssl::x509::store::{X509Lookup, X509StoreBuilderRef};
use openssl::x509::{CrlStatus, X509Crl, X509CrlRef, X509Ref, X509};
use rustix::fs::{memfd_create, MemfdFlags};

use crate::extensions::ListExtensions;
use crate::facts;
use crate::pem::{self, PemError};

/// Why a text is not the revocation lists that can be obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// It is no PEM of revocation lists.
    #[error("it is no PEM of revocation lists: {0}")]
    Pem(#[from] PemError),
    /// A list that OpenSSL would pass over in silence.
    #[error(transparent)]
    Unusable(#[from] Unusable),
}

/// A list that OpenSSL would pass over in silence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the revocation list of \"{issuer}\" {why}")]
pub struct Unusable {
    /// Whose it is, on one line.
    pub issuer: String,
    /// Why it cannot be obeyed, and what can.
    pub why: &'static str,
}

/// All lists of a PEM text, in its order.
///
/// # Errors
/// [`ListError`]: the caller must refuse then, as a list that is not looked at revokes nothing.
pub fn lists(pem: &[u8]) -> Result<Vec<X509Crl>, ListError> {
    let lists = pem::revocation_lists(pem)?;
    for list in &lists {
        usable(list)?;
    }
    Ok(lists)
}

/// Whether the list can be obeyed.
///
/// # Errors
/// [`Unusable`], with the reason.
pub fn usable(list: &X509CrlRef) -> Result<(), Unusable> {
    let why = match extensions(list) {
        None => "has extensions that cannot be read",
        Some(found) if found.is_delta => {
            "says only what has changed (deltaCRLIndicator); the complete list is needed"
        }
        Some(found) if found.is_indirect => {
            "is one of several issuers (indirectCRL); each issuer's own list is needed"
        }
        Some(_) => return Ok(()),
    };
    Err(Unusable {
        issuer: facts::one_line(list.issuer_name()),
        why,
    })
}

fn extensions(list: &X509CrlRef) -> Option<ListExtensions> {
    ListExtensions::of(&list.to_der().ok()?)
}

/// Whether the certificate stands on the newest list of a kind, be that expired, forged or not
/// meant for it: the safe side. Lists are of one kind that have the same key of the issuer and the
/// same issuingDistributionPoint. `lists` are those of its issuer.
pub fn is_revoked(certificate: &X509, lists: &[&X509Crl]) -> bool {
    let revoking = lists
        .iter()
        .filter(|list| matches!(list.get_by_cert(certificate), CrlStatus::Revoked(_)));
    revoking.into_iter().any(|revoking| {
        let kind = extensions(revoking).map(|found| (found.scope, found.authority));
        !lists.iter().any(|other| {
            other.last_update() > revoking.last_update()
                && extensions(other).map(|found| (found.scope, found.authority)) == kind
        })
    })
}

/// Adds the lists to the store. The store must still be told to check them.
///
/// # Errors
/// No memory file, no `/proc`, or a list that OpenSSL does not take: the caller
/// must refuse then, as a list that is not looked at revokes nothing.
pub fn add_to(store: &mut X509StoreBuilderRef, lists: &[&X509Crl]) -> io::Result<()> {
    let mut file = File::from(memfd_create("revocation-lists", MemfdFlags::CLOEXEC)?);
    for list in lists {
        file.write_all(&list.to_pem()?)?;
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let loaded = store
        .add_lookup(X509Lookup::file())?
        .load_crl_file(&path, SslFiletype::PEM)?;
    if usize::try_from(loaded) == Ok(lists.len()) {
        Ok(())
    } else {
        Err(io::Error::other("not every revocation list was loaded"))
    }
}

/// The lists that the certificate's issuer publishes, by its name.
pub fn lists_for<'a>(certificate: &X509Ref, lists: &'a [X509Crl]) -> Vec<&'a X509Crl> {
    let issuer = certificate.issuer_name();
    lists
        .iter()
        .filter(|list| {
            matches!(
                list.issuer_name().try_cmp(issuer),
                Ok(std::cmp::Ordering::Equal)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::fixtures::{Ca, Leaf, NOW};

    const DAY: i64 = 86_400;
    /// deltaCRLIndicator: BaseCRLNumber 1.
    const DELTA: (u8, &[u8]) = (27, &[2, 1, 1]);
    /// issuingDistributionPoint with indirectCRL; with onlySomeReasons keyCompromise; with
    /// onlyContainsCACerts.
    const INDIRECT: (u8, &[u8]) = (28, &[0x30, 3, 0x84, 1, 0xff]);
    const SOME_REASONS: (u8, &[u8]) = (28, &[0x30, 4, 0x83, 2, 6, 0x40]);
    const ONLY_CA: (u8, &[u8]) = (28, &[0x30, 3, 0x82, 1, 0xff]);

    fn pem(lists: &[&X509Crl]) -> Vec<u8> {
        lists
            .iter()
            .flat_map(|list| list.to_pem().unwrap())
            .collect()
    }

    #[test]
    fn all_lists_of_a_text_are_read_and_one_that_cannot_be_obeyed_is_refused_by_name() {
        let ca = Ca::root("Root");
        let valid = (NOW - DAY, NOW + DAY);
        let plain = ca.crl(&[], NOW + DAY);
        assert_eq!(lists(&pem(&[&plain, &plain])).unwrap().len(), 2);
        for (extension, why) in [(DELTA, "deltaCRLIndicator"), (INDIRECT, "indirectCRL")] {
            let list = ca.crl_of(&[], valid, Some(extension));
            let refused = lists(&pem(&[&plain, &list])).err();
            let text = refused.unwrap().to_string();
            assert!(text.contains("\"CN=Root\"") && text.contains(why), "{text}");
        }
        for extension in [SOME_REASONS, ONLY_CA] {
            let list = ca.crl_of(&[], valid, Some(extension));
            assert!(lists(&pem(&[&list])).is_ok(), "{extension:?}");
        }
        assert!(matches!(lists(b""), Err(ListError::Pem(PemError::Empty))));
        let twice = [&pem(&[&plain])[..40], b"\n"].concat();
        assert!(matches!(lists(&twice), Err(ListError::Pem(_))));
    }

    #[test]
    fn the_newest_list_of_a_kind_revokes_whatever_became_of_it() {
        let ca = Ca::root("Root");
        let certificate = &ca.issue("Leaf", Leaf::default()).certificate;
        let clean = ca.crl_of(&[], (NOW - 5 * DAY, NOW + 5 * DAY), None);
        let dated =
            |from, extension| ca.crl_of(&[certificate], (NOW - from * DAY, NOW - DAY), extension);
        let judge = |list: &X509Crl| is_revoked(certificate, &[&clean, list]);
        assert!(!is_revoked(certificate, &[&clean]));
        assert!(judge(&dated(4, None)), "newer, but expired");
        assert!(judge(&dated(5, None)), "as old, but expired");
        // It was on hold, and is not any more.
        assert!(!judge(&dated(6, None)), "older");
        assert!(judge(&dated(6, Some(SOME_REASONS))), "of another kind");
        let other = Ca::root("Root");
        let other = other.crl_of(&[certificate], (NOW - 6 * DAY, NOW - DAY), None);
        assert!(judge(&other), "of another key");
    }
}
