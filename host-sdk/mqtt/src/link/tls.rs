//! The TLS handshake: versions, trust, host name, and what its failure means.
//!
//! TLS 1.2 and 1.3, security level 2, trust from the given roots only, the host name always
//! checked. The exact verdict over certificates is `verdict`'s.

use super::session_cache::{Deposit, SessionCache};
use super::transport::{reason, Wire};
use super::verdict::{self, Verdict};
use super::{Aside, Stop, Way};
use crate::{Event, Failure, PeerCertificate, Stage, Tls};
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslFiletype, SslMethod, SslMode,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion,
};
use openssl::x509::store::{X509Lookup, X509StoreBuilder};
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags};
use openssl::x509::{X509Crl, X509VerifyResult};
use rustix::event::PollFlags;
use rustix::fs::{memfd_create, MemfdFlags};
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;

impl<A: Aside> Way<A> {
    /// Authenticates the server over an open connection.
    pub(super) fn handshake(&mut self, wire: Wire) -> Result<SslStream<Wire>, Stop> {
        self.emit(Event::Handshaking);
        let verdict = Verdict::default();
        let ssl = connection(&self.host, self.port, &self.tls, &verdict).map_err(Stop::Failed)?;
        let mut stream =
            SslStream::new(ssl, wire).map_err(|e| Stop::Failed(Failure::internal(e)))?;
        loop {
            let error = match stream.connect() {
                Ok(()) => break,
                Err(error) => error,
            };
            let flags = match error.code() {
                // OpenSSL waits for a whole record, which a peer of another protocol never sends.
                ErrorCode::WANT_READ if !speaks_tls(&stream.get_ref().greeting) => {
                    return Err(Stop::Failed(not_tls()))
                }
                ErrorCode::WANT_READ => PollFlags::IN,
                ErrorCode::WANT_WRITE => PollFlags::OUT,
                _ => {
                    let failure = verdict.failure(&self.host);
                    return Err(Stop::Failed(
                        failure.unwrap_or_else(|| explain(&error, stream.get_ref())),
                    ));
                }
            };
            self.wait(
                Stage::Handshake,
                Some((stream.get_ref().as_fd(), flags)),
                None,
            )?;
        }
        // A second look: a handshake that came through although something was found is a bug here.
        if let Some(failure) = verdict.failure(&self.host) {
            return Err(Stop::Failed(failure));
        }
        let peer = accept(stream.ssl()).map_err(Stop::Failed)?;
        self.emit(Event::TlsEstablished(Box::new(peer)));
        Ok(stream)
    }
}

fn connection(host: &str, port: u16, tls: &Tls, verdict: &Verdict) -> Result<Ssl, Failure> {
    let mut ssl = match &tls.session_cache {
        Some(cache) => cache.connection(SessionCache::key(host, port, tls)?, |deposit| {
            context(tls, Some(deposit))
        })?,
        None => {
            let context = context(tls, None)?;
            Ssl::new(&context).map_err(Failure::internal)?
        }
    };
    let (verdict, crls) = (verdict.clone(), tls.crls.clone());
    ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
        verdict.judge(good, context, &crls)
    });
    name(&mut ssl, host).map_err(Failure::internal)?;
    Ok(ssl)
}

fn name(ssl: &mut Ssl, host: &str) -> Result<(), ErrorStack> {
    ssl.param_mut()
        .set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
    if let Ok(address) = host.parse::<IpAddr>() {
        // RFC 6066, 3: no literal addresses in SNI.
        return ssl.param_mut().set_ip(address);
    }
    let host = host.trim_end_matches('.');
    ssl.set_hostname(host)?;
    ssl.param_mut().set_host(host)
}

fn context(tls: &Tls, deposit: Option<Deposit>) -> Result<SslContext, Failure> {
    let mut builder = SslContextBuilder::new(SslMethod::tls_client()).map_err(Failure::internal)?;
    configure(&mut builder, tls)
        .map_err(|e| Failure::internal(format_args!("TLS cannot be set up: {e}")))?;
    let mut store = X509StoreBuilder::new().map_err(Failure::internal)?;
    for anchor in &tls.anchors {
        // A root given twice is no fault.
        let _ = store.add_cert(anchor.clone());
    }
    let mut flags = X509VerifyFlags::X509_STRICT;
    if !tls.crls.is_empty() {
        flags |= X509VerifyFlags::CRL_CHECK | X509VerifyFlags::CRL_CHECK_ALL;
        add_crls(&mut store, &tls.crls)?;
    }
    store.set_flags(flags).map_err(Failure::internal)?;
    builder.set_cert_store(store.build());
    if let Some(deposit) = deposit {
        builder
            .set_session_cache_mode(SslSessionCacheMode::CLIENT | SslSessionCacheMode::NO_INTERNAL);
        builder.set_new_session_callback(move |ssl, session| {
            if ssl.verify_result() == X509VerifyResult::OK {
                deposit.put(session);
            }
        });
    }
    Ok(builder.build())
}

fn configure(builder: &mut SslContextBuilder, tls: &Tls) -> Result<(), ErrorStack> {
    builder.set_security_level(2);
    builder.set_min_proto_version(Some(SslVersion::TLS1_2))?;
    builder.set_max_proto_version(Some(SslVersion::TLS1_3))?;
    builder.set_verify(SslVerifyMode::PEER);
    // Without these a write that had to wait must be repeated from the same address.
    builder.set_mode(
        SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::RELEASE_BUFFERS,
    );
    if let Some(client) = &tls.client {
        let mut chain = client.chain.iter();
        if let Some(leaf) = chain.next() {
            builder.set_certificate(leaf)?;
            builder.set_private_key(&client.key)?;
            builder.check_private_key()?;
        }
        for certificate in chain {
            builder.add_extra_chain_cert(certificate.clone())?;
        }
    }
    Ok(())
}

/// The `openssl` crate adds revocation lists from files only; this file exists in memory only.
fn add_crls(store: &mut X509StoreBuilder, crls: &[Arc<X509Crl>]) -> Result<(), Failure> {
    let mut pem = Vec::new();
    for crl in crls {
        pem.extend_from_slice(&crl.to_pem().map_err(Failure::internal)?);
    }
    let file = memfd_create("crls", MemfdFlags::CLOEXEC).map_err(Failure::internal)?;
    let mut rest = pem.as_slice();
    while !rest.is_empty() {
        let written = rustix::io::write(&file, rest).map_err(Failure::internal)?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let lookup = store
        .add_lookup(X509Lookup::file())
        .map_err(Failure::internal)?;
    lookup
        .load_crl_file(path, SslFiletype::PEM)
        .map(drop)
        .map_err(|e| Failure::internal(format_args!("the revocation lists cannot be loaded: {e}")))
}

fn accept(ssl: &openssl::ssl::SslRef) -> Result<PeerCertificate, Failure> {
    let missing = || Failure::TlsProtocol {
        reason: "the server showed no certificate".to_owned(),
    };
    let leaf = ssl.peer_certificate().ok_or_else(missing)?;
    if ssl.verify_result() != X509VerifyResult::OK {
        let reason = ssl.verify_result().error_string().to_owned();
        return Err(Failure::Untrusted {
            cert: Box::new(verdict::info(&leaf)),
            reason,
            depth: 0,
        });
    }
    let resumed = ssl.session_reused();
    if resumed {
        verdict::check_dates(&leaf)?;
    }
    let sent = ssl
        .peer_cert_chain()
        .map(|chain| chain.iter().map(|c| c.to_owned()).collect::<Vec<_>>());
    let info = verdict::info(&leaf);
    Ok(PeerCertificate {
        subject: info.subject,
        issuer: info.issuer,
        not_before: info.not_before,
        not_after: info.not_after,
        fingerprint_sha256: info.fingerprint_sha256,
        protocol: ssl.version_str().to_owned(),
        cipher: ssl
            .current_cipher()
            .map_or("", |cipher| cipher.name())
            .to_owned(),
        resumed,
        chain: sent
            .filter(|chain| !chain.is_empty())
            .unwrap_or_else(|| vec![leaf]),
    })
}

/// A TLS record begins with its type, 20 to 24, and the version 3.x.
fn speaks_tls(greeting: &[u8]) -> bool {
    match *greeting {
        [] => true,
        [kind] => (20..=24).contains(&kind),
        [kind, version, ..] => (20..=24).contains(&kind) && version == 3,
    }
}

fn not_tls() -> Failure {
    Failure::TlsProtocol {
        reason: "the port does not speak TLS".to_owned(),
    }
}

/// A handshake that failed for another reason than the certificate.
fn explain(error: &openssl::ssl::Error, wire: &Wire) -> Failure {
    if !speaks_tls(&wire.greeting) {
        return not_tls();
    }
    if let Some(end) = &wire.end {
        if wire.greeting.is_empty() {
            return Failure::TlsProtocol {
                reason: format!("no TLS answer ({end}): the port may not speak TLS"),
            };
        }
        return Failure::Lost {
            stage: Stage::Handshake,
            reason: end.clone(),
        };
    }
    let text = reason(error).unwrap_or_else(|| error.to_string());
    Failure::TlsProtocol {
        reason: match text.as_str() {
            "unsupported protocol" => "the server offers neither TLS 1.2 nor TLS 1.3".to_owned(),
            "tlsv1 alert protocol version" => {
                "the server wants another TLS version than 1.2 or 1.3 (alert protocol version)"
                    .to_owned()
            }
            _ if text.contains("alert") => format!("the server refused: {text}"),
            _ => text,
        },
    }
}
