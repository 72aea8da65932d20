//! Judges the reader of metatypes by descriptors that other people wrote. A file passes if it is
//! read and what was read holds together, or if it is refused and a second look (`refusal`)
//! finds the fault that the refusal names.

use std::collections::BTreeSet;

use gateway_host_sdk::metatype::{read, Metatype};

mod refusal;

/// How a file passed.
#[derive(Debug, PartialEq, Eq)]
pub enum Passed {
    /// It was read.
    Read,
    /// It was refused, rightly, for this reason.
    RightlyRefused(String),
}

/// Judges one file.
///
/// # Errors
/// One line: why it was refused without need, or what does not hold together.
pub fn judge(xml: &[u8]) -> Result<Passed, String> {
    match read(xml) {
        Ok(metatype) => coherent(&metatype).map(|()| Passed::Read),
        Err(error) if refusal::is_right(&error, xml) => {
            Ok(Passed::RightlyRefused(error.to_string()))
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Defaults belong to an AD and are of its type.
fn coherent(metatype: &Metatype) -> Result<(), String> {
    for ocd in &metatype.ocds {
        let ids: BTreeSet<&str> = ocd.ads.iter().map(|ad| ad.id.as_str()).collect();
        let defaults = ocd.defaults();
        if let Some(name) = defaults.keys().find(|name| !ids.contains(name.as_str())) {
            return Err(format!(
                "OCD {:?}: default of {name:?}, which is no AD",
                ocd.id
            ));
        }
        for ad in &ocd.ads {
            if let Some(value) = defaults.get(&ad.id) {
                if value.kind() != ad.kind {
                    return Err(format!(
                        "OCD {:?}: default of {:?} is a {}, not a {}",
                        ocd.id,
                        ad.id,
                        value.kind().name(),
                        ad.kind.name()
                    ));
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{judge, Passed};
    use crate::samples;

    #[test]
    fn metatypes_of_other_people_pass() {
        let Some(folder) = samples::find("metatype") else {
            return;
        };
        let mut judged = 0;
        for folder in std::fs::read_dir(folder).unwrap() {
            for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
                let file = file.unwrap().path();
                let outcome = judge(&std::fs::read(&file).unwrap());
                assert!(outcome.is_ok(), "{}: {outcome:?}", file.display());
                judged += 1;
            }
        }
        assert!(judged > 0);
    }

    fn document(ad: &str) -> String {
        format!("<MetaData><OCD id=\"o\" name=\"o\">{ad}</OCD></MetaData>")
    }

    #[test]
    fn a_good_file_is_read() {
        let xml = document("<AD id=\"a\" type=\"Integer\" default=\"5\" required=\"true\"/>");
        assert_eq!(judge(xml.as_bytes()), Ok(Passed::Read));
    }

    #[test]
    fn a_broken_file_is_rightly_refused() {
        for xml in [
            document("<AD id=\"a\" type=\"BigInteger\"/>"),
            document("<AD id=\"a\"/>"),
            document("<AD id=\"a\" type=\"Integer\"></OCD>"),
            format!("text {}", document("")),
            "<obr/>".to_owned(),
        ] {
            let judged = judge(xml.as_bytes()).unwrap();
            assert!(matches!(judged, Passed::RightlyRefused(_)), "{xml}");
        }
    }

    #[test]
    fn a_refusal_that_nobody_can_follow_fails() {
        // Kura would read it; that the reader does not is our own choice.
        let xml = format!("<!DOCTYPE MetaData>{}", document(""));
        assert!(judge(xml.as_bytes()).unwrap_err().contains("DOCTYPE"));
    }
}
