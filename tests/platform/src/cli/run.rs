//! `run`: the platform in the foreground.

use super::lock::Lock;
use super::{print, with_causes, Data, Failure};
use clap::ValueEnum;
use provision_platform::pki::Pki;
use provision_platform::platform::{Admission, Platform, Settings, PROVISIONING_ACCOUNT};
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

/// Runs the brokers and answers devices. Once everything listens, one line goes to standard output:
/// `ready broker=URL target=URL account=NAME root=FILE tls-root=FILE`. Progress goes to standard
/// error. Ctrl-C or SIGTERM ends everything.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  provision-platform run --data cloud --port 8883 --ready-file cloud/ready.json"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// TLS port of the provision broker on 127.0.0.1 (a free one if not given).
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// TLS port of the target account's broker on 127.0.0.1 (a free one if not given).
    #[arg(long, value_name = "PORT")]
    target_port: Option<u16>,
    /// HTTPS port of the package server on 127.0.0.1 (a free one if not given).
    #[arg(long, value_name = "PORT")]
    package_port: Option<u16>,
    /// The provisioning account.
    #[arg(long, value_name = "ACCOUNT", default_value = PROVISIONING_ACCOUNT)]
    account: String,
    /// The target account lives at the provision broker, too.
    #[arg(long, conflicts_with_all = ["target_port", "target_root_apart"])]
    same_broker: bool,
    /// The target broker has a root of its own, which devices learn during the provisioning.
    #[arg(long)]
    target_root_apart: bool,
    /// When a device is let in at the provision broker.
    #[arg(long, value_enum, default_value_t = AdmissionName::WhileActive)]
    admission: AdmissionName,
    /// Seconds to wait for each reply of a device.
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    reply_timeout: u64,
    /// Seconds to wait for the reply to a commit: the device applies and proves before.
    #[arg(long, value_name = "SECONDS", default_value_t = 180,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    commit_timeout: u64,
    /// Seconds to wait for each word of a device that fetches a package.
    #[arg(long, value_name = "SECONDS", default_value_t = 300,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    download_timeout: u64,
    /// Write a JSON object with the addresses to this file once ready.
    #[arg(long, value_name = "FILE", value_parser = super::resolved())]
    ready_file: Option<PathBuf>,
    /// Show what the brokers say, too.
    #[arg(long, short)]
    verbose: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum AdmissionName {
    /// While its request is active; it is refused otherwise.
    WhileActive,
    /// Whenever there is a request; the trigger is answered with the reason why not.
    ByTrigger,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Failure> {
    log_progress(arguments.verbose);
    let data = std::path::absolute(&arguments.data.folder).map_err(|e| Failure::other(&e))?;
    std::fs::create_dir_all(&data)
        .map_err(|e| Failure::Other(format!("{} cannot be made: {e}", data.display())))?;
    let _lock = Lock::take(&data)?;
    // From here on a signal ends the program in good order.
    let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|e| Failure::other(&e))?;
    let folder = data.join("pki");
    let pki = match Pki::is_in(&folder) {
        true => Pki::load(&folder).map_err(|e| Failure::other(&e))?,
        false => {
            let pki = Pki::create().map_err(|e| Failure::other(&e))?;
            pki.save(&folder).map_err(|e| Failure::other(&e))?;
            log::info!("made certificates in {}", folder.display());
            pki
        }
    };
    let mut settings = Settings::new(&data, pki);
    if arguments.target_root_apart {
        settings = settings.with_target_root_apart();
    }
    settings.account = arguments.account.clone();
    settings.port = arguments.port;
    settings.target_port = arguments.target_port;
    settings.package_port = arguments.package_port;
    settings.same_broker = arguments.same_broker;
    settings.admission = match arguments.admission {
        AdmissionName::WhileActive => Admission::WhileActive,
        AdmissionName::ByTrigger => Admission::ByTrigger,
    };
    settings.reply_timeout = Duration::from_secs(arguments.reply_timeout);
    settings.commit_timeout = Duration::from_secs(arguments.commit_timeout);
    settings.download_timeout = Duration::from_secs(arguments.download_timeout);
    let platform = Platform::start(settings).map_err(|e| Failure::other(&e))?;
    announce(&platform, arguments, &folder)?;
    let signal = signals.forever().next();
    log::info!(
        "ending ({})",
        if signal == Some(SIGINT) {
            "Ctrl-C"
        } else {
            "SIGTERM"
        }
    );
    drop(platform);
    if let Some(path) = &arguments.ready_file {
        if let Err(error) = durable_file::remove(path) {
            log::warn!("{}: {}", path.display(), with_causes(&error));
        }
    }
    Ok(())
}

fn announce(
    platform: &Platform,
    arguments: &Arguments,
    pki: &std::path::Path,
) -> Result<(), Failure> {
    let broker = platform.provision_broker().url();
    let target = platform.target_broker().url();
    let account = &platform.settings().account;
    let file = |name: &str| pki.join(name).display().to_string();
    let (root, tls_root) = (file("root.pem"), file("tls-root.pem"));
    if let Some(path) = &arguments.ready_file {
        let document = json!({
            "broker": broker,
            "target": target,
            "packages": platform.package_server().url(),
            "account": account,
            "root": root,
            "tls_root": tls_root,
            "pid": std::process::id(),
        });
        durable_file::write(path, format!("{document:#}\n").as_bytes())
            .map_err(|e| Failure::Other(format!("{} cannot be written: {e}", path.display())))?;
    }
    print(&format!(
        "ready broker={broker} target={target} account={account} root={root} tls-root={tls_root}\n"
    ))
}

/// Progress lines; `RUST_LOG` changes what is shown.
fn log_progress(verbose: bool) {
    let usual = if verbose {
        "info,mosquitto=debug"
    } else {
        "warn,provision_platform=info"
    };
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(usual))
        .format(|out, record| {
            let time = out.timestamp_seconds();
            match record.level() {
                log::Level::Info => writeln!(out, "{time} {}", record.args()),
                level => writeln!(out, "{time} {level} {}", record.args()),
            }
        })
        .init();
}
