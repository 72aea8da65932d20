//! `/services/plugins/v1`: what is loaded from the plugin folder. Ours; Kura's bundles are of
//! another kind.
//!
//! - `GET /plugins`: the libraries, and the instances of their components
//! - `POST /instances/{pid}/try-again`: gives one that failed another chance; 409 if it is active

use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::Router;
use gateway_host_sdk::{ComponentInfo, PluginInfo};
use serde_json::{json, Value};

use super::answer::{blocking, done, ok, Answer, Refusal};
use super::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/plugins", get(plugins))
        .route("/instances/{pid}/try-again", post(try_again))
}

async fn plugins(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let plugins: Vec<_> = shared.framework.plugins().iter().map(plugin).collect();
        let components = shared.framework.components();
        let instances: Vec<_> = components.iter().map(instance).collect();
        ok(&json!({"plugins": plugins, "instances": instances}))
    })
    .await
}

async fn try_again(State(shared): State<Shared>, Path(pid): Path<String>) -> Answer {
    blocking(shared, move |shared| {
        shared
            .framework
            .try_again(&pid)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

fn instance(component: &ComponentInfo) -> Value {
    json!({
        "pid": component.pid,
        "factoryPid": component.factory_pid,
        "state": component.state,
        "error": component.error,
    })
}

fn plugin(plugin: &PluginInfo) -> Value {
    json!({
        "path": plugin.path,
        "name": plugin.name,
        "version": plugin.version,
        "vendor": plugin.vendor,
        "buildDate": plugin.build_date,
        "state": plugin.state,
        "error": plugin.error,
        "components": plugin.components,
    })
}
