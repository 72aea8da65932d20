//! Who may speak to the interface.
//!
//! - Every request names a `Host` that is an address, not a name that somebody else's DNS
//!   answers for (against DNS rebinding).
//! - A request of a page (`Origin`) comes from the page that is served here.
//! - `/services` wants the bearer token. It is never sent by a browser on its own, so no other
//!   page can use it (against cross-site requests).
//! - A change carries JSON, or an archive, which no plain HTML form can send.
//!
//! It does not know users or roles: whoever has the token may do everything.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::answer::Refusal;
use super::packages::ARCHIVE;
use crate::door::Token;

/// What the guard goes by.
#[derive(Debug, Clone)]
pub struct Guard {
    listen: SocketAddr,
    token: Token,
}

impl Guard {
    /// The guard of a listener.
    #[must_use]
    pub fn new(listen: SocketAddr, token: Token) -> Guard {
        Guard { listen, token }
    }

    fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
        let host = text(headers, &HOST).unwrap_or_default();
        if !self.is_here(host) {
            return Err(Refusal::new(
                StatusCode::FORBIDDEN,
                format!(
                    "this gateway is not called {host:?}; use http://{}",
                    self.listen
                ),
            ));
        }
        if let Some(origin) = headers.get(ORIGIN) {
            let here = format!("http://{host}");
            if !origin
                .to_str()
                .is_ok_and(|origin| origin.eq_ignore_ascii_case(&here))
            {
                return Err(Refusal::new(
                    StatusCode::FORBIDDEN,
                    "a page of another origin may not use this interface",
                ));
            }
        }
        if path != "/services" && !path.starts_with("/services/") {
            return Ok(());
        }
        let offered = text(headers, &AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        if !offered.is_some_and(|offered| self.token.opens(offered)) {
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "a valid bearer token is needed",
            ));
        }
        let plain = !text(headers, &CONTENT_TYPE).is_some_and(|value| {
            let kind = value.split(';').next().unwrap_or_default().trim();
            kind.eq_ignore_ascii_case("application/json") || kind.eq_ignore_ascii_case(ARCHIVE)
        });
        if method != Method::GET && method != Method::HEAD && plain {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "a change needs Content-Type: application/json (a package: application/gzip)",
            ));
        }
        Ok(())
    }

    /// Whether `host` (of the header) names this listener by address.
    fn is_here(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            // Not the last part of an IPv6 address in brackets.
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let bare = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        let address = bare.unwrap_or(name).parse::<IpAddr>().ok();
        let local =
            name.eq_ignore_ascii_case("localhost") || address.is_some_and(|a| a.is_loopback());
        if self.listen.ip().is_loopback() {
            local && port == Some(self.listen.port())
        } else {
            // A port may be forwarded here from another.
            local || address.is_some()
        }
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The middleware: lets a request through or answers it, and dresses every answer.
pub async fn stand(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let verdict = guard.check(request.method(), request.uri().path(), request.headers());
    let mut response = match verdict {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    };
    let unauthorized = response.status() == StatusCode::UNAUTHORIZED;
    let headers = response.headers_mut();
    if unauthorized {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
             connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
        ),
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn guard(listen: &str) -> Guard {
        Guard::new(listen.parse().unwrap(), Token::given("right"))
    }

    #[test]
    fn a_name_of_somebody_elses_dns_is_not_this_gateway() {
        let guard = guard("127.0.0.1:8080");
        for here in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST:8080",
            "[::1]:8080",
        ] {
            assert!(guard.is_here(here), "{here}");
        }
        for elsewhere in [
            "rebound.example:8080",
            "localhost.example:8080",
            "127.0.0.1",
            "127.0.0.1:81",
            "",
            "192.0.2.7:8080",
        ] {
            assert!(!guard.is_here(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn beyond_loopback_any_address_is_this_gateway_but_no_name() {
        let guard = guard("0.0.0.0:8080");
        assert!(guard.is_here("192.0.2.7:8080"));
        assert!(guard.is_here("[2001:db8::1]"));
        assert!(!guard.is_here("gateway.example:8080"));
    }

    fn check(method: Method, path: &str, headers: &[(HeaderName, &str)]) -> Option<StatusCode> {
        let mut map = HeaderMap::new();
        map.insert(HOST, HeaderValue::from_static("127.0.0.1:8080"));
        for (name, value) in headers {
            map.insert(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        guard("127.0.0.1:8080")
            .check(&method, path, &map)
            .err()
            .map(|r| r.into_response().status())
    }

    #[test]
    fn services_want_the_token_and_the_page_does_not() {
        let right = (AUTHORIZATION, "Bearer right");
        assert_eq!(check(Method::GET, "/", &[]), None);
        assert_eq!(
            check(Method::GET, "/services/events", &[]),
            Some(StatusCode::UNAUTHORIZED)
        );
        let wrong = (AUTHORIZATION, "Bearer wrong");
        assert_eq!(
            check(Method::GET, "/services/events", &[wrong]),
            Some(StatusCode::UNAUTHORIZED)
        );
        assert_eq!(check(Method::GET, "/services/events", &[right]), None);
    }

    #[test]
    fn another_pages_origin_is_refused_even_with_the_token() {
        let right = (AUTHORIZATION, "Bearer right");
        let foreign = (ORIGIN, "http://127.0.0.1:9999");
        assert_eq!(
            check(Method::GET, "/services/events", &[right.clone(), foreign]),
            Some(StatusCode::FORBIDDEN)
        );
        let own = (ORIGIN, "http://127.0.0.1:8080");
        assert_eq!(check(Method::GET, "/services/events", &[right, own]), None);
    }

    #[test]
    fn what_a_plain_form_can_send_changes_nothing() {
        let right = (AUTHORIZATION, "Bearer right");
        let form = (CONTENT_TYPE, "text/plain");
        let path = "/services/configuration/v2/snapshots/_write";
        assert_eq!(
            check(Method::POST, path, &[right.clone(), form]),
            Some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
        );
        let json = (CONTENT_TYPE, "application/json; charset=utf-8");
        assert_eq!(check(Method::POST, path, &[right, json]), None);
    }
}
