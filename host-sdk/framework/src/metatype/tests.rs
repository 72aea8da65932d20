#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
//! The reader on small documents, and on other people's.

use std::fs;
use std::path::PathBuf;

use gateway_component_abi::value::{Kind, Scalar, Secret, Value};

use crate::configuration::tests::samples;

use super::*;

/// One AD with these attributes and children.
fn ad_with(attributes: &str, children: &str) -> Result<Ad, MetatypeError> {
    let xml = format!(
        r#"<MetaData xmlns="http://www.osgi.org/xmlns/metatype/v1.2.0">
        <OCD id="o"><AD id="a" {attributes}>{children}</AD></OCD></MetaData>"#
    );
    Ok(read(xml.as_bytes())?.ocds.remove(0).ads.remove(0))
}

fn ad(attributes: &str) -> Ad {
    ad_with(attributes, "").unwrap()
}

fn sample(folder: &str, name: &str) -> Option<PathBuf> {
    Some(samples("metatype")?.join(folder).join(name)).filter(|path| path.exists())
}

fn strings(texts: &[&str]) -> Value {
    let items = texts.iter().map(|t| Scalar::String((*t).to_owned()));
    Value::Array(Kind::String, items.collect())
}

#[test]
fn every_form_of_namespace_is_read_alike() {
    let body = |p: &str| {
        format!(
            r#"<{p}OCD id="o" name="N"><{p}AD id="a" type="String" default="x"/>
            <{p}Icon resource="r.png" size="32"/></{p}OCD>
            <{p}Designate pid="p" factoryPid="f"><{p}Object ocdref="o"/></{p}Designate>"#
        )
    };
    let mut documents = Vec::new();
    for ns in ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0"] {
        let ns = format!("http://www.osgi.org/xmlns/metatype/v{ns}");
        for (root, declared, prefix) in [
            ("MetaData", format!("xmlns='{ns}'"), ""),
            ("metatype:MetaData", format!("xmlns:metatype='{ns}'"), ""),
            ("m:MetaData", format!("xmlns:m='{ns}'"), "m:"),
            ("MetaData", String::new(), ""),
        ] {
            let body = body(prefix);
            documents.push(format!("<{root} {declared}>{body}</{root}>"));
        }
    }
    let expected = read(documents[0].as_bytes()).unwrap();
    assert_eq!(expected.ocd_of("p").unwrap().icons[0].size, 32);
    assert_eq!(expected.ocd_of("f").unwrap().name, "N");
    assert!(expected.is_factory("f") && !expected.is_factory("p"));
    for document in documents {
        assert_eq!(read(document.as_bytes()).unwrap(), expected, "{document}");
    }
}

/// Whichever of the prefixes a child takes: they mean the same namespace.
#[test]
fn a_child_may_carry_any_prefix_of_the_namespace_of_the_root() {
    for xml in [
        "<MetaData xmlns='urn:m' xmlns:m='urn:m'><m:OCD id='o'/></MetaData>",
        "<a:MetaData xmlns:a='urn:m' xmlns:b='urn:m'><b:OCD id='o'/></a:MetaData>",
        "<a:MetaData xmlns:b='urn:m' xmlns:a='urn:m' xmlns:c='urn:c'><c:OCD id='c'/><b:OCD id='o'/></a:MetaData>",
    ] {
        let metatype = read(xml.as_bytes()).unwrap();
        let ids: Vec<_> = metatype.ocds.iter().map(|ocd| ocd.id.as_str()).collect();
        assert_eq!(ids, ["o"], "{xml}");
    }
    let other = "<MetaData xmlns:m=''><m:OCD id='o'/></MetaData>";
    assert_eq!(read(other.as_bytes()).unwrap().ocds, []);
}

/// Kura takes the first default of an id; a later one of another type could never be valid.
#[test]
fn a_parameter_that_stands_twice_is_the_first() {
    let xml = "<MetaData><OCD id='o'>\
        <AD id='a' type='String' default='x'/><AD id='a' type='Boolean' default='true'/>\
        <AD id='b' type='Integer'/><AD id='b' type='Long' default='1'/>\
        <AD id='b' type='Integer' default='2'/><AD id='b' type='Integer' default='3'/>\
        <AD id='c' type='Integer' required='false'/><AD id='c' type='Integer'/>\
        </OCD></MetaData>";
    let ocd = read(xml.as_bytes()).unwrap().ocds.remove(0);
    assert_eq!(ocd.ads.len(), 8);
    let defaults = ocd.defaults();
    assert_eq!(defaults.get("a"), Some(&Value::from("x")));
    assert_eq!(defaults.get("b"), Some(&Value::Scalar(Scalar::Integer(2))));
    assert_eq!(ocd.validate(&defaults), []);
}

#[test]
fn elements_of_others_are_passed_over() {
    let xml = r#"<MetaData xmlns:x="urn:x" x:a="1"><x:OCD id="n"/><OCD id="o" x:id="no">
        <x:AD id="no"/><x:deep><AD id="no" type="nothing"/></x:deep>
        <AD id="a" type="String" future="1">text &amp; more<x:Option value="no"/></AD></OCD>
        <ocd id="lower"/></MetaData>"#;
    let metatype = read(xml.as_bytes()).unwrap();
    assert_eq!(metatype.ocds.len(), 1);
    assert_eq!(metatype.ocds[0].id, "o");
    assert_eq!(metatype.ocds[0].ads.len(), 1);
    assert_eq!(metatype.ocds[0].ads[0].options, []);
}

#[test]
fn kuras_leniencies_are_ours() {
    assert!(ad("type='String'").required);
    assert!(ad("type='String' required=''").required);
    assert!(ad("type='String' required='TRUE'").required);
    assert!(!ad("type='String' required='trie'").required);
    assert_eq!(ad("type='String' cardinality='many'").cardinality, 0);
    assert_eq!(ad("type='String' default='  '").default, None);
    assert_eq!(ad("type='String'").name, "a");
    assert_eq!(ad("type='Character'").kind, Kind::Char);
    let area = ad("type='String' description='Keys|one.|textAREA'");
    assert_eq!(
        (area.description.as_str(), area.text_area),
        ("Keys|one.", true)
    );
    let plain = ad("type='String' description='a|b'");
    assert_eq!(
        (plain.description.as_str(), plain.text_area),
        ("a|b", false)
    );
    assert!(ad("type='Boolean' min='x' max='x'").read_only());
    assert!(!ad("type='Boolean' min='x'").read_only());
}

#[test]
fn attribute_values_are_normalized_as_xml_has_it() {
    let ad = ad("type='String' description='a\n b\r\nc&#10;d&lt;&amp;'");
    assert_eq!(ad.description, "a  b c\nd<&");
}

#[test]
fn what_is_wrong_is_named() {
    let unknown = ad_with("type='Number'", "").unwrap_err().to_string();
    assert_eq!(
        unknown,
        r#"AD "a" of OCD "o" is of the unknown type "Number""#
    );
    let missing = ad_with("name='x'", "").unwrap_err().to_string();
    assert!(
        missing.starts_with(r#"AD "a" of OCD "o" at byte"#),
        "{missing}"
    );
    let entity = r#"<!DOCTYPE MetaData [<!ENTITY x "y">]><MetaData/>"#;
    assert!(matches!(
        read(entity.as_bytes()),
        Err(MetatypeError::Doctype { .. })
    ));
    for (xml, what) in [
        ("", "no root"),
        ("  ", "no root"),
        ("<MetaData>", "inside an element"),
        ("<MetaData><OCD id='o'></MetaData>", "expected `</OCD>`"),
        ("<MetaData/><MetaData/>", "second root"),
        ("x<MetaData/>", "outside"),
        ("<MetaData/>x", "outside"),
        ("\n<?xml version='1.0'?><MetaData/>", "not at the start"),
        ("<MetaData a='1' a='2'/>", "duplicate"),
        ("<MetaData a='&x;'/>", "a"),
        ("<MetaData>&x;</MetaData>", "a reference to no character"),
        ("<MetaData a='<'/>", "'<'"),
        ("<MetaData a<!DOCTYPE='1'/>", "without a value"),
        ("<MetaData a=1/>", ""),
        ("<MetaData>\u{1}</MetaData>", "U+0001"),
        ("<MetaData a='&#1;'/>", "forbidden"),
        ("<MetaData><!-- a -- b --></MetaData>", ""),
        ("<MetaData><OCD na;me='n'/></MetaData>", "without a value"),
        ("<MetaData><OCD ;name='n'/></MetaData>", "proper name"),
        ("<MetaData><OCD id='o'name='n'/></MetaData>", "white space"),
        ("<MetaData><OCD id='o' x/></MetaData>", "without a value"),
        ("<MetaData>]]></MetaData>", "in a text"),
        ("<MetaData>&#xd800;</MetaData>", "reference"),
        ("<?xml encoding='UTF-8'?><MetaData/>", "declaration"),
        ("<?XML x?><MetaData/>", "instruction"),
    ] {
        match read(xml.as_bytes()) {
            Err(MetatypeError::Syntax { what: said, .. }) => {
                assert!(said.contains(what), "{xml}: {said}");
            }
            other => panic!("{xml}: {other:?}"),
        }
    }
    assert!(matches!(
        read(b"<web-app/>"),
        Err(MetatypeError::NotMetatype { .. })
    ));
    assert!(matches!(
        read(b"<MetaData><OCD name='x'/></MetaData>"),
        Err(MetatypeError::Missing { .. })
    ));
}

#[test]
fn bounds_hold() {
    let deep = "<MetaData>".to_owned() + &"<a>".repeat(100);
    let many = format!("<MetaData>{}</MetaData>", "<a/>".repeat(read::MAX_ELEMENTS));
    let long = vec![b' '; read::MAX_DOCUMENT + 1];
    // Each is compared with those before it, and a namespace is kept while its element is open.
    let of_one_element = |attribute: &str| {
        let attributes: String = (0..200_000)
            .map(|n| format!(" {attribute}{n}=''"))
            .collect();
        format!("<MetaData{attributes}/>").into_bytes()
    };
    let (attributes, namespaces) = (of_one_element("a"), of_one_element("xmlns:a"));
    assert!(attributes.len().max(namespaces.len()) <= read::MAX_DOCUMENT);
    for document in [
        deep.into_bytes(),
        many.into_bytes(),
        long,
        attributes,
        namespaces,
    ] {
        assert!(matches!(
            read(&document),
            Err(MetatypeError::TooLarge { .. })
        ));
    }
}

#[test]
fn encodings_are_what_they_declare() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><MetaData localization='\xe9'/>";
    assert_eq!(read(latin).unwrap().localization.unwrap(), "\u{e9}");
    let utf8 = "\u{feff}<?xml version='1.0'?><MetaData localization='é'/>";
    assert_eq!(read(utf8.as_bytes()).unwrap().localization.unwrap(), "é");
    // XML 1.0, 4.3.3: every reader takes UTF-16.
    for text in [
        "\u{feff}<?xml version='1.0' encoding='UTF-16'?><MetaData localization='é\u{1f600}'/>",
        "\u{feff}<MetaData localization='é\u{1f600}'/>",
        "<?xml version='1.0' encoding='utf-16'?><MetaData localization='é\u{1f600}'/>",
    ] {
        let units = || text.encode_utf16();
        let little: Vec<u8> = units().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = units().flat_map(u16::to_be_bytes).collect();
        for bytes in [little, big] {
            let localization = read(&bytes).unwrap().localization.unwrap();
            assert_eq!(localization, "é\u{1f600}", "{text}");
        }
    }
    // What is ASCII is the same in most of them, and Kura does not look at this.
    for name in ["windows-1252", "ISO-8859-15", "UTF-16"] {
        let ascii = format!("<?xml version='1.0' encoding='{name}'?><MetaData localization='e'/>");
        assert_eq!(read(ascii.as_bytes()).unwrap().localization.unwrap(), "e");
    }
    for wrong in [
        &b"<?xml version='1.0' encoding='windows-1252'?><MetaData localization='\xe9'/>"[..],
        b"\xff\xfe<\0\0\xd8>\0",
        b"\xff\xfe<\0M",
        b"<MetaData localization='\xe9'/>",
    ] {
        assert!(matches!(read(wrong), Err(MetatypeError::Encoding { .. })));
    }
}

#[test]
fn defaults_follow_kura() {
    let default = |attributes: &str| ad(attributes).default_value();
    for (attributes, value) in [
        ("type='String'", None),
        ("type='String' default=''", None),
        ("type='String' default=' a b '", Some(Value::from("a b"))),
        ("type='String' default='a,b'", Some("a".into())),
        (r"type='String' default='a\,b'", Some("a,b".into())),
        ("type='String' default=','", Some("".into())),
        (
            "type='String' default='a,b' cardinality='1'",
            Some("a".into()),
        ),
        (
            "type='String' default='a' cardinality='-1'",
            Some("a".into()),
        ),
        (
            "type='String' default='a, b' cardinality='3'",
            Some(strings(&["a", "b"])),
        ),
        (
            "type='String' default=',,' cardinality='-4'",
            Some(strings(&["", "", ""])),
        ),
        ("type='Integer' default=' 5 '", Some(5.into())),
        ("type='Boolean' default='TRUE'", Some(true.into())),
        ("type='Boolean' default='yes'", Some(false.into())),
        (
            "type='Char' default='xyz'",
            Some(Value::Scalar(Scalar::Char('x'))),
        ),
        (
            "type='Float' default='1.5f'",
            Some(Value::Scalar(Scalar::Float(1.5))),
        ),
        (
            "type='Password' default='p'",
            Some(Secret::from("p").into()),
        ),
    ] {
        assert_eq!(default(attributes).unwrap(), value, "{attributes}");
    }
    for attributes in [
        "type='Integer' default='x'",
        "type='Integer' default='2147483648'",
        "type='Byte' default='128'",
        "type='Double' default='1,x' cardinality='2'",
        "type='Char' default=','",
    ] {
        assert_eq!(default(attributes).unwrap_err().id, "a", "{attributes}");
    }
}

#[test]
fn what_a_person_types_becomes_a_value() {
    for (attributes, text, value) in [
        ("type='String'", " x ", Some(Value::from(" x "))),
        ("type='String'", "", Some("".into())),
        ("type='Integer'", " 7 ", Some(7.into())),
        ("type='Integer'", " ", None),
        ("type='Boolean'", "True", Some(true.into())),
        ("type='Char'", " ", Some(Value::Scalar(Scalar::Char(' ')))),
        ("type='Char'", "", None),
        ("type='Password'", " s ", Some(Secret::from("s").into())),
        ("type='Password'", "", None),
        (
            "type='String' cardinality='3'",
            r"a, b\,c",
            Some(strings(&["a", "b,c"])),
        ),
        ("type='String' cardinality='3'", " ", None),
    ] {
        assert_eq!(ad(attributes).parse(text).unwrap(), value, "{attributes}");
    }
    for (attributes, text, allowed) in [
        ("type='Boolean'", "yes", "must be true or false"),
        ("type='Char'", "xy", "must be one character"),
        (
            "type='Byte'",
            "200",
            "must be a whole number from -128 to 127",
        ),
        ("type='Double'", "1.x", "must be a number"),
    ] {
        let problem = ad(attributes).parse(text).unwrap_err();
        assert_eq!(
            (problem.allowed.as_str(), problem.given.as_deref()),
            (allowed, Some(text))
        );
    }
}

#[test]
fn values_are_checked_as_in_kuras_browser() {
    let long = |v| Value::Scalar(Scalar::Long(v));
    let char = |c| Value::Scalar(Scalar::Char(c));
    let double = |v| Value::Scalar(Scalar::Double(v));
    for (attributes, value, allowed) in [
        (
            "type='Integer' min='1' max='5'",
            Value::from(0),
            Some("must be at least 1"),
        ),
        (
            "type='Integer' min='1' max='5'",
            6.into(),
            Some("must be at most 5"),
        ),
        ("type='Integer' min='1' max='5'", 5.into(), None),
        (
            "type='Long' max='9999999999'",
            long(10_000_000_000),
            Some("must be at most 9999999999"),
        ),
        (
            "type='Double' min='0.5'",
            double(0.4),
            Some("must be at least 0.5"),
        ),
        (
            "type='Double' min='0.5'",
            double(f64::NAN),
            Some("must be a number"),
        ),
        (
            "type='Char' min='a' max='z'",
            char('A'),
            Some("must be at least a"),
        ),
        (
            "type='String' min='2' max='3'",
            "x".into(),
            Some("length must be at least 2"),
        ),
        (
            "type='String' min='2' max='3'",
            "äöüß".into(),
            Some("length must be at most 3"),
        ),
        ("type='String' min='foo' max='1.0.0'", "x".into(), None),
        ("type='String' min='x' max='x'", "free".into(), None),
        ("type='Boolean' min='true' max='true'", false.into(), None),
        ("type='String'", "".into(), Some("is required")),
        ("type='String' required='false' min='2'", "".into(), None),
        (
            "type='Password'",
            Secret::default().into(),
            Some("is required"),
        ),
        (
            "type='Integer'",
            "5".into(),
            Some("must be of type Integer, not String"),
        ),
        (
            "type='String' cardinality='2'",
            "x".into(),
            Some("must be an array of String"),
        ),
        (
            "type='String' cardinality='2'",
            strings(&["a"; 3]),
            Some("takes at most 2 values"),
        ),
        (
            "type='String' cardinality='-2147483648'",
            strings(&["a"; 3]),
            None,
        ),
        (
            "type='String' cardinality='2'",
            strings(&[]),
            Some("is required"),
        ),
        (
            "type='String'",
            strings(&["a"]),
            Some("must be one value, not an array"),
        ),
        ("type='String' cardinality='1'", strings(&["a"]), None),
    ] {
        let allowed = allowed.map(str::to_owned);
        let found = ad(attributes).check(&value).err().map(|p| p.allowed);
        assert_eq!(found, allowed, "{attributes}");
    }
}

#[test]
fn options_are_the_only_values() {
    let options = "<Option label='A' value='1'/><Option value=' 2 '/>";
    let number = ad_with("type='Integer'", options).unwrap();
    assert_eq!(number.options[1].label, " 2 ");
    assert!(number.check(&2.into()).is_ok());
    let problem = number.check(&3.into()).unwrap_err();
    assert_eq!(problem.to_string(), r#"a: must be one of 1,  2 , not "3""#);
}

#[test]
fn a_secret_is_in_no_problem() {
    let ad = ad_with("type='Password'", "<Option value='x'/>").unwrap();
    let problem = ad.check(&Secret::from("canary").into()).unwrap_err();
    assert!(!format!("{problem} {problem:?}").contains("canary"));
    let taken = ad.coerce("canary".into());
    assert_eq!(taken, Secret::from("canary").into());
}

#[test]
fn keys_become_texts() {
    let xml = "<MetaData localization='l'><OCD id='o' name='%n' description='%d'>
        <AD id='a' name='%a' type='String' description='%area'><Option label='%x' value='%x'/></AD>
        <Icon resource='%i' size='16'/></OCD></MetaData>";
    let metatype = read(xml.as_bytes()).unwrap();
    let texts = "n=Nome\nd=De\\u0073cr\narea=Testo|TextArea\ni=it.png\n";
    let localized = localized(&metatype, texts).unwrap();
    let ocd = &localized.ocds[0];
    assert_eq!(
        (ocd.name.as_str(), ocd.description.as_str()),
        ("Nome", "Descr")
    );
    assert_eq!(ocd.icons[0].resource, "it.png");
    let ad = &ocd.ads[0];
    assert_eq!(
        (ad.name.as_str(), ad.description.as_str(), ad.text_area),
        ("a", "Testo", true)
    );
    let option = &ad.options[0];
    assert_eq!((option.label.as_str(), option.value.as_str()), ("x", "%x"));
    assert!(super::localized(&metatype, "x=\\u1").is_err());
}

/// Every descriptor is read, but for those that Kura loses, too; and each for its own reason.
#[test]
fn other_peoples_descriptors_are_read() {
    let Some(root) = samples("metatype") else {
        return;
    };
    let (mut read_files, mut ads, mut defaults) = (0, 0, 0);
    for folder in ["kura", "other"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let metatype = match (read(&fs::read(&path).unwrap()), name.as_str()) {
                (Ok(metatype), _) => metatype,
                (Err(MetatypeError::Syntax { .. }), "__package__.KuraApp.xml")
                | (Err(MetatypeError::NotMetatype { .. }), "obr.xml") => continue,
                (Err(MetatypeError::UnknownType { given, .. }), "metadata.xml") => {
                    assert_eq!(given, "BigInteger");
                    continue;
                }
                (Err(e), _) => panic!("{name}: {e}"),
            };
            read_files += 1;
            if folder == "kura" {
                let text = without_comments(&fs::read_to_string(&path).unwrap());
                let count: usize = metatype.ocds.iter().map(|ocd| ocd.ads.len()).sum();
                assert_eq!(count, text.matches("<AD").count(), "{name}");
                let all = metatype.ocds.iter().flat_map(|ocd| &ocd.ads);
                let count: usize = all.map(|ad| ad.options.len()).sum();
                assert_eq!(count, text.matches("<Option").count(), "{name}");
            }
            for ocd in &metatype.ocds {
                let text = fs::read_to_string(&path).unwrap();
                assert!(text.contains(&ocd.id), "{name}");
                ads += ocd.ads.len();
                for ad in ocd.ads.iter().filter(|ad| ad.default.is_some()) {
                    match ad.default_value() {
                        Ok(value) => {
                            let value = value.unwrap();
                            assert_eq!(value.kind(), ad.kind, "{name} {}", ad.id);
                            ad.check_type(&value).unwrap();
                            defaults += 1;
                        }
                        // Equinox tests what happens with defaults that are no numbers.
                        Err(_) => assert_eq!(name, "testfile.xml", "{}", ad.id),
                    }
                }
            }
        }
    }
    assert!(
        read_files > 80 && ads > 400 && defaults > 300,
        "{read_files} {ads} {defaults}"
    );
}

fn without_comments(text: &str) -> String {
    let mut parts = text.split("<!--");
    let mut rest = parts.next().unwrap().to_owned();
    for part in parts {
        rest.push_str(part.split_once("-->").unwrap().1);
    }
    rest
}

#[test]
fn a_form_cannot_change_what_it_shows_read_only() {
    let ocd = Ocd {
        ads: vec![ad("type='Boolean' min='true' max='true'")],
        ..Ocd::default()
    };
    let mut supplied = Properties::from([("a".into(), true.into()), ("b".into(), 1.into())]);
    ocd.drop_read_only(&mut supplied);
    assert_eq!(supplied.keys().collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_default_that_is_none_is_left_out_and_named() {
    let ocd = Ocd {
        ads: vec![ad("type='Integer' default='x'")],
        ..Ocd::default()
    };
    assert!(ocd.defaults().is_empty());
    assert_eq!(ocd.bad_defaults()[0].given.as_deref(), Some("x"));
}

const DOCUMENT: &str = r#"<?xml version="1.0"?><m:MetaData xmlns:m="urn:m" localization="l">
    <OCD id="o" name="%n"><AD id="a" type="Char" default="\,,x" min="a"><Option value="&amp;"/></AD>
    <!-- c --><Icon size="1"/></OCD><Designate pid="p"><Object ocdref="o"/></Designate></m:MetaData>"#;

proptest::proptest! {
    #[test]
    fn no_damage_makes_the_reader_panic(at in 0..DOCUMENT.len(), cut in 0usize..9, put in "\\PC{0,4}") {
        let mut bytes = DOCUMENT.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        if let Ok(metatype) = read(&bytes) {
            for ocd in metatype.ocds {
                let defaults = ocd.defaults();
                ocd.validate(&defaults);
            }
        }
    }

    #[test]
    fn no_typed_text_makes_a_parameter_panic(text in "\\PC{0,12}", kind in 0..10usize, cardinality: i32) {
        let ad = Ad { kind: Kind::ALL[kind], cardinality, default: Some(text.clone()), ..ad("type='String'") };
        if let Ok(Some(value)) = ad.parse(&text) {
            let _ = ad.check(&value);
        }
        let _ = ad.default_value();
    }
}

#[test]
fn the_transport_of_kura_has_its_defaults() {
    let name = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
    let Some(path) = sample("kura", &format!("{name}.xml")) else {
        return;
    };
    let metatype = read(&fs::read(path).unwrap()).unwrap();
    assert!(metatype.is_factory(name));
    let defaults = metatype.ocd_of(name).unwrap().defaults();
    assert_eq!(defaults["broker-url"], "mqtt://broker-url:1883/".into());
    assert_eq!(defaults["password"], Secret::from("password").into());
    assert_eq!(defaults["keep-alive"], 30.into());
    assert_eq!(defaults["clean-session"], true.into());
    assert_eq!(
        defaults["lwt.topic"],
        "$EDC/#account-name/#client-id/MQTT/LWT".into()
    );
    assert!(!defaults.contains_key("client-id"));
    assert_eq!(metatype.ocd_of(name).unwrap().validate(&defaults), []);
}
