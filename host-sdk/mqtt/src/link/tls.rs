//! The TLS handshake: versions, trust, host name, and what its failure means.
//!
//! TLS 1.2 and 1.3, security level 2, trust from the given roots only, the host name always
//! checked, an OCSP response asked for. The exact verdict over certificates is `verdict`'s.

use super::session_cache::{Deposit, SessionCache};
use super::transport::{reason, Wire};
use super::verdict::{self, Judge};
use super::{Aside, Stop, Way};
use crate::{Event, Failure, PeerCertificate, Stage, Tls};
use openssl::error::ErrorStack;
use openssl::ssl::{
    ErrorCode, Ssl, SslContext, SslContextBuilder, SslMethod, SslMode, SslOptions, SslRef,
    SslSessionCacheMode, SslStream, SslVerifyMode, SslVersion, StatusType,
};
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::{X509VerifyResult, X509};
use rustix::event::PollFlags;
use std::os::fd::AsFd;
use x509_policy::server::prepare_handshake;
use x509_policy::{CertificateFacts, ServerName};

impl<A: Aside> Way<A> {
    /// Authenticates the server over an open connection.
    pub(super) fn handshake(&mut self, wire: Wire) -> Result<SslStream<Wire>, Stop> {
        self.emit(Event::Handshaking);
        let judge = Judge::new(&self.host, &self.tls).map_err(Stop::Failed)?;
        let ssl = connection(&self.host, self.port, &self.tls, &judge).map_err(Stop::Failed)?;
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
                    let staple = || verdict::staple(stream.ssl(), &self.tls.anchors).err();
                    let failure = judge.failure().or_else(staple);
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
        let path = judge.path(stream.ssl()).map_err(Stop::Failed)?;
        let peer = describe(stream.ssl(), path).map_err(Stop::Failed)?;
        self.emit(Event::TlsEstablished(Box::new(peer)));
        Ok(stream)
    }
}

fn connection(host: &str, port: u16, tls: &Tls, judge: &Judge) -> Result<Ssl, Failure> {
    let mut ssl = match &tls.session_cache {
        Some(cache) => cache.connection(SessionCache::key(host, port, tls)?, |deposit| {
            context(tls, Some(deposit))
        })?,
        None => {
            let context = context(tls, None)?;
            Ssl::new(&context).map_err(Failure::internal)?
        }
    };
    let host = judge.host().clone();
    let judge = judge.clone();
    ssl.set_verify_callback(SslVerifyMode::PEER, move |good, context| {
        judge.at_step(good, context)
    });
    prepare(&mut ssl, &host).map_err(Failure::internal)?;
    Ok(ssl)
}

fn prepare(ssl: &mut Ssl, host: &ServerName) -> Result<(), ErrorStack> {
    // RFC 6066, 3: no literal addresses in SNI.
    if let ServerName::Dns(name) = host {
        ssl.set_hostname(name)?;
    }
    ssl.set_status_type(StatusType::OCSP)?;
    prepare_handshake(ssl.param_mut(), host)
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
    builder.set_cert_store(store.build());
    let anchors = tls.anchors.clone();
    builder
        .set_status_callback(move |ssl| {
            Ok(ssl.session_reused() || verdict::staple(ssl, &anchors).is_ok())
        })
        .map_err(Failure::internal)?;
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
    // SSL_OP_CLEANSE_PLAINTEXT, which the binding does not name: what was read is wiped from
    // OpenSSL's buffer. Versions before 3.0 take no notice.
    builder.set_options(SslOptions::from_bits_retain(1 << 1));
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

fn describe(ssl: &SslRef, path: Vec<X509>) -> Result<PeerCertificate, Failure> {
    let leaf = path
        .first()
        .ok_or_else(|| Failure::internal("a path without a certificate"))?;
    let facts = CertificateFacts::of(leaf);
    let sent = ssl.peer_cert_chain().into_iter().flatten();
    let sent: Vec<X509> = sent.map(ToOwned::to_owned).collect();
    Ok(PeerCertificate {
        facts,
        protocol: ssl.version_str().to_owned(),
        cipher: ssl
            .current_cipher()
            .map_or("", |cipher| cipher.name())
            .to_owned(),
        resumed: ssl.session_reused(),
        chain: if sent.is_empty() { path } else { sent },
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
            _ if text.contains(" alert ") && !text.contains("client certificate") => {
                format!("the server refused: {text}")
            }
            _ => text,
        },
    }
}
