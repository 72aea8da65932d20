//! What a request wants changed, checked against the metatype; and why it was refused.
//!
//! Shared by the resources of `configuration/v2`.

use gateway_component_abi::value::Properties;
use gateway_host_sdk::configuration::{ConfigurationError, Update};
use gateway_host_sdk::metatype::Ocd;
use serde_json::{Map, Value};

use super::answer::Refusal;
use super::values::{from_json, Change, Problem, Property};

/// Reads the properties of a request; what does not fit goes into `problems`.
pub fn changes(
    pid: String,
    given: Map<String, Value>,
    ocd: Option<&Ocd>,
    problems: &mut Vec<Problem>,
) -> Update {
    let mut update = Update::new(pid, Properties::new());
    for (name, property) in given {
        let ad = ocd.and_then(|ocd| ocd.ad(&name));
        let change = serde_json::from_value::<Property>(property)
            .map_err(|e| e.to_string())
            .and_then(from_json)
            .and_then(|change| match (change, ad) {
                (Change::Set(value), Some(ad)) => {
                    let value = ad.coerce(value);
                    ad.check(&value).map_err(|problem| problem.allowed)?;
                    Ok(Change::Set(value))
                }
                (Change::Remove, Some(ad)) if ad.required && ad.default.is_none() => {
                    Err("is required".to_owned())
                }
                (change, _) => Ok(change),
            });
        match change {
            Ok(Change::Set(value)) => {
                update.properties.insert(name, value);
            }
            Ok(Change::Remove) => update.remove.push(name),
            Ok(Change::Keep) => {}
            Err(message) => {
                problems.push(Problem {
                    pid: update.pid.clone(),
                    parameter: name,
                    message,
                });
            }
        }
    }
    update
}

/// Refuses if there are problems: 400, with all of them.
///
/// # Errors
/// The refusal.
pub fn refuse(problems: Vec<Problem>) -> Result<(), Refusal> {
    let message = match problems.as_slice() {
        [] => return Ok(()),
        [_] => "one value does not hold".to_owned(),
        many => format!("{} values do not hold", many.len()),
    };
    Err(Refusal::bad(message).with("problems", problems))
}

/// The service's errors as Kura's statuses: NOT_FOUND 404, BAD_REQUEST 400, else 500; and 409, 413.
#[must_use]
pub fn refusal(error: &ConfigurationError, revision: u64) -> Refusal {
    use ConfigurationError as E;
    match error {
        E::Unknown { .. } | E::UnknownFactory { .. } | E::NoSnapshot { .. } => {
            Refusal::absent(error)
        }
        E::Conflict { pid } => Refusal::conflict(error)
            .with("pid", pid)
            .with("revision", revision),
        E::Reserved { pid, by } => Refusal::conflict(error).with("pid", pid).with("by", by),
        E::Exists { .. } => Refusal::conflict(error),
        E::Invalid { pid, problem } => Refusal::bad(error).with(
            "problems",
            [Problem {
                pid: pid.clone(),
                parameter: problem.id.clone(),
                message: problem.allowed.clone(),
            }],
        ),
        E::TooMuch(_) => Refusal::too_large(error),
        E::OtherFactory { .. } | E::Singleton { .. } | E::BadPid { .. } | E::Twice { .. } => {
            Refusal::bad(error)
        }
        _ => Refusal::failed(error),
    }
}
