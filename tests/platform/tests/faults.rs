//! The platform misbehaves as scripted, and then does the right thing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;

use client::device::{root, Device};
use client::PATIENCE;
use kura_formats::configurations::{read, remote_open, XmlLimits};
use kura_formats::request::ResponseCode;
use mqtt_session::Failure;
use openssl::sha::sha256;
use provision_platform::behaviour::{
    Behaviour, CommitFault, ConfigurationFault, Order, Script, Signing, Step,
};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, Pki, Profile};
use provision_platform::store::JobState;
use std::time::Duration;

fn platform(script: impl Into<Script>) -> (TestPlatform, i64) {
    platform_waiting(Duration::from_secs(60), script)
}

/// A platform that gives a device so long for each reply.
fn platform_waiting(reply_timeout: Duration, script: impl Into<Script>) -> (TestPlatform, i64) {
    client::log();
    let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
        settings.reply_timeout = reply_timeout;
        settings
    })
    .unwrap();
    platform.behave(script).unwrap();
    let request = platform.request("dev", "secret").unwrap();
    (platform, request)
}

fn device(platform: &TestPlatform) -> Device {
    Device::connect(platform, "dev", "secret").unwrap()
}

fn failed(platform: &TestPlatform, request: i64) -> String {
    let job = platform
        .wait_for(request, JobState::Failed, PATIENCE)
        .unwrap();
    job.error_code.unwrap()
}

/// Shorter than any healthy wait, for tests in which nobody answers.
const BRIEFLY: Duration = Duration::from_millis(500);

/// The next trigger gets its certificates.
fn device_answered_again(platform: &TestPlatform) {
    let device = device(platform);
    device.trigger();
    device.expect("PROV-V1/PUT/certificates");
}

/// The next attempt works.
fn succeeds(platform: &TestPlatform, request: i64) {
    let mut device = device(platform);
    let (commit, _) = device.run_to_commit(platform);
    device.accept(&commit);
    platform
        .wait_for(request, JobState::Completed, PATIENCE)
        .unwrap();
}

#[test]
fn a_silent_platform_sends_nothing_and_answers_the_next_attempt() {
    let (platform, request) = platform_waiting(BRIEFLY, Script::once(Behaviour::silent()));
    let device = device(&platform);
    device.trigger();
    assert_eq!(failed(&platform, request), "platform.silent");
    let job = platform.job(request).unwrap().unwrap();
    let store = platform.store();
    let attempts = store.attempts(job.id).unwrap();
    assert!(store.exchanges(attempts[0].id).unwrap().is_empty());
    drop(store);
    // Answered again, however fast this device is.
    device_answered_again(&platform);
}

#[test]
fn a_silent_device_fails_the_attempt() {
    let (platform, request) = platform_waiting(BRIEFLY, Script::default());
    let device = device(&platform);
    device.trigger();
    device.expect("PROV-V1/PUT/certificates");
    assert_eq!(failed(&platform, request), "device.silent");
    let job = platform.job(request).unwrap().unwrap();
    assert!(!job.commit_sent);
}

#[test]
fn a_scripted_reject_carries_its_code_and_its_pause() {
    let (platform, request) = platform(Script::once(Behaviour::rejecting(
        "request.unknown",
        "not you",
        Some(7),
    )));
    let mut device = device(&platform);
    device.trigger();
    let reject = device.expect("PROV-V1/EXEC/reject");
    assert_eq!(
        reject.payload.string("prov.error.code"),
        Some("request.unknown")
    );
    assert_eq!(reject.payload.string("prov.error.message"), Some("not you"));
    assert_eq!(reject.payload.int32("retry.after"), Some(7));
    assert!(
        reject.payload.get("signature").is_none(),
        "no signer is known yet"
    );
    device.accept(&reject);
    assert_eq!(failed(&platform, request), "request.unknown");
    succeeds(&platform, request);
}

#[test]
fn a_reject_after_the_certificates_is_signed() {
    let rejection = Behaviour::rejecting("request.expired", "too late", None);
    let (_, rejection) = rejection.reject_at.unwrap();
    let (platform, _) = platform(Script::once(Behaviour {
        reject_at: Some((Step::Commit, rejection)),
        ..Behaviour::default()
    }));
    let mut device = device(&platform);
    device.trigger();
    let certificates = device.expect("PROV-V1/PUT/certificates");
    device.judge_chain(&certificates, &root(&platform)).unwrap();
    device.accept(&certificates);
    let configuration = device.expect("CONF-V1/PUT/configurations");
    device.accept(&configuration);
    let reject = device.expect("PROV-V1/EXEC/reject");
    device.judge(&reject).unwrap();
}

#[test]
fn each_wrong_signature_is_wrong_in_its_own_way() {
    let cases = [
        (Signing::Right, Ok(())),
        (Signing::Missing, Err("signature.missing")),
        (Signing::OtherSigner, Err("signature.untrusted")),
        (Signing::Altered, Err("signature.invalid")),
        (Signing::OtherClient, Err("signature.invalid")),
        (Signing::WithoutTimestamp, Err("signature.invalid")),
        (Signing::WithoutNonce, Err("signature.replayed")),
    ];
    for (signing, expected) in cases {
        let (platform, _) = platform(Script::once(Behaviour {
            signing,
            ..Behaviour::default()
        }));
        let mut device = device(&platform);
        device.trigger();
        let certificates = device.expect("PROV-V1/PUT/certificates");
        device.judge_chain(&certificates, &root(&platform)).unwrap();
        device.accept(&certificates);
        let configuration = device.expect("CONF-V1/PUT/configurations");
        assert_eq!(device.judge(&configuration), expected, "{signing:?}");
    }
}

#[test]
fn each_bad_chain_is_bad_in_its_own_way() {
    let pki = Pki::create().unwrap();
    let other = Identity::self_signed(&Profile::authority("other")).unwrap();
    let signer = Profile::signer("signer");
    let issue = |profile: Profile| pki.intermediate.issue(&profile).unwrap();
    let cases = [
        (issue(signer.clone()), Ok(())),
        (other.issue(&signer).unwrap(), Err("trust.untrusted-root")),
        (issue(signer.clone().expired()), Err("trust.expired")),
        (
            issue(signer.clone().not_yet_valid()),
            Err("trust.not-yet-valid"),
        ),
        (
            issue(
                signer
                    .clone()
                    .key(provision_platform::pki::KeyKind::Rsa(1024)),
            ),
            Err("trust.weak"),
        ),
        (
            issue(signer.clone().server_auth_only()),
            Err("trust.invalid"),
        ),
    ];
    for (identity, expected) in cases {
        let subject = format!("{identity:?} {expected:?}");
        let script = Script::once(Behaviour {
            signer: Some(identity),
            ..Behaviour::default()
        });
        let (platform, _) = platform(script);
        let mut device = device(&platform);
        device.trigger();
        let certificates = device.expect("PROV-V1/PUT/certificates");
        let roots = [pki.root.certificate().clone()];
        assert_eq!(
            device.judge_chain(&certificates, &roots),
            expected,
            "{subject}"
        );
    }
}

#[test]
fn each_wrong_commit_is_wrong_in_one_value() {
    for fault in [
        CommitFault::Digest,
        CommitFault::Nonce,
        CommitFault::Transaction,
    ] {
        let (platform, request) = platform(Script::once(Behaviour {
            commit: fault,
            ..Behaviour::default()
        }));
        let mut device = device(&platform);
        device.trigger();
        let certificates = device.expect("PROV-V1/PUT/certificates");
        device.accept(&certificates);
        let configuration = device.expect("CONF-V1/PUT/configurations");
        device.accept(&configuration);
        let commit = device.expect("PROV-V1/EXEC/commit");
        let manifest: String = [
            ("PROV-V1/certificates", certificates.payload.body.unwrap()),
            (
                "CONF-V1/configurations",
                configuration.payload.body.unwrap(),
            ),
        ]
        .iter()
        .map(|(path, body)| {
            let digest: String = sha256(body).iter().map(|b| format!("{b:02x}")).collect();
            format!("{path} {digest} {}\n", body.len())
        })
        .collect();
        let digest = sha256(manifest.as_bytes());
        let wrong = [
            (
                CommitFault::Digest,
                commit.payload.bytes("prov.manifest.sha256") != Some(&digest),
            ),
            (
                CommitFault::Nonce,
                commit.payload.bytes("prov.nonce") != Some(&device.nonce),
            ),
            (
                CommitFault::Transaction,
                commit.payload.string("prov.transaction.id") != Some(&device.transaction),
            ),
        ];
        for (value, is_wrong) in wrong {
            assert_eq!(is_wrong, value == fault, "{fault:?}: {value:?}");
        }
        device.refuse(&commit, ResponseCode::Conflict, "transaction.mismatch");
        assert_eq!(failed(&platform, request), "transaction.mismatch");
        succeeds(&platform, request);
    }
}

#[test]
fn a_refused_step_out_of_order_does_not_end_the_attempt() {
    let orders = [
        (Order::ConfigurationFirst, 0, "CONF-V1/PUT/configurations"),
        (Order::CommitFirst, 0, "PROV-V1/EXEC/commit"),
        (Order::CertificatesTwice, 1, "PROV-V1/PUT/certificates"),
    ];
    for (order, position, name) in orders {
        let (platform, request) = platform(Script::once(Behaviour {
            order,
            ..Behaviour::default()
        }));
        let mut device = device(&platform);
        device.trigger();
        for number in 0.. {
            let next = device.request();
            if number == position {
                assert_eq!(next.name(), name);
                device.refuse(&next, ResponseCode::Conflict, "protocol.unexpected");
                continue;
            }
            if next.name() == "PROV-V1/EXEC/commit" {
                device.check_commit(&next);
                device.accept(&next);
                break;
            }
            device.accept(&next);
        }
        platform
            .wait_for(request, JobState::Completed, PATIENCE)
            .unwrap();
    }
}

#[test]
fn everything_twice_counts_once() {
    let (platform, request) = platform(Script::once(Behaviour {
        twice: true,
        ..Behaviour::default()
    }));
    let mut device = device(&platform);
    device.trigger();
    for name in [
        "PROV-V1/PUT/certificates",
        "CONF-V1/PUT/configurations",
        "PROV-V1/EXEC/commit",
    ] {
        let first = device.expect(name);
        let again = device.expect(name);
        assert_eq!(first.payload, again.payload);
        if name == "PROV-V1/EXEC/commit" {
            device.check_commit(&first);
        }
        device.accept(&first);
    }
    platform
        .wait_for(request, JobState::Completed, PATIENCE)
        .unwrap();
}

#[test]
fn an_ignored_reply_to_the_commit_leaves_the_job_to_the_birth() {
    let (platform, request) = platform(Script::once(Behaviour {
        deaf_to: Some(Step::Commit),
        ..Behaviour::default()
    }));
    let mut device = device(&platform);
    let (commit, _) = device.run_to_commit(&platform);
    device.accept(&commit);
    platform
        .wait_until(PATIENCE, |store| {
            let job = store.current_job(request)?.unwrap();
            let attempt = store.attempts(job.id)?.pop().unwrap();
            let last = store.exchanges(attempt.id)?.pop().unwrap();
            Ok(last.response_code.filter(|code| *code == 200))
        })
        .unwrap()
        .expect("the reply arrives");
    assert_eq!(
        platform.job(request).unwrap().unwrap().state,
        JobState::ConfUpdated
    );
}

#[test]
fn a_broker_killed_in_the_middle_ends_the_attempt_and_comes_back() {
    for step in [Step::Certificates, Step::Configuration(0), Step::Commit] {
        let (platform, request) = platform(Script::once(Behaviour {
            kill_broker_at: Some(step),
            ..Behaviour::default()
        }));
        let mut device = device(&platform);
        device.trigger();
        if step != Step::Certificates {
            let certificates = device.expect("PROV-V1/PUT/certificates");
            device.accept(&certificates);
        }
        if step == Step::Commit {
            let configuration = device.expect("CONF-V1/PUT/configurations");
            device.accept(&configuration);
        }
        assert!(matches!(device.client.end(), Failure::Lost { .. }));
        assert_eq!(failed(&platform, request), "network.lost");
        assert!(!platform.provision_broker().is_running());
        platform.restart_provision_broker().unwrap();
        succeeds(&platform, request);
    }
}

#[test]
fn wrong_configurations_are_wrong_as_scripted() {
    let read = |body: &[u8]| read(body, &XmlLimits::default(), &mut remote_open).unwrap();
    let document = b"<esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\"/>".to_vec();
    let cases = [
        ConfigurationFault::Misfit,
        ConfigurationFault::RefusedCredentials,
        ConfigurationFault::Broker("mqtts://localhost:1".to_owned()),
        ConfigurationFault::Documents(vec![document.clone()]),
    ];
    for fault in cases {
        let (platform, request) = platform(Script::once(Behaviour {
            configuration: fault.clone(),
            ..Behaviour::default()
        }));
        let target = platform.store().request(request).unwrap().unwrap().target;
        let mut device = device(&platform);
        let (commit, body) = device.run_to_commit(&platform);
        let all = read(&body);
        let transport = all.iter().find(|c| c.pid.contains("MqttDataTransport"));
        let property = |name: &str| transport.unwrap().properties.get(name).unwrap();
        match &fault {
            ConfigurationFault::Misfit => {
                assert_eq!(property("keep-alive").as_str(), Some("soon"));
            }
            ConfigurationFault::RefusedCredentials => {
                let sent = property("password").as_secret().unwrap().expose();
                assert_ne!(sent, target.password.expose());
            }
            ConfigurationFault::Broker(url) => {
                assert_eq!(property("broker-url").as_str(), Some(url.as_str()));
            }
            _ => assert_eq!(body, document),
        }
        device.refuse(&commit, ResponseCode::Internal, "proof.failed");
        assert_eq!(failed(&platform, request), "proof.failed");
        succeeds(&platform, request);
    }
}

#[test]
fn a_delay_goes_before_each_step() {
    let delay = Duration::from_millis(150);
    let (platform, _) = platform(Script::always(Behaviour {
        delay,
        ..Behaviour::default()
    }));
    let mut device = device(&platform);
    let start = std::time::Instant::now();
    device.run_to_commit(&platform);
    assert!(start.elapsed() >= delay * 3);
}

#[test]
fn a_frozen_broker_accepts_and_never_answers() {
    let (platform, request) = platform(Script::default());
    platform.provision_broker().freeze().unwrap();
    let port = platform.provision_broker().port();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut byte = [0];
    let error = std::io::Read::read(&mut stream, &mut byte).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    platform.provision_broker().thaw().unwrap();
    succeeds(&platform, request);
}
