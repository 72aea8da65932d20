//! The lists of `DEPLOY-V2` in Kura's XML. Pure.

use quick_xml::escape::escape;

use crate::packages::PackageInfo;
use crate::plugins::{PluginInfo, PluginState};

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n";

/// `packages`, each with its libraries as `bundles`.
pub(super) fn packages(all: &[PackageInfo]) -> String {
    let mut xml = format!("{HEAD}<packages>\n");
    for package in all {
        let (name, version) = (escape(&package.name), escape(&package.version));
        xml += &format!("  <package><name>{name}</name><version>{version}</version><bundles>");
        for file in package.files.iter().filter(|file| file.is_library()) {
            let library = escape(&file.path);
            xml += &format!("<bundle><name>{library}</name><version>{version}</version></bundle>");
        }
        xml += "</bundles></package>\n";
    }
    xml + "</packages>\n"
}

/// `bundles`: the plugins, numbered in their order.
pub(super) fn bundles(all: &[PluginInfo]) -> String {
    let mut xml = format!("{HEAD}<bundles>\n");
    for (id, plugin) in all.iter().enumerate() {
        let file = plugin
            .path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let name = match plugin.name.is_empty() {
            true => file.as_ref(),
            false => &plugin.name,
        };
        // As near as OSGi has it.
        let state = match plugin.state {
            PluginState::Active => "ACTIVE",
            PluginState::Superseded => "RESOLVED",
            PluginState::Failed => "INSTALLED",
            PluginState::Removed => "UNINSTALLED",
        };
        xml += &format!(
            "  <bundle><name>{}</name><version>{}</version><id>{id}</id><state>{state}</state></bundle>\n",
            escape(name),
            escape(&plugin.version)
        );
    }
    xml + "</bundles>\n"
}
