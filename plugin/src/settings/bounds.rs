//! The bounds of each parameter, and how each is said to a person.
//!
//! Lengths are bytes of UTF-8: the client-id and the account are levels of a topic, where 255
//! bytes is the limit (`kura_formats::topic`), and one rule for all is easier to explain.

use std::time::Duration;

use gateway_component_abi::value::Secret;
use mqtt_session::{BrokerUrl, BrokerUrlError};

use super::id;
use super::problem::Problem;
use super::reader::Reader;

/// What the forms of Kura's web console and REST interface show instead of a password; posted
/// back by mistake, it is never the password.
const PLACEHOLDERS: [&str; 2] = ["Placeholder", "placeholder"];

/// The longest name, in bytes.
const MAX_NAME: usize = 255;

/// The longest password, in bytes: the length field of MQTT 3.1.1 has 16 bits.
const MAX_PASSWORD: usize = 65_535;

/// `broker-url`. A trailing `/` is dropped, as Kura does.
pub(super) fn broker(
    reader: &mut Reader<'_>,
    wanted: bool,
    warnings: &mut Vec<String>,
) -> Option<BrokerUrl> {
    let given = reader.text(id::BROKER_URL).trim();
    match without_trailing_slash(given).parse::<BrokerUrl>() {
        Ok(url) => {
            if !url.scheme.is_tls() {
                warnings.push(format!(
                    "broker-url: {url} is not encrypted, so the password travels in clear; use {}",
                    if url.scheme.is_web_socket() {
                        "wss://"
                    } else {
                        "mqtts://"
                    }
                ));
            }
            Some(url)
        }
        Err(error) => {
            let shown = match &error {
                BrokerUrlError::UserInfo => without_user_info(given),
                _ => given.to_owned(),
            };
            let problem = Problem::new(
                id::BROKER_URL,
                &shown,
                format!("{error}; write it like mqtts://broker.example.com:8883"),
            );
            let untouched = matches!(given, "" | "mqtts://" | "mqtts:");
            complain(reader, wanted, untouched, problem, warnings);
            None
        }
    }
}

/// `account-name`.
pub(super) fn account(
    reader: &mut Reader<'_>,
    wanted: bool,
    warnings: &mut Vec<String>,
) -> Option<String> {
    let given = reader.text(id::ACCOUNT_NAME);
    let holds = (3..=MAX_NAME).contains(&given.len())
        && given
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if holds {
        return Some(given.to_owned());
    }
    let problem = Problem::new(
        id::ACCOUNT_NAME,
        given,
        "3 to 255 letters A-Z a-z, digits, _ and -",
    );
    complain(reader, wanted, given.is_empty(), problem, warnings);
    None
}

/// Before it is to run, an unfinished parameter is no problem; one that was begun is worth a
/// warning.
fn complain(
    reader: &mut Reader<'_>,
    wanted: bool,
    untouched: bool,
    problem: Problem,
    warnings: &mut Vec<String>,
) {
    if wanted {
        // A value of the wrong type has been named already.
        if !reader
            .problems
            .iter()
            .any(|p| p.parameter == problem.parameter)
        {
            reader.problems.push(problem);
        }
    } else if !untouched {
        warnings.push(format!("{problem} (once enabled)"));
    }
}

/// `username`; `None` where it is empty or does not hold.
pub(super) fn username(reader: &mut Reader<'_>, warnings: &mut Vec<String>) -> Option<String> {
    let given = reader.text(id::USERNAME);
    if given.len() > MAX_NAME || !mqtt_text(given) {
        let allowed = "up to 255 bytes of text without control characters";
        reader.problem(id::USERNAME, given, allowed);
        return None;
    }
    edge_spaces(id::USERNAME, given, warnings);
    non_empty(given)
}

/// `client-id`; `None` where it is empty or does not hold. Nothing is replaced: Kura turns
/// `/ + # .` into `-` silently, and then the provision request no longer matches.
pub(super) fn client_id(reader: &mut Reader<'_>, warnings: &mut Vec<String>) -> Option<String> {
    let given = reader.text(id::CLIENT_ID);
    if given.len() > MAX_NAME || !mqtt_text(given) || given.contains(['/', '+', '#', '.']) {
        let allowed = "1 to 255 bytes of text without / + # . and control characters, or empty";
        reader.problem(id::CLIENT_ID, given, allowed);
        return None;
    }
    edge_spaces(id::CLIENT_ID, given, warnings);
    non_empty(given)
}

/// `password`.
pub(super) fn password(reader: &mut Reader<'_>, warnings: &mut Vec<String>) -> Secret {
    secret(reader, id::PASSWORD, MAX_PASSWORD, warnings)
}

/// `activation-key`; `None` where it is empty.
pub(super) fn activation_key(
    reader: &mut Reader<'_>,
    warnings: &mut Vec<String>,
) -> Option<Secret> {
    let secret = secret(reader, id::ACTIVATION_KEY, MAX_NAME, warnings);
    (!secret.is_empty()).then_some(secret)
}

fn secret(
    reader: &mut Reader<'_>,
    id: &'static str,
    limit: usize,
    warnings: &mut Vec<String>,
) -> Secret {
    let secret = reader.secret(id);
    if secret.expose().len() > limit {
        reader
            .problems
            .push(Problem::secret(id, format!("up to {limit} bytes")));
    }
    if PLACEHOLDERS.contains(&secret.expose()) {
        warnings.push(format!(
            "{id}: it is the placeholder of a form, not a secret; type it again"
        ));
    }
    secret
}

/// `retry-interval` and `timeout`: from `least` to a day.
pub(super) fn seconds(
    reader: &mut Reader<'_>,
    id: &'static str,
    default: i64,
    least: i64,
) -> Duration {
    let allowed = match least {
        10 => "10 to 86400 seconds",
        _ => "1 to 86400 seconds",
    };
    let value = reader.integer(id, default, allowed, |v| (least..=86_400).contains(&v));
    Duration::from_secs(value.unsigned_abs())
}

/// `retry-max-attempts`; `None` means for ever.
pub(super) fn max_attempts(reader: &mut Reader<'_>) -> Option<u32> {
    let allowed = "-1 (for ever), or 1 to 2147483647";
    let value = reader.integer(id::RETRY_MAX_ATTEMPTS, -1, allowed, |v| {
        v == -1 || (1..=i64::from(i32::MAX)).contains(&v)
    });
    u32::try_from(value).ok()
}

/// What MQTT 3.1.1 calls a UTF-8 string that no receiver refuses (section 1.5.3): no control
/// character and none of Unicode's noncharacters.
pub(super) fn mqtt_text(text: &str) -> bool {
    !text.chars().any(|c| {
        let code = u32::from(c);
        c.is_control() || (0xfdd0..=0xfdef).contains(&code) || code & 0xfffe == 0xfffe
    })
}

fn edge_spaces(id: &str, given: &str, warnings: &mut Vec<String>) {
    if given.trim() != given {
        warnings.push(format!(
            "{id}: {given:?} begins or ends with a space, which counts; was it pasted?"
        ));
    }
}

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn without_trailing_slash(url: &str) -> &str {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let kept = rest.trim_end_matches('/').len();
            url.get(..scheme.len() + 3 + kept).unwrap_or(url)
        }
        None => url,
    }
}

/// `scheme://***@host`: what stands before the `@` may be a password.
fn without_user_info(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://***@{host}"),
        _ => "***".to_owned(),
    }
}
