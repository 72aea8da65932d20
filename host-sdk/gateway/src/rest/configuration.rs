//! `/services/configuration/v2`: Kura's interface to the configuration service.
//!
//! Beyond Kura: a configuration carries the `revision` it was read at, an update may give it
//! back and is refused with 409 if the component changed meanwhile; values are checked against
//! the metatype before anything changes, and every offending one is named (`problems`). An
//! update of several components is one snapshot or nothing. Passwords are never shown.

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post, put};
use axum::Router;
use gateway_host_sdk::configuration::{ConfigurationService, Update};
use serde::{Deserialize, Serialize};
use serde_json::{json, Map, Value};

use super::answer::{blocking, done, list, ok, parse, Answer, Refusal};
use super::changes::{changes, refusal, refuse};
use super::values::Shown;
use super::{definition, snapshots, Shared};

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
    Router::new()
        .nest("/configurableComponents", components)
        .nest("/factoryComponents", factories)
        .nest("/snapshots", snapshots::routes())
}

#[derive(Deserialize)]
struct Pids {
    pids: Vec<String>,
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
    blocking(shared, |shared| {
        ok(&json!({"pids": shared.framework.configuration().pids()}))
    })
    .await
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
        list("configs", pids.iter().filter_map(|pid| one(service, pid)))
    })
    .await
}

async fn by_pid(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        list("configs", pids.iter().filter_map(|pid| one(service, pid)))
    })
    .await
}

async fn defaults_by_pid(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Pids { pids } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        let configs = pids.iter().filter_map(|pid| {
            let ocd = service.metatype(pid)?;
            Some(Described {
                pid: pid.clone(),
                definition: Some(definition::to_json(&ocd)),
                properties: Shown(ocd.defaults()),
                revision: None,
            })
        });
        list("configs", configs)
    })
    .await
}

/// A component as Kura writes it.
#[derive(Serialize)]
struct Described {
    pid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    definition: Option<Value>,
    properties: Shown,
    /// That it was read at.
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<u64>,
}

fn one(service: &ConfigurationService, pid: &str) -> Option<Described> {
    // Before the values: a change in between then makes an update conflict, not pass.
    let revision = service.revision();
    let properties = service.get(pid)?;
    Some(Described {
        pid: pid.to_owned(),
        definition: service.metatype(pid).map(|ocd| definition::to_json(&ocd)),
        properties: Shown(properties),
        revision: Some(revision),
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
            let factory = given
                .factory_pid
                .ok_or_else(|| Refusal::bad("parameter \"factoryPid\" is required"))?;
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
            service
                .delete(&pid)
                .map_err(|e| refusal(&e, service.revision()))?;
        }
        done()
    })
    .await
}

async fn factories(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        ok(&json!({"pids": shared.framework.configuration().factories()}))
    })
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
