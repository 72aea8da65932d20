//! A gateway process seen through its REST interface, as an operator or another system sees it.
//!
//! Asks and changes; what an answer should be is the test's to say.

use std::thread;
use std::time::{Duration, Instant};

use gateway::door::Door;
use serde_json::{json, Value};

use crate::process::Process;
use crate::site::{state, SiteError, PID};
use crate::Site;

/// For a gateway to listen, for an answer, for a state that a test waits for.
pub const WAIT: Duration = Duration::from_secs(40);
const CONFIGURATIONS: &str = "/services/configuration/v2/configurableComponents/configurations";

/// A gateway process and its REST interface. The process is killed when this is dropped.
pub struct Rest {
    gateway: Process,
    door: Door,
    agent: ureq::Agent,
}

/// The status of an answer, and its body; null where there is none.
pub type Answer = (u16, Value);

fn failed(what: &str) -> impl Fn(&dyn std::fmt::Display) -> SiteError + '_ {
    move |e| SiteError(format!("REST: {what}: {e}"))
}

impl Rest {
    /// Starts the gateway of that site, with more arguments, and waits until it listens.
    ///
    /// # Errors
    /// Of starting the program; what it said where it does not listen.
    pub fn start(site: &Site, arguments: &[&str]) -> Result<Rest, SiteError> {
        let gateway = Process::start(site, arguments)?;
        gateway.wait_for_line("console: ", WAIT)?;
        Ok(Rest {
            gateway,
            door: Door::find(&site.data()).map_err(|e| failed("the way in")(&e))?,
            agent: ureq::Agent::config_builder()
                .http_status_as_error(false)
                .timeout_global(Some(WAIT))
                .proxy(None)
                .build()
                .into(),
        })
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.gateway
    }

    /// `GET path`.
    ///
    /// # Errors
    /// Where nothing was answered, or no JSON.
    pub fn get(&self, path: &str) -> Result<Answer, SiteError> {
        let request = self.agent.get(self.url(path));
        answer(path, request.header("Authorization", self.bearer()).call())
    }

    /// `POST path`.
    ///
    /// # Errors
    /// As of [`Rest::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Answer, SiteError> {
        let request = self.agent.post(self.url(path));
        let request = request.header("Authorization", self.bearer());
        answer(path, request.send_json(body))
    }

    /// The status document of the ProvisioningService.
    ///
    /// # Errors
    /// As of [`Rest::get`].
    pub fn status(&self) -> Result<Value, SiteError> {
        let path = format!("/services/provisioning/v1/{PID}/status");
        self.get(&path).map(|(_, status)| status)
    }

    /// The form of the ProvisioningService as it is shown now.
    ///
    /// # Errors
    /// As of [`Rest::get`], or where there is no such form.
    pub fn form(&self) -> Result<Value, SiteError> {
        let body = json!({ "pids": [PID] });
        let (code, forms) = self.post(&format!("{CONFIGURATIONS}/byPid"), &body)?;
        let form = forms.pointer("/configs/0").cloned();
        form.ok_or_else(|| SiteError(format!("no form of {PID}: {code} {forms}")))
    }

    /// Sends a form with everything that it shows.
    ///
    /// # Errors
    /// As of [`Rest::get`].
    pub fn send(&self, form: &Value) -> Result<Answer, SiteError> {
        let part = |name: &str| form.get(name).cloned().unwrap_or_default();
        let config = json!({
            "pid": PID, "properties": part("properties"), "revision": part("revision"),
        });
        let path = format!("{CONFIGURATIONS}/_update");
        let request = self.agent.put(self.url(&path));
        let request = request.header("Authorization", self.bearer());
        let body = json!({ "configs": [config], "takeSnapshot": true });
        answer(&path, request.send_json(body))
    }

    /// Opens the form, changes a parameter in it, and sends it.
    ///
    /// # Errors
    /// As of [`Rest::get`], or where the change was not taken.
    pub fn set(&self, name: &str, value: impl Into<Value>) -> Result<(), SiteError> {
        let mut form = self.form()?;
        let place = form.pointer_mut(&format!("/properties/{name}/value"));
        *place.ok_or_else(|| SiteError(format!("no {name} in the form")))? = value.into();
        match self.send(&form)? {
            (200, _) => Ok(()),
            (code, answer) => Err(SiteError(format!("{name} was not set: {code} {answer}"))),
        }
    }

    /// Asks something of the ProvisioningService, for instance `retry-now`.
    ///
    /// # Errors
    /// As of [`Rest::get`], or where it refuses.
    pub fn act(&self, action: &str) -> Result<(), SiteError> {
        let path = format!("/services/provisioning/v1/{PID}/actions");
        match self.post(&path, &json!({ "action": action }))? {
            (200 | 204, _) => Ok(()),
            (code, answer) => Err(SiteError(format!("{action}: {code} {answer}"))),
        }
    }

    /// Waits until the status document is as wanted.
    ///
    /// # Errors
    /// As of [`Rest::get`]; the document once [`WAIT`] is over.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value, SiteError> {
        self.wait_within(what, WAIT, wanted)
    }

    /// The same, for what may take longer.
    ///
    /// # Errors
    /// As of [`Rest::get`]; the document once the time is over.
    pub fn wait_within(
        &self,
        what: &str,
        within: Duration,
        wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, SiteError> {
        let end = Instant::now() + within;
        loop {
            let status = self.status()?;
            if wanted(&status) {
                return Ok(status);
            }
            if Instant::now() > end {
                let said = self.gateway.lines().join("\n");
                return Err(SiteError(format!(
                    "{what}: not within {within:?}; the status is {status:#}, it said:\n{said}"
                )));
            }
            // This only paces the question.
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until it is in a state.
    ///
    /// # Errors
    /// As of [`Rest::wait`].
    pub fn wait_for(&self, wanted: &str) -> Result<Value, SiteError> {
        self.wait(wanted, |status| state(status) == wanted)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.door.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.door.token.expose())
    }
}

fn answer(
    path: &str,
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> Result<Answer, SiteError> {
    let mut response = result.map_err(|e| failed(path)(&e))?;
    let text = response.body_mut().read_to_string();
    let text = text.map_err(|e| failed(path)(&e))?;
    let json = match text.as_str() {
        "" => Value::Null,
        text => serde_json::from_str(text).map_err(|e| failed(path)(&e))?,
    };
    Ok((response.status().as_u16(), json))
}
