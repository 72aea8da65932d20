#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use super::*;
use crate::settings::{id, Settings};
use gateway_component_abi::value::{Properties, Secret, Value};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../metatype")
}

/// `GWC_REWRITE=1 cargo test` writes the file instead of comparing it.
#[test]
fn the_shipped_descriptor_is_the_keyed_one_in_english() {
    let path = folder().join(format!("{FACTORY_PID}.xml"));
    if std::env::var_os("GWC_REWRITE").is_some() {
        std::fs::write(&path, resolved(ENGLISH)).unwrap();
    }
    let shipped = std::fs::read_to_string(&path).unwrap();
    assert!(
        shipped == resolved(ENGLISH),
        "stale: run the test with GWC_REWRITE=1"
    );
}

#[test]
fn the_default_locale_is_the_shipped_file_byte_for_byte() {
    let shipped = std::fs::read(folder().join(format!("{FACTORY_PID}.xml"))).unwrap();
    for locale in ["", "en", "en_US", "C", "de", "xx-YY"] {
        assert!(descriptor(locale).as_bytes() == shipped, "{locale:?}");
    }
}

#[test]
fn a_locale_is_found_by_its_language() {
    let italian = descriptor("it");
    for locale in ["it_IT", "it-CH", "IT", "it_IT.UTF-8", "it@euro"] {
        assert!(descriptor(locale) == italian, "{locale}");
    }
    assert!(italian.contains("name=\"Abilitato\""));
    assert!(italian.contains("perché") && italian.contains("È "));
    assert!(descriptor("italian").contains("name=\"Enabled\""));
}

#[test]
fn no_host_ever_sees_a_key() {
    for locale in ["", "it"] {
        let text = descriptor(locale);
        assert!(!text.contains('%'), "{locale}");
        assert!(!text.contains("\\u"), "{locale}");
    }
}

#[test]
fn every_language_says_everything_in_the_subset_we_read() {
    let keys: Vec<&str> = KEYED
        .split("\"%")
        .skip(1)
        .map(|piece| piece.split('"').next().unwrap())
        .collect();
    assert_eq!(keys.len(), 1 + 2 * id::ALL.len());
    for texts in [ENGLISH, ITALIAN] {
        let mut names: Vec<&str> = Vec::new();
        for line in texts
            .lines()
            .filter(|l| !l.is_empty() && !l.starts_with('#'))
        {
            let (name, value) = line.split_once(" = ").expect(line);
            assert!(
                line.is_ascii() && !name.contains([' ', ':', '=', '\\']),
                "{line}"
            );
            let escapes = value.matches('\\').count();
            assert_eq!(escapes, value.matches("\\u").count(), "{line}");
            // Kura's forms read what follows a bar as a widget.
            assert!(
                !value.contains('|') && value.trim() == value && !value.is_empty(),
                "{line}"
            );
            names.push(name);
        }
        assert_eq!(names, keys);
    }
}

/// The attributes of each AD, by the plainest of means: this file is ours.
fn definitions(xml: &str) -> Vec<std::collections::BTreeMap<String, String>> {
    xml.split("<AD ")
        .skip(1)
        .map(|ad| {
            let ad = ad.split_once("/>").unwrap().0;
            let mut parts = ad.split('"');
            let mut attributes = std::collections::BTreeMap::new();
            while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
                attributes.insert(
                    name.trim().trim_end_matches('=').to_owned(),
                    value.to_owned(),
                );
            }
            attributes
        })
        .collect()
}

#[test]
fn the_form_has_the_twelve_parameters_in_order() {
    let found = definitions(SHIPPED);
    let ids: Vec<&str> = found.iter().map(|ad| ad["id"].as_str()).collect();
    assert_eq!(ids, id::ALL);
    for ad in &found {
        assert_eq!(ad["cardinality"], "0");
        assert!(!ad["name"].is_empty() && !ad["description"].is_empty());
        let kind = match ad["id"].as_str() {
            id::ENABLED | id::PROVISIONED | id::CA_AUTHENTICATION => "Boolean",
            id::PASSWORD | id::ACTIVATION_KEY => "Password",
            id::RETRY_INTERVAL | id::RETRY_MAX_ATTEMPTS | id::TIMEOUT => "Integer",
            _ => "String",
        };
        assert_eq!(ad["type"], kind, "{}", ad["id"]);
        // Equal bounds are what makes a field read-only in Kura's forms.
        let read_only = ad.contains_key("min") && ad.get("min") == ad.get("max");
        assert_eq!(read_only, ad["id"] == id::PROVISIONED, "{}", ad["id"]);
    }
    assert!(SHIPPED.contains("name=\"ProvisioningService\""));
    assert!(!SHIPPED.contains("<Option"));
}

#[test]
fn defaults_and_bounds_of_the_form_are_those_of_the_settings() {
    let complete = || {
        let mut properties = Properties::new();
        properties.insert(id::ENABLED.into(), true.into());
        properties.insert(id::BROKER_URL.into(), "mqtts://b".into());
        properties.insert(id::ACCOUNT_NAME.into(), "acme".into());
        properties
    };
    let bare = Settings::parse(&complete()).result.unwrap();
    for ad in definitions(SHIPPED) {
        let id = ad["id"].as_str();
        let value = |text: &str| -> Value {
            match ad["type"].as_str() {
                "Boolean" => (text == "true").into(),
                "Integer" => text.parse::<i32>().unwrap().into(),
                "Password" => Secret::from(text).into(),
                _ => text.into(),
            }
        };
        let parse = |value: Value| {
            let mut properties = complete();
            properties.insert(id.to_owned(), value);
            Settings::parse(&properties).result
        };
        match ad
            .get("default")
            .filter(|_| ![id::ENABLED, id::BROKER_URL].contains(&id))
        {
            Some(default) => assert_eq!(parse(value(default)).unwrap(), bare, "{id}"),
            None => assert!(
                [
                    id::ENABLED,
                    id::BROKER_URL,
                    id::ACCOUNT_NAME,
                    id::USERNAME,
                    id::PASSWORD,
                    id::ACTIVATION_KEY,
                    id::CLIENT_ID,
                ]
                .contains(&id),
                "{id} has no default"
            ),
        }
        if ad["type"] == "Integer" {
            for (bound, beyond) in [("min", -1), ("max", 1)] {
                let Some(limit) = ad.get(bound).map(|text| text.parse::<i32>().unwrap()) else {
                    continue;
                };
                assert!(parse(limit.into()).is_ok(), "{id} {bound}");
                assert!(
                    parse((limit + beyond).into()).is_err(),
                    "{id} beyond {bound}"
                );
            }
        }
        if let Some(limit) = ad.get("max").filter(|_| ad["type"] == "String") {
            let limit: usize = limit.parse().unwrap();
            assert!(parse("x".repeat(limit).into()).is_ok(), "{id}");
            assert!(parse("x".repeat(limit + 1).into()).is_err(), "{id}");
        }
    }
    // An empty broker has the form's default text.
    assert!(definitions(SHIPPED)
        .iter()
        .any(|ad| ad.get("default").is_some_and(|d| d == "mqtts://")));
}

#[test]
fn the_osgi_schema_accepts_every_descriptor() {
    let data = std::env::var_os("GWC_SHARED_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
        PathBuf::from,
    );
    let schema = data.join("xsd/metatype-v1.2.0.xsd");
    if !schema.exists() {
        println!("skipped: no {}", schema.display());
        return;
    }
    if Command::new("xmllint").arg("--version").output().is_err() {
        println!("skipped: no xmllint");
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    for (name, xml) in [
        ("default", descriptor("")),
        ("italian", descriptor("it")),
        ("keyed", KEYED.to_owned()),
    ] {
        let path = scratch.path().join(name);
        std::fs::write(&path, xml).unwrap();
        let lint = Command::new("xmllint")
            .args(["--noout", "--nonet", "--schema"])
            .args([&schema, &path])
            .output()
            .unwrap();
        assert!(
            lint.status.success(),
            "{name}: {}",
            String::from_utf8_lossy(&lint.stderr)
        );
    }
}
