//! `control`: signed requests to gateways that have been provisioned.
//!
//! The request is left in the database for the platform that runs in the same data folder; it
//! signs and sends it, and leaves the reply there.

use super::{package, print, Data, Failure};
use kura_formats::payload::{MetricValue, Payload};
use kura_formats::topic::Method;
use provision_platform::control::{ControlFault, ControlReply, ControlRequest};
use provision_platform::pki::DeviceKey;
use provision_platform::platform::TARGET_ACCOUNT;
use provision_platform::store::{ControlState, NewPackage, Store};
use serde_json::{json, Map, Value};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How often the database is looked at.
const LOOK: Duration = Duration::from_millis(50);
/// A platform that runs takes a request sooner than this.
const TAKEN: Duration = Duration::from_secs(5);

/// Asks a provisioned gateway something, signed, over its account's broker; a platform must run in
/// the same data folder. The reply goes to standard output: its body, or its metrics where it has
/// none. Exit code 0 for a reply 2xx, 4 for 4xx, 5 for others, 6 for no reply.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    provision-platform control --data cloud --client-id gw-1 conf get\n  \
    provision-platform control --data cloud --client-id gw-1 conf put site.xml\n  \
    provision-platform control --data cloud --client-id gw-1 snapshots rollback\n  \
    provision-platform control --data cloud --client-id gw-1 deploy install heater-1.0.300.zip\n  \
    provision-platform control --data cloud --client-id gw-1 send GET CONF-V1/snapshots")]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// The gateway's client-id in its account.
    #[arg(long, value_name = "ID")]
    client_id: String,
    /// Its account.
    #[arg(long, value_name = "ACCOUNT", default_value = TARGET_ACCOUNT)]
    account: String,
    /// Seconds to wait for the reply, and for each word about a package.
    #[arg(long, value_name = "SECONDS", default_value_t = 30,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
    /// Do it wrongly, to see it refused: unsigned, other-signer, altered, other-client,
    /// without-timestamp, stale, early, replayed or same-signature-id.
    #[arg(long, value_name = "FAULT", default_value = "none", value_parser = fault)]
    fault: ControlFault,
    /// Print code, metrics and body as JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// Configurations (CONF-V1).
    #[command(subcommand)]
    Conf(Conf),
    /// Snapshots of the configuration (CONF-V1).
    #[command(subcommand)]
    Snapshots(Snapshots),
    /// Packages (DEPLOY-V2).
    #[command(subcommand)]
    Deploy(Deploy),
    /// Keystores (KEYS-V1).
    #[command(subcommand)]
    Keys(Keys),
    /// Any request.
    Send(Send),
}

#[derive(clap::Subcommand)]
enum Conf {
    /// All configurations, or that of one component.
    Get {
        /// The component.
        pid: Option<String>,
    },
    /// Change configurations.
    Put {
        /// An esf:configurations document.
        file: PathBuf,
        /// The only component in it.
        pid: Option<String>,
    },
}

#[derive(clap::Subcommand)]
enum Snapshots {
    /// Their numbers.
    List,
    /// One of them.
    Get {
        /// Its number.
        id: u64,
    },
    /// Take one now.
    Take,
    /// Go back to one, or to the one before the last.
    Rollback {
        /// Its number.
        id: Option<u64>,
    },
}

#[derive(clap::Subcommand)]
enum Deploy {
    /// What is installed.
    List,
    /// Serve a package file, and have it fetched and installed.
    Install {
        /// As `request create --package` has it.
        #[arg(value_name = "FILE[:NAME:VERSION]", value_parser = package::parse)]
        package: NewPackage,
    },
}

#[derive(clap::Subcommand)]
enum Keys {
    /// The entries of all keystores.
    List,
    /// A certificate request for a key.
    Csr {
        /// The key's alias.
        alias: String,
        /// The name to be certified, such as CN=gateway-7.
        #[arg(long, value_name = "NAME")]
        subject: String,
        /// Its keystore.
        #[arg(long, value_name = "PID", default_value = "SSLKeystore")]
        keystore: String,
        /// The kind of the key, which is what its signature depends on.
        #[arg(long, value_name = "KIND", default_value = "EC-256")]
        kind: DeviceKey,
    },
}

#[derive(clap::Args)]
struct Send {
    /// GET, PUT, POST, DEL or EXEC.
    #[arg(value_parser = method)]
    method: Method,
    /// Application and resource, such as CONF-V1/configurations.
    #[arg(value_name = "APP/RESOURCE")]
    resource: String,
    /// The body.
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// A metric; may be repeated. TYPE is string, int, long, bool or double.
    #[arg(long, value_name = "NAME[:TYPE]=VALUE", value_parser = metric)]
    metric: Vec<(String, MetricValue)>,
}

fn fault(name: &str) -> Result<ControlFault, String> {
    ControlFault::from_name(name).ok_or_else(|| {
        let names = ControlFault::ALL.map(ControlFault::name);
        format!("none of {}", names.join(", "))
    })
}

fn method(name: &str) -> Result<Method, String> {
    Method::from_name(name).ok_or_else(|| "none of GET, PUT, POST, DEL, EXEC".to_owned())
}

fn metric(text: &str) -> Result<(String, MetricValue), String> {
    let (name, value) = text.split_once('=').ok_or("write NAME=VALUE")?;
    let (name, kind) = name.split_once(':').unwrap_or((name, "string"));
    let wrong = || format!("{value:?} is no {kind}");
    let value = match kind {
        "string" => MetricValue::from(value),
        "int" => MetricValue::from(value.parse::<i32>().map_err(|_| wrong())?),
        "long" => MetricValue::from(value.parse::<i64>().map_err(|_| wrong())?),
        "bool" => MetricValue::from(value.parse::<bool>().map_err(|_| wrong())?),
        "double" => MetricValue::from(value.parse::<f64>().map_err(|_| wrong())?),
        _ => {
            return Err(format!(
                "{kind:?} is none of string, int, long, bool, double"
            ))
        }
    };
    Ok((name.to_owned(), value))
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let nowhere = |failure| Failure::Other(format!("no provision-platform runs: {failure}"));
    let mut store = arguments.data.existing().map_err(nowhere)?;
    let mut asked = request(arguments, &store)?;
    asked.within = Duration::from_secs(arguments.timeout);
    asked.fault = arguments.fault;
    let (account, client) = (&arguments.account, &arguments.client_id);
    let mut devices = store.devices()?.into_iter();
    if !devices.any(|device| device.account == *account && device.client_id == *client) {
        // It is asked all the same: the platform may have been set up anew. Standard error may be gone.
        let _ = writeln!(
            std::io::stderr(),
            "provision-platform: no device {client} was provisioned into {account} here"
        );
    }
    let id = store.leave_control(&asked)?;
    let reply = wait(&store, id, arguments)?;
    show(&reply, arguments.json)?;
    let said = reply.notification.as_ref().unwrap_or(&reply.payload);
    let word = |name: &str| said.string(name).unwrap_or_default().to_owned();
    let installed = matches!(
        word("dp.download.status").as_str(),
        "" | "COMPLETED" | "ALREADY DONE"
    );
    match reply.code {
        200..=299 if installed => Ok(()),
        200..=299 => Err(Failure::Device(word("dp.download.error.message"), 5)),
        code => {
            let text = format!(
                "{code} {} {}",
                word("prov.error.code"),
                word("response.exception.message")
            );
            let exit = if (400..=499).contains(&code) { 4 } else { 5 };
            Err(Failure::Device(text, exit))
        }
    }
}

fn request(arguments: &Arguments, store: &Store) -> Result<ControlRequest, Failure> {
    let new = |method, app: &str, resource: &str| {
        let (account, client) = (&arguments.account, &arguments.client_id);
        ControlRequest::new(account, client, method, app, resource)
    };
    let with = |resource: &str, last: Option<String>| match last {
        Some(last) => format!("{resource}/{last}"),
        None => resource.to_owned(),
    };
    let file = |path: &PathBuf| {
        std::fs::read(path).map_err(|e| Failure::Other(format!("{}: {e}", path.display())))
    };
    let id = |id: &Option<u64>| id.map(|id| id.to_string());
    Ok(match &arguments.what {
        What::Conf(Conf::Get { pid }) => {
            new(Method::Get, "CONF-V1", &with("configurations", pid.clone()))
        }
        What::Conf(Conf::Put { file: path, pid }) => {
            let resource = with("configurations", pid.clone());
            new(Method::Put, "CONF-V1", &resource).with_body(file(path)?)
        }
        What::Snapshots(Snapshots::List) => new(Method::Get, "CONF-V1", "snapshots"),
        What::Snapshots(Snapshots::Get { id }) => {
            new(Method::Get, "CONF-V1", &format!("snapshots/{id}"))
        }
        What::Snapshots(Snapshots::Take) => new(Method::Exec, "CONF-V1", "snapshot"),
        What::Snapshots(Snapshots::Rollback { id: number }) => {
            new(Method::Exec, "CONF-V1", &with("rollback", id(number)))
        }
        What::Deploy(Deploy::List) => new(Method::Get, "DEPLOY-V2", "packages"),
        What::Deploy(Deploy::Install { package }) => {
            let mut asked = new(Method::Exec, "DEPLOY-V2", "download");
            asked.package = Some(store.take_in(package)?);
            asked.metrics.push(("dp.install".to_owned(), true.into()));
            asked.until_notified = Some("download".to_owned());
            asked
        }
        What::Keys(Keys::List) => new(Method::Get, "KEYS-V1", "keystores/entries"),
        What::Keys(Keys::Csr {
            alias,
            subject,
            keystore,
            kind,
        }) => {
            let body = json!({
                "keystoreServicePid": keystore,
                "alias": alias,
                "algorithm": kind.algorithm(),
                "size": kind.size(),
                "signatureAlgorithm": kind.signature_algorithm(),
                "attributes": subject,
            });
            new(Method::Post, "KEYS-V1", "keystores/entries/csr").with_body(body.to_string())
        }
        What::Send(send) => {
            let (app, resource) = send.resource.split_once('/').ok_or_else(|| {
                Failure::Usage("APP/RESOURCE: write CONF-V1/snapshots".to_owned())
            })?;
            let mut asked = new(send.method, app, resource);
            asked.metrics.clone_from(&send.metric);
            asked.body = send.body.as_ref().map(file).transpose()?;
            asked
        }
    })
}

fn wait(store: &Store, id: i64, arguments: &Arguments) -> Result<ControlReply, Failure> {
    let start = Instant::now();
    loop {
        match store.control(id)? {
            ControlState::Answered(reply) => return Ok(*reply),
            ControlState::Failed(reason) => return Err(Failure::Device(reason, 6)),
            ControlState::Left if start.elapsed() > TAKEN => {
                let folder = arguments.data.folder.display();
                let text = format!("no provision-platform runs in {folder}: start it with `run`");
                return Err(Failure::Other(text));
            }
            // The platform gives up by itself in time.
            ControlState::Left | ControlState::Sent => std::thread::sleep(LOOK),
        }
    }
}

fn show(reply: &ControlReply, as_json: bool) -> Result<(), Failure> {
    let body = reply.payload.body.as_deref();
    if as_json {
        let document = json!({
            "code": reply.code,
            "metrics": metrics(&reply.payload),
            "body": body.map(String::from_utf8_lossy),
            "notification": reply.notification.as_ref().map(metrics),
        });
        return print(&format!("{document:#}\n"));
    }
    match body.filter(|body| !body.is_empty()) {
        Some(body) => print(&format!("{}\n", String::from_utf8_lossy(body).trim_end()))?,
        None => print(&lines(&reply.payload))?,
    }
    match &reply.notification {
        Some(notification) => print(&lines(notification)),
        None => Ok(()),
    }
}

fn lines(payload: &Payload) -> String {
    let mut text = String::new();
    if let Value::Object(all) = metrics(payload) {
        for (name, value) in all {
            let value = value.as_str().map_or(value.to_string(), str::to_owned);
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

fn metrics(payload: &Payload) -> Value {
    let mut all = Map::new();
    for metric in &payload.metrics {
        let value = match &metric.value {
            MetricValue::String(text) => json!(text),
            MetricValue::Int32(number) => json!(number),
            MetricValue::Int64(number) => json!(number),
            MetricValue::Bool(flag) => json!(flag),
            MetricValue::Double(number) => json!(number),
            MetricValue::Float(number) => json!(number),
            MetricValue::Bytes(bytes) => json!(format!("{} bytes", bytes.len())),
        };
        all.insert(metric.name.clone(), value);
    }
    Value::Object(all)
}
