//! A running gateway, as the other commands see it: JSON over its REST interface.
//!
//! Blocking, one request at a time. It knows where the gateway is and how an error
//! looks; it does not know any resource.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use super::args::Reach;
use super::error::CliError;
use crate::door::{Door, Token};

/// A running preflight takes up to 5 s, connecting up to the transport's timeout.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A package may be large, and the way to the gateway slow.
const UPLOAD: Duration = Duration::from_secs(600);

/// The client.
#[derive(Debug)]
pub struct Client {
    door: Door,
    agent: ureq::Agent,
}

impl Client {
    /// Finds the gateway; does not talk to it yet.
    ///
    /// # Errors
    /// [`CliError::Door`], [`CliError::File`] for the token.
    pub fn find(reach: &Reach) -> Result<Client, CliError> {
        Ok(Client::new(door(reach)?))
    }

    /// The client of a known door.
    #[must_use]
    pub fn new(door: Door) -> Client {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(TIMEOUT))
            .proxy(None)
            .build();
        Client {
            door,
            agent: config.into(),
        }
    }

    /// GET.
    ///
    /// # Errors
    /// [`CliError::Unreachable`], [`CliError::Refused`].
    pub fn get(&self, path: &str) -> Result<Value, CliError> {
        let request = self
            .agent
            .get(self.url(path))
            .header("Authorization", self.bearer());
        self.answer(request.call())
    }

    /// POST of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.bearer());
        self.answer(request.send_json(body))
    }

    /// PUT of a JSON body.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self
            .agent
            .put(self.url(path))
            .header("Authorization", self.bearer());
        self.answer(request.send_json(body))
    }

    /// DELETE with a JSON body, as Kura's interface has it.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        let request = self
            .agent
            .delete(self.url(path))
            .header("Authorization", self.bearer());
        self.answer(request.force_send_body().send_json(body))
    }

    /// POST of a file.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn upload(&self, path: &str, kind: &str, file: &fs::File) -> Result<Value, CliError> {
        let request = self
            .agent
            .post(self.url(path))
            .config()
            .timeout_global(Some(UPLOAD))
            .build()
            .header("Authorization", self.bearer())
            .header("Content-Type", kind);
        self.answer(request.send(file))
    }

    fn url(&self, path: &str) -> String {
        format!("{}/services{path}", self.door.url)
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.door.token.expose())
    }

    fn answer(
        &self,
        result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, CliError> {
        let unreachable = |e: ureq::Error| CliError::Unreachable {
            url: self.door.url.clone(),
            source: e.into(),
        };
        let mut response = result.map_err(unreachable)?;
        let status = response.status();
        let text = response.body_mut().read_to_string().map_err(unreachable)?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            parse(&text)
        };
        if status.is_success() {
            Ok(body)
        } else {
            Err(CliError::Refused(refusal(status.as_u16(), &body)))
        }
    }
}

/// The door that the options name.
///
/// # Errors
/// [`CliError::Door`], [`CliError::File`], [`CliError::Usage`].
pub fn door(reach: &Reach) -> Result<Door, CliError> {
    match (&reach.at.url, &reach.at.data) {
        (None, Some(data)) => Ok(Door::find(data)?),
        (Some(url), data) => {
            let token = match (&reach.token_file, data) {
                (Some(path), _) => fs::read_to_string(path)
                    .map(|text| Token::given(&text))
                    .map_err(|source| CliError::File {
                        path: path.clone(),
                        source,
                    })?,
                (None, Some(data)) => Door::find(data)?.token,
                (None, None) => {
                    return Err(CliError::Usage("--url needs --token-file or --data".into()))
                }
            };
            Ok(Door {
                url: url.trim_end_matches('/').to_owned(),
                token,
            })
        }
        (None, None) => Err(CliError::Usage("--data or --url is needed".into())),
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The error body in words: the message, then one line per offending parameter or failure.
fn refusal(status: u16, body: &Value) -> String {
    let text = |value: &Value, key: &str| {
        value
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .unwrap_or_default()
    };
    let mut lines = Vec::new();
    match body {
        Value::String(message) => lines.push(message.clone()),
        _ => lines.extend(Some(text(body, "message")).filter(|message| !message.is_empty())),
    }
    for (list, name) in [("problems", "parameter"), ("failures", "id")] {
        for item in body
            .get(list)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            lines.push(format!("{}: {}", text(item, name), text(item, "message")));
        }
    }
    if lines.is_empty() {
        lines.push(format!("the gateway answered {status}"));
    }
    lines.join("\n  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refusal_names_every_parameter() {
        let body = json!({"message": "2 values do not hold", "problems": [
            {"parameter": "timeout", "message": "9 is below 10"},
            {"parameter": "client-id", "message": "'a/b' contains '/'"}]});
        assert_eq!(
            refusal(400, &body),
            "2 values do not hold\n  timeout: 9 is below 10\n  client-id: 'a/b' contains '/'"
        );
    }

    #[test]
    fn an_error_without_a_body_still_says_something() {
        assert_eq!(refusal(502, &Value::Null), "the gateway answered 502");
    }
}
