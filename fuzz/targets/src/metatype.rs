//! Metatypes: `gateway_host_sdk::metatype`, with what a form does with one.
//!
//! The input is the XML; behind a NUL may follow a `.properties` file and, behind another one,
//! what a person types.

use gateway_host_sdk::metatype::{localized, read};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let mut parts = data.splitn(3, |byte| *byte == 0);
    let xml = parts.next().unwrap_or_default();
    let texts = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let typed = String::from_utf8_lossy(parts.next().unwrap_or_default());
    let Ok(metatype) = read(xml) else { return };
    crate::configurations::no_doctype(xml);
    if let Ok(shown) = localized(&metatype, &texts) {
        assert_eq!(shown.ocds.len(), metatype.ocds.len());
    }
    for designate in &metatype.designates {
        if let Some(pid) = &designate.factory_pid {
            assert!(metatype.is_factory(pid));
        }
    }
    for ocd in &metatype.ocds {
        let defaults = ocd.defaults();
        let bad = ocd.bad_defaults();
        for ad in &ocd.ads {
            match ad.default_value() {
                Ok(Some(value)) => assert_eq!(value.kind(), ad.kind),
                Ok(None) => {}
                Err(problem) => assert!(bad.contains(&problem)),
            }
            if let Ok(Some(value)) = ad.parse(&typed) {
                assert_eq!(value.kind(), ad.kind);
                assert_eq!(ad.coerce(value.clone()).kind(), ad.kind);
                if let Err(problem) = ad.check(&value) {
                    assert!(!problem.allowed.is_empty());
                }
            }
        }
        for problem in ocd.validate(&defaults) {
            assert!(ocd.ad(&problem.id).is_some());
        }
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let own = include_bytes!(
        "../../../metatype/OSGI-INF/metatype/gwc.provisioning.ProvisioningService.xml"
    );
    let texts = include_bytes!(
        "../../../metatype/OSGI-INF/l10n/gwc.provisioning.ProvisioningService.properties"
    );
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("own", own.to_vec()),
        ("localized", [own.as_slice(), b"\0", texts, b"\0true"].concat()),
        (
            "every-type",
            of("<MetaData localization=\"l\"><OCD id=\"o\" name=\"%n\" description=\"d|TextArea\"><AD id=\"a\" type=\"String\" cardinality=\"3\" default=\"a,b\\,c\" min=\"1\" max=\"9\"><Option label=\"%l\" value=\"a\"/></AD><AD id=\"b\" type=\"Integer\" default=\"5\" min=\"1\" max=\"9\" required=\"false\"/><AD id=\"c\" type=\"Char\" default=\"x\"/><AD id=\"d\" type=\"Double\" default=\"1.5d\" max=\"2\"/><AD id=\"e\" type=\"Boolean\" default=\"true\"/><AD id=\"f\" type=\"Byte\" cardinality=\"-2\" default=\"1\"/><AD id=\"g\" type=\"Password\" min=\"3\"/><Icon resource=\"i\" size=\"32\"/></OCD><Designate pid=\"p\" factoryPid=\"p\"><Object ocdref=\"o\"/></Designate></MetaData>\0n=N\nl = \\u00e9\x007"),
        ),
        (
            "prefixed",
            of("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><m:MetaData xmlns:m=\"u\"><m:OCD id=\"o\"><m:AD id=\"a\" type=\"Character\" default=\"&lt;\"/></m:OCD></m:MetaData>"),
        ),
    ]
}
