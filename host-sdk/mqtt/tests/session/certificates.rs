//! A small private PKI, made anew for each test.

use openssl::asn1::{Asn1Integer, Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslStream, SslVerifyMode, SslVersion};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509Builder, X509Extension, X509Name, X509NameRef, X509};
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
    /// Ends so many seconds from now instead.
    pub ends_in: Option<i64>,
    /// May answer OCSP requests for its issuer (RFC 6960, 4.2.2.2).
    pub ocsp_signing: bool,
    /// Promises an OCSP response (RFC 7633).
    pub must_staple: bool,
    /// For a weak key.
    pub rsa_bits: Option<u32>,
}

impl Default for Wish<'_> {
    fn default() -> Self {
        Wish {
            names: &["localhost", "127.0.0.1"],
            from: -1,
            to: 30,
            ends_in: None,
            ocsp_signing: false,
            must_staple: false,
            rsa_bits: None,
        }
    }
}

fn key() -> PKey<Private> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

/// Seconds since 1970.
pub fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_secs() as i64
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
    let now = now();
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
        let key = match wish.rsa_bits {
            None => key(),
            Some(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
        };
        let mut builder = builder(
            &name("broker"),
            self.cert.subject_name(),
            &key,
            wish.from,
            wish.to,
        );
        if let Some(seconds) = wish.ends_in {
            let end = Asn1Time::from_unix(now() + seconds).unwrap();
            builder.set_not_after(&end).unwrap();
        }
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
        let mut usage = ExtendedKeyUsage::new();
        if wish.ocsp_signing {
            usage.other("OCSPSigning");
        } else {
            usage.server_auth().client_auth();
        }
        builder.append_extension(usage.build().unwrap()).unwrap();
        if wish.must_staple {
            let feature = Asn1Object::from_str("1.3.6.1.5.5.7.1.24").unwrap();
            // SEQUENCE { INTEGER 5 }
            let value = Asn1OctetString::new_from_bytes(&[0x30, 3, 2, 1, 5]).unwrap();
            let feature = X509Extension::new_from_der(&feature, false, &value).unwrap();
            builder.append_extension(feature).unwrap();
        }
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
        let folder = self.office(revoked);
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("number"), "01\n").unwrap();
        let config =
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index\ncrlnumber=number\ndefault_md=sha256\n\
                      default_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n";
        std::fs::write(path("config"), config).unwrap();
        let arguments = "ca -config config -gencrl -keyfile ca.key -cert ca.pem -out crl.pem";
        run(&folder, &format!("openssl {arguments}"))?;
        Some(std::fs::read(path("crl.pem")).unwrap())
    }

    /// The OCSP response of this authority, or of its delegate, about a certificate, which is in
    /// `revoked` or not. `clock` runs the responder at another time, e.g. `faketime -f -10d`.
    /// `None` where a command is not installed.
    pub fn ocsp(
        &self,
        delegate: Option<&Leaf>,
        about: &X509,
        revoked: &[&X509],
        clock: &str,
    ) -> Option<Vec<u8>> {
        let folder = self.office(revoked);
        let path = |name: &str| folder.path().join(name);
        let mut index = std::fs::read_to_string(path("index")).unwrap();
        if !revoked
            .iter()
            .any(|other| other.serial_number() == about.serial_number())
        {
            index += &format!(
                "V\t330101000000Z\t\t{}\tunknown\t/CN=broker\n",
                serial(about)
            );
        }
        std::fs::write(path("index"), index).unwrap();
        std::fs::write(path("about.pem"), about.to_pem().unwrap()).unwrap();
        let signer = match delegate {
            None => "-rsigner ca.pem -rkey ca.key",
            Some(leaf) => {
                std::fs::write(path("delegate.pem"), leaf.cert.to_pem().unwrap()).unwrap();
                let key = leaf.key.private_key_to_pem_pkcs8().unwrap();
                std::fs::write(path("delegate.key"), key).unwrap();
                "-rsigner delegate.pem -rkey delegate.key"
            }
        };
        let command = format!(
            "{clock} openssl ocsp -index index -CA ca.pem {signer} -issuer ca.pem -cert about.pem \
             -ndays 3 -respout response.der -noverify"
        );
        run(&folder, &command)?;
        Some(std::fs::read(path("response.der")).unwrap())
    }

    /// A folder with what the openssl command needs to speak for this authority.
    fn office(&self, revoked: &[&X509]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("ca.pem"), self.cert.to_pem().unwrap()).unwrap();
        std::fs::write(path("ca.key"), self.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let lines = revoked.iter().map(|cert| {
            let serial = serial(cert);
            format!(
                "R\t330101000000Z\t200101000000Z,keyCompromise\t{serial}\tunknown\t/CN=broker\n"
            )
        });
        std::fs::write(path("index"), lines.collect::<String>()).unwrap();
        folder
    }
}

fn serial(certificate: &X509) -> String {
    let number = certificate.serial_number().to_bn().unwrap();
    number.to_hex_str().unwrap().to_string()
}

/// Runs a command in a folder; `None` where it is not installed.
fn run(folder: &tempfile::TempDir, command: &str) -> Option<()> {
    let mut words = command.split_whitespace();
    let output = std::process::Command::new(words.next().unwrap())
        .args(words)
        .current_dir(folder.path())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    Some(())
}

/// What a TLS server does beside showing its certificate.
#[derive(Clone, Default)]
pub struct Manners {
    pub max: Option<SslVersion>,
    pub wants_client: bool,
    /// The OCSP response to send along.
    pub staple: Option<Vec<u8>>,
}

pub fn server(leaf: &Leaf, manners: Manners) -> SslContext {
    let mut builder = SslContext::builder(SslMethod::tls_server()).unwrap();
    builder.set_security_level(0);
    builder.set_certificate(&leaf.cert).unwrap();
    builder.set_private_key(&leaf.key).unwrap();
    builder.set_min_proto_version(None).unwrap();
    builder.set_max_proto_version(manners.max).unwrap();
    builder.set_session_id_context(b"test").unwrap();
    if let Some(response) = manners.staple {
        builder
            .set_status_callback(move |ssl| ssl.set_ocsp_status(&response).map(|()| true))
            .unwrap();
    }
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
