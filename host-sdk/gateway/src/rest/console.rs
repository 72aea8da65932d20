//! The web page: a few files, compiled in. No file of the machine is ever served.

use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum::Router;

macro_rules! asset {
    ($file:literal) => {
        ($file, include_str!(concat!("../../console/", $file)))
    };
}

/// The page.
const PAGE: &str = include_str!("../../console/index.html");

/// What the page loads.
const ASSETS: [(&str, &str); 13] = [
    asset!("style.css"),
    asset!("status.css"),
    asset!("form.css"),
    asset!("icon.svg"),
    asset!("app.js"),
    asset!("api.js"),
    asset!("connections.js"),
    asset!("dom.js"),
    asset!("fields.js"),
    asset!("form.js"),
    asset!("lists.js"),
    asset!("status.js"),
    asset!("validate.js"),
];

/// `/` and `/console/…`.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = || async { ([(CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response() };
    let mut router = Router::new().route("/", get(page));
    for (name, content) in ASSETS {
        let kind = kind(name);
        let asset = move || async move { ([(CONTENT_TYPE, kind)], content).into_response() };
        router = router.route(&format!("/console/{name}"), get(asset));
    }
    router
}

fn kind(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that the page and its modules load, out of `from "./x.js"` and `console/x`.
    fn loaded() -> Vec<String> {
        let mut names = Vec::new();
        for content in ASSETS.iter().map(|(_, content)| *content).chain([PAGE]) {
            for (start, end) in [("from \"./", "\""), ("\"console/", "\"")] {
                let parts = content.split(start).skip(1);
                names.extend(
                    parts
                        .filter_map(|part| part.split(end).next())
                        .map(str::to_owned),
                );
            }
        }
        names
    }

    #[test]
    fn everything_the_page_loads_is_served() {
        assert!(loaded().len() > 10);
        for name in loaded() {
            assert!(
                ASSETS.iter().any(|(asset, _)| *asset == name),
                "{name} is not served"
            );
        }
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere_and_holds_no_inline_script() {
        for (name, content) in ASSETS.iter().chain([&("index.html", PAGE)]) {
            let foreign = content.replace("http://www.w3.org/2000/svg", "");
            assert!(!foreign.contains("://"), "{name} names another host");
        }
        assert!(
            !PAGE.contains("<style") && !PAGE.contains("style=") && !PAGE.contains(" onclick=")
        );
    }
}
