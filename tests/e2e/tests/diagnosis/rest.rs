//! The sample host in a process of its own, seen through its REST interface: a form that was opened
//! before a success and is sent after it, and what it lets out of secrets.

use std::time::{Duration, Instant};

use e2e::process::Process;
use e2e::site::{state, PID};
use e2e::Site;
use gateway::door::Door;
use provision_platform::harness::TestPlatform;
use serde_json::{json, Value};

const WAIT: Duration = Duration::from_secs(40);
const CONFIGURATIONS: &str = "/services/configuration/v2/configurableComponents/configurations";

/// The REST interface of a gateway process.
struct Rest {
    gateway: Process,
    door: Door,
    agent: ureq::Agent,
}

impl Rest {
    fn start(site: &Site, arguments: &[&str]) -> Rest {
        let gateway = Process::start(site, arguments).unwrap();
        gateway.wait_for_line("console: ", WAIT).unwrap();
        Rest {
            gateway,
            door: Door::find(&site.data()).unwrap(),
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(WAIT))
                .proxy(None)
                .build()
                .into(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.door.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.door.token.expose())
    }

    fn status(&self) -> Value {
        self.get(&format!("/services/provisioning/v1/{PID}/status"))
            .1
    }

    fn get(&self, path: &str) -> (u16, Value) {
        let request = self.agent.get(self.url(path));
        answer(request.header("Authorization", self.bearer()).call())
    }

    /// The form as it is shown now.
    fn form(&self) -> Value {
        let request = self
            .agent
            .post(self.url(&format!("{CONFIGURATIONS}/byPid")));
        let request = request.header("Authorization", self.bearer());
        let (code, forms) = answer(request.send_json(json!({ "pids": [PID] })));
        assert_eq!(code, 200, "{forms}");
        forms["configs"][0].clone()
    }

    /// Sends a form with everything that it shows.
    fn send(&self, form: &Value) -> (u16, Value) {
        let config = json!({
            "pid": PID, "properties": form["properties"], "revision": form["revision"],
        });
        let request = self
            .agent
            .put(self.url(&format!("{CONFIGURATIONS}/_update")));
        let request = request.header("Authorization", self.bearer());
        answer(request.send_json(json!({ "configs": [config], "takeSnapshot": true })))
    }

    fn wait_for(&self, wanted: &str) -> Value {
        let end = Instant::now() + WAIT;
        loop {
            let status = self.status();
            if state(&status) == wanted {
                return status;
            }
            assert!(Instant::now() < end, "not {wanted}: {status:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

fn answer(result: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> (u16, Value) {
    let mut response = result.unwrap();
    let text = response.body_mut().read_to_string().unwrap();
    let json = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).unwrap(),
    };
    (response.status().as_u16(), json)
}

fn value<'a>(form: &'a Value, name: &str) -> &'a Value {
    &form["properties"][name]["value"]
}

#[test]
fn a_form_opened_before_the_success_is_a_409_after_it_and_starts_nothing() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("enabled", false);
    let gateway = Rest::start(&site, &[]);
    let mut form = gateway.form();
    form["properties"]["enabled"]["value"] = json!(true);
    assert_eq!(gateway.send(&form), (200, Value::Null));
    // Somebody has the form open in which it is enabled, and not provisioned yet. Where it was
    // provisioned in the meantime, this is what the first one would send again.
    let open = gateway.form();
    let stale = match value(&open, "enabled") {
        Value::Bool(true) => open,
        _ => form,
    };
    assert_eq!(value(&stale, "provisioned"), false);
    let transaction = gateway.wait_for("provisioned")["transaction"].clone();

    let (code, refused) = gateway.send(&stale);
    assert_eq!(code, 409, "{refused}");
    assert_eq!(refused["pid"], PID);
    assert_ne!(refused["revision"], stale["revision"]);
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains(PID), "{message}");
    assert!(!refused.to_string().contains("secret"), "{refused}");

    let now = gateway.form();
    assert_eq!(value(&now, "enabled"), false);
    assert_eq!(value(&now, "provisioned"), true);
    let status = gateway.status();
    assert_eq!(state(&status), "provisioned");
    assert_eq!(status["transaction"], transaction);
    // The form as it is now is taken, and changes nothing.
    assert_eq!(gateway.send(&now), (200, Value::Null));
    assert_eq!(state(&gateway.status()), "provisioned");
}

/// What REST shows of a gateway that has been provisioned.
const SHOWN: [&str; 8] = [
    "/services/provisioning/v1/instances",
    "/services/cloudconnection/v1/instances",
    "/services/keystores/v1",
    "/services/keystores/v1/entries",
    "/services/configuration/v2/configurableComponents/configurations",
    "/services/configuration/v2/snapshots",
    "/services/packages/v1/packages",
    "/services/plugins/v1/plugins",
];

#[test]
fn no_secret_is_in_the_answers_streams_arguments_or_environment_of_a_gateway() {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "claim-canary-5e1b90").unwrap();
    let target = platform.store().request(request).unwrap().unwrap().target;
    let mut site = Site::new(&platform, "gw-1", "claim-canary-5e1b90").unwrap();
    site.keep_secret("the new account's password", target.password.expose());
    let gateway = Rest::start(&site, &["--log-level", "trace"]);
    gateway.wait_for("provisioned");
    let mut seen = vec![gateway.status().to_string(), gateway.form().to_string()];
    for path in SHOWN {
        let (code, answer) = gateway.get(path);
        assert_eq!(code, 200, "{path}: {answer}");
        seen.push(answer.to_string());
    }
    for file in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{file}", gateway.gateway.id());
        match std::fs::read(&path) {
            Ok(content) => seen.push(String::from_utf8_lossy(&content).into_owned()),
            // A process that is closed to debuggers shows its environment to root alone.
            Err(e) => assert_eq!(e.kind(), std::io::ErrorKind::PermissionDenied, "{path}"),
        }
    }
    let lines = gateway.gateway.lines();
    // It told all that it ever would: nothing of ours logs below debug.
    assert!(
        lines.iter().any(|line| line.contains(" DEBUG ")),
        "{lines:#?}"
    );
    site.saw(lines);
    site.saw(seen);
    let leaks = site.leaks().unwrap();
    assert!(leaks.is_empty(), "{leaks:#?}");
}
