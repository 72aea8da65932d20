//! `/services/plugins/v1`: what is loaded from the plugin folder. Ours; Kura's bundles are of
//! another kind.

use axum::extract::State;
use axum::routing::get;
use axum::Router;
use gateway_host_sdk::PluginInfo;
use serde_json::{json, Value};

use super::answer::{blocking, ok, Answer};
use super::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/plugins", get(plugins))
}

async fn plugins(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let plugins: Vec<_> = shared.framework.plugins().iter().map(plugin).collect();
        ok(&json!({"plugins": plugins}))
    })
    .await
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
