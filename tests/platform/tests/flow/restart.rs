//! The platform dies and comes back, at every message of a provisioning: the job goes on.

use super::client::device::{root, transaction, Device};
use super::client::PATIENCE;
use super::{birth, completed, join_target, platform};
use kura_formats::request::{reply, ResponseCode};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509Name, X509Req};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::DeviceKey;
use provision_platform::store::{JobState, NewPackage, NewRequest};

const CONTENT: &[u8] = b"content of a package";

/// Messages in both directions that are still to come before the platform dies.
struct Left(usize);

impl Left {
    /// False: now.
    fn one(&mut self) -> bool {
        let go_on = self.0 > 0;
        self.0 = self.0.saturating_sub(1);
        go_on
    }
}

fn request(platform: &TestPlatform) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.zip");
    std::fs::write(&file, CONTENT).unwrap();
    let mut new = NewRequest::new("dev", "user-dev", "secret", "acme");
    new.device_key = Some(DeviceKey::EcP256);
    new.packages = vec![NewPackage {
        file,
        name: "app".to_owned(),
        version: "1".to_owned(),
    }];
    platform.create_request(&new).unwrap()
}

fn certificate_request() -> Vec<u8> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, "dev").unwrap();
    let mut builder = X509Req::builder().unwrap();
    builder.set_subject_name(&subject.build()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    builder.build().to_pem().unwrap()
}

/// Goes through a provisioning, as far as messages are left. Says what came last; nothing if the
/// reply to the commit is on its way.
fn walk(platform: &TestPlatform, left: &mut Left) -> (Device, Option<String>) {
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    device.trigger();
    if !left.one() {
        return (device, Some("the trigger".to_owned()));
    }
    loop {
        let request = device.request();
        let name = request.name();
        if !left.one() {
            return (device, Some(name));
        }
        match name.as_str() {
            "PROV-V1/PUT/certificates" => {
                device.judge_chain(&request, &root(platform)).unwrap();
                device.accept(&request);
            }
            "KEYS-V1/POST/keystores/entries/csr" => {
                let payload = reply(ResponseCode::Ok, 1).with_body(certificate_request());
                device.answer(&request, &payload);
            }
            "DEPLOY-V2/EXEC/download" => {
                device.notify(&request, "IN_PROGRESS", 50, None);
                if !left.one() {
                    return (device, Some("progress of the download".to_owned()));
                }
                device.fetched(&request, CONTENT);
            }
            "PROV-V1/EXEC/commit" => {
                device.check_commit(&request);
                device.accept(&request);
                return (device, None);
            }
            _ => device.accept(&request),
        }
        if !left.one() {
            return (device, Some(format!("the reply to {name}")));
        }
    }
}

/// The platform dies after so many messages. False: there are not so many.
fn dies_after(messages: usize) -> bool {
    let platform = platform();
    let number = request(&platform);
    let before = platform.provision_broker().url();
    let (device, last) = walk(&platform, &mut Left(messages));
    let Some(last) = last else { return false };
    let platform = platform.restart().unwrap();
    assert_eq!(
        platform.provision_broker().url(),
        before,
        "known to devices"
    );
    drop(device);
    let (_device, rest) = walk(&platform, &mut Left(usize::MAX));
    assert_eq!(rest, None);
    let job = completed(&platform, number);
    assert_eq!(job.transaction_id.as_deref(), Some(transaction(1).as_str()));
    let store = platform.store();
    assert_eq!(store.jobs(number).unwrap().len(), 1, "after {last}");
    let attempts = store.attempts(job.id).unwrap();
    let outcomes: Vec<_> = attempts.iter().map(|a| a.outcome.as_deref()).collect();
    match outcomes.as_slice() {
        [Some("network.lost"), Some("ok")] => {}
        // It had not got around to the trigger.
        [Some("ok")] if last == "the trigger" => {}
        other => panic!("after {last}: {other:?}"),
    }
    true
}

#[test]
fn a_job_goes_on_wherever_the_platform_dies() {
    let deaths = (0..).take_while(|messages| dies_after(*messages)).count();
    // Trigger, six requests, five replies, one word of progress: the reply to the commit ends it.
    assert_eq!(deaths, 13);
}

#[test]
fn a_commit_whose_reply_died_with_the_platform_is_completed_by_the_birth() {
    let platform = platform();
    let number = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (_commit, document) = device.run_to_commit(&platform);
    let platform = platform.restart().unwrap();
    let job = platform.job(number).unwrap().unwrap();
    assert_eq!(
        job.state,
        JobState::ConfUpdated,
        "it may be over, for all we know"
    );
    // The configuration names the same address as before.
    let target = join_target(&platform, &document).unwrap();
    birth(&target, "dev", &transaction(1));
    completed(&platform, number);
}

#[test]
fn a_device_that_does_not_come_back_leaves_a_failed_job() {
    let platform = platform();
    let number = platform.request("dev", "secret").unwrap();
    let device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    device.expect("PROV-V1/PUT/certificates");
    let platform = platform.restart().unwrap();
    let job = platform
        .wait_for(number, JobState::Failed, PATIENCE)
        .unwrap();
    assert_eq!(job.error_code.as_deref(), Some("network.lost"));
    assert_eq!(
        job.error_message.as_deref(),
        Some("the platform was restarted")
    );
}
