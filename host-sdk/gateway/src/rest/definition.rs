//! A metatype as Kura's REST interface writes it, in `definition`.

use gateway_host_sdk::metatype::{Ad, Ocd};
use serde_json::{json, Map, Value};

use super::values::type_name;

/// The OCD as JSON. Absent attributes are left out, as Kura does.
#[must_use]
pub fn to_json(ocd: &Ocd) -> Value {
    let icons = ocd
        .icons
        .iter()
        .map(|icon| json!({"resource": icon.resource, "size": icon.size}));
    json!({
        "id": ocd.id,
        "name": ocd.name,
        "description": ocd.description,
        "icon": icons.collect::<Vec<_>>(),
        "ad": ocd.ads.iter().map(ad).collect::<Vec<_>>(),
    })
}

fn ad(ad: &Ad) -> Value {
    // Kura's consoles look for this suffix; the reader has taken it off.
    let area = if ad.text_area { "|TextArea" } else { "" };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("id", json!(ad.id));
    put("name", json!(ad.name));
    put("description", json!(format!("{}{area}", ad.description)));
    put("type", json!(type_name(ad.kind)));
    put("cardinality", json!(ad.cardinality));
    put("isRequired", json!(ad.required));
    for (name, value) in [
        ("min", &ad.min),
        ("max", &ad.max),
        ("defaultValue", &ad.default),
    ] {
        // The default of a password is a secret as any other.
        let secret =
            name == "defaultValue" && ad.kind == gateway_component_abi::value::Kind::Password;
        if let Some(value) = value.as_ref().filter(|_| !secret) {
            put(name, json!(value));
        }
    }
    if !ad.options.is_empty() {
        let option =
            |o: &gateway_host_sdk::metatype::AdOption| json!({"label": o.label, "value": o.value});
        put("option", ad.options.iter().map(option).collect());
    }
    Value::Object(fields)
}
