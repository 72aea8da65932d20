//! Which test provokes which code. A code that no test provokes, a test that is gone or that no
//! longer names its code, and a code that is listed twice are failures.

use provisioning_service::diagnosis::Code;

/// The sources of the tests, by module.
const SOURCES: [(&str, &str); 10] = [
    ("e2e::broker", include_str!("../e2e/broker.rs")),
    ("e2e::platform", include_str!("../e2e/platform.rs")),
    ("clock", include_str!("clock.rs")),
    ("defects", include_str!("defects.rs")),
    ("instances", include_str!("instances.rs")),
    ("local", include_str!("local.rs")),
    ("network", include_str!("network.rs")),
    ("packages", include_str!("packages.rs")),
    ("platform", include_str!("platform.rs")),
    ("storage", include_str!("storage.rs")),
];

/// Code, module, test.
const PROVOKED: &[(&str, &str, &str)] = &[
    (
        "config.invalid",
        "local",
        "parameters_that_do_not_hold_are_all_named_and_mended_by_saving",
    ),
    (
        "config.same-platform",
        "instances",
        "a_second_instance_against_the_same_platform_is_refused",
    ),
    (
        "identity.missing",
        "local",
        "without_mac_serial_and_names_it_waits_until_they_are_supplied",
    ),
    ("clock.implausible", "clock", "with_clock"),
    (
        "storage.unwritable",
        "storage",
        "a_damaged_folder_is_named_and_mended",
    ),
    ("storage.full", "storage", "on_a_small_disk"),
    (
        "host.unsupported",
        "local",
        "a_host_that_lacks_a_service_is_named_with_it",
    ),
    (
        "network.dns",
        "network",
        "a_name_that_does_not_resolve_costs_no_attempt",
    ),
    ("network.refused", "e2e::broker", "nobody_listens"),
    (
        "network.unreachable",
        "network",
        "an_address_without_a_route",
    ),
    (
        "network.timeout",
        "e2e::broker",
        "a_broker_that_accepts_tcp_and_never_answers",
    ),
    (
        "network.lost",
        "e2e::broker",
        "a_broker_killed_in_the_middle_of_the_session",
    ),
    ("tls.untrusted", "e2e::broker", "untrusted_broker_ca"),
    ("tls.hostname", "e2e::broker", "wrong_host_name"),
    ("tls.expired", "e2e::broker", "expired_broker_certificate"),
    (
        "tls.not-yet-valid",
        "network",
        "a_broker_certificate_of_tomorrow",
    ),
    (
        "tls.protocol",
        "network",
        "a_server_that_does_not_speak_tls",
    ),
    (
        "broker.bad-credentials",
        "network",
        "a_broker_that_dislikes_the_password",
    ),
    ("broker.not-authorized", "e2e::broker", "wrong_password"),
    (
        "broker.identifier",
        "network",
        "a_broker_that_dislikes_the_identifier",
    ),
    (
        "broker.unavailable",
        "network",
        "a_broker_that_is_not_available",
    ),
    ("platform.rejected", "e2e::platform", "an_expired_request"),
    ("platform.silent", "e2e::platform", "a_silent_platform"),
    (
        "protocol.malformed",
        "platform",
        "a_configuration_that_is_no_xml",
    ),
    (
        "protocol.unexpected",
        "platform",
        "other_certificates_in_the_middle_of_an_attempt",
    ),
    (
        "protocol.too-large",
        "platform",
        "a_configuration_beyond_the_limits",
    ),
    (
        "transaction.mismatch",
        "e2e::platform",
        "a_commit_that_means_something_else",
    ),
    ("trust.malformed", "platform", "a_chain_that_is_none"),
    (
        "trust.untrusted-root",
        "e2e::platform",
        "an_untrusted_root_of_the_received_chain",
    ),
    ("trust.expired", "platform", "a_signer_that_has_expired"),
    ("trust.not-yet-valid", "platform", "a_signer_of_tomorrow"),
    ("trust.weak", "platform", "a_signer_with_a_weak_key"),
    (
        "trust.invalid",
        "platform",
        "a_signer_that_is_made_for_tls_servers",
    ),
    (
        "signature.missing",
        "e2e::platform",
        "unsigned_and_wrongly_signed_requests",
    ),
    (
        "signature.invalid",
        "e2e::platform",
        "unsigned_and_wrongly_signed_requests",
    ),
    (
        "signature.untrusted",
        "e2e::platform",
        "unsigned_and_wrongly_signed_requests",
    ),
    (
        "signature.replayed",
        "e2e::platform",
        "unsigned_and_wrongly_signed_requests",
    ),
    (
        "configuration.invalid",
        "e2e::platform",
        "a_configuration_that_does_not_fit_a_metatype",
    ),
    (
        "proof.failed",
        "e2e::platform",
        "a_target_account_that_refuses_the_new_credentials",
    ),
    (
        "apply.failed",
        "defects",
        "a_certificate_where_a_key_is_kept_is_refused_and_the_key_survives",
    ),
    ("internal.panic", "defects", "without_a_clock"),
    (
        "package.unavailable",
        "packages",
        "a_package_that_is_not_there",
    ),
    (
        "package.corrupt",
        "packages",
        "a_package_that_is_another_one_than_announced",
    ),
    (
        "package.failed",
        "packages",
        "a_package_that_the_host_cannot_install",
    ),
];

/// The text from this function's name to the next test.
fn body(module: &str, function: &str) -> Option<&'static str> {
    let (_, source) = SOURCES.iter().find(|(name, _)| *name == module)?;
    let begin = source.find(&format!("fn {function}("))?;
    let body = source.get(begin..)?;
    Some(body.find("\n}\n").map_or(body, |end| &body[..end]))
}

#[test]
fn every_code_is_provoked_or_says_why_not() {
    let mut wrong = Vec::new();
    for code in Code::ALL.map(Code::as_str) {
        let tests: Vec<_> = PROVOKED.iter().filter(|(c, ..)| *c == code).collect();
        match tests.as_slice() {
            [(_, module, test)] => match body(module, test) {
                Some(body) if body.contains(&format!("\"{code}\"")) => {}
                Some(_) => wrong.push(format!("{module}::{test} does not name {code}")),
                None => wrong.push(format!("{code}: there is no {module}::{test}")),
            },
            [] => wrong.push(format!("{code} is provoked by no test")),
            _ => wrong.push(format!("{code} is listed more than once")),
        }
    }
    for code in PROVOKED.iter().map(|(code, ..)| *code) {
        if code.parse::<Code>().is_err() {
            wrong.push(format!("{code} is no code"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
