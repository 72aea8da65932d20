//! The configuration XML: what is kept, what is refused and how it is named.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};
use kura_formats::configurations::{
    read, remote_open, remote_seal, weight, weight_kept, write, Configuration, ConfigurationsError,
    Sealed, XmlLimits,
};
use kura_formats::snapshot_ids;
use proptest::prelude::*;

const HEAD: &str = r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">"#;

fn try_read(xml: &str) -> Result<Vec<Configuration>, ConfigurationsError> {
    read(xml.as_bytes(), &XmlLimits::default(), &mut remote_open)
}

/// The properties of one configuration `p` with this inside.
fn properties(inside: &str) -> Result<Properties, ConfigurationsError> {
    let xml = format!(
        "{HEAD}<esf:configuration pid=\"p\"><esf:properties>{inside}</esf:properties>\
         </esf:configuration></esf:configurations>"
    );
    try_read(&xml).map(|all| all[0].properties.clone())
}

fn property(kind: &str, value: &str) -> Result<Value, ConfigurationsError> {
    let inside = format!(
        "<esf:property name=\"n\" array=\"false\" encrypted=\"false\" type=\"{kind}\">\
         <esf:value>{value}</esf:value></esf:property>"
    );
    properties(&inside).map(|properties| properties["n"].clone())
}

fn one(name: &str, value: Value) -> Vec<Configuration> {
    vec![Configuration {
        pid: "p".to_owned(),
        properties: Properties::from([(name.to_owned(), value)]),
    }]
}

fn written(configurations: &[Configuration]) -> String {
    String::from_utf8(write(configurations, &mut remote_seal).unwrap()).unwrap()
}

#[test]
fn the_document_is_laid_out_as_kura_wants_it() {
    let text = written(&one("a", Value::from(Secret::from("pw"))));
    assert_eq!(
        text,
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <esf:configurations xmlns:ocd=\"http://www.osgi.org/xmlns/metatype/v1.2.0\" \
         xmlns:esf=\"http://eurotech.com/esf/2.0\">\n\
         \x20   <esf:configuration pid=\"p\">\n\
         \x20       <esf:properties>\n\
         \x20           <esf:property name=\"a\" array=\"false\" encrypted=\"true\" type=\"Password\">\n\
         \x20               <esf:value>cHc=</esf:value>\n\
         \x20           </esf:property>\n\
         \x20       </esf:properties>\n\
         \x20   </esf:configuration>\n\
         </esf:configurations>\n"
    );
}

#[test]
fn values_are_read_strictly() {
    let integer = |value| Value::Scalar(Scalar::Integer(value));
    assert_eq!(
        property("Integer", "-2147483648").unwrap(),
        integer(i32::MIN)
    );
    assert_eq!(property("Integer", "+7").unwrap(), integer(7));
    assert_eq!(property("Boolean", "TRUE").unwrap(), Value::from(true));
    let double = |value| Value::Scalar(Scalar::Double(value));
    assert_eq!(property("Double", "1.0E10").unwrap(), double(1e10));
    // What Java's parseDouble takes, it takes of no other type.
    for text in ["1.5d", "1.5F", " 1.5\n", "\t+1.5E0f "] {
        assert_eq!(property("Double", text).unwrap(), double(1.5), "{text:?}");
    }
    assert_eq!(
        property("Double", "-Infinity").unwrap(),
        double(f64::NEG_INFINITY)
    );
    assert_eq!(
        property("Char", " ").unwrap(),
        Value::Scalar(Scalar::Char(' '))
    );
    for (kind, value) in [
        ("Integer", "2147483648"),
        ("Integer", " 1"),
        ("Integer", "1.0"),
        ("Integer", ""),
        ("Long", "9223372036854775808"),
        ("Short", "32768"),
        ("Byte", "128"),
        ("Byte", "0x1"),
        ("Double", "inf"),
        ("Double", "d"),
        ("Double", "NaNf"),
        ("Double", "1.5 f"),
        ("Double", "\u{a0}1.5"),
        ("Double", "nan"),
        ("Double", "1e999"),
        ("Double", "1,5"),
        ("Double", ""),
        ("Float", "1e39"),
        ("Float", "infinity"),
        ("Boolean", "yes"),
        ("Boolean", ""),
        ("Char", ""),
        ("Char", "ab"),
        ("Char", "\u{1f600}"),
        ("string", "x"),
        ("Character", "x"),
        ("", "x"),
    ] {
        let error = property(kind, value).unwrap_err();
        assert!(
            matches!(&error, ConfigurationsError::Property { pid, name, .. } if pid == "p" && name == "n"),
            "{kind} {value}: {error}"
        );
    }
}

#[test]
fn text_is_kept_as_it_is() {
    for (xml, text) in [
        ("  a\n b\t ", "  a\n b\t "),
        ("a\r\nb\rc", "a\nb\nc"),
        ("a&#13;&#x0A;b", "a\r\nb"),
        ("&lt;&gt;&amp;&apos;&quot;", "<>&'\""),
        ("<![CDATA[<a>&amp;]]>b", "<a>&amp;b"),
        ("a<!-- not this -->b<?nor this?>", "ab"),
        ("", ""),
        ("&#x1F600;", "\u{1f600}"),
    ] {
        assert_eq!(
            property("String", xml).unwrap(),
            Value::from(text),
            "{xml:?}"
        );
    }
    let xml =
        HEAD.to_owned() + "<esf:configuration pid=\"a&#10;b&#9;c\nd\te\"/></esf:configurations>";
    assert_eq!(try_read(&xml).unwrap()[0].pid, "a\nb\tc d e");
}

#[test]
fn every_prefix_of_the_namespace_is_good() {
    for xml in [
        "<configurations xmlns=\"http://eurotech.com/esf/2.0\"><configuration pid=\"p\"/></configurations>",
        "<x:configurations xmlns:x=\"http://eurotech.com/esf/2.0\"><x:configuration pid=\"p\"/></x:configurations>",
        "<esf:configurations><esf:configuration pid=\"p\"/></esf:configurations>",
        "\u{feff}<?xml version='1.0' encoding='utf-8'?><esf:configurations><esf:configuration pid='p'/></esf:configurations>\n<!-- -->\n",
    ] {
        assert_eq!(try_read(xml).unwrap()[0].pid, "p", "{xml}");
    }
    for xml in [
        "<configurations><configuration pid=\"p\"/></configurations>",
        "<x:configurations><x:configuration pid=\"p\"/></x:configurations>",
        "<esf:configurations xmlns:esf=\"http://eurotech.com/esf/3.0\"/>",
    ] {
        assert!(try_read(xml).is_err(), "{xml}");
    }
}

#[test]
fn metatypes_and_what_a_template_left_are_skipped() {
    let xml = format!(
        "{HEAD}NETWORK_CONFIGURATION<esf:configuration pid=\"p\">\
         <ocd:OCD xmlns:ocd=\"http://www.osgi.org/xmlns/metatype/v1.2.0\" id=\"p\"><ocd:AD id=\"x\">\
         <ocd:Option label=\"a\" value=\"b\"/></ocd:AD></ocd:OCD>\
         <esf:properties><esf:property name=\"n\" type=\"Long\"><esf:value>1</esf:value>\
         </esf:property></esf:properties></esf:configuration></esf:configurations>"
    );
    let all = try_read(&xml).unwrap();
    assert_eq!(all[0].properties["n"], Value::Scalar(Scalar::Long(1)));
}

#[test]
fn what_kura_takes_for_null_is_no_property() {
    let found = properties(
        "<esf:property name=\"a\" array=\"false\" encrypted=\"false\"/>\
         <esf:property name=\"b\" array=\"true\" encrypted=\"false\" type=\"Integer\"/>",
    );
    assert_eq!(found.unwrap(), Properties::new());
    let text = written(&one("b", Value::Array(Kind::Integer, Vec::new())));
    assert!(!text.contains("property "), "{text}");
}

#[test]
fn what_would_lose_something_is_an_error() {
    let value = "<esf:value>v</esf:value>";
    for inside in [
        format!("<esf:property name=\"a\">{value}</esf:property>"),
        format!("<esf:property name=\"a\" type=\"String\">{value}{value}</esf:property>"),
        "<esf:property name=\"a\" type=\"String\"/>".to_owned(),
        format!("<esf:property type=\"String\">{value}</esf:property>"),
        format!("<esf:property name=\"\" type=\"String\">{value}</esf:property>"),
        format!("<esf:property name=\"a\" type=\"String\" array=\"1\">{value}</esf:property>"),
        format!(
            "<esf:property name=\"a\" type=\"Password\" encrypted=\"x\">{value}</esf:property>"
        ),
        "<esf:propertie name=\"a\" type=\"String\"/>".to_owned(),
        "<esf:property name=\"a\" type=\"String\"><esf:value>a<b/></esf:value></esf:property>"
            .to_owned(),
        value.to_owned(),
    ] {
        assert!(properties(&inside).is_err(), "{inside}");
    }
    let twice =
        format!("<esf:property name=\"a\" type=\"String\">{value}</esf:property>").repeat(2);
    let error = properties(&twice).unwrap_err().to_string();
    assert_eq!(
        error,
        "configurations, line 1: pid \"p\", property \"a\": occurs twice"
    );
    let pids = HEAD.to_owned()
        + "<esf:configuration pid=\"p\"/>\n<esf:configuration pid=\"p\"/></esf:configurations>";
    assert_eq!(
        try_read(&pids).unwrap_err().to_string(),
        "configurations, line 2: pid \"p\": occurs twice"
    );
    for inside in ["<esf:configuration/>", "<esf:configuration pid=\"\"/>"] {
        assert!(try_read(&format!("{HEAD}{inside}</esf:configurations>")).is_err());
    }
}

#[test]
fn errors_name_the_line() {
    let error = property("Integer", "\n\nx").unwrap_err().to_string();
    assert_eq!(
        error,
        "configurations, line 1: pid \"p\", property \"n\": \"\\n\\nx\" is no value of type Integer"
    );
    let xml = format!("{HEAD}\n<esf:configuration pid=\"a\">\n</esf:configurations>");
    assert!(matches!(
        try_read(&xml),
        Err(ConfigurationsError::Xml { line: 3, .. })
    ));
}

#[test]
fn no_dtd_and_no_entity_of_its_own() {
    let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>".to_owned() + HEAD;
    for xml in [
        bomb + "</esf:configurations>",
        "<!DOCTYPE x SYSTEM \"file:///etc/passwd\">".to_owned() + HEAD + "</esf:configurations>",
    ] {
        let error = try_read(&xml).unwrap_err().to_string();
        assert!(error.contains("DOCTYPE"), "{error}");
    }
    for reference in [
        "&a;", "&nbsp;", "&#0;", "&#1;", "&#xD800;", "&#xFFFE;", "&#+65;", "&#;", "&", "&lt",
    ] {
        assert!(property("String", reference).is_err(), "{reference}");
        let xml = format!("{HEAD}<esf:configuration pid=\"{reference}\"/></esf:configurations>");
        assert!(try_read(&xml).is_err(), "{reference}");
    }
}

#[test]
fn what_is_not_well_formed_is_refused() {
    let whole = HEAD.to_owned() + "</esf:configurations>";
    try_read(&whole).unwrap();
    for xml in [
        String::new(),
        "text".to_owned(),
        HEAD.to_owned(),
        format!("{whole}{whole}"),
        format!("{whole}text"),
        format!("text{whole}"),
        format!("{whole}&lt;"),
        format!("{HEAD}</esf:configuration>"),
        format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{whole}<!-- é -->"),
        format!("\n<?xml version=\"1.0\"?>{whole}"),
        format!("<?xml version=\"1.0\"?><?xml version=\"1.0\"?>{whole}"),
        format!("<?xml encoding=\"UTF-8\"?>{whole}"),
        format!("<?xml version=\"1.0\" standalone=\"yes\" encoding=\"UTF-8\"?>{whole}"),
        format!("<?xml version=\"1.0\" standalone=\"maybe\"?>{whole}"),
        format!("<?xml version=\"1.0\" encoding=\"\"?>{whole}"),
        format!("<?xml version=\"2\"?>{whole}"),
        format!("<?xml version=1.0?>{whole}"),
        format!("<?xml?>{whole}"),
        format!("<?XML version=\"1.0\"?>{whole}"),
        format!("<?1 ?>{whole}"),
        format!("{HEAD}\u{1}</esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" pid=\"b\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"<\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration a<!DOCTYPE=\"\" pid=\"a\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=a/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\"b=\"\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" b;=\"\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" &#98;=\"\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" 1=\"\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" esf:=\"\"/></esf:configurations>"),
        format!("{HEAD}<esf:configuration pid=\"a\" a:b:c=\"\"/></esf:configurations>"),
        format!("{HEAD}<x;y/></esf:configurations>"),
        format!("{HEAD}]]></esf:configurations>"),
        format!("{HEAD}&#xd800;</esf:configurations>"),
        format!("{HEAD}<!-- -- --></esf:configurations>"),
    ] {
        assert!(try_read(&xml).is_err(), "{xml}");
    }
    assert!(read(b"\xff", &XmlLimits::default(), &mut remote_open).is_err());
}

/// What the stricter look must not refuse.
#[test]
fn every_form_that_xml_allows_is_read() {
    let end = "</esf:configurations>";
    for xml in [
        format!("<?xml version='1.0'?>{HEAD}{end}"),
        format!("<?xml version = \"1.1\"\n encoding='utf-8'\tstandalone='no' ?>{HEAD}{end}"),
        // Kura does not ask how a document says it is encoded; in ASCII it is the same.
        format!("<?xml version='1.0' encoding='ISO-8859-15'?>{HEAD}{end}"),
        format!("<?xml version='1.0' encoding='UTF-16'?>{HEAD}{end}"),
        format!("<?a-b.c x<?>{HEAD}<é:ä\r\n x.1 = '>' \t_y='\"' xmlns:é='u'\n/>{end}<?z?>"),
        format!("{HEAD}<!-- <a b> & ]]> --><![CDATA[<&]]>&#x41;&gt; ]] >{end}"),
    ] {
        assert_eq!(try_read(&xml).unwrap(), [], "{xml}");
    }
}

#[test]
fn what_a_document_weighs_is_bounded_while_it_is_read() {
    let one = |name: &str, value: Value| Configuration {
        pid: "p".to_owned(),
        properties: [(name.to_owned(), value)].into(),
    };
    let text = |text: &str| Scalar::String(text.to_owned());
    let password = || Scalar::Password(Secret::from("x"));
    for (configuration, besides) in [
        (one("n", Value::from("x")), 4096 + 128),
        (one("n", Value::from(5)), 4096 + 128),
        (one("n", Value::from("<>&\"\t\r")), 4096 + 128 + 6 * 4),
        (one("<", Value::from("x")), 4096 + 128 + 4),
        (
            one("n", Value::Array(Kind::String, vec![text(">"), text("")])),
            4096 + 2 * 128 + 4,
        ),
        (one("n", Value::Scalar(password())), 4096 + 4096 + 3),
        (
            one("n", Value::Array(Kind::Password, vec![password(); 3])),
            4096 + 3 * 4096 + 3 * 3,
        ),
    ] {
        let xml = write(std::slice::from_ref(&configuration), &mut remote_seal).unwrap();
        let bound = xml.len() + besides;
        assert_eq!(weight(xml.len(), &[configuration]), bound);
        let within = |weight: usize| {
            let limits = XmlLimits {
                weight,
                ..XmlLimits::remote()
            };
            let mut opened = 0;
            let result = read(&xml, &limits, &mut |sealed| {
                opened += 1;
                remote_open(sealed)
            });
            (result, opened)
        };
        assert!(within(bound).0.is_ok());
        let (refused, opened) = within(bound - 1);
        assert!(matches!(refused, Err(ConfigurationsError::Limit { .. })));
        assert!(opened <= 3);
        // Each takes a page: they are weighed before they are opened.
        let (refused, opened) = within(bound - 100);
        assert!(matches!(refused, Err(ConfigurationsError::Limit { .. })));
        assert_eq!(opened, 0);
    }
}

#[test]
fn every_limit_holds() {
    let limits = XmlLimits {
        bytes: 4000,
        depth: 5,
        configurations: 2,
        properties: 2,
        values: 2,
        weight: usize::MAX,
    };
    let count = |configurations: usize, properties: usize, values: usize| {
        let mut all = Vec::new();
        for pid in 0..configurations {
            let scalar = Scalar::Integer(1);
            let properties = (0..properties)
                .map(|name| {
                    (
                        name.to_string(),
                        Value::Array(Kind::Integer, vec![scalar.clone(); values]),
                    )
                })
                .collect();
            all.push(Configuration {
                pid: pid.to_string(),
                properties,
            });
        }
        let xml = write(&all, &mut remote_seal).unwrap();
        read(&xml, &limits, &mut remote_open)
    };
    count(2, 2, 2).unwrap();
    for refused in [
        count(3, 1, 1),
        count(1, 3, 1),
        count(1, 1, 3),
        count(1, 2, 2000),
    ] {
        assert!(matches!(refused, Err(ConfigurationsError::Limit { .. })));
    }
    let deep = |depth: usize| {
        let xml = format!(
            "{HEAD}{}{}</esf:configurations>",
            "<x>".repeat(depth),
            "</x>".repeat(depth)
        );
        read(xml.as_bytes(), &limits, &mut remote_open)
    };
    deep(4).unwrap();
    assert!(matches!(
        deep(5),
        Err(ConfigurationsError::Limit { limit: 5, .. })
    ));
    let attributes = |name: &str, count: usize| {
        let list: String = (0..count).map(|n| format!(" {name}{n}=\"x\"")).collect();
        try_read(&format!("{HEAD}<x{list}/></esf:configurations>"))
    };
    for name in ["a", "xmlns:a"] {
        attributes(name, 64).unwrap();
        assert!(matches!(
            attributes(name, 65),
            Err(ConfigurationsError::Limit { .. })
        ));
        // Nor does what is refused cost memory or time before.
        assert!(attributes(name, 500_000).is_err());
    }
}

#[test]
fn what_xml_cannot_hold_is_not_written() {
    for value in [
        Value::from("a\0b"),
        Value::from("\u{1b}"),
        Value::from("\u{fffe}"),
        Value::Scalar(Scalar::Char('\u{7}')),
        Value::Scalar(Scalar::Char('\u{1f600}')),
        Value::Array(Kind::String, vec![Scalar::String("\u{8}".to_owned())]),
    ] {
        assert!(write(&one("n", value), &mut remote_seal).is_err());
    }
    assert!(write(&one("a\0", Value::from(1)), &mut remote_seal).is_err());
    assert!(write(&one("", Value::from(1)), &mut remote_seal).is_err());
    let mut twice = one("a", Value::from(1));
    twice.extend(twice.clone());
    assert!(write(&twice, &mut remote_seal).is_err());
    let mut flip = true;
    let mut seal = |secret: &Secret| {
        flip = !flip;
        (flip, secret.expose().to_owned())
    };
    let mixed = vec![Scalar::Password(Secret::from("a")); 2];
    assert!(write(&one("a", Value::Array(Kind::Password, mixed)), &mut seal).is_err());
}

#[test]
fn passwords_are_opened_and_never_shown() {
    let password = |encrypted: bool, text: &str| {
        properties(&format!(
            "<esf:property name=\"n\" encrypted=\"{encrypted}\" type=\"Password\"><esf:value>{text}\
             </esf:value></esf:property>"
        ))
        .map(|found| found["n"].as_secret().unwrap().expose().to_owned())
    };
    assert_eq!(password(true, "Y2hhbmdlaXQ=").unwrap(), "changeit");
    assert_eq!(password(true, "").unwrap(), "");
    assert_eq!(password(false, "Y2hhbmdlaXQ=").unwrap(), "Y2hhbmdlaXQ=");
    for text in ["hunter2!", "/w==", "Y2hhbmdlaXQ"] {
        let error = password(true, text).unwrap_err().to_string();
        assert!(error.contains("property \"n\""), "{error}");
        assert!(!error.contains(text), "{error}");
    }
    let mut seen = Vec::new();
    let mut open = |sealed: Sealed<'_>| {
        seen.push((sealed.encrypted, sealed.text.to_owned()));
        Err("no key".to_owned())
    };
    let xml = written(&one("n", Value::from(Secret::from("pw"))));
    let error = read(xml.as_bytes(), &XmlLimits::default(), &mut open).unwrap_err();
    assert!(error.to_string().ends_with("property \"n\": no key"));
    assert_eq!(seen, [(true, "cHc=".to_owned())]);
}

#[test]
fn the_factory_pid_is_a_property() {
    let all = one("service.factoryPid", Value::from("f"));
    assert_eq!(all[0].factory_pid(), Some("f"));
    assert_eq!(one("x", Value::from("f"))[0].factory_pid(), None);
}

#[test]
fn snapshot_ids_are_listed_in_order() {
    let text = String::from_utf8(snapshot_ids::write(&[0, 1700000000000])).unwrap();
    assert!(text.ends_with(
        "    <esf:snapshotIds>0</esf:snapshotIds>\n    \
         <esf:snapshotIds>1700000000000</esf:snapshotIds>\n</esf:snapshot-ids>\n"
    ));
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_map(|text| {
        text.replace(
            |c: char| matches!(c, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}'),
            "\r",
        )
    })
}

fn scalar(kind: Kind) -> BoxedStrategy<Scalar> {
    match kind {
        Kind::String => text().prop_map(Scalar::String).boxed(),
        Kind::Long => any::<i64>().prop_map(Scalar::Long).boxed(),
        Kind::Double => any::<f64>().prop_map(Scalar::Double).boxed(),
        Kind::Float => any::<f32>().prop_map(Scalar::Float).boxed(),
        Kind::Integer => any::<i32>().prop_map(Scalar::Integer).boxed(),
        Kind::Byte => any::<i8>().prop_map(Scalar::Byte).boxed(),
        Kind::Char => prop_oneof![
            Just('\r'),
            Just('\n'),
            Just(' '),
            Just('<'),
            Just('"'),
            proptest::char::range(' ', '\u{d7ff}'),
        ]
        .prop_map(Scalar::Char)
        .boxed(),
        Kind::Boolean => any::<bool>().prop_map(Scalar::Boolean).boxed(),
        Kind::Short => any::<i16>().prop_map(Scalar::Short).boxed(),
        // Sealed, so that what XML cannot hold is allowed.
        Kind::Password => any::<String>()
            .prop_map(|s| Scalar::Password(Secret::new(s)))
            .boxed(),
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    (0usize..10).prop_flat_map(|index| {
        let kind = Kind::ALL[index];
        prop_oneof![
            scalar(kind).prop_map(Value::Scalar),
            proptest::collection::vec(scalar(kind), 1..4).prop_map(move |v| Value::Array(kind, v)),
        ]
    })
}

fn name() -> impl Strategy<Value = String> {
    text().prop_map(|name| {
        if name.is_empty() {
            "n".to_owned()
        } else {
            name
        }
    })
}

prop_compose! {
    fn configurations()(
        all in proptest::collection::btree_map(
            name(), proptest::collection::btree_map(name(), any_value(), 0..6), 0..4)
    ) -> Vec<Configuration> {
        all.into_iter().map(|(pid, properties)| Configuration { pid, properties }).collect()
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_the_same(all in configurations()) {
        let xml = write(&all, &mut remote_seal).unwrap();
        let again = read(&xml, &XmlLimits::default(), &mut remote_open).unwrap();
        prop_assert_eq!(format!("{again:?}"), format!("{all:?}"));
        let mut reversed = all.clone();
        reversed.reverse();
        prop_assert_eq!(write(&reversed, &mut remote_seal).unwrap(), xml);
    }

    #[test]
    fn arbitrary_documents_do_no_harm(bytes: Vec<u8>, all in configurations(), at: usize, bits: u8) {
        let _ = read(&bytes, &XmlLimits::default(), &mut remote_open);
        let mut xml = write(&all, &mut remote_seal).unwrap();
        let length = xml.len();
        xml[at % length] ^= bits;
        let _ = read(&xml, &XmlLimits::default(), &mut remote_open);
        let _ = read(&xml[..at % length], &XmlLimits::default(), &mut remote_open);
    }
}

/// A host bounds by it what it writes: whatever is within its bound has to be read again.
#[test]
fn a_document_has_less_than_half_more_bytes_than_what_is_kept_weighs() {
    let text = |text: &str| Value::from(text);
    let shapes = [
        text("x"),
        text(&"<\"&>\t\r".repeat(100)),
        Value::from(true),
        Value::Array(Kind::String, vec![Scalar::String(String::new()); 100]),
        Secret::from("a secret, encrypted").into(),
        Value::Array(Kind::Password, vec![Scalar::Password(Secret::from("s")); 9]),
    ];
    for value in shapes {
        let properties: Properties = (0..1000).map(|n| (format!("{n}"), value.clone())).collect();
        let kept = weight_kept("a", &properties);
        let one = Configuration {
            pid: "a".to_owned(),
            properties,
        };
        let bytes = write(&[one], &mut remote_seal).unwrap().len();
        assert!(bytes < kept + kept / 2, "{bytes} bytes weigh {kept}");
    }
    // What is of one size is of one weight, whatever it is.
    let one = |value: Value| weight_kept("a", &Properties::from([("b".to_owned(), value)]));
    assert_eq!(one(true.into()), one(false.into()));
    assert_eq!(one(1.into()), 1024 + 1 + 1 + 128);
    assert_eq!(one(text("a<b")), 1024 + 1 + 1 + 128 + 3 + 4);
    assert_eq!(one(Secret::from("abc").into()), 1024 + 1 + 1 + 2048 + 3);
}
