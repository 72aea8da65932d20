//! `gateway package`: `pack` and `inspect` work on files, the others on a running gateway over REST.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use gateway_host_sdk::packages::{self, Manifest};
use serde_json::{json, Value};

use super::args::{Listed, Pack, Package};
use super::client::Client;
use super::error::CliError;
use super::out;
use crate::rest::packages::ARCHIVE;

const PATH: &str = "/packages/v1/packages";

/// Does what the command says.
///
/// # Errors
/// Files that cannot be read or written, or make no package; as the client.
pub fn run(command: &Package) -> Result<(), CliError> {
    match command {
        Package::Pack(pack) => self::pack(pack),
        Package::Inspect { file, json } => inspect(file, *json),
        Package::List(listed) => list(listed),
        Package::Install { reach, file, json } => {
            let archive = File::open(file).map_err(unreadable(file))?;
            let client = Client::find(reach)?;
            let answer = client.upload(PATH, ARCHIVE, &archive)?;
            if *json {
                out::json(&answer)?;
            } else {
                out::line(&format!("{} is installed", title(&answer)))?;
            }
            Ok(())
        }
        Package::Remove { reach, name } => {
            Client::find(reach)?.delete(PATH, &json!({"name": name}))?;
            Ok(())
        }
    }
}

fn pack(options: &Pack) -> Result<(), CliError> {
    let mut files = Vec::new();
    for path in &options.files {
        if path.is_dir() {
            collect(path, &mut files)?;
        } else if !path.exists() {
            return Err(CliError::Refused(format!(
                "{} does not exist",
                path.display()
            )));
        } else {
            files.push(path.clone());
        }
    }
    let contents: Vec<(String, Vec<u8>)> = files
        .iter()
        .map(|path| Ok((inside(path)?, fs::read(path).map_err(unreadable(path))?)))
        .collect::<Result<_, CliError>>()?;
    let mut archive = Vec::new();
    let manifest = packages::pack(&options.name, &options.version, &contents, &mut archive)
        .map_err(|e| CliError::host("nothing was packed", e))?;
    write(&options.output, &archive)?;
    // What a gateway would say of it, said now.
    if let Err(e) = packages::inspect(&options.output) {
        let _ = fs::remove_file(&options.output);
        return Err(CliError::host("no gateway like this would take it", e));
    }
    if options.json {
        out::json(&described(&manifest, &[]))?;
    } else {
        let count = manifest.files.len();
        out::line(&format!(
            "{} ({} {}, {count} files, {} bytes)",
            options.output.display(),
            manifest.name,
            manifest.version,
            archive.len()
        ))?;
    }
    Ok(())
}

/// The libraries and descriptors in a folder and its `metatype`; anything else is refused, so that
/// nothing is left out unnoticed.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
        let path = entry.map_err(unreadable(folder))?.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name == "metatype") {
            collect(&path, files)?;
        } else {
            inside(&path)?;
            files.push(path);
        }
    }
    Ok(())
}

/// Where a file comes to lie in the package.
fn inside(path: &Path) -> Result<String, CliError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let end = path.extension().and_then(|end| end.to_str());
    match (name, end) {
        (Some(name), Some("so")) => Ok(name.to_owned()),
        (Some(name), Some("xml")) => Ok(format!("metatype/{name}")),
        _ => Err(CliError::Refused(format!(
            "{}: a package holds libraries (*.so) and metatype descriptors (*.xml) only",
            path.display()
        ))),
    }
}

/// Whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<(), CliError> {
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    fs::write(&part, content)
        .and_then(|()| fs::rename(&part, path))
        .map_err(|e| CliError::host(format!("{} cannot be written", path.display()), e))
}

fn inspect(file: &Path, json: bool) -> Result<(), CliError> {
    let contents = packages::inspect(file)
        .map_err(|e| CliError::host("this is no package that a gateway would take", e))?;
    let components = contents.factory_pids();
    let described = described(&contents.manifest, &components);
    if json {
        out::json(&described)?;
        return Ok(());
    }
    out::line(&title(&described))?;
    for pid in &components {
        out::line(&format!("  component    {pid}"))?;
    }
    for file in &contents.manifest.files {
        out::line(&format!(
            "  {:>10}  {}  {}",
            file.size, file.sha256, file.path
        ))?;
    }
    Ok(())
}

fn described(manifest: &Manifest, components: &[String]) -> Value {
    json!({
        "name": manifest.name,
        "version": manifest.version,
        "files": manifest.files,
        "components": components,
    })
}

fn list(listed: &Listed) -> Result<(), CliError> {
    let answer = Client::find(&listed.reach)?.get(PATH)?;
    if listed.json {
        out::json(&answer)?;
        return Ok(());
    }
    let heading = ["NAME", "VERSION", "FILES", ""].map(str::to_owned);
    let mut rows = vec![heading.to_vec()];
    let all = answer.get("packages").and_then(Value::as_array);
    for package in all.into_iter().flatten() {
        let files = package.get("files").and_then(Value::as_array);
        let paths = files
            .into_iter()
            .flatten()
            .map(|file| text(file, "path"))
            .collect::<Vec<_>>();
        let pending = package.get("pending").and_then(Value::as_bool) == Some(true);
        rows.push(vec![
            text(package, "name").to_owned(),
            text(package, "version").to_owned(),
            paths.join(" "),
            if pending {
                "by a provisioning under way"
            } else {
                ""
            }
            .to_owned(),
        ]);
    }
    out::table(&rows)?;
    Ok(())
}

fn title(package: &Value) -> String {
    format!("{} {}", text(package, "name"), text(package, "version"))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> CliError + '_ {
    |source| CliError::File {
        path: path.to_owned(),
        source,
    }
}
