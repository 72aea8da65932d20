#![allow(clippy::unwrap_used)]

use super::judge;
use crate::samples;

#[test]
fn snapshots_of_kura_pass() {
    let Some(folder) = samples::find("snapshots") else {
        return;
    };
    let mut judged = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(
            judge(&std::fs::read(&file).unwrap()),
            Ok(()),
            "{}",
            file.display()
        );
        judged += 1;
    }
    assert!(judged > 0);
}

fn snapshot(property: &str) -> String {
    format!(
        "<esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\">\
         <esf:configuration pid=\"p\"><esf:properties>{property}</esf:properties>\
         </esf:configuration></esf:configurations>"
    )
}

#[test]
fn passwords_without_their_key_stay_what_they_are() {
    for encrypted in ["true", "false"] {
        let xml = snapshot(&format!(
            "<esf:property name=\"a\" array=\"true\" encrypted=\"{encrypted}\" type=\"Password\">\
             <esf:value>EiJ4kGWAzmPSE0lG-xr4H6N4Y</esf:value><esf:value/></esf:property>"
        ));
        assert_eq!(judge(xml.as_bytes()), Ok(()));
    }
}

#[test]
fn nan_is_no_change() {
    let xml = snapshot(
        "<esf:property name=\"a\" array=\"false\" encrypted=\"false\" type=\"Double\">\
         <esf:value>NaN</esf:value></esf:property>",
    );
    assert_eq!(judge(xml.as_bytes()), Ok(()));
}

#[test]
fn what_cannot_be_read_fails() {
    for xml in [
        String::new(),
        snapshot(
            "<esf:property name=\"a\" type=\"Integer\"><esf:value>x</esf:value></esf:property>",
        ),
        snapshot("").replace("esf/2.0", "esf/3.0"),
    ] {
        assert!(judge(xml.as_bytes()).is_err(), "{xml}");
    }
}
