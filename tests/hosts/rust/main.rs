//! A gateway of one's own: all services over one data folder, plugins from a directory.

use std::io::{stdout, Write};
use std::path::PathBuf;

use gateway_host_sdk::{Framework, Options};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let mut folder = || arguments.next().ok_or("usage: rust-host DATA PLUGINS");
    let (data, plugins) = (folder()?, folder()?);
    let gateway = Framework::start(Options {
        data,
        plugins,
        ..Options::default()
    })?;
    for plugin in gateway.plugins() {
        writeln!(stdout(), "plugin {}: {:?}", plugin.name, plugin.state)?;
    }
    for pid in gateway.provisioning_pids() {
        let status = gateway.status(&pid).unwrap_or_default();
        writeln!(stdout(), "{pid}: {status}")?;
    }
    gateway.shutdown();
    Ok(())
}
