//! Judges the reader of metatypes by descriptors that other people wrote. A file passes if it is
//! read, nothing of it was lost or changed by that, and its defaults are of their types; or if it
//! is refused and a second parser finds the fault that the refusal names.

use gateway_host_sdk::metatype::{read, Metatype};

use crate::second::{self, Fault};
use crate::Passed;

mod content;
mod refusal;

/// Judges one file.
///
/// # Errors
/// One line: why it was refused without need, what was lost, or what does not hold together.
pub fn judge(xml: &[u8]) -> Result<Passed, String> {
    if !xml.contains(&b'<') {
        return Err("there is no XML in it".to_owned());
    }
    match read(xml) {
        Ok(metatype) => complete(&metatype, xml)
            .and_then(|()| coherent(&metatype))
            .map(|()| Passed::Read),
        Err(error) if refusal::is_right(&error, xml) => {
            Ok(Passed::RightlyRefused(error.to_string()))
        }
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// All that is there was read as it is there.
fn complete(metatype: &Metatype, xml: &[u8]) -> Result<(), String> {
    let difference = second::text(xml).and_then(|text| {
        second::with_document(&text, |document| content::difference(metatype, document))
    });
    match difference {
        Ok(None) => Ok(()),
        Ok(Some(difference)) => Err(difference),
        Err(Fault::Syntax(what)) => Err(format!("was read, and is no well-formed XML: {what}")),
        Err(fault) => Err(format!(
            "was read, and cannot be looked at again: {fault:?}"
        )),
    }
}

/// Defaults belong to an AD and are of its type.
fn coherent(metatype: &Metatype) -> Result<(), String> {
    for ocd in &metatype.ocds {
        for (name, value) in &ocd.defaults() {
            let Some(ad) = ocd.ad(name) else {
                return Err(format!(
                    "OCD {:?}: default of {name:?}, which is no AD",
                    ocd.id
                ));
            };
            if value.kind() != ad.kind {
                return Err(format!(
                    "OCD {:?}: default of {name:?} is a {}, not a {}",
                    ocd.id,
                    value.kind().name(),
                    ad.kind.name()
                ));
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
            document("<AD id=\" \" type=\"String\"/>"),
            document("<AD id=\"a\" type=\"String\" max=\"<9\"/>"),
            document("<AD id=\"a\" type=\"String\">&unknown;</AD>"),
            document("<AD id=\"a\" ty=\"String\"/><AD b;=\"\"/>"),
            document("<AD id=\"a\" type=\"Integer\"></OCD>"),
            format!("text {}", document("")),
            "<obr/>".to_owned(),
        ] {
            let judged = judge(xml.as_bytes()).unwrap();
            assert!(matches!(judged, Passed::RightlyRefused(_)), "{xml}");
        }
    }

    #[test]
    fn a_file_in_another_encoding_than_its_own_is_rightly_refused() {
        let judged = judge(b"<MetaData localization='\xe9'/>").unwrap();
        assert!(matches!(judged, Passed::RightlyRefused(_)), "{judged:?}");
        // This one is in the encoding that it names: we do not know that one.
        let other = b"<?xml version='1.0' encoding='windows-1252'?><MetaData localization='\xe9'/>";
        assert!(judge(other).unwrap_err().contains("not encoded in UTF-8"));
    }

    #[test]
    fn what_is_no_xml_at_all_passes_nothing() {
        for file in [&b""[..], b"[1,2", b"\x7fELF\0\0", b"MetaData"] {
            assert_eq!(judge(file), Err("there is no XML in it".to_owned()));
        }
    }

    #[test]
    fn every_loss_and_every_change_is_found() {
        let there = "<MetaData localization='l'><OCD id='o' name='n' description='d'>\
            <AD id='a' name='n' description='d|TextArea' type='Integer' cardinality='2' min='1' \
            max='9' default='5' required='false'><Option label='l' value='v'/></AD>\
            <Icon resource='r' size='1'/></OCD>\
            <Designate pid='p' factoryPid='f'><Object ocdref='o'/></Designate></MetaData>";
        let metatype = gateway_host_sdk::metatype::read(there.as_bytes()).unwrap();
        assert_eq!(super::complete(&metatype, there.as_bytes()), Ok(()));
        for (part, other) in [
            ("localization='l'", "localization='m'"),
            ("OCD id='o'", "OCD id='p'"),
            ("name='n' description='d'>", "name='m' description='d'>"),
            ("description='d'>", "description='e'>"),
            ("AD id='a'", "AD id='b'"),
            ("AD id='a' name='n'", "AD id='a' name='m'"),
            ("|TextArea", ""),
            ("type='Integer'", "type='Long'"),
            ("cardinality='2'", ""),
            ("min='1'", ""),
            ("max='9'", "max='8'"),
            ("default='5'", "default=''"),
            ("required='false'", ""),
            ("label='l'", ""),
            ("value='v'", "value='w'"),
            ("<Option label='l' value='v'/>", ""),
            ("resource='r'", ""),
            ("size='1'", "size='2'"),
            ("<Icon resource='r' size='1'/>", ""),
            ("pid='p'", "pid='q'"),
            ("factoryPid='f'", ""),
            ("ocdref='o'", "ocdref='p'"),
            ("</MetaData>", "<OCD id='2'/></MetaData>"),
            ("</MetaData>", "<Designate/></MetaData>"),
        ] {
            let changed = there.replacen(part, other, 1);
            assert_ne!(changed, there);
            assert!(
                super::complete(&metatype, changed.as_bytes()).is_err(),
                "{changed}"
            );
        }
    }

    #[test]
    fn prefixes_and_encodings_make_no_difference() {
        let body = |p: &str| format!("<{p}OCD id='o'><{p}AD id='é' type='Char'/></{p}OCD>");
        for (root, declared, prefix) in [
            ("MetaData", "xmlns='urn:m'", ""),
            ("m:MetaData", "xmlns:m='urn:m'", ""),
            ("m:MetaData", "xmlns:m='urn:m'", "m:"),
            ("MetaData", "xmlns='urn:m' xmlns:n='urn:m'", "n:"),
            ("m:MetaData", "", "m:"),
        ] {
            let xml = format!("<{root} {declared}>{}</{root}>", body(prefix));
            assert_eq!(judge(xml.as_bytes()), Ok(Passed::Read), "{xml}");
            let wide: Vec<u8> = xml.encode_utf16().flat_map(u16::to_le_bytes).collect();
            assert_eq!(judge(&wide), Ok(Passed::Read), "{xml}");
        }
    }

    #[test]
    fn a_refusal_that_nobody_can_follow_fails() {
        // Kura would read it; that the reader does not is our own choice.
        let xml = format!("<!DOCTYPE MetaData>{}", document(""));
        assert!(judge(xml.as_bytes()).unwrap_err().contains("DOCTYPE"));
    }
}
