//! `demo-pki`.

use super::{print, Failure};
use provision_platform::pki::Pki;
use std::path::PathBuf;

/// Makes three roots and what is below them: the device-management chain whose leaf signs, the
/// brokers' certificates for this machine, and one more root for a target broker of its own.
/// Private keys get mode 0600.
#[derive(clap::Args)]
#[command(
    after_help = "The gateway needs two of the files: root.pem in its DMKeystore, tls-root.pem \
    in its SSLKeystore."
)]
pub(super) struct Arguments {
    /// Where NAME.pem and NAME.key go; DATA/pki for `run --data DATA`.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Replace certificates that are there: gateways that trust them will not trust the new ones.
    #[arg(long)]
    force: bool,
}

pub(super) fn make(arguments: &Arguments) -> Result<(), Failure> {
    let folder = &arguments.out;
    if Pki::is_in(folder) && !arguments.force {
        return Err(Failure::Other(format!(
            "{} holds certificates already; --force replaces them",
            folder.display()
        )));
    }
    let pki = Pki::create().map_err(|e| Failure::other(&e))?;
    pki.save(folder).map_err(|e| Failure::other(&e))?;
    let file = |name: &str| folder.join(name).display().to_string();
    print(&format!(
        "device-management root  {}  (gateway: DMKeystore)\n\
         broker root             {}  (gateway: SSLKeystore)\n",
        file("root.pem"),
        file("tls-root.pem"),
    ))
}
