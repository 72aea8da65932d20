//! A small private PKI, made anew for each test.

use openssl::asn1::{Asn1Integer, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509Name, X509NameRef, X509};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

pub struct Authority {
    pub cert: X509,
    key: PKey<Private>,
}

/// A leaf and its key.
pub struct Leaf {
    pub cert: X509,
    pub key: PKey<Private>,
}

/// What a leaf says.
pub struct Wish<'a> {
    pub names: &'a [&'a str],
    /// Days from now.
    pub from: i64,
    pub to: i64,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Wish {
            names: &["localhost", "127.0.0.1"],
            from: -1,
            to: 30,
        }
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn name(common: &str) -> X509Name {
    let mut name = X509Name::builder().unwrap();
    name.append_entry_by_nid(Nid::ORGANIZATIONNAME, "Test")
        .unwrap();
    name.append_entry_by_nid(Nid::COMMONNAME, common).unwrap();
    name.build()
}

fn builder(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<Private>,
    from: i64,
    to: i64,
) -> X509Builder {
    static SERIAL: AtomicU32 = AtomicU32::new(1);
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs() as i64;
    let serial = BigNum::from_u32(SERIAL.fetch_add(1, Ordering::Relaxed)).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder
        .set_serial_number(&Asn1Integer::from_bn(&serial).unwrap())
        .unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder
        .set_not_before(&Asn1Time::from_unix(now + from * DAY).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::from_unix(now + to * DAY).unwrap())
        .unwrap();
    builder
}

impl Authority {
    pub fn new(common: &str) -> Authority {
        let key = key();
        let name = name(common);
        let mut builder = builder(&name, &name, &key, -365, 365);
        builder
            .append_extension(BasicConstraints::new().critical().ca().build().unwrap())
            .unwrap();
        builder
            .append_extension(
                KeyUsage::new()
                    .critical()
                    .key_cert_sign()
                    .crl_sign()
                    .build()
                    .unwrap(),
            )
            .unwrap();
        let id = SubjectKeyIdentifier::new()
            .build(&builder.x509v3_context(None, None))
            .unwrap();
        builder.append_extension(id).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        Authority {
            cert: builder.build(),
            key,
        }
    }

    pub fn issue(&self, wish: &Wish<'_>) -> Leaf {
        let key = key();
        let mut builder = builder(
            &name("broker"),
            self.cert.subject_name(),
            &key,
            wish.from,
            wish.to,
        );
        builder
            .append_extension(BasicConstraints::new().build().unwrap())
            .unwrap();
        builder
            .append_extension(
                KeyUsage::new()
                    .critical()
                    .digital_signature()
                    .build()
                    .unwrap(),
            )
            .unwrap();
        builder
            .append_extension(
                ExtendedKeyUsage::new()
                    .server_auth()
                    .client_auth()
                    .build()
                    .unwrap(),
            )
            .unwrap();
        let context = builder.x509v3_context(Some(&self.cert), None);
        let subject_id = SubjectKeyIdentifier::new().build(&context).unwrap();
        let authority_id = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&context)
            .unwrap();
        let mut names = SubjectAlternativeName::new();
        for name in wish.names {
            if name.parse::<std::net::IpAddr>().is_ok() {
                names.ip(name);
            } else {
                names.dns(name);
            }
        }
        let names = names.build(&context).unwrap();
        for extension in [subject_id, authority_id, names] {
            builder.append_extension(extension).unwrap();
        }
        builder.sign(&self.key, MessageDigest::sha256()).unwrap();
        Leaf {
            cert: builder.build(),
            key,
        }
    }

    /// A PEM revocation list of this authority over the given certificates, written by the openssl
    /// command. `None` where that is not installed.
    pub fn crl(&self, revoked: &[&X509]) -> Option<Vec<u8>> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("ca.pem"), self.cert.to_pem().unwrap()).unwrap();
        std::fs::write(path("ca.key"), self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let mut index = String::new();
        for cert in revoked {
            let serial = cert
                .serial_number()
                .to_bn()
                .unwrap()
                .to_hex_str()
                .unwrap()
                .to_string();
            index += &format!("R\t330101000000Z\t200101000000Z\t{serial}\tunknown\t/CN=broker\n");
        }
        std::fs::write(path("index"), index).unwrap();
        std::fs::write(path("number"), "01\n").unwrap();
        let config =
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n\
                      default_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n";
        std::fs::write(path("config"), config).unwrap();
        let output = std::process::Command::new("openssl")
            .current_dir(folder.path())
            .args([
                "ca", "-config", "config", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem",
                "-out", "crl.pem",
            ])
            .output()
            .ok()?;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Some(std::fs::read(path("crl.pem")).unwrap())
    }
}

/// What a TLS server does beside showing its certificate.
#[derive(Clone, Copy, Default)]
pub struct Manners {
    pub max: Option<SslVersion>,
    pub wants_client: bool,
}

pub fn server(leaf: &Leaf, manners: Manners) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&leaf.cert).unwrap();
    builder.set_private_key(&leaf.key).unwrap();
    builder.set_security_level(0);
    builder.set_min_proto_version(None).unwrap();
    builder.set_max_proto_version(manners.max).unwrap();
    builder.set_session_id_context(b"test").unwrap();
    if manners.wants_client {
        builder.set_verify_callback(
            SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            |_, _| true,
        );
    }
    builder.build()
}

/// Accepts TLS; `None` if the client refuses.
pub fn accept(context: &SslContext, stream: TcpStream) -> Option<SslStream<TcpStream>> {
    let mut stream = SslStream::new(Ssl::new(context).unwrap(), stream).unwrap();
    stream.accept().ok()?;
    Some(stream)
}
