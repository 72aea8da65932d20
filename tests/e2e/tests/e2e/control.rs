//! A member of an account, and what the account asks of it: signed, or as somebody else would.

use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::site::CONNECTION;
use e2e::Site;
use gateway_host_sdk::cloud::ControlReport;
use gateway_host_sdk::keystore::DM_KEYSTORE;
use gateway_host_sdk::ConnectionState;
use kura_formats::payload::{decode, encode, Payload};
use provision_platform::harness::TestPlatform;
use provision_platform::link::{Link, Notice};
use provision_platform::pki::{Identity, Profile};
use provisioning_service::trust::{sign, SignedView};
use serde_json::{json, Value};

const WAIT: Duration = Duration::from_secs(30);
const CLIENT: &str = "gw-1";

/// A gateway after its provisioning, connected to its account.
struct Member {
    platform: TestPlatform,
    site: Site,
    link: Link,
    replies: Receiver<(String, Vec<u8>)>,
}

/// A request and who signs it.
struct Request<'a> {
    what: &'a str,
    id: &'a str,
    body: Vec<u8>,
    signer: &'a Identity,
    /// Added to the clock, in ms.
    late: i64,
    /// Whom it is signed for.
    client_id: &'a str,
    sig_id: &'a str,
}

impl<'a> Request<'a> {
    fn new(signer: &'a Identity, what: &'a str, id: &'a str) -> Request<'a> {
        Request {
            what,
            id,
            body: Vec::new(),
            signer,
            late: 0,
            client_id: CLIENT,
            sig_id: id,
        }
    }

    fn unsigned(&self) -> Payload {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_millis()).unwrap();
        Payload::new()
            .with_timestamp(now)
            .with_metric("request.id", self.id)
            .with_metric("requester.client.id", "operator")
            .with_metric("sig.id", self.sig_id)
            .with_metric("sig.timestamp", now + self.late)
            .with_body(self.body.clone())
    }

    fn signed(&self) -> Payload {
        let payload = self.unsigned();
        let view = SignedView {
            account: "acme",
            client_id: self.client_id,
            application_topic: self.what,
            payload: &payload,
        };
        let content = view.canonical().unwrap();
        let signature = sign(&content, self.signer.certificate(), self.signer.key()).unwrap();
        payload.with_metric("signature", signature)
    }
}

impl Member {
    fn new() -> Member {
        let platform = TestPlatform::start().unwrap();
        platform.request(CLIENT, "claim-secret").unwrap();
        let mut site = Site::new(&platform, CLIENT, "claim-secret").unwrap();
        site.start().unwrap();
        site.wait_provisioned().unwrap();
        let (heard, replies) = channel();
        let topics = ["$EDC/acme/operator/#".to_owned()];
        let link = Link::open(
            platform.target_broker(),
            "operator",
            &topics,
            move |notice| {
                if let Notice::Message(message) = notice {
                    let _ = heard.send((message.topic, message.payload));
                }
            },
        )
        .unwrap();
        let member = Member {
            platform,
            site,
            link,
            replies,
        };
        member.wait_connected();
        member
    }

    fn wait_connected(&self) {
        let connected = || {
            let framework = self.site.framework().unwrap();
            let all = framework.connections();
            all.iter()
                .any(|c| c.pid == CONNECTION && c.state == ConnectionState::Connected)
        };
        let end = std::time::Instant::now() + WAIT;
        while !connected() {
            assert!(std::time::Instant::now() < end, "it does not connect");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn signer(&self) -> Identity {
        self.platform.pki().signer.clone()
    }

    fn send(&self, what: &str, payload: &Payload) -> Payload {
        self.send_bytes(what, encode(payload), payload.string("request.id").unwrap())
    }

    fn send_bytes(&self, what: &str, bytes: Vec<u8>, id: &str) -> Payload {
        let topic = format!("$EDC/acme/{CLIENT}/{what}");
        self.link.publish(&topic, bytes).unwrap();
        let (topic, bytes) = self.replies.recv_timeout(WAIT).unwrap();
        let app = what.split('/').next().unwrap();
        assert_eq!(topic, format!("$EDC/acme/operator/{app}/REPLY/{id}"));
        decode(&bytes, &Default::default()).unwrap()
    }

    fn ask(&self, request: &Request<'_>) -> Payload {
        self.send(request.what, &request.signed())
    }

    fn done(&self, request: &Request<'_>) -> String {
        let reply = self.ask(request);
        assert_eq!(
            reply.int32("response.code"),
            Some(200),
            "{}: {reply:?}",
            request.what
        );
        String::from_utf8(reply.body.unwrap_or_default()).unwrap()
    }

    fn report(&self) -> ControlReport {
        let mut all = self.site.framework().unwrap().connections();
        all.remove(0).control
    }
}

fn code(reply: &Payload) -> (Option<i32>, Option<&str>) {
    (
        reply.int32("response.code"),
        reply.string("prov.error.code"),
    )
}

fn name(name: &str) -> Vec<u8> {
    format!(
        r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0"><esf:configuration pid="{CONNECTION}"><esf:properties><esf:property name="device.custom-name" array="false" encrypted="false" type="String"><esf:value>{name}</esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"#
    )
    .into_bytes()
}

const OLD: &str = "CN=Device Management Signer,O=Provision Platform";
const PUT: &str = "CONF-V1/PUT/configurations";

#[test]
fn the_account_reads_and_changes_a_gateway_that_it_has_provisioned() {
    let member = Member::new();
    let signer = member.signer();
    let all = member.done(&Request::new(&signer, "CONF-V1/GET/configurations", "1"));
    assert!(all.contains(r#"pid="gwc.provisioning.ProvisioningService""#));
    assert!(!all.contains("claim-secret"));
    member.done(&Request {
        body: name("pump house"),
        ..Request::new(&signer, PUT, "2")
    });
    assert_eq!(
        member
            .site
            .property(CONNECTION, "device.custom-name")
            .unwrap(),
        Some("pump house".into())
    );
    let ids = member.done(&Request::new(&signer, "CONF-V1/GET/snapshots", "3"));
    assert!(
        ids.contains("<esf:snapshotIds>0</esf:snapshotIds>"),
        "{ids}"
    );
    let keys = member.done(&Request::new(&signer, "KEYS-V1/GET/keystores", "4"));
    assert!(keys.contains(DM_KEYSTORE), "{keys}");
    let command = Request::new(&signer, "CMD-V1/EXEC/command", "5");
    let reply = member.ask(&command);
    assert_eq!(code(&reply), (Some(404), Some("protocol.unexpected")));
    let report = member.report();
    assert_eq!((report.accepted, report.refused_in_all()), (5, 0));
}

#[test]
fn only_what_a_trusted_signer_has_just_signed_for_this_gateway_is_done() {
    let member = Member::new();
    let signer = member.signer();
    let intermediate = &member.platform.pki().intermediate;
    let stranger = intermediate.issue(&Profile::signer("Stranger")).unwrap();
    let wanted = |id: &'static str| Request {
        body: name("by nobody"),
        ..Request::new(&signer, PUT, id)
    };
    let good = wanted("0").signed();

    let mut other_id = good.clone();
    other_id
        .metrics
        .retain(|metric| metric.name != "request.id");
    other_id.push("request.id", "other id");
    let mut other_body = wanted("other body").signed();
    other_body.body = Some(name("by somebody"));
    let by = |signer, id| Request {
        signer,
        ..wanted(id)
    };
    let elsewhere = Request {
        client_id: "gw-2",
        ..wanted("elsewhere")
    };
    let stale = Request {
        late: -301_000,
        ..wanted("stale")
    };
    let early = Request {
        late: 310_000,
        ..wanted("early")
    };
    let cases = [
        (wanted("unsigned").unsigned(), "signature.missing"),
        (other_id, "signature.invalid"),
        (other_body, "signature.invalid"),
        (elsewhere.signed(), "signature.invalid"),
        (by(&stranger, "stranger").signed(), "signature.untrusted"),
        (stale.signed(), "signature.replayed"),
        (early.signed(), "signature.replayed"),
    ];
    for (payload, expected) in &cases {
        let reply = member.send(PUT, payload);
        assert_eq!(code(&reply), (Some(403), Some(*expected)), "{payload:?}");
    }
    assert_eq!(
        member
            .site
            .property(CONNECTION, "device.custom-name")
            .unwrap(),
        None,
        "nothing of it was done"
    );
    // The same bytes have the same answer, and no second effect; a used sig.id is used.
    let snapshot = Request::new(&signer, "CONF-V1/EXEC/snapshot", "once");
    let bytes = encode(&snapshot.signed());
    let first = member.send_bytes(snapshot.what, bytes.clone(), "once");
    assert_eq!(first.int32("response.code"), Some(200));
    assert_eq!(member.send_bytes(snapshot.what, bytes, "once"), first);
    let used = Request {
        id: "twice",
        ..snapshot
    };
    let reply = member.ask(&used);
    assert_eq!(code(&reply), (Some(403), Some("signature.replayed")));
    let report = member.report();
    assert_eq!((report.accepted, report.repeated), (1, 1));
    let counted: Vec<_> = report.refused.into_iter().collect();
    assert_eq!(
        counted,
        [
            ("signature.invalid", 3),
            ("signature.missing", 1),
            ("signature.replayed", 3),
            ("signature.untrusted", 1),
        ]
    );
}

#[test]
fn signers_are_rotated_and_revoked_without_a_restart() {
    let member = Member::new();
    let old = member.signer();
    let intermediate = &member.platform.pki().intermediate;
    let next = intermediate.issue(&Profile::signer("Next Signer")).unwrap();
    let get = |signer, id| member.ask(&Request::new(signer, "CONF-V1/GET/snapshots", id));
    assert_eq!(code(&get(&next, "1")).1, Some("signature.untrusted"));

    let pem = String::from_utf8(next.certificate_pem().unwrap()).unwrap();
    let trust = json!({"keystoreServicePid": DM_KEYSTORE, "alias": "next", "certificate": pem});
    member.done(&Request {
        body: trust.to_string().into_bytes(),
        ..Request::new(&old, "KEYS-V1/POST/keystores/entries/certificate", "2")
    });
    for (signer, id) in [(&next, "3"), (&old, "4")] {
        assert_eq!(get(signer, id).int32("response.code"), Some(200), "{id}");
    }

    let entries = member.done(&Request::new(&next, "KEYS-V1/GET/keystores/entries", "5"));
    let entries: Value = serde_json::from_str(&entries).unwrap();
    let alias = entries
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["subjectDN"] == OLD)
        .map(|entry| entry["alias"].clone())
        .unwrap_or_else(|| panic!("no signer of the provisioning: {entries}"));
    let gone = json!({"keystoreServicePid": DM_KEYSTORE, "alias": alias});
    member.done(&Request {
        body: gone.to_string().into_bytes(),
        ..Request::new(&next, "KEYS-V1/DEL/keystores/entries", "6")
    });
    assert_eq!(code(&get(&old, "7")).1, Some("signature.untrusted"));
    assert_eq!(get(&next, "8").int32("response.code"), Some(200));

    let framework = member.site.framework().unwrap();
    framework.keystores().remove(DM_KEYSTORE, "next").unwrap();
    assert_eq!(code(&get(&next, "9")).1, Some("signature.untrusted"));
}

#[test]
fn after_a_restart_what_was_signed_before_is_not_believed() {
    let mut member = Member::new();
    let signer = member.signer();
    let snapshot = Request::new(&signer, "CONF-V1/EXEC/snapshot", "before");
    let bytes = encode(&snapshot.signed());
    let reply = member.send_bytes(snapshot.what, bytes.clone(), "before");
    assert_eq!(reply.int32("response.code"), Some(200));
    member.site.stop();
    member.site.start().unwrap();
    member.wait_connected();
    let reply = member.send_bytes(snapshot.what, bytes, "before");
    assert_eq!(code(&reply), (Some(403), Some("signature.replayed")));
    let after = Request::new(&signer, "CONF-V1/EXEC/snapshot", "after");
    assert_eq!(member.ask(&after).int32("response.code"), Some(200));
}
