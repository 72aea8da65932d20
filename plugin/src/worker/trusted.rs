//! Whom the worker trusts: certificates of the host's keystores, and the signers of messages.

use std::sync::{Arc, Mutex};

use openssl::x509::{X509Crl, X509};

use super::shared::{lock, Shared};
use crate::diagnosis::{Code, Fault};
use crate::host::{EntryKind, Host, KeystoreEntry, DM_KEYSTORE, SSL_KEYSTORE};
use crate::protocol::Request;
use crate::transaction::of_host;
use crate::trust::{
    self, revocation, ChainCheck, ChainError, Clock, Freshness, RootCheck, SignatureError,
    ValidChain, Verifier,
};

/// Certificates and lists of a keystore.
#[derive(Default)]
pub struct Certificates {
    /// CA certificates.
    pub roots: Vec<X509>,
    /// End-entity certificates.
    pub leaves: Vec<X509>,
    /// Revocation lists.
    pub crls: Vec<X509Crl>,
}

/// Reads a keystore. A certificate that cannot be parsed is left out with a warning, as nothing is
/// trusted for it.
///
/// # Errors
/// The host's; and a revocation list that cannot be obeyed: without it more would be trusted.
pub fn certificates(host: &dyn Host, keystore: &str) -> Result<Certificates, Fault> {
    let entries = host.keystore(keystore);
    read(keystore, &entries.map_err(|e| of_host(keystore, &e))?)
}

fn read(keystore: &str, entries: &[KeystoreEntry]) -> Result<Certificates, Fault> {
    let mut found = Certificates::default();
    for entry in entries {
        let unreadable = |e: &dyn std::fmt::Display| {
            log::warn!("{keystore}: entry {} cannot be read: {e}", entry.alias);
        };
        match entry.kind {
            EntryKind::TrustedCertificate => match X509::stack_from_pem(entry.pem.as_bytes()) {
                Ok(stack) => {
                    for certificate in stack {
                        if trust::is_ca(&certificate) {
                            found.roots.push(certificate);
                        } else {
                            found.leaves.push(certificate);
                        }
                    }
                }
                Err(e) => unreadable(&e),
            },
            EntryKind::Crl => match revocation::lists(entry.pem.as_bytes()) {
                Ok(lists) => found.crls.extend(lists),
                Err(e) => return Err(of_list(keystore, &entry.alias, &e)),
            },
            EntryKind::PrivateKey => {}
        }
    }
    Ok(found)
}

/// A revocation list that cannot be obeyed as a fault: what it would be needed for is refused.
fn of_list(keystore: &str, alias: &str, error: &revocation::ListError) -> Fault {
    let code = match keystore {
        SSL_KEYSTORE => Code::TlsUntrusted,
        _ => Code::TrustInvalid,
    };
    let message =
        format!("{keystore}: the revocation list in entry {alias} cannot be obeyed: {error}");
    Fault::new(code, message)
}

/// The anchors of TLS: every trusted certificate of SSLKeystore, also a broker's own.
pub fn tls_anchors(host: &dyn Host) -> Result<Certificates, Fault> {
    let mut found = certificates(host, SSL_KEYSTORE)?;
    found.roots.append(&mut found.leaves);
    Ok(found)
}

/// The signers of the session at hand, and of the time after it.
pub struct Trusted {
    verifier: Arc<Mutex<Verifier>>,
    shared: Arc<Shared>,
    /// Leaf of the accepted chain.
    leaf_pem: Option<String>,
    chain: Vec<String>,
    /// Why nobody of DMKeystore is believed.
    unbelieved: Option<Fault>,
    /// Why certificates of DMKeystore are no signers, as far as the log says it already.
    said: Vec<String>,
}

impl Trusted {
    /// Around the verifier that the host's threads use, too.
    pub fn new(shared: Arc<Shared>) -> Self {
        Trusted {
            verifier: shared.verifier(),
            shared,
            leaf_pem: None,
            chain: Vec::new(),
            unbelieved: None,
            said: Vec::new(),
        }
    }

    /// Trusts what DMKeystore holds, and nobody else; returns the fingerprints. With a revocation
    /// list that cannot be obeyed nobody is trusted; that is no fault of whoever reloads.
    ///
    /// # Errors
    /// The host's; then nobody is trusted.
    pub fn reload(&mut self, host: &dyn Host) -> Result<Vec<String>, Fault> {
        let entries = host.keystore(DM_KEYSTORE);
        let mut verifier = lock(&self.verifier);
        verifier.trust(&[], &[]);
        let entries = entries.map_err(|e| of_host(DM_KEYSTORE, &e))?;
        let found = read(DM_KEYSTORE, &entries);
        self.unbelieved = found.as_ref().err().cloned();
        let found = found.unwrap_or_default();
        let left_out = verifier.trust(&found.leaves, &found.crls);
        let left_out = left_out.iter().map(|why| format!("not a signer: {why}"));
        let nobody = self.unbelieved.iter();
        let nobody = nobody.map(|why| format!("no signer is believed: {why}"));
        let reasons: Vec<_> = left_out.chain(nobody).collect();
        for reason in reasons.iter().filter(|reason| !self.said.contains(reason)) {
            log::warn!("{DM_KEYSTORE}: {reason}");
        }
        self.said = reasons;
        Ok(verifier
            .trusted_fingerprints()
            .into_iter()
            .map(str::to_owned)
            .collect())
    }

    /// A new attempt: nothing is accepted yet.
    pub fn begin(&mut self) {
        self.leaf_pem = None;
        self.chain.clear();
        lock(&self.verifier).begin_session();
    }

    /// Validates a received chain; at a first provisioning its leaf becomes the signer of the
    /// session. Gives up when the worker is to end: a hostile chain may take a small gateway
    /// longer than `deactivate` waits.
    pub fn check_chain(
        &mut self,
        host: &dyn Host,
        pem: &[u8],
        mode: RootCheck,
        now_s: i64,
        becomes_signer: bool,
    ) -> Result<ValidChain, Fault> {
        let found = certificates(host, DM_KEYSTORE)?;
        let chain = ChainCheck::of_signer(&found.roots, &found.crls, mode, now_s)
            .validate_unless(pem, &|| self.shared.stopping())
            .map_err(|e| of_chain(&e))?;
        let leaf = chain
            .leaf
            .to_pem()
            .map_err(|e| Fault::new(Code::TrustMalformed, e.to_string()))?;
        self.leaf_pem = Some(String::from_utf8_lossy(&leaf).into_owned());
        self.chain = chain.fingerprints().map(str::to_owned).collect();
        if becomes_signer {
            self.unbelieved = None;
            lock(&self.verifier).trust(std::slice::from_ref(&chain.leaf), &found.crls);
        }
        Ok(chain)
    }

    /// PEM of the accepted leaf.
    pub fn leaf_pem(&self) -> Option<&str> {
        self.leaf_pem.as_deref()
    }

    /// Fingerprints of the accepted chain, leaf first.
    pub fn chain(&self) -> &[String] {
        &self.chain
    }

    /// Verifies a request of the session.
    pub fn verify(&self, request: &Request, nonce: &[u8; 32], now_ms: i64) -> Result<(), Fault> {
        if let Some(fault) = &self.unbelieved {
            return Err(fault.clone());
        }
        let mut verifier = lock(&self.verifier);
        if verifier.trusts_nobody() {
            // A platform that is told of no signer need not sign: what is missing is not its
            // signature (rulings, 7).
            return Err(Fault::new(
                Code::SignatureUntrusted,
                format!(
                    "no signer is left in {DM_KEYSTORE} of a gateway that was provisioned before: \
                     import the certificate of one there"
                ),
            ));
        }
        let view = request.signed_view();
        verifier
            .verify(
                &view,
                Clock::Plausible(now_ms),
                Freshness::Session { nonce },
            )
            .map(drop)
            .map_err(|e| of_signature(&e))
    }
}

/// A refused chain as a fault.
fn of_chain(error: &ChainError) -> Fault {
    let code = error.code().parse().unwrap_or(Code::TrustInvalid);
    Fault::new(code, error.to_string())
}

/// A refused signature as a fault.
pub fn of_signature(error: &SignatureError) -> Fault {
    let code = error.code().parse().unwrap_or(Code::SignatureInvalid);
    Fault::new(code, error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::trust::fixtures::{Ca, Leaf, NOW};

    fn entry(kind: EntryKind, alias: &str, pem: &str) -> KeystoreEntry {
        KeystoreEntry {
            kind,
            alias: alias.to_owned(),
            pem: pem.to_owned(),
        }
    }

    fn list(list: &X509Crl) -> String {
        String::from_utf8(list.to_pem().unwrap()).unwrap()
    }

    #[test]
    fn every_list_of_an_entry_is_obeyed() {
        let root = Ca::root("Root");
        let leaf = root.issue("Leaf", Leaf::default());
        let two = list(&root.crl(&[], NOW)) + &list(&root.crl(&[&leaf.certificate], NOW));
        let entries = [
            entry(EntryKind::TrustedCertificate, "root", &root.pem()),
            entry(EntryKind::TrustedCertificate, "damaged", "no certificate"),
            entry(EntryKind::Crl, "lists", &two),
        ];
        let found = read(DM_KEYSTORE, &entries).unwrap();
        assert_eq!((found.roots.len(), found.crls.len()), (1, 2));
    }

    #[test]
    fn a_list_that_cannot_be_obeyed_is_a_fault_that_names_its_entry() {
        let root = Ca::root("Root");
        let delta: &[u8] = &[2, 1, 1];
        let delta = list(&root.crl_of(&[], (NOW - 1, NOW + 1), Some((27, delta))));
        let good = list(&root.crl(&[], NOW));
        let cut = good.replace("-----END", "----END");
        for (keystore, code) in [
            (SSL_KEYSTORE, Code::TlsUntrusted),
            (DM_KEYSTORE, Code::TrustInvalid),
        ] {
            for (pem, why) in [
                (&delta, "deltaCRLIndicator"),
                (&cut, "boundary"),
                (&String::new(), "no block"),
                (&root.pem(), "no X509 CRL"),
                (&(good.clone() + &delta), "deltaCRLIndicator"),
            ] {
                let entries = [
                    entry(EntryKind::Crl, "good", &good),
                    entry(EntryKind::Crl, "stolen-brokers", pem),
                ];
                let fault = read(keystore, &entries).err().unwrap();
                let text = fault.to_string();
                assert_eq!(fault.code, code, "{text}");
                for part in [keystore, "stolen-brokers", why] {
                    assert!(text.contains(part), "{part} is not in: {text}");
                }
            }
        }
    }
}
