//! The files of x509-limbo and of the baseline, as far as they are used.

use std::collections::BTreeMap;

use openssl::asn1::Asn1Time;
use serde::Deserialize;

/// A limbo file.
#[derive(Debug, Deserialize)]
pub(super) struct Suite {
    pub(super) testcases: Vec<Case>,
}

/// One case (limbo schema, `Testcase`).
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    #[serde(default)]
    pub(super) features: Option<Vec<String>>,
    pub(super) validation_kind: Kind,
    pub(super) trusted_certs: Vec<String>,
    pub(super) untrusted_intermediates: Vec<String>,
    pub(super) peer_certificate: String,
    pub(super) validation_time: Option<String>,
    pub(super) expected_peer_name: Option<PeerName>,
    pub(super) max_chain_depth: Option<u32>,
    #[serde(default)]
    pub(super) crls: Vec<String>,
}

impl Case {
    /// `rfc5280::nc` of `rfc5280::nc::permitted-ip-mismatch`.
    pub(super) fn category(&self) -> &str {
        self.id
            .rsplit_once("::")
            .map_or("", |(category, _)| category)
    }

    pub(super) fn needs(&self, feature: &str) -> bool {
        self.features
            .iter()
            .flatten()
            .any(|needed| needed == feature)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Kind {
    Server,
    Client,
}

#[derive(Debug, Deserialize)]
pub(super) struct PeerName {
    pub(super) kind: String,
    pub(super) value: String,
}

/// One profile of the baseline.
pub(super) type Baseline = BTreeMap<String, Known>;

/// What plain OpenSSL said of a case.
#[derive(Debug, Deserialize)]
pub(super) struct Known {
    /// Whether it accepted.
    pub(super) got: bool,
    /// Its words.
    #[serde(default)]
    pub(super) why: String,
}

/// Seconds since 1970 of an RFC 3339 time, as limbo writes them; the fraction of a
/// second is cut off.
pub(super) fn unix(time: &str) -> Option<i64> {
    let (date, rest) = time.split_once(['T', ' '])?;
    let (clock, offset) = match rest.find(['Z', '+', '-']) {
        Some(at) => rest.split_at(at),
        None => (rest, "Z"),
    };
    let clock = clock.split('.').next()?;
    let mut digits: String = date
        .chars()
        .chain(clock.chars())
        .filter(char::is_ascii_digit)
        .collect();
    if digits.len() != 14 {
        return None;
    }
    digits.push('Z');
    let epoch = Asn1Time::from_unix(0).ok()?;
    let local = Asn1Time::from_str(&digits).ok()?;
    let since = epoch.diff(&local).ok()?;
    let local = i64::from(since.days) * 86_400 + i64::from(since.secs);
    let shift = match offset.split_at_checked(1) {
        Some(("Z", "")) => 0,
        Some((sign, of)) => {
            let (hours, minutes) = of.split_once(':')?;
            let seconds = hours.parse::<i64>().ok()? * 3_600 + minutes.parse::<i64>().ok()? * 60;
            if sign == "-" {
                -seconds
            } else {
                seconds
            }
        }
        None => return None,
    };
    Some(local - shift)
}

#[cfg(test)]
mod tests {
    use super::unix;

    #[test]
    fn times_are_read_in_every_form_of_the_suite() {
        assert_eq!(unix("1970-01-01T00:00:00+00:00"), Some(0));
        assert_eq!(unix("2024-03-01T00:00:00.999+00:00"), Some(1_709_251_200));
        assert_eq!(unix("2024-03-01T01:00:00+01:00"), Some(1_709_251_200));
        assert_eq!(unix("2024-02-29T23:30:00-00:30"), Some(1_709_251_200));
        assert_eq!(unix("2024-03-01T00:00:00Z"), Some(1_709_251_200));
        assert_eq!(unix("yesterday"), None);
        assert_eq!(unix("2024-03-01T00:00"), None);
    }
}
