//! `gateway status`, `preflight`, `retry`, `cancel`, `reprovision`, `plugins`
//! and `console`: one question or one action, over REST.

use std::io::{self, Write};

use jiff::Timestamp;
use percent_encoding::{utf8_percent_encode, NON_ALPHANUMERIC};
use serde_json::{json, Value};

use super::args::{Asked, Plugins, Reach, Target};
use super::client::{door, Client};
use super::error::CliError;
use super::out;
use crate::progress::lines;
use crate::status::Document;

const BASE: &str = "/provisioning/v1";
/// What a component erases after a success, and needs for the next.
const CLAIM: [&str; 2] = ["password", "activation-key"];

/// `gateway status`.
///
/// # Errors
/// As the client.
pub fn status(asked: &Asked) -> Result<(), CliError> {
    let (pid, answer) = ask(asked, "status")?;
    if asked.json {
        out::json(&answer)?;
        return Ok(());
    }
    // What the component itself has judged, over connections and restarts of them.
    let judged = answer.get("control").and_then(crate::control::in_words);
    let mut document: Document = serde_json::from_value(answer)
        .map_err(|e| CliError::host("the status document is not readable", e))?;
    document.instance = pid;
    let now = Timestamp::now();
    out::line(&format!(
        "{}: {}",
        document.instance,
        lines::headline(&document, now)
    ))?;
    let mut facts = lines::facts(&document);
    let client = Client::find(&asked.reach)?;
    let control = super::connection::control_of(&client, &document.instance)?;
    facts.extend(control.map(|words| ("control", words)));
    facts.extend(judged.map(|words| ("verifier", words)));
    for (name, value) in facts {
        out::line(&format!("  {name:<12} {value}"))?;
    }
    for line in lines::steps(&document, now)
        .iter()
        .chain(&lines::troubles(&document))
    {
        out::line(&format!("  {line}"))?;
    }
    Ok(())
}

/// `gateway preflight`. A check that fails makes the command fail.
///
/// # Errors
/// As the client; [`CliError::Refused`] where a check failed.
pub fn preflight(asked: &Asked) -> Result<(), CliError> {
    let (_, answer) = ask(asked, "preflight")?;
    let checks = answer
        .as_array()
        .or_else(|| answer.get("checks").and_then(Value::as_array));
    let text = |check: &Value, key: &str| {
        check
            .get(key)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let failed = |check: &&Value| check.get("passed").and_then(Value::as_bool) != Some(true);
    if asked.json {
        out::json(&answer)?;
    } else {
        for check in checks.into_iter().flatten() {
            let mark = if failed(&check) { '✗' } else { '✓' };
            let line = format!(
                "{mark} {:<14} {} {}",
                text(check, "name"),
                text(check, "code"),
                text(check, "detail")
            );
            out::line(line.trim_end())?;
        }
    }
    match checks.into_iter().flatten().filter(failed).count() {
        0 => Ok(()),
        failed => Err(CliError::Refused(format!("{failed} of the checks failed"))),
    }
}

/// `gateway retry`, `cancel`, `reprovision`.
///
/// # Errors
/// As the client; a refusal carries the component's reason.
pub fn act(target: &Target, action: &str) -> Result<(), CliError> {
    let client = Client::find(&target.reach)?;
    let pid = instance(&client, target.pid.as_deref())?;
    let erased = match action {
        "reprovision" => super::config::empty(&client, &pid, &CLAIM)?,
        _ => Vec::new(),
    };
    let path = format!("{}/actions", path(&pid));
    client.post(&path, &json!({"action": action}))?;
    if erased.contains(&"password") {
        let data = target.reach.at.data.as_ref();
        let data = data.map_or_else(String::new, |data| format!("--data {} ", data.display()));
        // It has begun: an empty password is allowed, and setting one starts the attempt afresh.
        // Standard error may be gone; the exit code is still told.
        let _ = writeln!(
            io::stderr(),
            "gateway: {} erased after the last success: set what the provision request has, or the \
             broker refuses this gateway: gateway config set {data}{pid} {}",
            match erased.len() {
                1 => "the password was",
                _ => "password and activation-key were",
            },
            erased.join(" ")
        );
    }
    Ok(())
}

/// `gateway plugins`.
///
/// # Errors
/// As the client.
pub fn plugins(wanted: &Plugins) -> Result<(), CliError> {
    let Plugins { listed, try_again } = wanted;
    let client = Client::find(&listed.reach)?;
    if let Some(pid) = try_again {
        let pid = utf8_percent_encode(pid, NON_ALPHANUMERIC);
        client.post(
            &format!("/plugins/v1/instances/{pid}/try-again"),
            &json!({}),
        )?;
    }
    let answer = client.get("/plugins/v1/plugins")?;
    if listed.json {
        out::json(&answer)?;
        return Ok(());
    }
    let all = |list: &str| {
        let list = answer.get(list).and_then(Value::as_array);
        list.into_iter().flatten()
    };
    let heading = |words: &[&str]| vec![words.iter().map(|word| (*word).to_owned()).collect()];
    let row = |of: &Value, keys: &[&str]| {
        let cell = |key: &&str| of.get(*key).and_then(Value::as_str).unwrap_or_default();
        keys.iter().map(|key| cell(key).to_owned()).collect()
    };
    let mut rows: Vec<Vec<String>> = heading(&["NAME", "VERSION", "VENDOR", "STATE", "FILE", ""]);
    let keys = ["name", "version", "vendor", "state", "path", "error"];
    rows.extend(all("plugins").map(|plugin| row(plugin, &keys)));
    out::table(&rows)?;
    let mut rows: Vec<Vec<String>> = heading(&["COMPONENT", "STATE", ""]);
    let idle = all("instances").filter(|of| of.get("error").is_some_and(|e| !e.is_null()));
    rows.extend(idle.map(|instance| row(instance, &["pid", "state", "error"])));
    if rows.len() > 1 {
        out::line("")?;
        out::table(&rows)?;
    }
    Ok(())
}

/// `gateway console`: the link, which carries the token.
///
/// # Errors
/// As the client where nobody answers at the recorded address.
pub fn console(reach: &Reach) -> Result<(), CliError> {
    let door = door(reach)?;
    let link = door.link();
    Client::new(door).get(&format!("{BASE}/instances"))?;
    out::line(&link)?;
    Ok(())
}

/// Which instance was asked, and its answer.
pub(super) fn ask(asked: &Asked, what: &str) -> Result<(String, Value), CliError> {
    let client = Client::find(&asked.reach)?;
    let pid = instance(&client, asked.pid.as_deref())?;
    let answer = client.get(&format!("{}/{what}", path(&pid)))?;
    Ok((pid, answer))
}

pub(super) fn path(pid: &str) -> String {
    format!("{BASE}/{}", utf8_percent_encode(pid, NON_ALPHANUMERIC))
}

/// The provisioning that is meant: the named one, else the first.
pub(super) fn instance(client: &Client, pid: Option<&str>) -> Result<String, CliError> {
    let pid = match pid {
        Some(pid) => pid.to_owned(),
        None => {
            let answer = client.get(&format!("{BASE}/instances"))?;
            let first = answer
                .pointer("/pids/0")
                .and_then(Value::as_str)
                .map(str::to_owned);
            first.ok_or_else(|| {
                CliError::Refused(
                    "this gateway has no ProvisioningService; is its plugin loaded? \
                     (gateway plugins)"
                        .into(),
                )
            })?
        }
    };
    Ok(pid)
}
