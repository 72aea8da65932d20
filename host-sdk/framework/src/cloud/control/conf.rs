//! `CONF-V1`, as Kura's `CloudConfigurationHandler` knows it.
//!
//! | request | answer |
//! |---|---|
//! | `GET configurations`, `GET configurations/{pid}` | the XML of all, or of one |
//! | `PUT configurations`, `PUT configurations/{pid}` | merges a document, in one snapshot or not at all |
//! | `GET snapshots`, `GET snapshots/{id}` | the ids, or the XML of one |
//! | `EXEC snapshot` | takes one, and gives its id |
//! | `EXEC rollback`, `EXEC rollback/{id}` | goes back to the one before the last, or to that one |
//!
//! Unlike Kura's: a request is answered when it is done, and says truly how it went; a document is
//! validated as a whole before anything changes; passwords are not given out. Where one is set there
//! stands the placeholder `Placeholder`, and given back it means "as it is", so that a document may
//! be read, edited and sent back.
//!
//! A ProvisioningService may be configured, as whole fleets are moved to another account by it; but
//! nobody from outside says that a gateway *is* provisioned, and a rollback leaves it as it is.

use gateway_component_abi::value::Value;
use kura_formats::configurations::{self as xml, ConfigurationsError, XmlLimits};
use kura_formats::snapshot_ids;
use kura_formats::topic::Method;

use super::refusal::Refusal;
use super::reply::{Answer, Outcome};
use super::request::Request;
use crate::cloud::stack::PROVISIONING_SERVICE;
use crate::configuration::{Configuration, ConfigurationService};

/// Its name in topics.
pub(super) const APP: &str = "CONF-V1";

/// Answers a request that was verified.
pub(super) fn answer(service: &ConfigurationService, request: &Request) -> Outcome {
    match (request.method(), request.resources().as_slice()) {
        (Method::Get, ["configurations"]) => all(service),
        (Method::Get, ["configurations", pid]) => one(service, pid),
        (Method::Put, ["configurations"]) => put(service, request.body(), None),
        (Method::Put, ["configurations", pid]) => put(service, request.body(), Some(pid)),
        (Method::Get, ["snapshots"]) => Ok(Answer::with_body(snapshot_ids::write(
            &service.snapshots()?,
        ))),
        (Method::Get, ["snapshots", id]) => document(service.snapshot_held(number(id)?)?),
        (Method::Exec, ["snapshot"]) => {
            let id = service.take_snapshot()?;
            Ok(Answer::with_body(snapshot_ids::write(&[id])))
        }
        (Method::Exec, ["rollback"]) => rollback(service, before_last(service)?),
        (Method::Exec, ["rollback", id]) => rollback(service, number(id)?),
        _ => Err(Refusal::absent(format!(
            "{APP} has no {}",
            request.application_topic
        ))),
    }
}

fn all(service: &ConfigurationService) -> Outcome {
    let pids = service.pids();
    document(pids.iter().filter_map(|pid| shown(service, pid)).collect())
}

fn one(service: &ConfigurationService, pid: &str) -> Outcome {
    let Some(found) = shown(service, pid) else {
        return Err(Refusal::absent(format!("there is no component {pid:?}")));
    };
    document(vec![found])
}

fn shown(service: &ConfigurationService, pid: &str) -> Option<Configuration> {
    Some(Configuration {
        pid: pid.to_owned(),
        factory_pid: None,
        properties: service.get_held(pid)?,
    })
}

fn document(list: Vec<Configuration>) -> Outcome {
    let list: Vec<_> = list
        .into_iter()
        .map(
            |Configuration {
                 pid, properties, ..
             }| xml::Configuration { pid, properties },
        )
        .collect();
    match xml::write(&list, &mut xml::remote_seal) {
        Ok(body) => Ok(Answer::with_body(body)),
        Err(e) => Err(Refusal::failed("storage.unwritable", e.to_string())),
    }
}

fn put(service: &ConfigurationService, body: &[u8], pid: Option<&str>) -> Outcome {
    let list = read(body, pid)?;
    for configuration in service.preview(&list, provisions)? {
        keep_honest(service, &configuration)?;
    }
    service.put(list)?;
    Ok(Answer::done())
}

fn read(body: &[u8], pid: Option<&str>) -> Result<Vec<Configuration>, Refusal> {
    if body.is_empty() {
        return Err(Refusal::malformed("the request has no body"));
    }
    let limits = XmlLimits::remote();
    let list = xml::read(body, &limits, &mut xml::remote_open).map_err(|e| unreadable(&e))?;
    match (pid, list.as_slice()) {
        (_, []) => {
            return Err(Refusal::malformed("the document holds no configuration"));
        }
        (Some(pid), [one]) if one.pid == pid => {}
        (Some(pid), _) => {
            return Err(Refusal::invalid(format!(
                "the topic names {pid:?}, so the document has to hold that configuration alone"
            )))
        }
        (None, _) => {}
    }
    let configuration = |xml::Configuration { pid, properties }| Configuration {
        pid,
        factory_pid: None,
        properties,
    };
    Ok(list.into_iter().map(configuration).collect())
}

fn unreadable(error: &ConfigurationsError) -> Refusal {
    let message = error.to_string();
    match error {
        ConfigurationsError::Limit { .. } => Refusal::too_large(message),
        ConfigurationsError::Xml { .. } | ConfigurationsError::Structure { .. } => {
            Refusal::malformed(message)
        }
        ConfigurationsError::Pid { .. }
        | ConfigurationsError::Property { .. }
        | ConfigurationsError::Unwritable { .. } => Refusal::invalid(message),
    }
}

/// That a gateway is provisioned is what its component says after a proof, and nobody else.
fn keep_honest(service: &ConfigurationService, wanted: &Configuration) -> Result<(), Refusal> {
    const PROVISIONED: &str = "provisioned";
    if !provisions(&wanted.pid, wanted.factory_pid.as_deref()) {
        return Ok(());
    }
    let says = |value: Option<&Value>| value.and_then(Value::as_bool) == Some(true);
    let running = service.get_masked(&wanted.pid).unwrap_or_default();
    if says(wanted.properties.get(PROVISIONED)) && !says(running.get(PROVISIONED)) {
        return Err(Refusal::invalid(format!(
            "{}: {PROVISIONED}: only the ProvisioningService itself sets it to true",
            wanted.pid
        )));
    }
    Ok(())
}

/// Whether it is a ProvisioningService: by its factory, or by its pid, which is the factory's with or
/// without the suffix of a connection.
fn provisions(pid: &str, factory_pid: Option<&str>) -> bool {
    let named = pid
        .strip_prefix(PROVISIONING_SERVICE)
        .is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('-'));
    named || factory_pid == Some(PROVISIONING_SERVICE)
}

fn number(id: &str) -> Result<i64, Refusal> {
    let digits = id.bytes().all(|b| b.is_ascii_digit());
    id.parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| Refusal::malformed(format!("{id:?} is no id of a snapshot")))
}

fn before_last(service: &ConfigurationService) -> Result<i64, Refusal> {
    match service.snapshots()?.as_slice() {
        [.., before, _] => Ok(*before),
        _ => Err(Refusal::absent(
            "there is no snapshot before the present one",
        )),
    }
}

fn rollback(service: &ConfigurationService, id: i64) -> Outcome {
    service.rollback_but(id, provisions)?;
    Ok(Answer::done())
}
