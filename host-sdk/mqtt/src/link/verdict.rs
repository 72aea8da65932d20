//! The server's certificate, judged during the handshake.
//!
//! The verdict is that of [`validate_tls_server`], the one function for TLS servers: called from
//! OpenSSL's verify callback, so before anything of ours is sent, with the certificates that
//! OpenSSL has put together, and again over those of a session that is resumed. OpenSSL walks the
//! chain by itself, too, under the same parameters; whatever it refuses stays refused.

use crate::{Failure, Tls};
use openssl::ssl::SslRef;
use openssl::x509::{X509Crl, X509Ref, X509StoreContextRef, X509VerifyResult, X509};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};
use x509_policy::refusal::Reason;
use x509_policy::staple::{check_staple, Staple};
use x509_policy::{facts, validate_tls_server, CertificateFacts, ServerError, ServerName};

/// What one handshake is judged by, and its verdict.
#[derive(Clone)]
pub(super) struct Judge {
    host: ServerName,
    anchors: Vec<X509>,
    crls: Arc<Vec<X509Crl>>,
    /// Once it has been judged.
    verdict: Arc<Mutex<Option<Verdict>>>,
}

/// The path, leaf first.
type Verdict = Result<Vec<X509>, Failure>;

impl Judge {
    pub(super) fn new(host: &str, tls: &Tls) -> Result<Judge, Failure> {
        let host = ServerName::parse(host).ok_or_else(|| Failure::TlsProtocol {
            reason: format!("no certificate can be made for the host name {host:?}"),
        })?;
        Ok(Judge {
            host,
            anchors: tls.anchors.clone(),
            crls: Arc::clone(&tls.crls),
            verdict: Arc::default(),
        })
    }

    pub(super) fn host(&self) -> &ServerName {
        &self.host
    }

    /// The verify callback: called for each problem that OpenSSL finds, and for each certificate
    /// that is good, the leaf last.
    pub(super) fn at_step(&self, good: bool, context: &mut X509StoreContextRef) -> bool {
        if good && context.error_depth() != 0 {
            return true;
        }
        let mut verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        let judged = verdict.get_or_insert_with(|| {
            let mut path = context.chain().into_iter().flatten().map(X509Ref::to_owned);
            let leaf = path.next();
            let leaf = leaf.or_else(|| context.current_cert().map(X509Ref::to_owned));
            let rest: Vec<X509> = path.collect();
            self.judge(leaf.as_deref(), &rest, context)
        });
        match judged {
            Ok(_) if good => true,
            // It went on after the verdict, or found what the same policy did not.
            Ok(_) => {
                *verdict = Some(Err(objected(context)));
                false
            }
            Err(_) => false,
        }
    }

    /// The verdict, and the reason for OpenSSL, which makes the alert of it.
    fn judge(
        &self,
        leaf: Option<&X509Ref>,
        rest: &[X509],
        context: &mut X509StoreContextRef,
    ) -> Verdict {
        let Some(leaf) = leaf else {
            return Err(objected(context));
        };
        self.validate(leaf, rest).map_err(|refused| {
            context.set_error(match refused.refusal().reason {
                Reason::Openssl(result) | Reason::Revocation(result) => result,
                _ => X509VerifyResult::APPLICATION_VERIFICATION,
            });
            failure(&refused, leaf)
        })
    }

    fn validate(&self, leaf: &X509Ref, rest: &[X509]) -> Result<Vec<X509>, ServerError> {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .ok()
            .and_then(|since| i64::try_from(since.as_secs()).ok());
        validate_tls_server(
            leaf,
            rest,
            &self.anchors,
            &self.crls,
            &self.host,
            now.unwrap_or_default(),
        )
    }

    /// The failure to report, if there was one.
    pub(super) fn failure(&self) -> Option<Failure> {
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.as_ref()?.as_ref().err().cloned()
    }

    /// The path, after a handshake that went through. A session that was resumed showed no
    /// certificate: those of the first time are judged again.
    pub(super) fn path(&self, ssl: &SslRef) -> Verdict {
        if ssl.session_reused() {
            let leaf = ssl.peer_certificate().ok_or_else(no_certificate)?;
            let sent = ssl.peer_cert_chain().into_iter().flatten();
            let sent: Vec<X509> = sent.map(X509Ref::to_owned).collect();
            return self
                .validate(&leaf, &sent)
                .map_err(|refused| failure(&refused, &leaf));
        }
        let verdict = self.verdict.lock().unwrap_or_else(PoisonError::into_inner);
        verdict.clone().unwrap_or_else(|| Err(no_certificate()))
    }
}

fn no_certificate() -> Failure {
    Failure::TlsProtocol {
        reason: "the server showed no certificate".to_owned(),
    }
}

/// OpenSSL's own objection.
fn objected(context: &X509StoreContextRef) -> Failure {
    let reason = context.error().error_string().to_owned();
    match context.current_cert() {
        Some(certificate) => Failure::Untrusted {
            cert: Box::new(CertificateFacts::of(certificate)),
            reason,
            depth: context.error_depth(),
        },
        None => Failure::TlsProtocol { reason },
    }
}

/// Judges the OCSP response that came along. Called before our last flight is sent, and after the
/// handshake for the reason.
pub(super) fn staple(ssl: &SslRef, anchors: &[X509]) -> Result<(), Failure> {
    let sent = ssl.verified_chain().into_iter().flatten();
    let path: Vec<X509> = sent.map(X509Ref::to_owned).collect();
    match check_staple(ssl.ocsp_status(), &path, anchors) {
        Ok(Staple::OutOfDate) => {
            log::warn!("the broker sent an OCSP response that is out of date: not regarded");
            Ok(())
        }
        Ok(_) => Ok(()),
        Err(refused) => Err(Failure::Untrusted {
            cert: refused.certificate,
            reason: format!("OCSP: {}", refused.reason),
            depth: 0,
        }),
    }
}

/// A refusal in the words of a failure. `leaf` is what it is about if it is about the whole.
fn failure(refused: &ServerError, leaf: &X509Ref) -> Failure {
    let refusal = refused.refusal();
    let cert = refusal
        .certificate
        .clone()
        .unwrap_or_else(|| Box::new(CertificateFacts::of(leaf)));
    let depth = refusal.depth.unwrap_or_default();
    let reason = refusal.reason.to_string();
    match refused {
        ServerError::Untrusted(_) => Failure::Untrusted {
            cert,
            reason,
            depth,
        },
        ServerError::HostName { called, .. } => Failure::Hostname {
            host: called.to_string(),
            cert,
            names: facts::server_names(leaf),
            reason,
        },
        ServerError::Expired(_) => Failure::Expired {
            cert,
            reason,
            depth,
        },
        ServerError::NotYetValid(_) => Failure::NotYetValid {
            cert,
            reason,
            depth,
        },
    }
}
