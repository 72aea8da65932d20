//! `request create|show|list|enable|disable|delete`.

use super::{output, package, print, Data, Failure};
use kura_formats::configurations::{read, remote_open, XmlLimits};
use provision_platform::clock::{self, Millis};
use provision_platform::pki::DeviceKey;
use provision_platform::platform::TARGET_ACCOUNT;
use provision_platform::secret::Secret;
use provision_platform::store::{Attachment, NewPackage, NewRequest, ProvisionRequest, Store};
use std::io::Read;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// A platform that runs in the same data folder sees a change at once.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make a request. Passwords come from a file or standard input, never from the command line.
    Create(Box<Create>),
    /// Show a request with its jobs and attempts.
    Show(Show),
    /// List all requests.
    List(List),
    /// Enable a request, and give it its attempts back.
    Enable(Select),
    /// Disable a request: its device is disconnected and refused.
    Disable(Select),
    /// Remove a request with its history.
    Delete(Select),
}

#[derive(clap::Args)]
#[command(
    after_help = "Times: now, +90s, +30m, +2h, +7d, or RFC 3339 such as 2030-01-31T12:00:00Z.\n\n\
    Example:\n  provision-platform request create --data cloud --client-id 0011223344AA \\\n      \
    --username 0011223344AA-SN1 --password-file secret.txt --activation-key-generate \\\n      \
    --expires-on +7d --max-attempts 5 --package heater-1.0.300.zip --csr"
)]
pub(super) struct Create {
    #[command(flatten)]
    data: Data,
    /// The device's MQTT client-id in the provisioning account.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// The device's user name there; one request for each.
    #[arg(long, value_name = "NAME")]
    username: String,
    #[command(flatten)]
    password: Password,
    #[command(flatten)]
    activation_key: ActivationKey,
    /// The request can be used from then on (at once if not given).
    #[arg(long, value_name = "TIME", value_parser = clock::parse, allow_hyphen_values = true)]
    activates_on: Option<Millis>,
    /// And not from then on (for ever if not given).
    #[arg(long, value_name = "TIME", value_parser = clock::parse, allow_hyphen_values = true)]
    expires_on: Option<Millis>,
    /// Attempts of the device that are answered; -1 for any number.
    #[arg(long, value_name = "N", default_value_t = 10, allow_hyphen_values = true,
          value_parser = clap::value_parser!(i64).range(-1..=1_000_000))]
    max_attempts: i64,
    /// The target account.
    #[arg(long, value_name = "ACCOUNT", default_value = TARGET_ACCOUNT)]
    account: String,
    /// The client-id in the target account, if another.
    #[arg(long, value_name = "ID")]
    target_client_id: Option<String>,
    /// A CONF-V1 document (esf:configurations) for the device; may be repeated. None: one is
    /// generated from the target account.
    #[arg(long, value_name = "FILE.xml")]
    configuration: Vec<PathBuf>,
    /// A package file that the device fetches over HTTPS and installs before it is configured; may
    /// be repeated, up to nine. Without NAME and VERSION the file is called NAME-VERSION.ENDING.
    #[arg(long, value_name = "FILE[:NAME:VERSION]", value_parser = package::parse)]
    package: Vec<NewPackage>,
    /// The package server demands a user name and a password, made here and told to the device.
    #[arg(long, requires = "package")]
    package_credentials: bool,
    /// The device makes a key that never leaves it, sends a certificate request (CSR) for it, and
    /// connects to the target account with the certificate that it gets, besides name and password.
    /// EC-256 if no kind is given; or EC-384, RSA-2048, RSA-3072, RSA-4096.
    #[arg(long, value_name = "KIND", num_args = 0..=1, require_equals = true,
          default_missing_value = "EC-256")]
    csr: Option<DeviceKey>,
    /// Replace a request of the same client-id.
    #[arg(long)]
    overwrite: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Password {
    /// Read the device's password from this file; a line end is not part of it.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read it from standard input.
    #[arg(long)]
    password_stdin: bool,
}

#[derive(clap::Args)]
#[group(multiple = false)]
struct ActivationKey {
    /// Require an activation key, made here: 32 letters and digits, printed once.
    #[arg(long)]
    activation_key_generate: bool,
    /// Require the activation key in this file.
    #[arg(long, value_name = "FILE")]
    activation_key_file: Option<PathBuf>,
}

#[derive(clap::Args)]
pub(super) struct Select {
    #[command(flatten)]
    data: Data,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The request's number.
    id: Option<i64>,
    /// Or its client-id.
    #[arg(long, value_name = "ID")]
    client_id: Option<String>,
}

#[derive(clap::Args)]
pub(super) struct Show {
    #[command(flatten)]
    select: Select,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct List {
    #[command(flatten)]
    data: Data,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn execute(command: Command) -> Result<(), Failure> {
    match command {
        Command::Create(create) => make(&create),
        Command::Show(show) => {
            let (store, request) = find(&show.select)?;
            print(&match show.json {
                true => line(&output::document(&store, &request)?),
                false => output::sheet(&store, &request)?,
            })
        }
        Command::List(list) => {
            let store = list.data.existing()?;
            let requests = store.requests()?;
            if list.json {
                let all = requests.iter().map(|r| output::document(&store, r));
                print(&line(&all.collect::<Result<Vec<_>, _>>()?.into()))
            } else {
                print(&output::table(&store, &requests)?)
            }
        }
        Command::Enable(select) => {
            let (mut store, request) = find(&select)?;
            Ok(store.enable_request(request.id, true)?)
        }
        Command::Disable(select) => {
            let (mut store, request) = find(&select)?;
            Ok(store.enable_request(request.id, false)?)
        }
        Command::Delete(select) => {
            let (mut store, request) = find(&select)?;
            store.delete_request(request.id)?;
            Ok(())
        }
    }
}

fn make(create: &Create) -> Result<(), Failure> {
    let password = match &create.password.password_file {
        Some(path) => secret_file(path)?,
        None => {
            let mut text = Zeroizing::new(String::new());
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|e| Failure::Other(format!("no password on standard input: {e}")))?;
            Secret::new(without_line_end(&text))
        }
    };
    let activation_key = match &create.activation_key {
        ActivationKey {
            activation_key_generate: true,
            ..
        } => Some(provision_platform::secret::random(32).map_err(|e| Failure::other(&e))?),
        ActivationKey {
            activation_key_file: Some(path),
            ..
        } => Some(secret_file(path)?),
        ActivationKey { .. } => None,
    };
    let max_attempts = match create.max_attempts {
        0 => {
            return Err(Failure::Usage(
                "--max-attempts: at least 1, or -1".to_owned(),
            ))
        }
        -1 => None,
        number => u32::try_from(number).ok(),
    };
    if let Some(time) = create.expires_on.filter(|time| *time <= clock::now()) {
        let text = format!("--expires-on: {} has passed", clock::text(time));
        return Err(Failure::Usage(text));
    }
    let new = NewRequest {
        client_id: create.client_id.clone(),
        username: create.username.clone(),
        password,
        activation_key: activation_key.clone(),
        activates_on: create.activates_on,
        expires_on: create.expires_on,
        max_attempts,
        account: create.account.clone(),
        target_client_id: create.target_client_id.clone(),
        configurations: create
            .configuration
            .iter()
            .map(|p| attachment(p))
            .collect::<Result<_, _>>()?,
        packages: create.package.clone(),
        package_credentials: create.package_credentials,
        device_key: create.csr,
        overwrite: create.overwrite,
    };
    let mut store = Store::open(&create.data.folder)?;
    let id = store.create_request(&new)?;
    let Some(request) = store.request(id)? else {
        return Ok(());
    };
    let generated = activation_key.filter(|_| create.activation_key.activation_key_generate);
    let text = if create.json {
        let mut document = output::document(&store, &request)?;
        if let (Some(key), Some(members)) = (&generated, document.as_object_mut()) {
            members.insert("generated_activation_key".to_owned(), key.expose().into());
        }
        Zeroizing::new(line(&document))
    } else {
        let mut text = Zeroizing::new(output::sheet(&store, &request)?);
        if let Some(key) = &generated {
            text.push_str("activation key, shown this once: ");
            text.push_str(key.expose());
            text.push('\n');
        }
        text
    };
    print(&text).map_err(|failure| match failure {
        Failure::Output(e) => Failure::Other(untold(&e, id, generated.is_some())),
        other => other,
    })
}

/// The request exists, and nobody was told.
fn untold(error: &std::io::Error, id: i64, generated: bool) -> String {
    let key = match generated {
        true => {
            ", but its activation key is lost: the same command with --overwrite makes it again, \
             with another key"
        }
        false => "",
    };
    format!("standard output cannot be written: {error}; provision request {id} was made{key}")
}

fn find(select: &Select) -> Result<(Store, ProvisionRequest), Failure> {
    let store = select.data.existing()?;
    let (found, name) = match (&select.which.id, &select.which.client_id) {
        (Some(id), _) => (store.request(*id)?, format!("number {id}")),
        (None, Some(client)) => (
            store.request_of_client(client)?,
            format!("client-id {client}"),
        ),
        (None, None) => return Err(Failure::Usage("which request?".to_owned())),
    };
    match found {
        Some(request) => Ok((store, request)),
        None => Err(Failure::Other(format!(
            "there is no provision request with {name}"
        ))),
    }
}

fn secret_file(path: &Path) -> Result<Secret, Failure> {
    let text = std::fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|e| Failure::Other(format!("{}: {e}", path.display())))?;
    Ok(Secret::new(without_line_end(&text)))
}

fn without_line_end(text: &str) -> &str {
    let text = text.strip_suffix('\n').unwrap_or(text);
    text.strip_suffix('\r').unwrap_or(text)
}

/// Reads a document, and refuses here what no device could read.
fn attachment(path: &Path) -> Result<Attachment, Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::Other(format!("{}: {e}", path.display()));
    let content = std::fs::read(path).map_err(|e| wrong(&e))?;
    read(&content, &XmlLimits::default(), &mut remote_open).map_err(|e| wrong(&e))?;
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy()
        .into_owned();
    Ok(Attachment { name, content })
}

fn line(document: &serde_json::Value) -> String {
    format!("{document:#}\n")
}
