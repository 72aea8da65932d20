//! The XML of configurations, as CONF-V1 carries it: `kura_formats::configurations`.

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};
use kura_formats::configurations::{
    read, remote_open, remote_seal, write, Configuration, ConfigurationsError, XmlLimits,
};

use crate::Seed;

/// Small, so that the bounds are reached by small inputs.
const LIMITS: XmlLimits = XmlLimits {
    bytes: 16 << 10,
    depth: 8,
    configurations: 8,
    properties: 16,
    values: 8,
    weight: usize::MAX,
};

pub(crate) fn run(data: &[u8]) {
    let all = match read(data, &LIMITS, &mut remote_open) {
        Ok(all) => all,
        Err(error) => {
            let line = error.to_string();
            assert!(line.len() < 64 << 10 && !line.is_empty());
            return;
        }
    };
    assert!(data.len() <= LIMITS.bytes && all.len() <= LIMITS.configurations);
    for one in &all {
        assert!(!one.pid.is_empty() && one.properties.len() <= LIMITS.properties);
        for value in one.properties.values() {
            if let Value::Array(kind, items) = value {
                assert!(items.len() <= LIMITS.values);
                assert!(items.iter().all(|item| item.kind() == *kind));
            }
        }
    }
    no_doctype(data);
    // Everything that was read can be written: characters that XML cannot hold were refused, but a
    // password may have been the base64 of one, and a Char beyond U+FFFF is none in Java.
    let written = match write(&all, &mut remote_seal) {
        Ok(written) => written,
        Err(ConfigurationsError::Unwritable { what, .. }) => {
            assert!(what.contains("Char") || what.contains("U+FFFF"), "{what}");
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let mut wide = LIMITS;
    wide.bytes = usize::MAX;
    let again = read(&written, &wide, &mut remote_open).expect("what was written is read again");
    assert_eq!(write(&again, &mut remote_seal).unwrap(), written);
    assert_eq!(again.len(), all.len());
}

/// A document with a DOCTYPE is refused. Looked for only where it cannot be anything else.
pub(crate) fn no_doctype(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let text = match text.split_once("?>") {
        Some((first, rest)) if first.starts_with("<?") => rest,
        _ => text,
    };
    let hides = ["<![CDATA[", "<!--", "<?"]
        .iter()
        .any(|mark| text.contains(mark));
    if !hides {
        assert!(!text.contains("<!DOCTYPE"), "a DOCTYPE was accepted");
    }
}

/// A document with every type.
pub(crate) fn sample() -> Vec<u8> {
    let mut properties = Properties::new();
    properties.insert("service.factoryPid".into(), "org.a".into());
    properties.insert("empty".into(), "".into());
    properties.insert("text".into(), "a<b>&\"c'\r\n\t\u{e4}".into());
    properties.insert("int".into(), (-42).into());
    properties.insert("yes".into(), true.into());
    properties.insert("password".into(), Secret::from("secret").into());
    for (name, scalar) in [
        ("long", Scalar::Long(i64::MIN)),
        ("double", Scalar::Double(1e-300)),
        ("nan", Scalar::Double(f64::NAN)),
        ("float", Scalar::Float(f32::INFINITY)),
        ("byte", Scalar::Byte(-1)),
        ("short", Scalar::Short(-300)),
        ("char", Scalar::Char('\u{df}')),
    ] {
        properties.insert(name.into(), Value::Scalar(scalar));
    }
    let words = vec![Scalar::String("a".into()), Scalar::String(String::new())];
    properties.insert("words".into(), Value::array(Kind::String, words).unwrap());
    let list = [
        Configuration {
            pid: "org.a-1".into(),
            properties,
        },
        Configuration {
            pid: "org.b".into(),
            properties: Properties::new(),
        },
    ];
    write(&list, &mut remote_seal).unwrap()
}

pub(crate) fn seeds() -> Vec<Seed> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("all-types", sample()),
        (
            "metatype-inside",
            of("<esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\" xmlns:ocd=\"o\"><esf:configuration pid=\"a\"><ocd:OCD><ocd:AD id=\"x\"/></ocd:OCD><esf:properties/></esf:configuration></esf:configurations>"),
        ),
        (
            "other-prefix",
            of("<?xml version='1.0'?><c:configurations xmlns:c='http://eurotech.com/esf/2.0'><c:configuration pid='&#x61;'><c:properties><c:property name='n' type='Integer'><c:value>&#49;<![CDATA[2]]></c:value></c:property></c:properties></c:configuration></c:configurations>"),
        ),
        (
            "clear-password",
            of("<esf:configurations><esf:configuration pid=\"a\"><esf:properties><esf:property name=\"p\" encrypted=\"false\" type=\"Password\"><esf:value>x</esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"),
        ),
        (
            "doctype",
            of("<!DOCTYPE x [<!ENTITY a \"b\">]><esf:configurations>&a;</esf:configurations>"),
        ),
    ]
}
