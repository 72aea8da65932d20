//! Every bound from both sides, and what combinations of parameters say together.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use gateway_component_abi::value::{Kind, Scalar, Value};
use proptest::prelude::*;

use super::*;

/// A configuration that runs.
fn whole() -> Properties {
    let mut properties = Properties::new();
    for (id, value) in [
        (id::ENABLED, Value::from(true)),
        (id::PROVISIONED, Value::from(false)),
        (id::CA_AUTHENTICATION, Value::from(true)),
        (id::BROKER_URL, Value::from("mqtts://broker.example")),
        (id::ACCOUNT_NAME, Value::from("acme")),
        (id::USERNAME, Value::from("user")),
        (id::PASSWORD, Value::from(Secret::from("p4ssword"))),
        (id::ACTIVATION_KEY, Value::from(Secret::from("k3y"))),
        (id::CLIENT_ID, Value::from("gw-1")),
        (id::RETRY_INTERVAL, Value::from(30)),
        (id::RETRY_MAX_ATTEMPTS, Value::from(5)),
        (id::TIMEOUT, Value::from(100)),
    ] {
        properties.insert(id.to_owned(), value);
    }
    properties
}

fn with(id: &str, value: impl Into<Value>) -> Parsed {
    let mut properties = whole();
    properties.insert(id.to_owned(), value.into());
    Settings::parse(&properties)
}

fn scalar(scalar: Scalar) -> Value {
    Value::Scalar(scalar)
}

/// The only problem there is.
fn problem(parsed: &Parsed) -> &Problem {
    match parsed.problems() {
        [one] => one,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_whole_configuration_is_read_as_it_stands() {
    let parsed = Settings::parse(&whole());
    assert!(parsed.runs());
    assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    assert_eq!(
        parsed.result.unwrap(),
        Settings {
            enabled: true,
            provisioned: false,
            ca_authentication: true,
            broker: "mqtts://broker.example:8883".parse().unwrap(),
            account_name: "acme".into(),
            username: Some("user".into()),
            password: Secret::from("p4ssword"),
            activation_key: Some(Secret::from("k3y")),
            client_id: Some("gw-1".into()),
            retry_interval: Duration::from_secs(30),
            max_attempts: Some(5),
            timeout: Duration::from_secs(100),
        }
    );
}

#[test]
fn absent_keys_are_at_their_default() {
    let mut properties = Properties::new();
    properties.insert(id::ENABLED.into(), true.into());
    properties.insert(id::BROKER_URL.into(), "wss://b/mqtt".into());
    properties.insert(id::ACCOUNT_NAME.into(), "acme".into());
    properties.insert("kura.service.pid".into(), "x".into());
    let settings = Settings::parse(&properties).result.unwrap();
    assert!(settings.ca_authentication);
    assert!(!settings.provisioned);
    assert_eq!(settings.broker.port, 443);
    assert_eq!((settings.username, settings.client_id), (None, None));
    assert!(settings.password.is_empty());
    assert_eq!(settings.activation_key, None);
    assert_eq!(settings.retry_interval, Duration::from_secs(60));
    assert_eq!(settings.max_attempts, None);
    assert_eq!(settings.timeout, Duration::from_secs(300));
}

#[test]
fn nothing_at_all_is_idle_and_no_problem() {
    let parsed = Settings::parse(&Properties::new());
    assert!(!parsed.runs());
    assert_eq!(parsed.problems(), []);
    assert!(parsed.result.is_err());
    assert!(parsed.warnings.is_empty());
}

#[test]
fn the_two_states_decide_what_must_hold() {
    for (enabled, provisioned, checked) in [
        (true, false, true),
        (true, true, false),
        (false, false, false),
        (false, true, false),
    ] {
        let mut properties = whole();
        properties.insert(id::ENABLED.into(), enabled.into());
        properties.insert(id::PROVISIONED.into(), provisioned.into());
        properties.insert(id::BROKER_URL.into(), "mqtts://".into());
        properties.insert(id::ACCOUNT_NAME.into(), "".into());
        let parsed = Settings::parse(&properties);
        assert_eq!(parsed.runs(), checked);
        assert_eq!(parsed.problems().len(), if checked { 2 } else { 0 });
        assert_eq!((parsed.enabled, parsed.provisioned), (enabled, provisioned));
        assert!(parsed.warnings.is_empty(), "{:?}", parsed.warnings);
    }
}

#[test]
fn a_wrong_beginning_is_a_warning_before_it_is_a_problem() {
    let mut properties = whole();
    properties.insert(id::ENABLED.into(), false.into());
    properties.insert(id::BROKER_URL.into(), "http://broker".into());
    properties.insert(id::ACCOUNT_NAME.into(), "a b".into());
    let parsed = Settings::parse(&properties);
    assert_eq!(parsed.problems(), []);
    assert_eq!(parsed.warnings.len(), 2, "{:?}", parsed.warnings);
}

#[test]
fn everything_wrong_is_named_at_once() {
    let mut properties = Properties::new();
    properties.insert(id::ENABLED.into(), true.into());
    for name in [
        id::PROVISIONED,
        id::CA_AUTHENTICATION,
        id::BROKER_URL,
        id::ACCOUNT_NAME,
        id::USERNAME,
        id::PASSWORD,
        id::ACTIVATION_KEY,
        id::CLIENT_ID,
        id::RETRY_INTERVAL,
        id::RETRY_MAX_ATTEMPTS,
        id::TIMEOUT,
    ] {
        properties.insert(name.into(), scalar(Scalar::Double(0.5)));
    }
    let parsed = Settings::parse(&properties);
    let named: Vec<&str> = parsed
        .problems()
        .iter()
        .map(|p| p.parameter.as_str())
        .collect();
    assert_eq!(named, id::ALL[1..]);
    let fault = Problem::fault(parsed.problems());
    assert_eq!(fault.code.as_str(), "config.invalid");
    assert_eq!(fault.causes.len(), 11);
    for name in named {
        assert!(fault.message.contains(name), "{}", fault.message);
    }
}

#[test]
fn what_may_run_stays_readable_when_something_else_does_not_hold() {
    let parsed = with(id::TIMEOUT, 0);
    assert!(parsed.enabled && !parsed.provisioned);
    assert_eq!(parsed.client_id.as_deref(), Some("gw-1"));
    assert_eq!(parsed.username.as_deref(), Some("user"));
    let broken = with(id::ENABLED, "perhaps");
    assert!(!broken.runs());
    assert_eq!(problem(&broken).parameter, id::ENABLED);
}

#[test]
fn numbers_hold_within_their_bounds_and_nowhere_else() {
    for (name, good, bad) in [
        (
            id::RETRY_INTERVAL,
            vec![1, 2, 86_399, 86_400],
            vec![0, -1, 86_401, i32::MAX, i32::MIN],
        ),
        (
            id::TIMEOUT,
            vec![10, 11, 86_400],
            vec![9, 0, -1, 86_401, i32::MAX, i32::MIN],
        ),
        (
            id::RETRY_MAX_ATTEMPTS,
            vec![-1, 1, 2, i32::MAX],
            vec![0, -2, i32::MIN],
        ),
    ] {
        for value in good {
            let parsed = with(name, value);
            let settings = parsed.result.as_ref().unwrap();
            let seconds = u64::try_from(value).unwrap_or(0);
            match name {
                id::TIMEOUT => assert_eq!(settings.timeout.as_secs(), seconds),
                id::RETRY_INTERVAL => assert_eq!(settings.retry_interval.as_secs(), seconds),
                _ => assert_eq!(settings.max_attempts, u32::try_from(value).ok()),
            }
        }
        for value in bad {
            let parsed = with(name, value);
            let found = problem(&parsed);
            assert_eq!(found.parameter, name);
            assert_eq!(found.given, Some(value.to_string()));
            assert!(!found.allowed.is_empty());
        }
    }
}

#[test]
fn other_types_are_taken_where_they_can_mean_one_thing_only() {
    let array = |items| Value::array(Kind::Integer, items).unwrap();
    for value in [
        scalar(Scalar::Long(77)),
        scalar(Scalar::Short(77)),
        scalar(Scalar::Byte(77)),
        Value::from("77"),
        Value::from(" 77 "),
        array(vec![Scalar::Integer(77)]),
    ] {
        let settings = with(id::TIMEOUT, value).result.unwrap();
        assert_eq!(settings.timeout.as_secs(), 77);
    }
    for value in [Value::from(""), Value::from("  "), array(vec![])] {
        let settings = with(id::TIMEOUT, value).result.unwrap();
        assert_eq!(settings.timeout.as_secs(), 300);
    }
    for value in [
        scalar(Scalar::Long(1 << 40)),
        scalar(Scalar::Long((1 << 32) + 77)),
        scalar(Scalar::Float(77.0)),
        scalar(Scalar::Double(77.0)),
        scalar(Scalar::Char('M')),
        scalar(Scalar::Boolean(true)),
        scalar(Scalar::Password(Secret::from("77"))),
        Value::from("+77"),
        Value::from("077"),
        Value::from("77s"),
        Value::from("7 7"),
        Value::from("-"),
        Value::from("99999999999999999999"),
        array(vec![Scalar::Integer(77), Scalar::Integer(78)]),
    ] {
        let parsed = with(id::TIMEOUT, value.clone());
        assert_eq!(problem(&parsed).parameter, id::TIMEOUT, "{value:?}");
    }
    for (value, expected) in [
        ("true", true),
        ("TRUE", true),
        (" false ", false),
        ("", true),
    ] {
        let parsed = with(id::CA_AUTHENTICATION, value);
        assert_eq!(
            parsed.result.unwrap().ca_authentication,
            expected,
            "{value:?}"
        );
    }
    for value in [Value::from("yes"), Value::from("1"), Value::from(1)] {
        let parsed = with(id::CA_AUTHENTICATION, value);
        assert_eq!(problem(&parsed).parameter, id::CA_AUTHENTICATION);
    }
}

#[test]
fn secrets_may_come_as_text_and_are_never_shown() {
    let settings = with(id::PASSWORD, "as text").result.unwrap();
    assert_eq!(settings.password.expose(), "as text");
    assert!(!format!("{settings:?}").contains("as text"));
    let long = "s".repeat(65_536);
    for (name, value) in [
        (id::PASSWORD, Value::from(long.as_str())),
        (id::ACTIVATION_KEY, Value::from(&long[..256])),
        (id::PASSWORD, scalar(Scalar::Long(5_551_234))),
        (id::USERNAME, Value::from(Secret::from("sss"))),
    ] {
        let parsed = with(name, value);
        let shown = format!("{:?} {}", parsed, Problem::fault(parsed.problems()));
        assert_eq!(problem(&parsed).parameter, name);
        assert!(
            !shown.contains("sss") && !shown.contains("5551234"),
            "{shown}"
        );
    }
    assert!(with(id::PASSWORD, &long[..65_535]).result.is_ok());
    assert!(with(id::ACTIVATION_KEY, &long[..255]).result.is_ok());
    let empty = with(id::ACTIVATION_KEY, Secret::default()).result.unwrap();
    assert_eq!(empty.activation_key, None);
}

#[test]
fn an_empty_password_is_a_warning_once_it_is_to_be_used() {
    let parsed = with(id::PASSWORD, Secret::default());
    assert!(parsed.result.is_ok());
    assert!(
        parsed.warnings[0].starts_with("password: it is empty"),
        "{:?}",
        parsed.warnings
    );
    // As it is after a success.
    let mut done = whole();
    done.insert(id::PASSWORD.into(), Secret::default().into());
    done.insert(id::PROVISIONED.into(), true.into());
    assert!(Settings::parse(&done).warnings.is_empty());
}

#[test]
fn a_placeholder_of_a_form_is_pointed_out() {
    for text in ["Placeholder", "placeholder"] {
        let parsed = with(id::PASSWORD, Secret::from(text));
        assert!(parsed.result.is_ok());
        assert!(
            parsed.warnings[0].starts_with("password:"),
            "{:?}",
            parsed.warnings
        );
    }
}

#[test]
fn account_names_hold_within_their_bounds() {
    for good in ["abc", "A-_9", &"a".repeat(255)] {
        assert!(with(id::ACCOUNT_NAME, good).result.is_ok(), "{good}");
    }
    for bad in [
        "",
        "ab",
        "a b",
        "a.b",
        "a/b",
        "+++",
        "acme ",
        "acmé",
        &"a".repeat(256),
    ] {
        assert_eq!(
            problem(&with(id::ACCOUNT_NAME, bad)).parameter,
            id::ACCOUNT_NAME,
            "{bad}"
        );
    }
}

#[test]
fn client_ids_hold_within_their_bounds_in_every_script() {
    let longest = "é".repeat(127) + "x";
    for good in [
        "a",
        "网关-1",
        "Übergabe",
        "🦀",
        "a:b",
        "a b",
        "a$b",
        &"x".repeat(255),
        &longest,
    ] {
        let settings = with(id::CLIENT_ID, good).result.unwrap();
        assert_eq!(settings.client_id.as_deref(), Some(good));
        kura_formats::topic::check_id(good).unwrap();
    }
    let too_long = "é".repeat(128);
    for bad in [
        "a/b",
        "a+b",
        "a#b",
        "a.b",
        "a\0b",
        "a\nb",
        "a\u{7f}b",
        "a\u{85}b",
        "a\u{fdd0}b",
        "a\u{ffff}b",
        "a\u{1fffe}b",
        &"x".repeat(256),
        &too_long,
    ] {
        let parsed = with(id::CLIENT_ID, bad);
        assert_eq!(problem(&parsed).parameter, id::CLIENT_ID, "{bad:?}");
        assert_eq!(parsed.client_id, None);
    }
    assert_eq!(with(id::CLIENT_ID, "").result.unwrap().client_id, None);
    let spaced = with(id::CLIENT_ID, " gw ");
    assert_eq!(spaced.result.unwrap().client_id.as_deref(), Some(" gw "));
    assert!(spaced.warnings[0].starts_with("client-id:"));
}

#[test]
fn user_names_hold_within_their_bounds() {
    for good in ["a/b+c#d.e", "üser@example", &"x".repeat(255)] {
        assert!(with(id::USERNAME, good).result.is_ok(), "{good}");
    }
    for bad in ["a\0", "a\tb", &"x".repeat(256)] {
        assert_eq!(
            problem(&with(id::USERNAME, bad)).parameter,
            id::USERNAME,
            "{bad:?}"
        );
    }
    assert_eq!(with(id::USERNAME, "").result.unwrap().username, None);
}

#[test]
fn broker_addresses_are_read_as_people_write_them() {
    for (given, shown, warned) in [
        ("mqtts://b", "mqtts://b", false),
        (" MQTTS://B:8883/ ", "mqtts://b", false),
        ("mqtts://b:1/", "mqtts://b:1", false),
        ("wss://b/mqtt/", "wss://b/mqtt", false),
        ("wss://b//", "wss://b", false),
        ("mqtt://b", "mqtt://b", true),
        ("ws://[::1]:8080/x", "ws://[::1]:8080/x", true),
    ] {
        let parsed = with(id::BROKER_URL, given);
        assert_eq!(parsed.result.unwrap().broker.to_string(), shown, "{given}");
        assert_eq!(parsed.warnings.len(), usize::from(warned), "{given}");
    }
    for bad in [
        "",
        "mqtts://",
        "mqtts:///",
        "broker",
        "http://b",
        "tcp://b",
        "mqtts://b:0",
        "mqtts://b:65536",
        "mqtts://b/path",
        "mqtts:/b",
        "://",
        "mqtts://a b",
    ] {
        let parsed = with(id::BROKER_URL, bad);
        assert_eq!(problem(&parsed).parameter, id::BROKER_URL, "{bad}");
    }
}

#[test]
fn a_password_in_the_address_is_refused_and_not_shown() {
    for given in [
        "mqtts://me:s3cret@b",
        "mqtts://s3cret@b",
        "mqtts://a@s3cret@b",
    ] {
        let parsed = with(id::BROKER_URL, given);
        assert_eq!(problem(&parsed).given.as_deref(), Some("mqtts://***@b"));
        assert!(!format!("{parsed:?}").contains("s3cret"));
        let mut idle = whole();
        idle.insert(id::ENABLED.into(), false.into());
        idle.insert(id::BROKER_URL.into(), given.into());
        let warned = Settings::parse(&idle).warnings;
        assert!(!warned[0].contains("s3cret"), "{warned:?}");
    }
}

#[test]
fn only_what_an_attempt_uses_restarts_it() {
    let of = |id: &str, value: Value| with(id, value).result.unwrap();
    let base = Settings::parse(&whole()).result.unwrap();
    let print = base.restart_key().fingerprint(b"salt").unwrap();
    assert_eq!(base.restart_key().fingerprint(b"salt").unwrap(), print);
    assert_ne!(base.restart_key().fingerprint(b"other").unwrap(), print);
    assert_eq!(print.len(), 64);
    for (id, value, restarts) in [
        (id::CA_AUTHENTICATION, Value::from(false), true),
        (
            id::BROKER_URL,
            Value::from("mqtts://broker.example:8884"),
            true,
        ),
        (id::ACCOUNT_NAME, Value::from("other"), true),
        (id::USERNAME, Value::from(""), true),
        (id::PASSWORD, Value::from("other"), true),
        (id::ACTIVATION_KEY, Value::from(""), true),
        (id::CLIENT_ID, Value::from("gw-2"), true),
        (id::TIMEOUT, Value::from(101), true),
        (id::RETRY_INTERVAL, Value::from(31), false),
        (id::RETRY_MAX_ATTEMPTS, Value::from(-1), false),
        (
            id::BROKER_URL,
            Value::from("mqtts://BROKER.example:8883/"),
            false,
        ),
        (id::PASSWORD, Value::from("p4ssword"), false),
    ] {
        let key = of(id, value).restart_key();
        assert_eq!(key != base.restart_key(), restarts, "{id}");
        assert_eq!(key.fingerprint(b"salt").unwrap() != print, restarts, "{id}");
    }
}

#[test]
fn long_values_are_cut_before_they_are_repeated() {
    let parsed = with(id::CLIENT_ID, "é#".repeat(10_000).as_str());
    let found = problem(&parsed);
    assert!(found.given.as_ref().unwrap().chars().count() <= 81);
}

proptest! {
    #[test]
    fn arbitrary_texts_never_panic_and_what_is_accepted_fits_a_topic(
        url in ".{0,60}", account in ".{0,60}", client_id in ".{0,60}", user in ".{0,60}",
        number in ".{0,12}",
    ) {
        let mut properties = whole();
        for (id, text) in [
            (id::BROKER_URL, url), (id::ACCOUNT_NAME, account), (id::CLIENT_ID, client_id),
            (id::USERNAME, user), (id::TIMEOUT, number),
        ] {
            properties.insert(id.to_owned(), text.into());
        }
        let parsed = Settings::parse(&properties);
        if let Some(id) = &parsed.client_id {
            prop_assert!(kura_formats::topic::check_id(id).is_ok());
        }
        if let Ok(settings) = parsed.result {
            prop_assert!(kura_formats::topic::check_id(&settings.account_name).is_ok());
            prop_assert!((10..=86_400).contains(&settings.timeout.as_secs()));
        }
    }
}
