//! A member of an account, and what the account asks of it: signed, or as somebody else would.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use applications::Application;
use e2e::operator::{code, Operator, Request};
use e2e::process::Process;
use e2e::site::{gateway_binary, CONNECTION};
use e2e::Site;
use gateway_host_sdk::cloud::ControlReport;
use gateway_host_sdk::keystore::DM_KEYSTORE;
use kura_formats::payload::{encode, Payload};
use kura_formats::topic::Method;
use provision_platform::control::{ControlFault, ControlRequest};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Identity, Profile};
use provision_platform::store::NewPackage;
use serde_json::{json, Value};

const WAIT: Duration = Duration::from_secs(30);
const CLIENT: &str = "gw-1";

/// A gateway after its provisioning, connected to its account.
struct Member {
    platform: TestPlatform,
    site: Site,
    operator: Operator,
}

impl Member {
    fn new() -> Member {
        let platform = TestPlatform::start().unwrap();
        platform.request(CLIENT, "claim-secret").unwrap();
        let mut site = Site::new(&platform, CLIENT, "claim-secret").unwrap();
        site.start().unwrap();
        site.wait_provisioned().unwrap();
        let operator = Operator::new(&platform, CLIENT).unwrap();
        let member = Member {
            platform,
            site,
            operator,
        };
        member.wait_connected();
        member
    }

    fn wait_connected(&self) {
        self.site.wait_connected(WAIT).unwrap();
    }

    fn signer(&self) -> Identity {
        self.platform.pki().signer.clone()
    }

    fn send(&self, what: &str, payload: &Payload) -> Payload {
        self.operator.send(what, payload).unwrap()
    }

    fn send_bytes(&self, what: &str, bytes: Vec<u8>, id: &str) -> Payload {
        self.operator.send_bytes(what, bytes, id).unwrap()
    }

    fn ask(&self, request: &Request<'_>) -> Payload {
        self.operator.ask(request).unwrap()
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

fn name(name: &str) -> Vec<u8> {
    format!(
        r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0"><esf:configuration pid="{CONNECTION}"><esf:properties><esf:property name="device.custom-name" array="false" encrypted="false" type="String"><esf:value>{name}</esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"#
    )
    .into_bytes()
}

const OLD: &str = "CN=Device Management Signer,O=Provision Platform";
const PUT: &str = "CONF-V1/PUT/configurations";

fn asked(method: Method, app: &str, resource: &str) -> ControlRequest {
    ControlRequest::new("acme", CLIENT, method, app, resource)
}

#[test]
fn the_account_reads_and_changes_a_gateway_that_it_has_provisioned() {
    let member = Member::new();
    let done = |asked: &ControlRequest| {
        let reply = member.platform.control(asked).unwrap();
        assert_eq!(reply.code, 200, "{asked:?}: {:?}", reply.payload);
        String::from_utf8(reply.payload.body.unwrap_or_default()).unwrap()
    };
    let all = done(&asked(Method::Get, "CONF-V1", "configurations"));
    assert!(all.contains(r#"pid="gwc.provisioning.ProvisioningService""#));
    assert!(!all.contains("claim-secret"));
    done(&asked(Method::Put, "CONF-V1", "configurations").with_body(name("pump house")));
    assert_eq!(
        member
            .site
            .property(CONNECTION, "device.custom-name")
            .unwrap(),
        Some("pump house".into())
    );
    let ids = done(&asked(Method::Get, "CONF-V1", "snapshots"));
    assert!(
        ids.contains("<esf:snapshotIds>0</esf:snapshotIds>"),
        "{ids}"
    );
    let keys = done(&asked(Method::Get, "KEYS-V1", "keystores"));
    assert!(keys.contains(DM_KEYSTORE), "{keys}");
    let command = asked(Method::Exec, "CMD-V1", "command");
    let reply = member.platform.control(&command).unwrap();
    assert_eq!(
        code(&reply.payload),
        (Some(404), Some("protocol.unexpected"))
    );
    let report = member.report();
    assert_eq!((report.accepted, report.refused_in_all()), (5, 0));
}

#[test]
fn an_application_is_ordered_after_the_provisioning() {
    let member = Member::new();
    let application = Application::heater("2.0.0");
    let folder = tempfile::tempdir().unwrap();
    let package = NewPackage {
        file: application.write(folder.path()),
        name: application.name.clone(),
        version: application.version.clone(),
    };
    let mut order = asked(Method::Exec, "DEPLOY-V2", "download");
    order.package = Some(member.platform.store().take_in(&package).unwrap());
    order.until_notified = Some("install".to_owned());
    let reply = member.platform.control(&order).unwrap();
    assert_eq!(reply.code, 200);
    let end = reply.notification.unwrap();
    assert_eq!(
        end.string("dp.install.status"),
        Some("COMPLETED"),
        "{end:?}"
    );
    let installed = member.site.framework().unwrap().packages().list();
    assert_eq!(
        (installed[0].name.as_str(), installed[0].version.as_str()),
        ("heater", "2.0.0")
    );
}

#[test]
fn every_request_that_is_wrong_is_refused_for_its_own_reason() {
    let mut member = Member::new();
    for fault in ControlFault::ALL {
        let expected = match fault {
            // The same bytes have the same answer, and no second effect.
            ControlFault::None | ControlFault::Replayed => (Some(200), None),
            ControlFault::Unsigned => (Some(403), Some("signature.missing")),
            ControlFault::OtherSigner => (Some(403), Some("signature.untrusted")),
            ControlFault::Altered | ControlFault::OtherClient | ControlFault::WithoutTimestamp => {
                (Some(403), Some("signature.invalid"))
            }
            ControlFault::Stale | ControlFault::Early | ControlFault::SameSignatureId => {
                (Some(403), Some("signature.replayed"))
            }
        };
        let snapshot = asked(Method::Exec, "CONF-V1", "snapshot").with_fault(fault);
        let reply = member.platform.control(&snapshot).unwrap();
        assert_eq!(code(&reply.payload), expected, "{fault:?}");
    }
    let report = member.report();
    assert_eq!((report.accepted, report.repeated), (3, 1));
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
    // The component has counted the same, and tells it by itself.
    let counted =
        json!({"accepted": 3, "refused": counted.into_iter().collect::<BTreeMap<_, _>>()});
    let told = |status: &Value| status["control"] == counted;
    member.site.wait("the counts", WAIT, told).unwrap();
}

#[test]
fn a_captured_request_is_of_no_use_to_who_changes_it() {
    let member = Member::new();
    let signer = member.signer();
    let intermediate = &member.platform.pki().intermediate;
    let stranger = intermediate.issue(&Profile::signer("Stranger")).unwrap();
    let captured = Request {
        body: name("by the owner"),
        ..Request::new(&signer, PUT, "captured")
    };
    let mut other_id = captured.signed(CLIENT).unwrap();
    other_id
        .metrics
        .retain(|metric| metric.name != "request.id");
    other_id.push("request.id", "other");
    let mut other_body = captured.signed(CLIENT).unwrap();
    other_body.body = Some(name("by somebody"));
    let mut with_more = captured.signed(CLIENT).unwrap();
    with_more.push("more", "metrics");
    let by_stranger = Request {
        signer: &stranger,
        ..captured
    };
    for (payload, expected) in [
        (other_id, "signature.invalid"),
        (other_body, "signature.invalid"),
        (with_more, "signature.invalid"),
        (by_stranger.signed(CLIENT).unwrap(), "signature.untrusted"),
    ] {
        let reply = member.send(PUT, &payload);
        assert_eq!(code(&reply), (Some(403), Some(expected)), "{payload:?}");
    }
    // To another resource it was not signed either.
    let elsewhere = Request::new(&signer, "CONF-V1/GET/snapshots", "elsewhere")
        .signed(CLIENT)
        .unwrap();
    let reply = member.send("CONF-V1/EXEC/snapshot", &elsewhere);
    assert_eq!(code(&reply), (Some(403), Some("signature.invalid")));
    assert_eq!(
        member
            .site
            .property(CONNECTION, "device.custom-name")
            .unwrap(),
        None,
        "nothing of it was done"
    );
    assert_eq!(member.report().accepted, 0);
}

#[test]
fn signers_are_rotated_and_withdrawn_without_a_restart() {
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
fn after_a_restart_what_was_done_is_not_done_again_and_what_is_new_is_done() {
    let mut member = Member::new();
    let signer = member.signer();
    let what = "CONF-V1/EXEC/snapshot";
    // As by a platform whose clock is right, ahead and behind.
    let sent: Vec<_> = [("right", 0), ("ahead", 200_000), ("behind", -200_000)]
        .map(|(id, ahead)| {
            let request = Request::new(&signer, what, id).ahead(ahead);
            (id, encode(&request.signed(CLIENT).unwrap()))
        })
        .into();
    for (id, bytes) in &sent {
        let reply = member.send_bytes(what, bytes.clone(), id);
        assert_eq!(code(&reply), (Some(200), None), "{id}");
    }
    for restart in ["first", "second"] {
        member.site.stop();
        member.site.start().unwrap();
        member.wait_connected();
        for (id, bytes) in &sent {
            let reply = member.send_bytes(what, bytes.clone(), id);
            let expected = (Some(403), Some("signature.replayed"));
            assert_eq!(code(&reply), expected, "{id} after the {restart}");
        }
        // Though it is signed at an earlier time than one that was accepted.
        let new = Request::new(&signer, what, restart).ahead(-100_000);
        assert_eq!(code(&member.ask(&new)), (Some(200), None), "{restart}");
    }
}

/// Where the component remembers what it has accepted.
fn memory(site: &Site) -> PathBuf {
    let mut left = vec![site.data()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.file_name().unwrap().to_str() {
                Some("accepted.jsonl") => return path,
                _ if path.is_dir() => left.push(path),
                _ => {}
            }
        }
    }
    panic!("there is no accepted.jsonl");
}

#[test]
fn a_gateway_that_cannot_remember_what_it_does_does_nothing_and_names_the_file() {
    let mut member = Member::new();
    let signer = member.signer();
    let what = "CONF-V1/EXEC/snapshot";
    let first = Request::new(&signer, what, "first");
    assert_eq!(code(&member.ask(&first)), (Some(200), None));
    let file = memory(&member.site);
    let refused = |member: &Member, id: &str| {
        let reply = member.ask(&Request::new(&signer, what, id));
        assert_eq!(code(&reply), (Some(500), Some("storage.unwritable")));
        let why = reply.string("response.exception.message").unwrap();
        assert!(why.contains("accepted.jsonl"), "{why}");
    };

    member.site.stop();
    let content = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    member.site.start().unwrap();
    member.wait_connected();
    refused(&member, "no file");
    // As soon as it can, without a restart.
    fs::remove_dir(&file).unwrap();
    fs::write(&file, &content).unwrap();
    let mended = Request::new(&signer, what, "mended");
    assert_eq!(code(&member.ask(&mended)), (Some(200), None));

    member.site.stop();
    fs::write(&file, content.to_ascii_uppercase()).unwrap();
    member.site.start().unwrap();
    member.wait_connected();
    refused(&member, "damaged");
    // Not for ever: it can have accepted nothing that was signed later than this.
    let later = Request::new(&signer, what, "later").ahead(299_000);
    let written = fs::metadata(&file).unwrap().modified().unwrap();
    let closed_s = 302;
    let old = written - Duration::from_secs(closed_s);
    member.site.stop();
    fs::write(&file, &content[..content.len() / 2]).unwrap();
    let handle = fs::File::options().write(true).open(&file).unwrap();
    handle.set_modified(old).unwrap();
    member.site.start().unwrap();
    member.wait_connected();
    assert_eq!(code(&member.ask(&later)), (Some(200), None));
}

#[test]
fn a_person_at_the_gateway_sees_what_became_of_control_messages() {
    let platform = TestPlatform::start().unwrap();
    platform.request(CLIENT, "claim-secret").unwrap();
    let site = Site::new(&platform, CLIENT, "claim-secret").unwrap();
    let gateway = gateway_binary().unwrap();
    let _process = Process::start(&site, &[]).unwrap();
    let born = platform.wait_until(WAIT, |store| {
        Ok(store.devices()?.into_iter().find(|d| d.client_id == CLIENT))
    });
    assert!(born.unwrap().is_some(), "no BIRTH");
    let get = asked(Method::Get, "CONF-V1", "snapshots");
    assert_eq!(platform.control(&get).unwrap().code, 200);
    let wrong = get.with_fault(ControlFault::Unsigned);
    assert_eq!(platform.control(&wrong).unwrap().code, 403);
    let words = "1 accepted, 1 refused (signature.missing 1)";
    // By the host, of the connection; and by the component.
    for (command, shown) in [(&["status"][..], 2), (&["connection", "list"], 1)] {
        let output = Command::new(&gateway)
            .args(command)
            .arg("--data")
            .arg(site.data())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            said.matches(words).count(),
            shown,
            "{command:?}: {output:?}"
        );
    }
}
