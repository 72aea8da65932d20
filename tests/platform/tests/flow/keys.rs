//! A key that the device makes, and what it is good for.

use super::client::device::{root, transaction, Device, Request};
use super::client::{Client, Login};
use super::{birth, completed, credentials, failed, platform, TRANSPORT};
use kura_formats::configurations::{read, remote_open, XmlLimits};
use kura_formats::payload::Payload;
use kura_formats::request::{reply, ResponseCode};
use mqtt_session::{ClientIdentity, Failure};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::{X509Name, X509Req, X509};
use provision_platform::behaviour::{Behaviour, ClientCertificateFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::DeviceKey;
use provision_platform::store::NewRequest;
use serde_json::Value;

const CSR: &str = "KEYS-V1/POST/keystores/entries/csr";
const CERTIFICATE: &str = "PROV-V1/PUT/credentials/certificate";

fn request(platform: &TestPlatform, key: DeviceKey) -> i64 {
    let mut new = NewRequest::new("dev", "user-dev", "secret", "acme");
    new.device_key = Some(key);
    platform.create_request(&new).unwrap()
}

fn ec(curve: Nid) -> PKey<Private> {
    let group = EcGroup::from_curve_name(curve).unwrap();
    PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
}

fn certificate_request(key: &PKey<Private>, signed_by: &PKey<Private>, name: &str) -> Vec<u8> {
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let mut builder = X509Req::builder().unwrap();
    builder.set_subject_name(&subject.build()).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.sign(signed_by, MessageDigest::sha256()).unwrap();
    builder.build().to_pem().unwrap()
}

/// As far as the request for a key.
fn asked(platform: &TestPlatform) -> (Device, Request) {
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(platform)).unwrap();
    device.accept(&certificates);
    let csr = device.expect(CSR);
    device.judge(&csr).unwrap();
    (device, csr)
}

fn answer(device: &Device, csr: &Request, pem: Vec<u8>) {
    let payload: Payload = reply(ResponseCode::Ok, 1).with_body(pem);
    device.answer(csr, &payload);
}

fn member<'a>(body: &'a Value, name: &str) -> &'a str {
    body[name].as_str().unwrap()
}

#[test]
fn a_device_joins_its_account_with_the_certificate_for_its_own_key() {
    for kind in [DeviceKey::EcP256, DeviceKey::Rsa2048] {
        let platform = platform();
        let number = request(&platform, kind);
        let (mut device, csr) = asked(&platform);
        let body: Value = serde_json::from_slice(csr.payload.body.as_deref().unwrap()).unwrap();
        assert_eq!(member(&body, "keystoreServicePid"), "SSLKeystore");
        assert_eq!(member(&body, "attributes"), "CN=dev");
        assert_eq!(member(&body, "algorithm"), kind.algorithm());
        assert_eq!(body["size"], kind.size());
        let key = match kind {
            DeviceKey::EcP256 => ec(Nid::X9_62_PRIME256V1),
            _ => PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap(),
        };
        answer(&device, &csr, certificate_request(&key, &key, "dev"));
        let certificate = device.expect(CERTIFICATE);
        device.judge(&certificate).unwrap();
        let chain = X509::stack_from_pem(certificate.payload.body.as_deref().unwrap()).unwrap();
        assert_eq!(chain.len(), 2, "leaf and intermediate");
        assert!(chain[0].public_key().unwrap().public_eq(&key));
        assert!(chain[0].verify(&chain[1].public_key().unwrap()).unwrap());
        device.accept(&certificate);
        let configuration = device.expect("CONF-V1/PUT/configurations");
        device.accept(&configuration);
        let commit = device.expect("PROV-V1/EXEC/commit");
        // The manifest has the certificate, and the request for it has not.
        device.check_commit(&commit);
        let document = configuration.payload.body.unwrap();
        let all = read(&document, &XmlLimits::default(), &mut remote_open).unwrap();
        let transport = all.iter().find(|c| c.pid == TRANSPORT).unwrap();
        assert_eq!(
            transport.properties["ssl.certificate.alias"].as_str(),
            Some(member(&body, "alias"))
        );
        let (url, target) = credentials(&document);
        let tls_root = platform.pki().tls_root.certificate();
        let login = Login {
            client_id: &target.client_id,
            username: &target.username,
            password: target.password.expose(),
        };
        let without = Client::connect(&url, tls_root, login, &[]);
        assert!(without.is_err(), "the certificate is not asked for");
        let shown = Some(ClientIdentity { chain, key });
        let joined = Client::connect_with(&url, tls_root, shown, login, &[]).unwrap();
        device.accept(&commit);
        let job = completed(&platform, number);
        birth(&joined, "dev", &transaction(1));
        let issued = platform.store().issued(job.id).unwrap();
        assert_eq!(issued.len(), 1);
        assert_eq!(issued[0].common_name, "dev");
        assert_eq!(issued[0].key, kind.name());
    }
}

#[test]
fn a_certificate_alone_does_not_open_the_account() {
    let platform = platform();
    request(&platform, DeviceKey::EcP256);
    let (device, csr) = asked(&platform);
    let key = ec(Nid::X9_62_PRIME256V1);
    answer(&device, &csr, certificate_request(&key, &key, "dev"));
    let certificate = device.expect(CERTIFICATE);
    let chain = X509::stack_from_pem(certificate.payload.body.as_deref().unwrap()).unwrap();
    let login = Login {
        client_id: "dev",
        username: "device-dev",
        password: "guessed",
    };
    let url = platform.target_broker().mutual_url();
    let tls_root = platform.pki().tls_root.certificate();
    let shown = Some(ClientIdentity { chain, key });
    let refused = Client::connect_with(&url, tls_root, shown, login, &[]);
    assert!(matches!(refused, Err(Failure::NotAuthorized)));
}

#[test]
fn a_request_for_something_else_is_rejected_and_the_reason_is_told() {
    let (p256, p384) = (ec(Nid::X9_62_PRIME256V1), ec(Nid::SECP384R1));
    let cases = [
        (certificate_request(&p256, &p384, "dev"), "signed"),
        (certificate_request(&p384, &p384, "dev"), "EC-256"),
        (certificate_request(&p256, &p256, "other"), "\"other\""),
        (b"nonsense".to_vec(), "cannot be read"),
        (Vec::new(), "cannot be read"),
    ];
    for (pem, word) in cases {
        let platform = platform();
        let number = request(&platform, DeviceKey::EcP256);
        let (mut device, csr) = asked(&platform);
        answer(&device, &csr, pem);
        let reject = device.expect("PROV-V1/EXEC/reject");
        device.judge(&reject).unwrap();
        let text = reject.payload.string("prov.error.message").unwrap();
        assert!(text.contains(word), "{text}");
        device.answer(&reject, &reply(ResponseCode::Ok, 1));
        assert_eq!(failed(&platform, number), "csr.invalid");
        let job = platform.job(number).unwrap().unwrap();
        assert!(platform.store().issued(job.id).unwrap().is_empty());
    }
}

#[test]
fn wrong_client_certificates_are_wrong_as_scripted() {
    for fault in [
        ClientCertificateFault::OtherKey,
        ClientCertificateFault::OtherAuthority,
    ] {
        let platform = platform();
        let number = request(&platform, DeviceKey::EcP256);
        platform
            .behave(Script::once(Behaviour {
                client_certificate: fault,
                ..Behaviour::default()
            }))
            .unwrap();
        let (device, csr) = asked(&platform);
        let key = ec(Nid::X9_62_PRIME256V1);
        answer(&device, &csr, certificate_request(&key, &key, "dev"));
        let certificate = device.expect(CERTIFICATE);
        let chain = X509::stack_from_pem(certificate.payload.body.as_deref().unwrap()).unwrap();
        let authority = platform.pki().device_authority.key();
        let is_ours = chain[0].public_key().unwrap().public_eq(&key);
        let is_trusted = chain[0].verify(authority).unwrap();
        let expected = match fault {
            ClientCertificateFault::OtherKey => (false, true),
            _ => (true, false),
        };
        assert_eq!((is_ours, is_trusted), expected, "{fault:?}");
        device.refuse(&certificate, ResponseCode::Conflict, "protocol.unexpected");
        assert_eq!(failed(&platform, number), "protocol.unexpected");
    }
}
