//! The command line, as clap reads it. Only words and bounds; what they do is elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

/// A gateway host that behaves as Eclipse Kura does.
#[derive(Debug, Parser)]
#[command(name = "gateway", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// error, warn, info, debug or trace; RUST_LOG says more, and wins
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<log::LevelFilter>,
    /// Let the system write core dumps of this process, and debuggers read it: passwords are in it
    #[arg(long, global = true)]
    pub allow_core_dumps: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the gateway until a signal, or until it is provisioned
    Run(Run),
    /// Certificates in the keystores of a data folder
    #[command(subcommand)]
    Keystore(Keystore),
    /// What a provisioning is doing, and why not
    Status(Asked),
    /// Who the gateway says it is: what a provision request needs
    Identity(Sheet),
    /// Follow a provisioning until it is provisioned (0) or gave up (3)
    Provision(Provision),
    /// The provisioning record of a data folder: what happened here
    #[command(subcommand)]
    Record(Record),
    /// Run the local checks now
    Preflight(Asked),
    /// End the pause and start the next attempt
    Retry(Target),
    /// Abort the provisioning and disable it
    Cancel(Target),
    /// Provision again: enabled=true, provisioned=false
    Reprovision(Target),
    /// Read and change configurations
    #[command(subcommand)]
    Config(Config),
    /// The loaded plugins, and those that could not be loaded; components that do not run, and why
    Plugins(Plugins),
    /// Try whether a library keeps to the contract of components: pass, fail, crash or hang
    CheckPlugin(CheckPlugin),
    /// Cloud connections
    #[command(subcommand)]
    Connection(Connection),
    /// Application packages: make and look into files; install, list, remove
    #[command(subcommand)]
    Package(Package),
    /// Print the link to the web page of a running gateway
    Console(Reach),
}

/// `gateway run`.
#[derive(Debug, Args)]
pub struct Run {
    /// Folder of everything the gateway keeps; created if absent
    #[arg(long, value_name = "DIR", value_parser = resolved())]
    pub data: PathBuf,
    /// Folder of the plugins (*.so); watched while running
    #[arg(long, value_name = "DIR")]
    pub plugins: PathBuf,
    /// Snapshot that becomes snapshot 0 at the first start
    #[arg(long, value_name = "SNAPSHOT.xml")]
    pub config: Option<PathBuf>,
    /// System properties by their Kura names, instead of the machine's
    #[arg(long, value_name = "FILE")]
    pub properties: Option<PathBuf>,
    /// Serve the web page and the REST interface; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = address)]
    pub listen: Option<SocketAddr>,
    /// Allow an address other hosts can reach. The interface is plain HTTP: put TLS in front
    #[arg(long, requires = "listen")]
    pub listen_beyond_loopback: bool,
    /// Load plugins from a folder or file that others may write
    #[arg(long)]
    pub allow_insecure_plugins: bool,
    /// End once this is reached
    #[arg(long, value_name = "STATE")]
    pub until: Option<Until>,
    /// With --until: give up after so many seconds (exit 4)
    #[arg(long, value_name = "SECONDS", requires = "until", value_parser = seconds)]
    pub deadline: Option<Duration>,
    /// Pid of the provisioning to watch; else the first
    #[arg(long, value_name = "PID")]
    pub pid: Option<String>,
    /// Print the outcome as one JSON object, the last line on standard output
    #[arg(long)]
    pub json: bool,
}

/// What `--until` waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Until {
    /// Provisioned, and connected to the new account
    Provisioned,
}

/// `gateway check-plugin`.
#[derive(Debug, Args)]
pub struct CheckPlugin {
    /// The library
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Only this trial; may be repeated
    #[arg(long, value_name = "TRIAL")]
    pub only: Vec<String>,
    /// Kill a trial after so many seconds, and call it a hang
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    pub deadline: Duration,
    /// As one JSON object
    #[arg(long)]
    pub json: bool,
    /// Run one trial in this process: how the command starts its own children
    #[arg(long, value_name = "TRIAL", hide = true, conflicts_with_all = ["only", "json"])]
    pub trial: Option<String>,
}

/// `gateway keystore`.
#[derive(Debug, Subcommand)]
pub enum Keystore {
    /// Put a certificate into a keystore
    Import(Import),
    /// Show the entries
    List {
        /// Where.
        #[command(flatten)]
        data: Data,
        /// Only this keystore
        #[arg(long, value_name = "SSLKeystore|DMKeystore")]
        keystore: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove an entry
    Remove {
        /// Where.
        #[command(flatten)]
        data: Data,
        /// The keystore
        #[arg(long, value_name = "SSLKeystore|DMKeystore")]
        keystore: String,
        /// The entry
        #[arg(long, value_name = "NAME")]
        alias: String,
    },
}

/// `gateway keystore import`.
#[derive(Debug, Args)]
pub struct Import {
    /// Where.
    #[command(flatten)]
    pub data: Data,
    /// SSLKeystore: CAs of the brokers. DMKeystore: CAs and signers of device management
    #[arg(long, value_name = "SSLKeystore|DMKeystore")]
    pub keystore: String,
    /// Name of the entry
    #[arg(long, value_name = "NAME")]
    pub alias: String,
    /// Replace what stands under the name already; else only the very same is taken again
    #[arg(long)]
    pub replace: bool,
    /// The certificate, PEM or DER
    #[arg(value_name = "FILE.pem")]
    pub file: PathBuf,
}

/// The data folder.
#[derive(Debug, Args)]
pub struct Data {
    /// Folder of everything the gateway keeps
    #[arg(long, value_name = "DIR", value_parser = resolved())]
    pub data: PathBuf,
}

/// How to reach a running gateway.
#[derive(Debug, Clone, Args)]
pub struct Reach {
    /// Where it is.
    #[command(flatten)]
    pub at: At,
    /// With --url: file that holds the token
    #[arg(long, value_name = "FILE", requires = "url")]
    pub token_file: Option<PathBuf>,
}

/// Where a running gateway is. A group of its own: a token alone is no place.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub struct At {
    /// Data folder of a gateway that runs with --listen
    #[arg(long, value_name = "DIR", value_parser = resolved())]
    pub data: Option<PathBuf>,
    /// Its address instead, such as http://127.0.0.1:8080
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// A question about one provisioning.
#[derive(Debug, Args)]
pub struct Asked {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// Pid of the provisioning; else the first
    #[arg(value_name = "PID")]
    pub pid: Option<String>,
    /// The document itself
    #[arg(long)]
    pub json: bool,
}

/// `gateway identity`.
#[derive(Debug, Args)]
pub struct Sheet {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// Pid of the provisioning; else the first
    #[arg(value_name = "PID")]
    pub pid: Option<String>,
    /// The document itself
    #[arg(long)]
    pub json: bool,
    /// A heading and one line of comma-separated values
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    /// A QR code for the terminal: one line of JSON; with --csv one line of values
    #[arg(long)]
    pub qr: bool,
}

/// `gateway provision`.
#[derive(Debug, Args)]
pub struct Provision {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// Pid of the provisioning; else the first
    #[arg(value_name = "PID")]
    pub pid: Option<String>,
    /// Show the steps, the countdown and the error in words; changes nothing
    #[arg(long, required = true)]
    pub watch: bool,
}

/// `gateway record`. Works whether or not a gateway runs on the data folder.
#[derive(Debug, Subcommand)]
pub enum Record {
    /// Show the attempts, the oldest first; fails where the record was altered
    Show(RecordOf),
    /// Check that no line was changed or dropped; else exit 1 and the first bad line
    Verify(RecordOf),
}

/// Which record.
#[derive(Debug, Args)]
pub struct RecordOf {
    /// Where.
    #[command(flatten)]
    pub data: Data,
    /// Pid of the provisioning
    #[arg(
        value_name = "PID",
        default_value = "gwc.provisioning.ProvisioningService"
    )]
    pub pid: String,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// An action on one provisioning.
#[derive(Debug, Args)]
pub struct Target {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// Pid of the provisioning; else the first
    #[arg(value_name = "PID")]
    pub pid: Option<String>,
}

/// A list.
#[derive(Debug, Args)]
pub struct Listed {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `gateway plugins`.
#[derive(Debug, Args)]
pub struct Plugins {
    /// The list.
    #[command(flatten)]
    pub listed: Listed,
    /// Give the component of this pid, which failed or is held back, another chance
    #[arg(long, value_name = "PID")]
    pub try_again: Option<String>,
}

/// `gateway config`.
#[derive(Debug, Subcommand)]
pub enum Config {
    /// The pids
    List(Listed),
    /// The configuration of one component; passwords are not shown
    Get {
        /// Which gateway.
        #[command(flatten)]
        reach: Reach,
        /// The component
        pid: String,
        /// As JSON, with the descriptor
        #[arg(long)]
        json: bool,
    },
    /// Change a configuration
    Set {
        /// Which gateway.
        #[command(flatten)]
        reach: Reach,
        /// The component
        pid: String,
        /// key=value. A password is never given here: `key` alone asks for it (or reads
        /// a line of standard input), `key=@FILE` reads a file. `key=` empties.
        #[arg(value_name = "KEY[=VALUE]", required = true)]
        values: Vec<String>,
        /// Refuse the change if the configuration is no longer the one of this revision
        #[arg(long, value_name = "N")]
        revision: Option<u64>,
    },
    /// The ids of the snapshots
    Snapshots(Listed),
    /// Go back to a snapshot
    Rollback {
        /// Which gateway.
        #[command(flatten)]
        reach: Reach,
        /// Id of the snapshot; else the last but one
        id: Option<u64>,
    },
}

/// `gateway connection`.
#[derive(Debug, Subcommand)]
pub enum Connection {
    /// Show them
    List(Listed),
    /// Create one, with all components of its stack
    Create(Named),
    /// Delete one, with all components of its stack
    Delete(Named),
    /// Connect it
    Connect(Named),
    /// Disconnect it
    Disconnect(Named),
}

/// `gateway package`.
#[derive(Debug, Subcommand)]
pub enum Package {
    /// Make a package of libraries (*.so) and metatype descriptors (*.xml)
    Pack(Pack),
    /// Check a package, and show what is in it
    Inspect {
        /// The package
        file: PathBuf,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show the installed ones
    List(Listed),
    /// Install a package, replacing another version of it; its plugins come alive at once
    Install {
        /// Which gateway.
        #[command(flatten)]
        reach: Reach,
        /// The package
        file: PathBuf,
        /// Print the installed package as JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a package; the configurations of its components stay
    Remove {
        /// Which gateway.
        #[command(flatten)]
        reach: Reach,
        /// Its name
        name: String,
    },
}

/// `gateway package pack`. The same files give the same bytes.
#[derive(Debug, Args)]
pub struct Pack {
    /// Libraries and descriptors, or folders of them
    #[arg(required = true, value_name = "DIR|FILE")]
    pub files: Vec<PathBuf>,
    /// Name of the package: A-Z a-z 0-9 . _ -
    #[arg(long)]
    pub name: String,
    /// Its version, likewise
    #[arg(long)]
    pub version: String,
    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
    /// Print what was packed as JSON
    #[arg(long)]
    pub json: bool,
}

/// A cloud connection by its name.
#[derive(Debug, Args)]
pub struct Named {
    /// Which gateway.
    #[command(flatten)]
    pub reach: Reach,
    /// Pid of its CloudService, such as org.eclipse.kura.cloud.CloudService-2
    pub pid: String,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let wrong = "an address of this machine and a port are needed, such as 127.0.0.1:8080";
    text.parse().map_err(|_| wrong.to_owned())
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => Ok(Duration::from_secs(u64::from(seconds))),
        _ => Err("a whole number of seconds from 1 is needed".into()),
    }
}

/// A data folder: links on the way to it are the operator's, and followed here. Below it none is.
fn resolved() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match durable_file::check_folder(&path) {
        Ok(()) => Ok(path),
        Err(_) => durable_file::resolve(&path),
    })
}
