//! `/services/configuration/v2`: Kura's interface to the configuration service.
//!
//! Beyond Kura: a configuration carries the `revision` it was read at, an update may give it
//! back and is refused with 409 if the component changed meanwhile; values are checked against
//! the metatype before anything changes, and every offending one is named (`problems`). An
//! update of several components is one snapshot or nothing. Passwords are never shown, in
//! snapshots neither (Kura shows those).

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post, put};
use axum::Router;
use gateway_component_abi::value::Properties;
use gateway_host_sdk::configuration::{ConfigurationError, ConfigurationService, Update};
use gateway_host_sdk::metatype::Ocd;
use serde::Deserialize;
use serde_json::{json, Map, Value};

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::values::{from_json, to_json, Change, Problem, Property};
use super::{definition, Shared};

/// The routes.
pub fn routes() -> Router<Shared> {
    let components = Router::new()
        .route("/", get(pids))
        .route("/pidsWithFactory", get(pids_with_factory))
        .route("/configurations", get(all))
        .route("/configurations/byPid", post(by_pid))
        .route("/configurations/byPid/_default", post(defaults_by_pid))
        .route("/configurations/_update", put(update));
    let factories = Router::new()
        .route("/", get(factories).post(create))
        .route("/byPid", axum::routing::delete(delete))
        .route("/ocd", get(ocds))
        .route("/ocd/byFactoryPid", post(ocds_by_factory));
    let snapshots = Router::new()
        .route("/", get(snapshots))
        .route("/_write", post(write))
        .route("/_rollback", post(roll_back_once))
        .route("/byId/_rollback", post(roll_back));
    Router::new()
        .nest("/configurableComponents", components)
        .nest("/factoryComponents", factories)
        .nest("/snapshots", snapshots)
}

#[derive(Deserialize)]
struct Pids {
    pids: Vec<String>,
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Given {
    pid: String,
    factory_pid: Option<String>,
    #[serde(default)]
    properties: Map<String, Value>,
    revision: Option<u64>,
}

#[derive(Deserialize)]
struct Configs {
    configs: Vec<Given>,
}

async fn pids(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| ok(&json!({"pids": shared.framework.configuration().pids()}))).await
}

async fn pids_with_factory(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let entry = |pid: String| match service.factory_pid(&pid) {
            Some(factory) => json!({"pid": pid, "factoryPid": factory}),
            None => json!({"pid": pid}),
        };
        let components: Vec<_> = service.pids().into_iter().map(entry).collect();
        ok(&json!({"components": components}))
    })
    .await
}

async fn all(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let pids = service.pids();
        ok(&json!({"configs": pids.iter().filter_map(|pid| one(service, pid)).collect::<Vec<_>>()}))
    })
    .await
}

async fn by_pid(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        ok(&json!({"configs": pids.iter().filter_map(|pid| one(service, pid)).collect::<Vec<_>>()}))
    })
    .await
}

async fn defaults_by_pid(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        let configs = pids.iter().filter_map(|pid| {
            let ocd = service.metatype(pid)?;
            Some(described(pid, &ocd, &ocd.defaults()))
        });
        ok(&json!({"configs": configs.collect::<Vec<_>>()}))
    })
    .await
}

/// A component as Kura writes it, and the revision it was read at.
fn one(service: &ConfigurationService, pid: &str) -> Option<Value> {
    // Before the values: a change in between then makes an update conflict, not pass.
    let revision = service.revision();
    let properties = service.get(pid)?;
    let mut configuration = match service.metatype(pid) {
        Some(ocd) => described(pid, &ocd, &properties),
        None => json!({"pid": pid, "properties": to_json(&properties)}),
    };
    if let Some(fields) = configuration.as_object_mut() {
        fields.insert("revision".into(), json!(revision));
    }
    Some(configuration)
}

fn described(pid: &str, ocd: &Ocd, properties: &Properties) -> Value {
    json!({
        "pid": pid,
        "definition": definition::to_json(ocd),
        "properties": to_json(properties),
    })
}

async fn update(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Configs { configs } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        let revision = configs.iter().filter_map(|given| given.revision).min();
        let mut problems = Vec::new();
        let updates: Vec<Update> = configs
            .into_iter()
            .map(|given| {
                let ocd = service.metatype(&given.pid);
                changes(given.pid, given.properties, ocd.as_deref(), &mut problems)
            })
            .collect();
        refuse(problems)?;
        let result = match revision {
            Some(revision) => service.update_if(revision, &updates),
            None => service.update_many(&updates),
        };
        result.map_err(|e| refusal(&e, service.revision()))?;
        done()
    })
    .await
}

async fn create(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Configs { configs } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        for given in configs {
            let factory = given.factory_pid.ok_or_else(|| {
                Refusal::bad("parameter \"factoryPid\" is required")
            })?;
            let mut problems = Vec::new();
            let ocd = service.metatype(&factory);
            let update = changes(given.pid, given.properties, ocd.as_deref(), &mut problems);
            refuse(problems)?;
            service
                .create_factory(&factory, &update.pid, &update.properties)
                .map_err(|e| refusal(&e, service.revision()))?;
        }
        done()
    })
    .await
}

async fn delete(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        for pid in pids {
            service.delete(&pid).map_err(|e| refusal(&e, service.revision()))?;
        }
        done()
    })
    .await
}

async fn factories(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| ok(&json!({"pids": shared.framework.configuration().factories()})))
        .await
}

async fn ocds(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let pids = shared.framework.configuration().factories();
        definitions(shared, &pids)
    })
    .await
}

async fn ocds_by_factory(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| definitions(shared, &pids)).await
}

fn definitions(shared: &Shared, pids: &[String]) -> Answer {
    let service = shared.framework.configuration();
    let configs = pids.iter().filter_map(|pid| {
        let ocd = service.metatype(pid)?;
        Some(json!({"pid": pid, "definition": definition::to_json(&ocd)}))
    });
    ok(&json!({"configs": configs.collect::<Vec<_>>()}))
}

async fn snapshots(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let ids = service.snapshots().map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"ids": ids}))
    })
    .await
}

async fn write(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let id = service.take_snapshot().map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"id": id}))
    })
    .await
}

async fn roll_back(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Id { id } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        service.rollback(id).map_err(|e| refusal(&e, service.revision()))?;
        done()
    })
    .await
}

/// Kura's `rollback()`: to the last but one.
async fn roll_back_once(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let ids = service.snapshots().map_err(|e| refusal(&e, service.revision()))?;
        let id = *ids
            .iter()
            .rev()
            .nth(1)
            .ok_or_else(|| Refusal::conflict("there is no snapshot before the present one"))?;
        service.rollback(id).map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"id": id}))
    })
    .await
}

/// Reads the properties of a request; what does not fit goes into `problems`.
fn changes(
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
                problems.push(Problem { pid: update.pid.clone(), parameter: name, message });
            }
        }
    }
    update
}

fn refuse(problems: Vec<Problem>) -> Result<(), Refusal> {
    let message = match problems.as_slice() {
        [] => return Ok(()),
        [_] => "one value does not hold".to_owned(),
        many => format!("{} values do not hold", many.len()),
    };
    Err(Refusal::bad(message).with("problems", problems))
}

/// The service's errors as Kura's statuses: NOT_FOUND 404, BAD_REQUEST 400, else 500; and 409.
fn refusal(error: &ConfigurationError, revision: u64) -> Refusal {
    use ConfigurationError as E;
    match error {
        E::Unknown { .. } | E::UnknownFactory { .. } | E::NoSnapshot { .. } => {
            Refusal::absent(error)
        }
        E::Conflict { pid } => Refusal::conflict(error).with("pid", pid).with("revision", revision),
        E::Exists { .. } => Refusal::conflict(error),
        E::Invalid { pid, problem } => Refusal::bad(error).with(
            "problems",
            [Problem {
                pid: pid.clone(),
                parameter: problem.id.clone(),
                message: problem.allowed.clone(),
            }],
        ),
        E::OtherFactory { .. } | E::Singleton { .. } | E::BadPid { .. } | E::Twice { .. } => {
            Refusal::bad(error)
        }
        _ => Refusal::failed(error),
    }
}
