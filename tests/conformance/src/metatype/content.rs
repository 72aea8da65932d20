//! What a descriptor says, told twice, in lines that can be compared: by what was read, and by the
//! second parser with the rules that the reader documents.

use std::fmt::Debug;

use gateway_host_sdk::metatype::Metatype;
use roxmltree::{Document, Node};

use crate::second::children;

/// One fact each: what it is about, and the fact.
type Facts = Vec<(String, String)>;

/// The first difference, in one line.
pub(super) fn difference(metatype: &Metatype, document: &Document<'_>) -> Option<String> {
    let (read, there) = (read(metatype), there(document));
    let pair = read.iter().zip(&there).find(|(read, there)| read != there);
    if let Some(((about, read), (about_there, there))) = pair {
        return Some(if about == about_there {
            format!("{about} is {there}, and was read as {read}")
        } else {
            format!("{about_there} is {there}, and {about} was read in its place")
        });
    }
    if let Some((about, value)) = there.get(read.len()) {
        return Some(format!("{about} is {value}, and was not read"));
    }
    let (about, value) = read.get(there.len())?;
    Some(format!("{about} was read as {value}, and is not there"))
}

fn push(facts: &mut Facts, about: &str, what: &str, value: impl Debug) {
    facts.push((format!("{about}{what}"), format!("{value:?}")));
}

fn read(metatype: &Metatype) -> Facts {
    let mut facts = Facts::new();
    push(&mut facts, "localization", "", &metatype.localization);
    for ocd in &metatype.ocds {
        let about = format!("OCD {:?}, ", ocd.id);
        push(&mut facts, &about, "name", &ocd.name);
        push(&mut facts, &about, "description", &ocd.description);
        for icon in &ocd.icons {
            push(&mut facts, &about, "icon", (&icon.resource, icon.size));
        }
        for ad in &ocd.ads {
            let about = format!("{about}AD {:?}, ", ad.id);
            push(&mut facts, &about, "name", &ad.name);
            push(
                &mut facts,
                &about,
                "description",
                (&ad.description, ad.text_area),
            );
            push(&mut facts, &about, "type", ad.kind.name());
            push(&mut facts, &about, "cardinality", ad.cardinality);
            push(&mut facts, &about, "min", &ad.min);
            push(&mut facts, &about, "max", &ad.max);
            push(&mut facts, &about, "default", &ad.default);
            push(&mut facts, &about, "required", ad.required);
            for option in &ad.options {
                push(&mut facts, &about, "option", (&option.label, &option.value));
            }
        }
    }
    for designate in &metatype.designates {
        push(&mut facts, "Designate, ", "pid", &designate.pid);
        push(
            &mut facts,
            "Designate, ",
            "factoryPid",
            &designate.factory_pid,
        );
        push(&mut facts, "Designate, ", "ocdref", &designate.ocd_ref);
    }
    facts
}

fn there(document: &Document<'_>) -> Facts {
    let mut facts = Facts::new();
    let root = document.root_element();
    push(&mut facts, "localization", "", of(root, "localization"));
    for ocd in children(root, "OCD") {
        let id = or_empty(of(ocd, "id"));
        let about = format!("OCD {id:?}, ");
        push(&mut facts, &about, "name", of(ocd, "name").unwrap_or(id));
        push(
            &mut facts,
            &about,
            "description",
            or_empty(of(ocd, "description")),
        );
        for icon in children(ocd, "Icon") {
            let size = icon.attribute("size").and_then(|size| size.parse().ok());
            let icon = (or_empty(of(icon, "resource")), size.unwrap_or(0_u32));
            push(&mut facts, &about, "icon", icon);
        }
        for ad in children(ocd, "AD") {
            parameter(&mut facts, &about, ad);
        }
    }
    for designate in children(root, "Designate") {
        push(&mut facts, "Designate, ", "pid", of(designate, "pid"));
        push(
            &mut facts,
            "Designate, ",
            "factoryPid",
            of(designate, "factoryPid"),
        );
        let object = children(designate, "Object").last();
        let ocd_ref = or_empty(object.and_then(|object| of(object, "ocdref")));
        push(&mut facts, "Designate, ", "ocdref", ocd_ref);
    }
    facts
}

fn parameter(facts: &mut Facts, about: &str, ad: Node<'_, '_>) {
    let id = or_empty(of(ad, "id"));
    let about = format!("{about}AD {id:?}, ");
    let description = or_empty(of(ad, "description"));
    let description = match description.rsplit_once('|') {
        Some((text, area)) if area.trim().eq_ignore_ascii_case("textarea") => (text, true),
        _ => (description, false),
    };
    let kind = match of(ad, "type") {
        Some("Character") => "Char",
        kind => or_empty(kind),
    };
    let cardinality = ad.attribute("cardinality").and_then(|c| c.parse().ok());
    let required = of(ad, "required").is_none_or(|text| text.eq_ignore_ascii_case("true"));
    push(facts, &about, "name", of(ad, "name").unwrap_or(id));
    push(facts, &about, "description", description);
    push(facts, &about, "type", kind);
    push(facts, &about, "cardinality", cardinality.unwrap_or(0_i32));
    push(facts, &about, "min", of(ad, "min"));
    push(facts, &about, "max", of(ad, "max"));
    push(facts, &about, "default", of(ad, "default"));
    push(facts, &about, "required", required);
    for option in children(ad, "Option") {
        let value = or_empty(option.attribute("value"));
        push(
            facts,
            &about,
            "option",
            (of(option, "label").unwrap_or(value), value),
        );
    }
}

/// A blank attribute is an absent one, as in Kura.
fn of<'a>(node: Node<'a, '_>, attribute: &str) -> Option<&'a str> {
    let value = node.attribute(attribute)?;
    let blank = value.chars().all(|c| c <= ' ');
    (!blank).then_some(value)
}

fn or_empty(text: Option<&str>) -> &str {
    text.unwrap_or_default()
}
