//! What became of the control messages of a connection: as JSON for consoles and programs, and in
//! one line for people.

use gateway_host_sdk::cloud::ControlReport;
use serde_json::{json, Value};

/// `accepted`, `repeated`, `refused` by reason, `lastRefused`.
#[must_use]
pub fn to_json(report: &ControlReport) -> Value {
    json!({
        "accepted": report.accepted,
        "repeated": report.repeated,
        "refused": report.refused,
        "lastRefused": report.last_refused,
    })
}

/// `5 accepted, 2 repeated, 3 refused (signature.missing 1, signature.untrusted 2)`, of
/// [`to_json`]; nothing where nothing came.
#[must_use]
pub fn in_words(report: &Value) -> Option<String> {
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
    let accepted = number(report.get("accepted"));
    let repeated = number(report.get("repeated"));
    let reasons: Vec<(&String, u64)> = report
        .get("refused")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(reason, count)| (reason, number(Some(count))))
        .collect();
    let refused: u64 = reasons.iter().map(|(_, count)| count).sum();
    if accepted + repeated + refused == 0 {
        return None;
    }
    let mut words = format!("{accepted} accepted");
    if repeated > 0 {
        words += &format!(", {repeated} repeated");
    }
    if refused > 0 {
        let reasons: Vec<_> = reasons
            .iter()
            .map(|(reason, count)| format!("{reason} {count}"))
            .collect();
        words += &format!(", {refused} refused ({})", reasons.join(", "));
    }
    Some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_report_in_words_names_every_reason() {
        let mut report = ControlReport::default();
        assert_eq!(in_words(&to_json(&report)), None);
        report.accepted = 5;
        assert_eq!(in_words(&to_json(&report)).unwrap(), "5 accepted");
        report.repeated = 2;
        report.refused.insert("signature.untrusted", 2);
        report.refused.insert("busy", 1);
        assert_eq!(
            in_words(&to_json(&report)).unwrap(),
            "5 accepted, 2 repeated, 3 refused (busy 1, signature.untrusted 2)"
        );
        assert_eq!(in_words(&Value::Null), None);
    }
}
