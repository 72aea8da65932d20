//! The status document against `plugin/docs/status.schema.json`: whatever is seen here fits, and
//! the schema knows every word that the component has.

use e2e::site::PID;
use e2e::Site;
use provision_platform::harness::TestPlatform;
use provisioning_service::diagnosis::Code;
use provisioning_service::provisioner::steps::Step;
use provisioning_service::status;
use serde_json::{json, Value};

use super::checker::check;
use super::succeeds;

/// The schema.
fn schema() -> Value {
    serde_json::from_str(include_str!("../../../../plugin/docs/status.schema.json")).unwrap()
}

/// Every document fits; the empty ones are from before the plugin was loaded.
pub fn hold(documents: &[String]) {
    let schema = schema();
    let mut seen = 0;
    for text in documents.iter().filter(|text| !text.is_empty()) {
        let document: Value = serde_json::from_str(text).unwrap();
        let wrong = check(&schema, &document);
        assert!(wrong.is_empty(), "{wrong:#?} in {document:#}");
        seen += 1;
    }
    assert!(seen > 0, "no document was seen");
}

#[test]
fn every_document_of_a_provisioning_fits() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    succeeds(&mut site);
    let last: Value = serde_json::from_str(site.documents.last().unwrap()).unwrap();
    assert_eq!(last["target"]["account"], "acme");
    assert!(!last["trust"]["chain"].as_array().unwrap().is_empty());
    assert!(last["bytes"]["received"].as_u64().unwrap() > 0);
}

#[test]
fn the_documents_of_an_instance_that_does_not_run_fit() {
    hold(&[status::inactive(PID), status::panicked(PID)]);
}

#[test]
fn the_schema_knows_every_step_and_code() {
    let schema = schema();
    let names = &schema["properties"]["steps"]["items"]["properties"]["name"]["enum"];
    assert_eq!(*names, json!(Step::ALL));
    let code = &schema["properties"]["error"]["properties"]["code"];
    for one in Code::ALL {
        assert_eq!(check(code, &json!(one)), Vec::<String>::new());
    }
}

#[test]
fn what_does_not_fit_is_seen() {
    let good: Value = serde_json::from_str(&status::panicked(PID)).unwrap();
    type Spoil = fn(&mut Value);
    let spoilt: [(Spoil, &str); 8] = [
        (|d| d["state"] = json!("meditating"), "/state"),
        (|d| d["state"] = json!("idle"), "/steps is missing"),
        (|d| d["novelty"] = json!(1), "/novelty is not described"),
        (|d| d["error"]["code"] = json!("Config"), "/error/code"),
        (|d| d["version"] = json!("1"), "/version"),
        (|d| d["since"] = json!("yesterday"), "/since"),
        (
            |d| d["control"] = json!({"accepted": -1, "refused": {}}),
            "/control/accepted",
        ),
        (
            |d| d["control"] = json!({"accepted": 0, "refused": {"x.y": "1"}}),
            "/control/refused/x.y",
        ),
    ];
    for (spoil, where_) in spoilt {
        let mut document = good.clone();
        spoil(&mut document);
        let wrong = check(&schema(), &document);
        assert!(
            wrong.iter().any(|line| line.starts_with(where_)),
            "{where_}: {wrong:?}"
        );
    }
}
