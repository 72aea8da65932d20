//! Signed requests to a device that is provisioned: each fault is what it says, for the
//! component's own verifier.

use super::client::device::Device;
use super::client::{Client, PATIENCE};
use super::{completed, join_target, platform};
use kura_formats::payload::{decode, encode, Limits, Payload};
use kura_formats::request::{ids, refusal, reply, ResponseCode};
use kura_formats::topic::{Incoming, Method, RequestTopic, Topics};
use provision_platform::clock;
use provision_platform::control::{ControlError, ControlFault, ControlReply, ControlRequest};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::platform::PlatformError;
use provision_platform::store::{ControlState, NewPackage};
use provisioning_service::trust::{Clock, Freshness, SignedView, Verifier};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A device in its account.
struct Member {
    client: Client,
    verifier: Verifier,
}

fn member(platform: &TestPlatform) -> Member {
    let request = platform.request("dev", "secret").unwrap();
    let mut device = Device::connect(platform, "dev", "secret").unwrap();
    let (commit, document) = device.run_to_commit(platform);
    // Before it joins, which ends the session here where both are one broker.
    device.accept(&commit);
    completed(platform, request);
    let client = join_target(platform, &document).unwrap();
    Member {
        client,
        verifier: device.verifier,
    }
}

impl Member {
    fn request(&self) -> (RequestTopic, Payload) {
        loop {
            let message = self.client.message();
            if let Incoming::Request(topic) = Topics::default().classify(&message.topic) {
                return (topic, decode(&message.payload, &Limits::default()).unwrap());
            }
        }
    }

    fn judge(&mut self, topic: &RequestTopic, payload: &Payload) -> Result<(), &'static str> {
        let application_topic = topic.application_topic();
        let view = SignedView {
            account: &topic.account,
            client_id: &topic.client_id,
            application_topic: &application_topic,
            payload,
        };
        let clock = Clock::Plausible(clock::now());
        let verdict = self.verifier.verify(&view, clock, Freshness::Window);
        verdict.map(drop).map_err(|e| e.code())
    }

    fn answer(&self, topic: &RequestTopic, payload: &Payload, reply: &Payload) {
        let ids = ids(payload).unwrap();
        let to = Topics::default()
            .reply(&topic.account, &ids.requester, &topic.app, &ids.request_id)
            .unwrap();
        self.client.publish(&to, encode(reply));
    }

    /// Answers the next request as a gateway would.
    fn serve(&mut self) {
        let (topic, payload) = self.request();
        let answer = match self.judge(&topic, &payload) {
            Ok(()) => reply(ResponseCode::Ok, 1).with_body(topic.application_topic()),
            Err(code) => refusal(ResponseCode::Forbidden, code, "says the test", 1),
        };
        self.answer(&topic, &payload, &answer);
    }
}

fn get(resource: &str) -> ControlRequest {
    ControlRequest::new("acme", "dev", Method::Get, "CONF-V1", resource)
}

/// Asks while the member answers so many requests.
fn ask(
    platform: &TestPlatform,
    member: &mut Member,
    asked: &ControlRequest,
    requests: usize,
) -> Result<ControlReply, PlatformError> {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| platform.control(asked));
        for _ in 0..requests {
            member.serve();
        }
        asking.join().unwrap()
    })
}

#[test]
fn a_request_is_verified_and_its_reply_comes_back() {
    for same_broker in [false, true] {
        let platform = TestPlatform::start_with(Pki::create().unwrap(), |mut settings| {
            settings.same_broker = same_broker;
            settings
        })
        .unwrap();
        let mut member = member(&platform);
        let reply = ask(&platform, &mut member, &get("configurations/a"), 1).unwrap();
        assert_eq!(reply.code, 200);
        let body = reply.payload.body.unwrap();
        assert_eq!(body, b"CONF-V1/GET/configurations/a");
    }
}

#[test]
fn each_fault_is_refused_for_its_own_reason() {
    let platform = platform();
    let mut member = member(&platform);
    for fault in ControlFault::ALL {
        let (expected, requests) = match fault {
            ControlFault::None => ("", 1),
            ControlFault::Unsigned => ("signature.missing", 1),
            ControlFault::OtherSigner => ("signature.untrusted", 1),
            ControlFault::Altered | ControlFault::OtherClient => ("signature.invalid", 1),
            ControlFault::WithoutTimestamp => ("signature.invalid", 1),
            ControlFault::Stale | ControlFault::Early => ("signature.replayed", 1),
            ControlFault::Replayed | ControlFault::SameSignatureId => ("signature.replayed", 2),
        };
        let asked = get("snapshots").with_fault(fault);
        let reply = ask(&platform, &mut member, &asked, requests).unwrap();
        let code = reply.payload.string("prov.error.code").unwrap_or_default();
        assert_eq!(code, expected, "{fault:?}");
        assert_eq!(ControlFault::from_name(fault.name()), Some(fault));
    }
}

#[test]
fn a_gateway_that_keeps_silent_is_given_up_and_a_broker_that_is_gone_is_named() {
    let platform = platform();
    let _member = member(&platform);
    let mut asked = get("snapshots");
    asked.within = Duration::from_millis(200);
    let error = platform.control(&asked).unwrap_err();
    assert!(
        matches!(&error, PlatformError::Control(ControlError::Silent { client_id, .. }) if client_id == "dev"),
        "{error}"
    );
    platform.target_broker().kill();
    asked.within = Duration::from_millis(2000);
    let error = platform.control(&asked).unwrap_err();
    assert!(matches!(error, PlatformError::Control(_)), "{error}");
}

#[test]
fn a_request_that_another_process_left_is_sent_once_and_its_reply_is_sealed() {
    let platform = platform();
    let mut member = member(&platform);
    let mut asked = get("configurations").with_body("canary-body");
    asked.metrics.push(("a.metric".to_owned(), 7_i64.into()));
    let id = platform.store().leave_control(&asked).unwrap();
    let (topic, payload) = member.request();
    assert_eq!(member.judge(&topic, &payload), Ok(()));
    assert_eq!(payload.body.as_deref(), Some(&b"canary-body"[..]));
    assert_eq!(payload.int64("a.metric"), Some(7));
    member.answer(
        &topic,
        &payload,
        &reply(ResponseCode::Ok, 1).with_body("canary-reply"),
    );
    let answered = platform
        .wait_until(PATIENCE, |store| match store.control(id)? {
            ControlState::Answered(reply) => Ok(Some(reply)),
            _ => Ok(None),
        })
        .unwrap()
        .expect("a reply");
    assert_eq!(answered.code, 200);
    assert_eq!(answered.payload.body.as_deref(), Some(&b"canary-reply"[..]));
    for entry in std::fs::read_dir(&platform.settings().data).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            assert!(
                !content.windows(6).any(|w| w == b"canary"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn a_package_is_served_until_the_gateway_says_how_that_ended() {
    let platform = platform();
    let member = member(&platform);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.zip");
    std::fs::write(&file, "content").unwrap();
    let package = NewPackage {
        file,
        name: "app".to_owned(),
        version: "1".to_owned(),
    };
    let mut asked = ControlRequest::new("acme", "dev", Method::Exec, "DEPLOY-V2", "download");
    asked.package = Some(platform.store().take_in(&package).unwrap());
    asked.until_notified = Some("download".to_owned());
    let done = std::thread::scope(|scope| {
        let asking = scope.spawn(|| platform.control(&asked));
        let (topic, payload) = member.request();
        let uri = payload.string("dp.uri").unwrap().to_owned();
        let root = platform.pki().tls_root.certificate();
        let fetch = || super::client::http::Fetch::default().get(&uri, root);
        assert_eq!(fetch().body, b"content");
        member.answer(&topic, &payload, &reply(ResponseCode::Ok, 1));
        let requester = ids(&payload).unwrap().requester;
        for status in ["IN_PROGRESS", "COMPLETED"] {
            let notification = Payload::new()
                .with_metric("job.id", payload.int64("job.id").unwrap())
                .with_metric("dp.download.status", status);
            let to = Topics::default()
                .notify("acme", &requester, "DEPLOY-V2", "dev", "download")
                .unwrap();
            member.client.publish(&to, encode(&notification));
        }
        let done = asking.join().unwrap().unwrap();
        assert_eq!(fetch().status, 404, "no longer on offer");
        done
    });
    let status = done.notification.unwrap();
    assert_eq!(status.string("dp.download.status"), Some("COMPLETED"));
}

#[test]
fn the_command_line_prints_the_reply_and_says_by_its_exit_code_how_it_went() {
    let platform = platform();
    let mut member = member(&platform);
    let data = platform.settings().data.clone();
    let mut ask = |more: &[&str], requests: usize| {
        let asking = Command::new(env!("CARGO_BIN_EXE_provision-platform"))
            .args(["control", "--client-id", "dev", "--data"])
            .arg(&data)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        for _ in 0..requests {
            member.serve();
        }
        let output = asking.wait_with_output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (
            output.status.code(),
            text(&output.stdout),
            text(&output.stderr),
        )
    };
    // It answers all the same, so a doubt is all that is said.
    let doubt = "provision-platform: no device dev was provisioned into acme here\n";
    for (more, topic) in [
        (&["conf", "get"][..], "CONF-V1/GET/configurations"),
        (&["conf", "get", "a"], "CONF-V1/GET/configurations/a"),
        (&["snapshots", "list"], "CONF-V1/GET/snapshots"),
        (&["snapshots", "take"], "CONF-V1/EXEC/snapshot"),
        (&["snapshots", "rollback", "7"], "CONF-V1/EXEC/rollback/7"),
        (&["deploy", "list"], "DEPLOY-V2/GET/packages"),
        (&["keys", "list"], "KEYS-V1/GET/keystores/entries"),
        (
            &["keys", "csr", "a", "--subject", "CN=a"],
            "KEYS-V1/POST/keystores/entries/csr",
        ),
        (
            &["send", "DEL", "X-V1/a/b", "--metric", "n:int=1"],
            "X-V1/DEL/a/b",
        ),
    ] {
        assert_eq!(
            ask(more, 1),
            (Some(0), format!("{topic}\n"), doubt.to_owned()),
            "{more:?}"
        );
    }
    let (code, _, errors) = ask(&["--fault", "unsigned", "conf", "get"], 1);
    assert_eq!(code, Some(4));
    assert!(errors.contains("403 signature.missing"), "{errors}");
    let (code, json, _) = ask(&["--json", "conf", "get"], 1);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((code, json["code"].as_i64()), (Some(0), Some(200)));
}
