#![allow(clippy::unwrap_used)]

use super::judge;
use crate::samples;
use crate::Passed;

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
            Ok(Passed::Read),
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
        assert_eq!(judge(xml.as_bytes()), Ok(Passed::Read));
    }
}

#[test]
fn nan_is_no_change() {
    let xml = snapshot(
        "<esf:property name=\"a\" array=\"false\" encrypted=\"false\" type=\"Double\">\
         <esf:value>NaN</esf:value></esf:property>",
    );
    assert_eq!(judge(xml.as_bytes()), Ok(Passed::Read));
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

#[test]
fn a_damaged_file_is_rightly_refused_and_a_good_one_never() {
    let good =
        snapshot("<esf:property name=\"a\" type=\"Byte\"><esf:value>1</esf:value></esf:property>");
    for (part, damaged) in [
        ("</esf:properties>", ""),
        ("<esf:value>", "<esf:value"),
        ("name=\"a\"", "na;me=\"a\""),
        ("</esf:configurations>", ""),
    ] {
        let xml = good.replacen(part, damaged, 1);
        let judged = judge(xml.as_bytes());
        assert!(
            matches!(judged, Ok(Passed::RightlyRefused(_))),
            "{xml}: {judged:?}"
        );
    }
    // Well-formed, and refused by our own choice.
    let xml = format!("<!DOCTYPE esf:configurations>{good}");
    assert!(judge(xml.as_bytes()).is_err());
}

/// As what is read is compared with the second parser's word, each of these has to be found.
#[test]
fn every_loss_and_every_change_is_found() {
    let there = "<esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\">\
        <esf:configuration pid=\"p\"><esf:properties>\
        <esf:property name=\"s\" type=\"String\"><esf:value>a<!-- -->b<![CDATA[<]]></esf:value></esf:property>\
        <esf:property name=\"l\" array=\"true\" type=\"Long\"><esf:value>+1</esf:value><esf:value>2</esf:value></esf:property>\
        <esf:property name=\"d\" type=\"Double\"><esf:value> 1.5E3d</esf:value></esf:property>\
        <esf:property name=\"f\" type=\"Float\"><esf:value>-Infinity</esf:value></esf:property>\
        <esf:property name=\"b\" type=\"Boolean\"><esf:value>TRUE</esf:value></esf:property>\
        <esf:property name=\"c\" type=\"Char\"><esf:value> </esf:value></esf:property>\
        <esf:property name=\"w\" encrypted=\"true\" type=\"Password\"><esf:value>x</esf:value></esf:property>\
        <esf:property name=\"none\" array=\"true\" type=\"String\"/><esf:property name=\"null\"/>\
        </esf:properties></esf:configuration><esf:configuration pid=\"q\"/></esf:configurations>";
    let read = super::read_opaque(there.as_bytes()).unwrap();
    assert_eq!(super::content::same(&read, there.as_bytes()), Ok(()));
    for (part, other) in [
        ("pid=\"p\"", "pid=\"r\""),
        ("<esf:configuration pid=\"q\"/>", ""),
        ("pid=\"q\"/>", "pid=\"q\"/><esf:configuration pid=\"r\"/>"),
        ("name=\"s\"", "name=\"t\""),
        ("type=\"Long\"", "type=\"Integer\""),
        ("array=\"true\" type=\"Long\"", "type=\"Long\""),
        ("<esf:value>2</esf:value>", ""),
        ("b<![CDATA[<]]>", "b"),
        (">+1<", ">3<"),
        ("1.5E3", "1.5E4"),
        ("-Infinity", "Infinity"),
        ("TRUE", "false"),
        ("<esf:value> <", "<esf:value>x<"),
        ("encrypted=\"true\"", "encrypted=\"false\""),
        (">x<", ">y<"),
        ("name=\"null\"", "name=\"null\" type=\"String\""),
        (
            "type=\"String\"/>",
            "type=\"String\"><esf:value/></esf:property>",
        ),
    ] {
        let changed = there.replacen(part, other, 1);
        assert_ne!(changed, there);
        let outcome = super::content::same(&read, changed.as_bytes());
        assert!(outcome.is_err(), "{changed}");
        let why = outcome.unwrap_err();
        assert!(!why.contains("Infinity") && !why.contains("1.5"), "{why}");
    }
}

#[test]
fn other_prefixes_and_definitions_of_kura_lose_nothing() {
    for (root, prefix) in [
        ("configurations xmlns=\"http://eurotech.com/esf/2.0\"", ""),
        (
            "x:configurations xmlns:x=\"http://eurotech.com/esf/2.0\"",
            "x:",
        ),
        ("esf:configurations", "esf:"),
    ] {
        let tag = root.split(' ').next().unwrap();
        let xml = format!(
            "<{root} xmlns:ocd=\"urn:ocd\"><{prefix}configuration pid=\"p\">\
             <ocd:OCD id=\"o\"><ocd:AD id=\"a\"/></ocd:OCD><{prefix}properties>\
             <{prefix}property name=\"a\" type=\"String\"><{prefix}value/></{prefix}property>\
             </{prefix}properties></{prefix}configuration></{tag}>"
        );
        assert_eq!(judge(xml.as_bytes()), Ok(Passed::Read), "{xml}");
    }
}
