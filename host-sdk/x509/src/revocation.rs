//! Hands certificate revocation lists to an OpenSSL store.
//!
//! The `openssl` crate has no `X509_STORE_add_crl`; its file lookup is the safe
//! door to it, and an anonymous in-memory file is a file that touches no disk.
//! Whether a list counts (signature, dates, scope) is OpenSSL's to say. Called by
//! `path` only.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsRawFd;

use openssl::ssl::SslFiletype;
use openssl::x509::store::{X509Lookup, X509StoreBuilderRef};
use openssl::x509::{X509Crl, X509Ref};
use rustix::fs::{memfd_create, MemfdFlags};

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
