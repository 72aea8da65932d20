//! The form of the ProvisioningService over the REST interface of the sample host, in a process of
//! its own: one that was opened before a success and is sent after it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use e2e::site::{gateway_binary, state, PID};
use e2e::Site;
use gateway::door::Door;
use provision_platform::harness::TestPlatform;
use serde_json::{json, Value};

const WAIT: Duration = Duration::from_secs(40);
const CONFIGURATIONS: &str = "/services/configuration/v2/configurableComponents/configurations";

/// A process `gateway run`; killed when dropped.
struct Process {
    child: Child,
    door: Door,
    agent: ureq::Agent,
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Process {
    fn start(site: &Site) -> Process {
        let mut child = Command::new(gateway_binary().unwrap())
            .args(["run", "--allow-insecure-plugins", "--listen", "127.0.0.1:0"])
            .arg("--data")
            .arg(site.data())
            .arg("--plugins")
            .arg(site.plugins())
            .arg("--config")
            .arg(site.write_seed().unwrap())
            .arg("--properties")
            .arg(site.system_properties())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (sender, said) = channel();
        std::thread::spawn(move || {
            // To the end, or the gateway would stand still before a full pipe.
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut heard = Vec::new();
        while !heard
            .last()
            .is_some_and(|line: &String| line.starts_with("console: "))
        {
            match said.recv_timeout(WAIT) {
                Ok(line) => heard.push(line),
                Err(_) => {
                    let _ = child.kill();
                    panic!("the gateway does not listen: {heard:#?}");
                }
            }
        }
        Process {
            child,
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
        let path = format!("/services/provisioning/v1/{PID}/status");
        let request = self.agent.get(self.url(&path));
        answer(request.header("Authorization", self.bearer()).call()).1
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
    let gateway = Process::start(&site);
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
