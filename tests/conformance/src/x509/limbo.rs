//! The files of x509-limbo and of the baseline, as far as they are used.
//!
//! A case that does not fit, or that asks for something unknown, is told from its
//! neighbours: it is kept with the reason, and they are judged.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use openssl::asn1::Asn1Time;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Error;
use crate::input;
use crate::report::one_line;

/// The one version of the schema that there is.
const VERSION: u64 = 1;

/// A limbo file, its cases still as they stand in the text: taken apart at once, a
/// large suite would leave the allocator a stock in which the need of a case could hide.
#[derive(Deserialize)]
struct Suite<'a> {
    version: Option<u64>,
    #[serde(borrow)]
    testcases: Vec<&'a RawValue>,
}

/// An element of a suite.
pub(super) struct Entry {
    /// What it is called in the report.
    pub(super) id: String,
    /// Or why it is none.
    pub(super) case: Result<Case, String>,
}

impl Entry {
    /// `rfc5280::nc` of `rfc5280::nc::permitted-ip-mismatch`.
    pub(super) fn category(&self) -> &str {
        self.id
            .rsplit_once("::")
            .map_or("", |(category, _)| category)
    }
}

/// What stands in a file of JSON.
pub(super) fn text(path: &Path) -> Result<String, Error> {
    let read = |path| {
        let bytes = input::read(path, input::MAX_CASES)?;
        String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text in UTF-8"))
    };
    read(path).map_err(|source| Error::Read {
        path: path.to_owned(),
        source,
    })
}

fn parse<'a, T: Deserialize<'a>>(path: &Path, text: &'a str) -> Result<T, Error> {
    serde_json::from_str(text).map_err(|source| Error::Json {
        path: path.to_owned(),
        source,
    })
}

/// The cases of a limbo file, each for [`entry`].
pub(super) fn suite<'a>(path: &Path, text: &'a str) -> Result<Vec<&'a RawValue>, Error> {
    let suite: Suite<'_> = parse(path, text)?;
    if let Some(version) = suite.version.filter(|version| *version != VERSION) {
        return Err(Error::Content {
            path: path.to_owned(),
            what: format!("its version is {version}, and only {VERSION} can be read"),
        });
    }
    Ok(suite.testcases)
}

/// One of them, counted from 0.
pub(super) fn entry(index: usize, raw: &RawValue) -> Entry {
    match serde_json::from_str::<Case>(raw.get()) {
        Ok(case) => Entry {
            id: one_line(&case.id),
            case: Ok(case),
        },
        Err(error) => Entry {
            id: serde_json::from_str::<Named>(raw.get()).map_or_else(
                |_| format!("number {}", index + 1),
                |named| one_line(&named.id),
            ),
            case: Err(format!("it is no case of limbo: {error}")),
        },
    }
}

#[derive(Deserialize)]
struct Named {
    id: String,
}

/// One case (limbo schema, `Testcase`).
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    pub(super) id: String,
    pub(super) features: Option<Vec<String>>,
    pub(super) validation_kind: Kind,
    pub(super) trusted_certs: Vec<String>,
    pub(super) untrusted_intermediates: Option<Vec<String>>,
    pub(super) peer_certificate: String,
    pub(super) validation_time: Option<String>,
    pub(super) signature_algorithms: Option<Vec<String>>,
    pub(super) extended_key_usage: Option<Vec<String>>,
    pub(super) expected_peer_name: Option<PeerName>,
    pub(super) max_chain_depth: Option<u32>,
    pub(super) crls: Option<Vec<String>>,
}

impl Case {
    pub(super) fn features(&self) -> impl Iterator<Item = &str> {
        self.features.iter().flatten().map(String::as_str)
    }

    pub(super) fn intermediates(&self) -> &[String] {
        self.untrusted_intermediates.as_deref().unwrap_or_default()
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

/// One profile of the baseline; an error is why its word on the case cannot be read.
pub(super) type Baseline = BTreeMap<String, Result<Known, String>>;

/// Reads one profile of a baseline.
pub(super) fn baseline(path: &Path, profile: &str) -> Result<Baseline, Error> {
    let content = |what: String| Error::Content {
        path: path.to_owned(),
        what,
    };
    let text = text(path)?;
    let profiles: BTreeMap<String, &RawValue> = parse(path, &text)?;
    let Some(found) = profiles.get(profile) else {
        return Err(content(format!("there is no profile \"{profile}\" in it")));
    };
    let words: BTreeMap<String, &RawValue> = serde_json::from_str(found.get())
        .map_err(|error| content(format!("its profile \"{profile}\" cannot be read: {error}")))?;
    let known = |word: &RawValue| serde_json::from_str(word.get()).map_err(|e| e.to_string());
    Ok(words
        .into_iter()
        .map(|(id, word)| (id, known(word)))
        .collect())
}

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
