//! The REST interface of a real gateway without plugins: Kura's shapes, refusals, and who may ask.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod support;

use applications::Application;
use serde_json::{json, Value};
use support::{answer, finished, gateway, Home, Running};

const CLOUD: &str = "org.eclipse.kura.cloud.CloudService";
const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
const CONFIGURATIONS: &str = "/configuration/v2/configurableComponents/configurations";

/// The configuration of the default connection's transport.
fn transport(running: &Running) -> Value {
    let (status, answer) = running.post(
        &format!("{CONFIGURATIONS}/byPid"),
        &json!({"pids": [TRANSPORT]}),
    );
    assert_eq!(status, 200, "{answer}");
    answer["configs"][0].clone()
}

fn update(running: &Running, properties: Value, revision: Option<&Value>) -> (u16, Value) {
    let mut config = json!({"pid": TRANSPORT, "properties": properties});
    if let Some(revision) = revision {
        config["revision"] = revision.clone();
    }
    let body = json!({"configs": [config], "takeSnapshot": true});
    running.put(&format!("{CONFIGURATIONS}/_update"), &body)
}

#[test]
fn a_configuration_has_kuras_shape() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let configuration = transport(&running);
    assert_eq!(configuration["pid"], TRANSPORT);
    assert_eq!(configuration["properties"]["timeout"]["type"], "INTEGER");
    let ads = configuration["definition"]["ad"].as_array().unwrap();
    let timeout = ads.iter().find(|ad| ad["id"] == "timeout").unwrap();
    assert_eq!(timeout["type"], "INTEGER");
    assert_eq!(timeout["isRequired"], true);
    assert_eq!(timeout["cardinality"], 0);
    assert_eq!(timeout["defaultValue"], "10");
    let password = ads.iter().find(|ad| ad["id"] == "password").unwrap();
    assert_eq!(
        password.get("defaultValue"),
        None,
        "the default of a password is shown"
    );

    let (_, pids) = running.get("/configuration/v2/configurableComponents");
    assert!(
        pids["pids"].as_array().unwrap().contains(&json!(TRANSPORT)),
        "{pids}"
    );
    let (_, components) = running.get("/configuration/v2/configurableComponents/pidsWithFactory");
    assert!(components["components"]
        .as_array()
        .unwrap()
        .iter()
        .any(|c| c["pid"] == TRANSPORT));
}

#[test]
fn an_update_is_read_back_and_makes_a_snapshot() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let count = |running: &Running| {
        running.get("/configuration/v2/snapshots").1["ids"]
            .as_array()
            .unwrap()
            .len()
    };
    let before = count(&running);
    let change = json!({"timeout": {"value": 27, "type": "INTEGER"}});
    assert_eq!(update(&running, change, None), (200, Value::Null));
    assert_eq!(transport(&running)["properties"]["timeout"]["value"], 27);
    assert_eq!(count(&running), before + 1);
}

#[test]
fn a_password_is_never_shown_and_its_placeholder_keeps_it() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let set = json!({"password": {"value": "canary-rest", "type": "PASSWORD"}});
    assert_eq!(update(&running, set, None).0, 200);
    let shown = transport(&running);
    assert_eq!(shown["properties"]["password"]["value"], "Placeholder");
    let back = json!({"password": shown["properties"]["password"].clone(),
                      "timeout": {"value": 28, "type": "INTEGER"}});
    assert_eq!(update(&running, back, None).0, 200);
    assert_eq!(
        transport(&running)["properties"]["password"]["value"],
        "Placeholder"
    );
    let (_, all) = running.get(CONFIGURATIONS);
    assert!(!all.to_string().contains("canary-rest"));
}

#[test]
fn every_offending_parameter_is_named_and_nothing_is_applied() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let wrong = json!({
        "timeout": {"value": "soon", "type": "INTEGER"},
        "protocol-version": {"value": 9, "type": "INTEGER"},
        "keep-alive": {"value": 31, "type": "INTEGER"},
    });
    let (status, answer) = update(&running, wrong, None);
    assert_eq!(status, 400);
    let problems = answer["problems"].as_array().unwrap();
    let mut named: Vec<_> = problems
        .iter()
        .map(|p| p["parameter"].as_str().unwrap())
        .collect();
    named.sort_unstable();
    assert_eq!(named, ["protocol-version", "timeout"], "{answer}");
    assert!(problems
        .iter()
        .all(|p| !p["message"].as_str().unwrap().is_empty()));
    assert_ne!(transport(&running)["properties"]["keep-alive"]["value"], 31);
}

#[test]
fn what_many_changes_leave_is_bounded_and_there_at_the_next_start() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let text = "x".repeat(1 << 20);
    let change = |n: usize| json!({n.to_string(): {"value": text, "type": "STRING"}});
    for n in 0..2 {
        assert_eq!(update(&running, change(n), None).0, 200);
    }
    let (status, answer) = update(&running, change(2), None);
    let message = answer["message"].as_str().unwrap();
    assert_eq!(
        (status, &answer["code"]),
        (413, &json!("protocol.too-large"))
    );
    assert!(
        message.contains(TRANSPORT) && message.contains("remove"),
        "{message}"
    );
    // From the command line it is the same.
    let rest = json!({"2": {"value": "x".repeat((1 << 19) - (64 << 10)), "type": "STRING"}});
    assert_eq!(update(&running, rest, None).0, 200);
    let mut set = gateway();
    set.args(["config", "set", "--data"]).arg(home.data());
    set.args([TRANSPORT, &format!("username={}", "x".repeat(100 << 10))]);
    let output = finished(&mut set);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("remove"),
        "{said}"
    );
    drop(running);
    let running = Running::start(&home, &[]);
    let properties = &transport(&running)["properties"];
    assert_eq!(properties["1"]["value"], json!(text));
    assert_eq!(properties["username"]["value"], "username");
}

#[test]
fn a_stale_form_is_refused_and_overwrites_nothing() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let form = transport(&running);
    let newer = json!({"timeout": {"value": 41, "type": "INTEGER"}});
    assert_eq!(update(&running, newer, Some(&form["revision"])).0, 200);
    let stale = json!({"timeout": {"value": 42, "type": "INTEGER"}});
    let (status, answer) = update(&running, stale.clone(), Some(&form["revision"]));
    assert_eq!(status, 409, "{answer}");
    assert_eq!(answer["pid"], TRANSPORT);
    assert_eq!(transport(&running)["properties"]["timeout"]["value"], 41);
    let fresh = transport(&running);
    assert_eq!(update(&running, stale, Some(&fresh["revision"])).0, 200);
}

#[test]
fn what_does_not_exist_is_404_and_what_is_no_request_is_400() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let body = json!({"configs": [{"pid": "no.such.Component", "properties": {}}]});
    let (status, answer) = running.put(&format!("{CONFIGURATIONS}/_update"), &body);
    assert_eq!(status, 404);
    assert!(answer["message"]
        .as_str()
        .unwrap()
        .contains("no.such.Component"));
    assert_eq!(
        running.get("/provisioning/v1/no.such.Component/status").0,
        404
    );
    assert_eq!(running.get("/nothing").0, 404);
    assert_eq!(
        running
            .post(
                "/configuration/v2/snapshots/byId/_rollback",
                &json!({"id": 7})
            )
            .0,
        404
    );
    let (status, answer) =
        running.put(&format!("{CONFIGURATIONS}/_update"), &json!({"configs": 3}));
    assert_eq!(status, 400);
    assert!(answer["message"].is_string());
    let (status, answer) = running.post(
        "/cloudconnection/v1/cloudEndpoint",
        &json!({"cloudEndpointPid": "x"}),
    );
    assert_eq!(
        (status, answer["message"].as_str().unwrap()),
        (400, "parameter \"cloudConnectionFactoryPid\" is required")
    );
}

#[test]
fn a_connection_is_created_with_its_stack_and_deleted_with_it() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let pid = format!("{CLOUD}-2");
    let endpoint = json!({"cloudConnectionFactoryPid": CLOUD, "cloudEndpointPid": pid});
    assert_eq!(
        running
            .post("/cloudconnection/v1/cloudEndpoint", &endpoint)
            .0,
        200
    );
    let (_, instances) = running.get("/cloudconnection/v1/instances");
    let instance = instances["cloudEndpointInstances"]
        .as_array()
        .unwrap()
        .iter()
        .find(|instance| instance["cloudEndpointPid"] == pid)
        .expect("the connection is not listed");
    assert_eq!(instance["state"], "DISCONNECTED");
    assert_eq!(instance["cloudEndpointType"], "CLOUD_CONNECTION_MANAGER");
    assert_eq!(
        instance["controlMessages"],
        json!({"accepted": 0, "repeated": 0, "refused": {}, "lastRefused": null})
    );
    let (_, stack) = running.post(
        "/cloudconnection/v1/cloudEndpoint/stackComponentPids",
        &endpoint,
    );
    for stem in [CLOUD, "org.eclipse.kura.data.DataService", TRANSPORT] {
        assert!(
            stack["pids"]
                .as_array()
                .unwrap()
                .contains(&json!(format!("{stem}-2"))),
            "{stack}"
        );
    }
    let (_, connected) = running.post("/cloudconnection/v1/cloudEndpoint/isConnected", &endpoint);
    assert_eq!(connected, json!({"connected": false}));
    assert_eq!(
        running
            .delete("/cloudconnection/v1/cloudEndpoint", &endpoint)
            .0,
        200
    );
    let (_, instances) = running.get("/cloudconnection/v1/instances");
    assert!(!instances.to_string().contains(&pid));
}

#[test]
fn a_change_is_told_on_the_stream_of_events() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let events = running.follow();
    let change = json!({"timeout": {"value": 29, "type": "INTEGER"}});
    assert_eq!(update(&running, change, None).0, 200);
    events.wait_for("configuration", |data| *data == json!({"pid": TRANSPORT}));
}

#[test]
fn without_the_token_nothing_is_answered_but_the_page() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let ask = |path: &str| running.agent().get(running.url(path)).call().unwrap();
    assert_eq!(ask("/services/plugins/v1/plugins").status(), 401);
    let wrong = running
        .agent()
        .get(running.url("/services/plugins/v1/plugins"));
    assert_eq!(
        wrong
            .header("Authorization", "Bearer 0123")
            .call()
            .unwrap()
            .status(),
        401
    );
    let page = ask("/");
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
    assert_eq!(ask("/console/../../Cargo.toml").status(), 404);
}

#[test]
fn a_rebound_name_and_a_foreign_page_are_refused() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let with = |name: &str, value: &str| {
        let request = running
            .agent()
            .get(running.url("/services/plugins/v1/plugins"));
        answer(
            request
                .header("Authorization", running.bearer())
                .header(name, value)
                .call(),
        )
        .0
    };
    let port = running.door.url.rsplit(':').next().unwrap().to_owned();
    assert_eq!(with("Host", &format!("rebound.example:{port}")), 403);
    assert_eq!(with("Host", &format!("localhost:{port}")), 200);
    assert_eq!(with("Origin", "https://elsewhere.example"), 403);
    assert_eq!(with("Origin", &running.door.url), 200);
}

#[test]
fn a_change_that_a_plain_form_could_send_is_refused() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let request = running
        .agent()
        .post(running.url("/services/configuration/v2/snapshots/_write"));
    let request = request.header("Authorization", running.bearer());
    assert_eq!(
        request
            .header("Content-Type", "text/plain")
            .send("{}")
            .unwrap()
            .status(),
        415
    );
}

#[test]
fn a_certificate_is_imported_listed_and_removed() {
    let home = Home::new();
    let running = Running::start(&home, &[]);
    let pem = support::certificate("Example Root");
    let named = json!({"keystoreServicePid": "SSLKeystore", "alias": "root", "certificate": pem});
    assert_eq!(
        running.post("/keystores/v1/entries/certificate", &named).0,
        200
    );
    let (_, entries) = running.get("/keystores/v1/entries?keystoreServicePid=SSLKeystore");
    let entry = &entries.as_array().unwrap()[0];
    assert_eq!(entry["alias"], "root");
    assert_eq!(entry["type"], "TRUSTED_CERTIFICATE");
    assert_eq!(entry["subjectDN"], "CN=Example Root");
    assert!(entry["expirationDate"].as_i64().unwrap() > entry["startDate"].as_i64().unwrap());
    let (_, whole) =
        running.get("/keystores/v1/entries/entry?keystoreServicePid=SSLKeystore&alias=root");
    assert_eq!(whole["certificate"], pem);
    let (status, answer) = running.post(
        "/keystores/v1/entries/certificate",
        &json!({"keystoreServicePid": "SSLKeystore", "alias": "x", "certificate": "no PEM"}),
    );
    assert_eq!(status, 400, "{answer}");
    assert_eq!(running.delete("/keystores/v1/entries", &named).0, 200);
    assert_eq!(running.delete("/keystores/v1/entries", &named).0, 404);
}

#[test]
fn a_package_is_sent_as_an_archive_and_a_bad_one_is_refused_with_the_entry() {
    let home = Home::new();
    let running = Running::start(&home, &["--allow-insecure-plugins"]);
    let send = |kind: &str, bytes: &[u8]| {
        let request = running
            .agent()
            .post(running.url("/services/packages/v1/packages"));
        let request = request
            .header("Authorization", running.bearer())
            .header("Content-Type", kind);
        answer(request.send(bytes))
    };
    let events = running.follow();
    let archive = Application::heater("1.0.0").archive();
    let (status, info) = send("application/gzip", &archive);
    assert_eq!(status, 200, "{info}");
    assert_eq!(info["name"], "heater");
    assert_eq!(
        info["files"][0]["size"].as_u64().map(|size| size > 1000),
        Some(true)
    );
    events.wait_for("package", |data| data["name"] == "heater");
    let (_, list) = running.get("/packages/v1/packages");
    assert_eq!(list["packages"].as_array().unwrap().len(), 1);
    // At once: its form is there.
    let (_, factories) = running.get("/configuration/v2/factoryComponents");
    assert!(
        factories.to_string().contains("com.example.Heater"),
        "{factories}"
    );

    let (status, refusal) = send(
        "application/gzip",
        archive.get(..archive.len() / 2).unwrap(),
    );
    assert_eq!(status, 400, "{refusal}");
    assert_eq!(refusal["code"], "package.failed");
    let (status, _) = send("application/json", &archive);
    assert_eq!(status, 415);
    let (status, _) = send("text/plain", &archive);
    assert_eq!(status, 415);
    let (status, _) = running.delete("/packages/v1/packages", &json!({"name": "cooler"}));
    assert_eq!(status, 404);
    let (status, _) = running.delete("/packages/v1/packages", &json!({"name": "heater"}));
    assert_eq!(status, 200);
}
