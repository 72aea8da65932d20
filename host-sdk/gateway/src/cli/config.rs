//! `gateway config`: configurations of a running gateway, over REST.

use serde_json::{json, Map, Value};

use super::args::{Config, Listed, Reach};
use super::client::Client;
use super::error::CliError;
use super::out;
use super::value::{Argument, Kind};

const BASE: &str = "/configuration/v2";

/// Does what the command says.
///
/// # Errors
/// As the client; [`CliError::Usage`] for values that are not of their type.
pub fn run(command: &Config) -> Result<(), CliError> {
    match command {
        Config::List(listed) => list(listed),
        Config::Get { reach, pid, json } => get(reach, pid, *json),
        Config::Set {
            reach,
            pid,
            values,
            revision,
        } => set(reach, pid, values, *revision),
        Config::Snapshots(listed) => snapshots(listed),
        Config::Rollback { reach, id } => {
            let client = Client::find(reach)?;
            let answer = match id {
                None => client.post(&format!("{BASE}/snapshots/_rollback"), &json!({}))?,
                Some(id) => client.post(
                    &format!("{BASE}/snapshots/byId/_rollback"),
                    &json!({"id": id}),
                )?,
            };
            if let Some(id) = answer.get("id") {
                out::line(&format!("snapshot {id}"))?;
            }
            Ok(())
        }
    }
}

fn list(listed: &Listed) -> Result<(), CliError> {
    let path = format!("{BASE}/configurableComponents/pidsWithFactory");
    let answer = Client::find(&listed.reach)?.get(&path)?;
    if listed.json {
        out::json(&answer)?;
        return Ok(());
    }
    for component in answer
        .get("components")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out::line(
            component
                .get("pid")
                .and_then(Value::as_str)
                .unwrap_or_default(),
        )?;
    }
    Ok(())
}

fn snapshots(listed: &Listed) -> Result<(), CliError> {
    let answer = Client::find(&listed.reach)?.get(&format!("{BASE}/snapshots"))?;
    if listed.json {
        out::json(&answer)?;
        return Ok(());
    }
    for id in answer
        .get("ids")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out::line(&id.to_string())?;
    }
    Ok(())
}

fn get(reach: &Reach, pid: &str, as_json: bool) -> Result<(), CliError> {
    let configuration = fetch(&Client::find(reach)?, pid)?;
    if as_json {
        out::json(&configuration)?;
        return Ok(());
    }
    let properties = configuration.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        let value = match property.get("value") {
            _ if property.get("type").and_then(Value::as_str) == Some("PASSWORD") => "***".into(),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        out::line(&format!("{name} = {value}"))?;
    }
    Ok(())
}

fn set(reach: &Reach, pid: &str, values: &[String], revision: Option<u64>) -> Result<(), CliError> {
    let client = Client::find(reach)?;
    let configuration = fetch(&client, pid)?;
    let mut properties = Map::new();
    for text in values {
        let argument = Argument::parse(text)?;
        let kind = kind(&configuration, argument.key)
            .ok_or_else(|| CliError::Usage(format!("{pid} has no parameter '{}'", argument.key)))?;
        properties.insert(argument.key.to_owned(), argument.property(&kind)?);
    }
    let mut change = json!({"pid": pid, "properties": properties});
    if let (Some(revision), Some(change)) = (revision, change.as_object_mut()) {
        change.insert("revision".into(), json!(revision));
    }
    let body = json!({"configs": [change], "takeSnapshot": true});
    client.put(
        &format!("{BASE}/configurableComponents/configurations/_update"),
        &body,
    )?;
    Ok(())
}

/// The configuration of one component, with its descriptor and its revision.
fn fetch(client: &Client, pid: &str) -> Result<Value, CliError> {
    let path = format!("{BASE}/configurableComponents/configurations/byPid");
    let answer = client.post(&path, &json!({"pids": [pid]}))?;
    let first = answer.pointer("/configs/0").cloned();
    first.ok_or_else(|| CliError::Refused(format!("there is no component {pid}")))
}

/// Those of `names` that are empty in the configuration of `pid`.
pub(super) fn empty<'a>(
    client: &Client,
    pid: &str,
    names: &[&'a str],
) -> Result<Vec<&'a str>, CliError> {
    let configuration = fetch(client, pid)?;
    let properties = configuration.get("properties");
    let value = |name: &str| properties?.get(name)?.get("value")?.as_str();
    let names = names.iter().copied();
    Ok(names
        .filter(|name| value(name).is_none_or(str::is_empty))
        .collect())
}

/// The type of a key: what its descriptor says, else what the property has now.
fn kind(configuration: &Value, key: &str) -> Option<Kind> {
    let definitions = configuration
        .pointer("/definition/ad")
        .and_then(Value::as_array);
    let described = definitions
        .into_iter()
        .flatten()
        .find(|ad| ad.get("id").and_then(Value::as_str) == Some(key));
    if let Some(ad) = described {
        let scalar = ad.get("type").and_then(Value::as_str)?.to_owned();
        let cardinality = ad.get("cardinality").and_then(Value::as_i64).unwrap_or(0);
        return Some(Kind {
            scalar,
            array: cardinality.unsigned_abs() > 1,
        });
    }
    let property = configuration.get("properties")?.get(key)?;
    let scalar = property.get("type").and_then(Value::as_str)?.to_owned();
    Some(Kind {
        scalar,
        array: property.get("value").is_some_and(Value::is_array),
    })
}
