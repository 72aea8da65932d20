//! Keys that stay on the gateway, and the certificates it gets for them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use e2e::site::{CONNECTION, PID, TRANSPORT};
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use openssl::x509::X509;
use provision_platform::behaviour::{Behaviour, ClientCertificateFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{DeviceKey, Identity, Profile};
use provision_platform::store::{JobState, NewRequest};

const WAIT: Duration = Duration::from_secs(30);
const ENTRY: &str = "mqtt-client";

fn request(platform: &TestPlatform, key: DeviceKey) -> i64 {
    let mut new = NewRequest::new("gw-1", "user-gw-1", "claim-secret", "acme");
    new.device_key = Some(key);
    new.overwrite = true;
    platform.create_request(&new).unwrap()
}

fn completed(platform: &TestPlatform, request: i64) -> X509 {
    let job = platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    let issued = platform.store().issued(job.id).unwrap();
    let last = issued.last().expect("a certificate was issued");
    X509::from_pem(last.certificate.as_bytes()).unwrap()
}

/// The leaf that the gateway's key has.
fn leaf(site: &Site) -> X509 {
    let keystores = site.framework().unwrap().keystores();
    let entry = keystores.entry("SSLKeystore", ENTRY).unwrap();
    X509::stack_from_pem(entry.pem.as_bytes())
        .unwrap()
        .remove(0)
}

/// Files below the gateway's folder that are about the key, by name, with their mode.
fn key_files(site: &Site) -> BTreeMap<String, u32> {
    fn walk(folder: &std::path::Path, found: &mut BTreeMap<String, u32>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.file_name().unwrap().to_string_lossy().contains(ENTRY) {
                let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                let folder = path.parent().unwrap().file_name().unwrap();
                found.insert(folder.to_string_lossy().into_owned(), mode);
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(site.folder(), &mut found);
    found
}

fn is_at_the_listener_that_demands_a_certificate(platform: &TestPlatform, site: &Site) {
    let url = platform.target_broker().mutual_url();
    let used = site.property(TRANSPORT, "broker-url").unwrap();
    assert_eq!(used, Some(url.into()));
    assert!(site.connected().unwrap());
}

#[test]
fn a_gateway_joins_its_account_with_a_key_that_it_never_shows_and_again_at_the_next_provisioning() {
    let platform = TestPlatform::start().unwrap();
    let first = request(&platform, DeviceKey::EcP256);
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    is_at_the_listener_that_demands_a_certificate(&platform, &site);
    let issued = completed(&platform, first);
    assert!(leaf(&site).to_der().unwrap() == issued.to_der().unwrap());
    let key_file = BTreeMap::from([("SSLKeystore".to_owned(), 0o600)]);
    assert_eq!(key_files(&site), key_file);
    // It lasts: after a restart the certificate is shown again.
    site.stop();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    // Another provisioning: the same key, another certificate.
    let second = request(&platform, DeviceKey::EcP256);
    let again = Properties::from([
        ("enabled".into(), true.into()),
        ("provisioned".into(), false.into()),
        ("password".into(), Secret::from("claim-secret").into()),
    ]);
    let configuration = site.framework().unwrap().configuration();
    configuration.update(PID, &again).unwrap();
    let renewed = completed(&platform, second);
    site.wait_provisioned().unwrap();
    assert!(renewed.to_der().unwrap() != issued.to_der().unwrap());
    assert!(leaf(&site).to_der().unwrap() == renewed.to_der().unwrap());
    is_at_the_listener_that_demands_a_certificate(&platform, &site);
    assert_eq!(key_files(&site), key_file);
    assert!(site
        .framework()
        .unwrap()
        .connections()
        .iter()
        .any(|c| c.pid == CONNECTION));
}

#[test]
fn every_kind_of_key_that_can_be_asked_for_is_made() {
    for kind in [DeviceKey::EcP384, DeviceKey::Rsa2048, DeviceKey::Rsa3072] {
        let platform = TestPlatform::start().unwrap();
        let number = request(&platform, kind);
        let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
        site.start().unwrap();
        site.wait_provisioned().unwrap();
        let issued = completed(&platform, number);
        let bits = issued.public_key().unwrap().bits();
        assert_eq!(bits, kind.size(), "{}", kind.name());
    }
}

#[test]
fn a_certificate_that_the_account_does_not_accept_is_taken_back() {
    for fault in [
        ClientCertificateFault::OtherAuthority,
        ClientCertificateFault::OtherKey,
    ] {
        let platform = TestPlatform::start().unwrap();
        let number = request(&platform, DeviceKey::EcP256);
        platform
            .behave(Script::once(Behaviour {
                client_certificate: fault,
                ..Behaviour::default()
            }))
            .unwrap();
        let mut site = Site::new(&platform, "gw-1", "claim-secret")
            .unwrap()
            .with("timeout", 10)
            .with("retry-interval", 3600);
        let before = site.first_start().unwrap();
        let code = match fault {
            ClientCertificateFault::OtherAuthority => "proof.failed",
            _ => "protocol.unexpected",
        };
        site.wait_for_code(code).unwrap();
        // The key was made for the attempt, and goes with it.
        let after = site.world().unwrap();
        assert!(after == before, "not as before after {fault:?}");
        site.retry_now().unwrap();
        site.wait_provisioned().unwrap();
        completed(&platform, number);
    }
}

#[test]
fn the_proof_shows_the_key_that_the_account_names_and_not_the_first_of_the_keystore() {
    let platform = TestPlatform::start().unwrap();
    let number = request(&platform, DeviceKey::EcP256);
    let mut site = Site::new(&platform, "gw-1", "claim-secret").unwrap();
    // Of another account, and first by its name: the new one would not take it.
    let other = Identity::self_signed(&Profile::client("another account")).unwrap();
    let pem = [
        other.certificate_pem().unwrap(),
        other.key_pem().unwrap().to_vec(),
    ]
    .concat();
    let pem = String::from_utf8(pem).unwrap();
    let keystores = site.keystores().unwrap();
    keystores
        .import_pem("SSLKeystore", "a-first", &pem)
        .unwrap();
    assert!("a-first" < ENTRY);
    site.start().unwrap();
    let status = site.wait_provisioned().unwrap();
    assert_eq!(status["attempt"], 1, "the first proof holds");
    is_at_the_listener_that_demands_a_certificate(&platform, &site);
    completed(&platform, number);
}
