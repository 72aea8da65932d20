//! TLS sessions of earlier attempts, for resumption.
//!
//! A resumed handshake does not look at certificates again. So a session is found only under the
//! same host, port, roots, revocation lists and client certificate; and `verdict` judges the
//! certificates of the first time once more, as of now.

use crate::{Failure, Tls};
use openssl::sha::Sha256;
use openssl::ssl::{Ssl, SslContext, SslSession};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// At most so many brokers; then all are forgotten.
const ENTRIES: usize = 16;

/// Shared by the attempts of one owner; cheap to clone.
#[derive(Clone, Default)]
pub struct SessionCache(Entries);

type Entries = Arc<Mutex<HashMap<[u8; 32], Entry>>>;

struct Entry {
    context: SslContext,
    session: Option<SslSession>,
    /// Which of the entries that have been under this key.
    mark: Arc<()>,
}

impl fmt::Debug for SessionCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionCache")
    }
}

/// Where a context puts the sessions that its broker issues.
pub(super) struct Deposit {
    entries: Weak<Mutex<HashMap<[u8; 32], Entry>>>,
    key: [u8; 32],
    mark: Arc<()>,
}

impl Deposit {
    /// Nothing, where the entry of its context was forgotten: another one may be in its place.
    pub(super) fn put(&self, session: SslSession) {
        self.with(|entry| entry.session = Some(session));
    }

    fn with(&self, act: impl FnOnce(&mut Entry)) {
        if let Some(entries) = self.entries.upgrade() {
            let mut entries = entries.lock().unwrap_or_else(PoisonError::into_inner);
            let entry = entries.get_mut(&self.key);
            if let Some(entry) = entry.filter(|entry| Arc::ptr_eq(&entry.mark, &self.mark)) {
                act(entry);
            }
        }
    }
}

impl SessionCache {
    /// Everything that the verdict over a server depends on.
    pub(super) fn key(host: &str, port: u16, tls: &Tls) -> Result<[u8; 32], Failure> {
        let mut hash = Sha256::new();
        let mut add = |bytes: &[u8]| {
            hash.update(&(bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        add(host.as_bytes());
        add(&port.to_be_bytes());
        for anchor in &tls.anchors {
            add(&anchor.to_der().map_err(Failure::internal)?);
        }
        add(b"crls");
        for crl in tls.crls.iter() {
            add(&crl.to_der().map_err(Failure::internal)?);
        }
        add(b"client");
        if let Some(client) = &tls.client {
            for certificate in &client.chain {
                add(&certificate.to_der().map_err(Failure::internal)?);
            }
        }
        Ok(hash.finish())
    }

    /// A connection object of the context for this key, made if need be, set to resume the last
    /// session if there is one. A session is used once (RFC 8446, C.4).
    pub(super) fn connection(
        &self,
        key: [u8; 32],
        make: impl FnOnce(Deposit) -> Result<SslContext, Failure>,
    ) -> Result<Ssl, Failure> {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !entries.contains_key(&key) {
            let mark = Arc::default();
            let context = make(Deposit {
                entries: Arc::downgrade(&self.0),
                key,
                mark: Arc::clone(&mark),
            })?;
            if entries.len() >= ENTRIES {
                entries.clear();
            }
            entries.insert(
                key,
                Entry {
                    context,
                    session: None,
                    mark,
                },
            );
        }
        let entry = entries
            .get_mut(&key)
            .ok_or_else(|| Failure::internal("the session cache lost an entry"))?;
        let mut ssl = Ssl::new(&entry.context).map_err(Failure::internal)?;
        if let Some(session) = entry.session.take() {
            resume(&mut ssl, &session);
        }
        Ok(ssl)
    }
}

/// The only unsafe call of this crate: the `openssl` crate has no safe way to resume.
#[allow(unsafe_code)]
fn resume(ssl: &mut Ssl, session: &SslSession) {
    // SAFETY: the session must stem from the context of the connection. Both come out of one
    // `Entry`: `session` was issued to a connection of `Entry::context` (its new-session callback
    // deposits in the entry with the context's own mark, and a replaced entry drops its session), and
    // `ssl` has just been made from that context.
    if let Err(e) = unsafe { ssl.set_session(session) } {
        log::debug!("a TLS session cannot be resumed: {e}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use openssl::ssl::SslMethod;

    use super::*;

    #[test]
    fn a_session_of_a_context_that_was_forgotten_is_not_taken_for_one_of_its_successor() {
        let cache = SessionCache::default();
        let mut deposits = Vec::new();
        let mut connect = |key: usize| {
            let made = cache.connection([u8::try_from(key).unwrap(); 32], |deposit| {
                deposits.push(deposit);
                Ok(SslContext::builder(SslMethod::tls_client())
                    .unwrap()
                    .build())
            });
            made.unwrap();
        };
        // One more than there is room for, and the first one again.
        (0..=ENTRIES).for_each(&mut connect);
        connect(0);
        let counts = |deposit: &Deposit| {
            let mut found = false;
            deposit.with(|_| found = true);
            found
        };
        assert_eq!(deposits.len(), ENTRIES + 2);
        assert!(counts(&deposits[ENTRIES + 1]) && !counts(&deposits[0]));
    }
}
