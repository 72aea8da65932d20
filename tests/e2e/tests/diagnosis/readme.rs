//! `plugin/README.md` against what it describes.

use std::path::Path;

use provisioning_service::status;

const PLUGIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../plugin");

fn page() -> String {
    std::fs::read_to_string(Path::new(PLUGIN).join("README.md")).unwrap()
}

#[test]
fn the_parameters_are_those_of_the_form_with_their_types_and_defaults() {
    let form = include_str!("../../../../metatype/gwc.provisioning.ProvisioningService.xml");
    let attribute = |ad: &str, name: &str| {
        let (_, rest) = ad.split_once(&format!(" {name}=\""))?;
        Some(rest.split_once('"')?.0.to_owned())
    };
    let wanted: Vec<String> = form
        .split("<AD")
        .skip(1)
        .map(|ad| {
            let default = match attribute(ad, "default") {
                Some(default) => format!("`{default}`"),
                None => "empty".to_owned(),
            };
            let [id, kind] = ["id", "type"].map(|name| attribute(ad, name).unwrap());
            format!("| `{id}` | {kind} | {default} |")
        })
        .collect();
    assert_eq!(wanted.len(), 12);
    let page = page();
    let (_, table) = page.split_once("## Parameters").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .collect();
    assert_eq!(rows.len(), wanted.len());
    for (row, wanted) in rows.iter().zip(&wanted) {
        assert!(row.starts_with(wanted.as_str()), "{row} is not {wanted}");
    }
}

#[test]
fn what_it_links_to_is_there() {
    let page = page();
    let links: Vec<&str> = page
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(link, _)| link)
        .collect();
    assert!(links.contains(&"docs/errors.md") && links.contains(&"docs/status.schema.json"));
    for link in links {
        assert!(Path::new(PLUGIN).join(link).exists(), "{link}");
    }
}

#[test]
fn the_version_that_the_schema_describes_is_the_documents() {
    let schema = include_str!("../../../../plugin/docs/status.schema.json");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    let versions = &schema["properties"]["version"]["enum"];
    assert_eq!(*versions, serde_json::json!([status::VERSION]));
}
