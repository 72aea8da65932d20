//! A device comes, is provisioned or is told why not.

use super::client::device::{root, transaction, Device, ACCOUNT};
use super::client::{Client, Login, PATIENCE};
use super::{birth, completed, credentials, failed, join_target, platform};
use kura_formats::request::ResponseCode;
use mqtt_session::Failure;
use provision_platform::clock;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{fingerprint, Pki, Profile};
use provision_platform::platform::Admission;
use provision_platform::store::{Attachment, JobState, NewRequest};

#[test]
fn a_device_is_provisioned_and_joins_its_account() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (commit, document) = device.run_to_commit(&platform);
    let target = join_target(&platform, &document).unwrap();
    device.accept(&commit);
    let job = completed(&platform, request);
    assert_eq!(job.transaction_id.as_deref(), Some(transaction(1).as_str()));
    birth(&target, "dev", &transaction(1));
    let devices = platform
        .wait_until(PATIENCE, |store| {
            Ok(Some(store.devices()?).filter(|d| !d.is_empty()))
        })
        .unwrap()
        .unwrap();
    assert_eq!(
        (devices[0].account.as_str(), devices[0].client_id.as_str()),
        ("acme", "dev")
    );
    let store = platform.store();
    use JobState::*;
    assert_eq!(
        store.states(job.id).unwrap(),
        [Running, Started, ConfUpdating, ConfUpdated, Completed]
    );
    let attempts = store.attempts(job.id).unwrap();
    assert_eq!(attempts.len(), 1);
    assert_eq!(attempts[0].outcome.as_deref(), Some("ok"));
    let exchanges = store.exchanges(attempts[0].id).unwrap();
    let topics: Vec<_> = exchanges
        .iter()
        .map(|e| e.application_topic.as_str())
        .collect();
    assert_eq!(
        topics,
        [
            "PROV-V1/PUT/certificates",
            "CONF-V1/PUT/configurations",
            "PROV-V1/EXEC/commit"
        ]
    );
    assert!(exchanges.iter().all(|e| e.response_code == Some(200)));
}

#[test]
fn a_device_that_is_refused_at_the_door_is_seen() {
    let platform = platform();
    platform.request("dev", "secret").unwrap();
    assert!(platform.store().knock("dev", 0).unwrap().is_none());
    let before = clock::now();
    let refused = Device::connect(&platform, "dev", "canary-wrong").err();
    assert!(matches!(refused, Some(Failure::NotAuthorized)));
    let knock = platform
        .wait_until(PATIENCE, |store| store.knock("dev", before))
        .unwrap()
        .unwrap();
    assert_eq!(knock.count, 1);
    assert!(knock.first_on >= before && knock.last_on <= clock::now());
    // What was before a request was made is not about it.
    let after = platform.store().knock("dev", knock.last_on + 1).unwrap();
    assert_eq!(after, None);
}

#[test]
fn a_lost_reply_to_the_commit_is_made_good_by_the_birth() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (_commit, document) = device.run_to_commit(&platform);
    let target = join_target(&platform, &document).unwrap();
    birth(&target, "dev", &transaction(9));
    birth(&target, "dev", &transaction(1));
    completed(&platform, request);
}

#[test]
fn a_birth_before_any_commit_completes_nothing() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    let target = platform.store().request(request).unwrap().unwrap().target;
    let login = Login {
        client_id: "dev",
        username: &target.username,
        password: target.password.expose(),
    };
    let root_certificate = platform.pki().tls_root.certificate();
    let url = platform.target_broker().url();
    let early = Client::connect(&url, root_certificate, login, &[]).unwrap();
    birth(&early, "dev", &transaction(1));
    platform
        .wait_until(PATIENCE, |store| Ok(store.devices()?.pop()))
        .unwrap()
        .expect("the birth is noted");
    assert_eq!(
        platform.job(request).unwrap().unwrap().state,
        JobState::Running
    );
    device.judge_chain(&certificates, &root(&platform)).unwrap();
}

#[test]
fn the_same_transaction_resumes_its_job_with_the_same_documents() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (commit, first) = device.run_to_commit(&platform);
    device.refuse(&commit, ResponseCode::Internal, "proof.failed");
    assert_eq!(failed(&platform, request), "proof.failed");
    drop(device);
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (commit, second) = device.run_to_commit(&platform);
    assert_eq!(first, second);
    device.accept(&commit);
    let job = completed(&platform, request);
    assert_eq!(platform.store().jobs(request).unwrap().len(), 1);
    assert_eq!(platform.store().attempts(job.id).unwrap().len(), 2);
}

#[test]
fn a_completed_transaction_is_answered_again_and_provisions_once() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut documents = Vec::new();
    for _ in 0..2 {
        let mut device = Device::connect(&platform, "dev", "secret").unwrap();
        let (commit, document) = device.run_to_commit(&platform);
        device.accept(&commit);
        completed(&platform, request);
        documents.push(document);
    }
    assert_eq!(documents[0], documents[1]);
    assert_eq!(platform.store().jobs(request).unwrap().len(), 1);
    assert_eq!(
        platform.store().request(request).unwrap().unwrap().attempts,
        1
    );
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.transaction = transaction(2);
    device.trigger();
    let reject = device.expect("PROV-V1/EXEC/reject");
    assert_eq!(
        reject.payload.string("prov.error.code"),
        Some("request.not-active")
    );
}

#[test]
fn another_transaction_abandons_the_job_and_keeps_the_credentials() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (_commit, first) = device.run_to_commit(&platform);
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.transaction = transaction(2);
    let (commit, second) = device.run_to_commit(&platform);
    device.accept(&commit);
    completed(&platform, request);
    assert_eq!(first, second);
    let states: Vec<_> = platform
        .store()
        .jobs(request)
        .unwrap()
        .iter()
        .map(|j| j.state)
        .collect();
    assert_eq!(states, [JobState::Abandoned, JobState::Completed]);
}

#[test]
fn a_wrong_or_missing_activation_key_is_rejected_and_the_right_one_accepted() {
    let platform = platform();
    let key = provision_platform::secret::random(32).unwrap();
    let request = platform
        .create_request(&NewRequest {
            activation_key: Some(key.clone()),
            ..NewRequest::new("dev", "user-dev", "secret", "acme")
        })
        .unwrap();
    for wrong in [None, Some("wrong".to_owned())] {
        let mut device = Device::connect(&platform, "dev", "secret").unwrap();
        device.activation_key = wrong;
        device.trigger();
        let reject = device.expect("PROV-V1/EXEC/reject");
        assert_eq!(
            reject.payload.string("prov.error.code"),
            Some("activation-key.invalid")
        );
        assert_eq!(
            reject.payload.bytes("prov.nonce"),
            Some(device.nonce.as_slice())
        );
        assert!(!reject
            .payload
            .string("prov.error.message")
            .unwrap()
            .is_empty());
        device.accept(&reject);
        assert_eq!(failed(&platform, request), "activation-key.invalid");
    }
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.activation_key = Some(key.expose().to_owned());
    let (commit, _) = device.run_to_commit(&platform);
    device.accept(&commit);
    completed(&platform, request);
}

#[test]
fn used_up_attempts_are_rejected_and_then_the_broker_is_closed() {
    let platform = platform();
    let request = platform
        .create_request(&NewRequest {
            max_attempts: Some(1),
            ..NewRequest::new("dev", "user-dev", "secret", "acme")
        })
        .unwrap();
    let device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.refuse(
        &certificates,
        ResponseCode::Forbidden,
        "trust.untrusted-root",
    );
    assert_eq!(failed(&platform, request), "trust.untrusted-root");
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    let reject = device.expect("PROV-V1/EXEC/reject");
    assert_eq!(
        reject.payload.string("prov.error.code"),
        Some("attempts.exhausted")
    );
    device.accept(&reject);
    assert!(matches!(device.client.end(), Failure::Lost { .. }));
    assert_eq!(failed(&platform, request), "attempts.exhausted");
    let refused = Device::connect(&platform, "dev", "secret").err();
    assert!(matches!(refused, Some(Failure::NotAuthorized)));
}

#[test]
fn a_request_lets_in_from_its_activation_to_its_expiry() {
    let platform = platform();
    let now = clock::now();
    let request = platform
        .create_request(&NewRequest {
            activates_on: Some(now + 3_600_000),
            ..NewRequest::new("dev", "user-dev", "secret", "acme")
        })
        .unwrap();
    let refusal = |p: &TestPlatform| Device::connect(p, "dev", "secret").err();
    let refusal_now = refusal(&platform);
    assert!(
        matches!(refusal_now, Some(Failure::NotAuthorized)),
        "{refusal_now:?}"
    );
    platform
        .store()
        .set_window(request, Some(now - 1), None)
        .unwrap();
    platform.follow().unwrap();
    let device = Device::connect(&platform, "dev", "secret").unwrap();
    // Nobody tells the platform when it is time.
    platform
        .store()
        .set_window(request, Some(now - 1), Some(clock::now() + 700))
        .unwrap();
    assert!(matches!(device.client.end(), Failure::Lost { .. }));
    assert!(
        platform
            .store()
            .request(request)
            .unwrap()
            .unwrap()
            .expires_on
            <= Some(clock::now())
    );
    let refusal_now = refusal(&platform);
    assert!(
        matches!(refusal_now, Some(Failure::NotAuthorized)),
        "{refusal_now:?}"
    );
}

#[test]
fn a_request_that_expires_during_an_attempt_rejects_it() {
    let platform = platform();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(&platform)).unwrap();
    platform
        .store()
        .set_window(request, None, Some(clock::now() + 100))
        .unwrap();
    let reject = device.expect("PROV-V1/EXEC/reject");
    device
        .judge(&reject)
        .expect("signed, as the signer is known");
    assert_eq!(
        reject.payload.string("prov.error.code"),
        Some("request.expired")
    );
    device.accept(&reject);
    assert!(matches!(device.client.end(), Failure::Lost { .. }));
    assert_eq!(failed(&platform, request), "request.expired");
}

#[test]
fn a_platform_that_lets_everybody_in_says_by_reject_why_not() {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
        settings.admission = Admission::ByTrigger;
        settings
    })
    .unwrap();
    let now = clock::now();
    let cases = [
        ("early", Some(now + 3_600_000), None, "request.not-active"),
        ("late", None, Some(now - 1), "request.expired"),
    ];
    for (id, activates_on, expires_on, code) in cases {
        let user = format!("user-{id}");
        platform
            .create_request(&NewRequest {
                activates_on,
                expires_on,
                ..NewRequest::new(id, &user, "secret", "acme")
            })
            .unwrap();
        let device = Device::connect(&platform, id, "secret").unwrap();
        device.trigger();
        let reject = device.expect("PROV-V1/EXEC/reject");
        assert_eq!(reject.payload.string("prov.error.code"), Some(code));
        let retry_after = reject.payload.int32("retry.after");
        assert_eq!(retry_after.is_some(), code == "request.not-active");
    }
}

#[test]
fn attached_configurations_and_the_target_root_are_sent_in_order() {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |settings| {
        settings.with_target_root_apart()
    })
    .unwrap();
    let attachment = |n: u8| Attachment {
        name: format!("{n}.xml"),
        content: vec![n; 2000],
    };
    let request = platform
        .create_request(&NewRequest {
            configurations: vec![attachment(b'1'), attachment(b'2')],
            ..NewRequest::new("dev", "user-dev", "secret", "acme")
        })
        .unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(&platform)).unwrap();
    device.accept(&certificates);
    let entry = device.expect("KEYS-V1/POST/keystores/entries/certificate");
    device.judge(&entry).unwrap();
    let body: serde_json::Value =
        serde_json::from_slice(entry.payload.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["keystoreServicePid"], "SSLKeystore");
    let pem = platform.pki().target_root.certificate_pem().unwrap();
    assert_eq!(body["certificate"].as_str().unwrap().as_bytes(), pem);
    device.accept(&entry);
    for expected in [b'1', b'2'] {
        let configuration = device.expect("CONF-V1/PUT/configurations");
        device.judge(&configuration).unwrap();
        assert_eq!(configuration.payload.body, Some(vec![expected; 2000]));
        device.accept(&configuration);
    }
    let commit = device.expect("PROV-V1/EXEC/commit");
    device.check_commit(&commit);
    device.accept(&commit);
    completed(&platform, request);
}

#[test]
fn at_reprovisioning_the_signer_that_the_device_trusts_signs_everything() {
    let pki = Pki::create().unwrap();
    let former = pki
        .intermediate
        .issue(&Profile::signer("Former Signer"))
        .unwrap();
    let trusted = fingerprint(former.certificate()).unwrap();
    let for_settings = former.clone();
    let platform = TestPlatform::start_with(pki, |mut settings| {
        settings.former_signers = vec![for_settings];
        settings
    })
    .unwrap();
    platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    device.trusted_signers = format!("ff{}, {trusted}", &trusted[2..]);
    device.verifier.trust(&[former.certificate().clone()], &[]);
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge(&certificates).unwrap();
    device.accept(&certificates);
    let configuration = device.expect("CONF-V1/PUT/configurations");
    device.judge(&configuration).unwrap();
}

#[test]
fn one_broker_can_hold_both_accounts() {
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
        settings.same_broker = true;
        settings
    })
    .unwrap();
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(&platform, "dev", "secret").unwrap();
    let (_commit, document) = device.run_to_commit(&platform);
    assert_eq!(credentials(&document).0, platform.provision_broker().url());
    let target = join_target(&platform, &document).unwrap();
    // Same client-id at the same broker: the provisioning link ends.
    assert!(matches!(device.client.end(), Failure::Lost { .. }));
    birth(&target, "dev", &transaction(1));
    completed(&platform, request);
}

#[test]
fn the_trigger_of_one_device_does_not_touch_another() {
    let platform = platform();
    let first = platform.request("one", "secret").unwrap();
    let second = platform.request("two", "secret").unwrap();
    let mut one = Device::connect(&platform, "one", "secret").unwrap();
    let mut two = Device::connect(&platform, "two", "secret").unwrap();
    let (commit_one, _) = one.run_to_commit(&platform);
    let (commit_two, _) = two.run_to_commit(&platform);
    two.accept(&commit_two);
    completed(&platform, second);
    assert_eq!(
        platform.job(first).unwrap().unwrap().state,
        JobState::ConfUpdated
    );
    one.accept(&commit_one);
    completed(&platform, first);
    assert_eq!(ACCOUNT, platform.settings().account);
}
