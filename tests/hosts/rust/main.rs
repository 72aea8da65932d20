//! A gateway of one's own: all services over one data folder, plugins from a directory.

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
    gateway.settle();
    for plugin in gateway.plugins() {
        println!("plugin {}: {:?}", plugin.name, plugin.state);
    }
    for pid in gateway.provisioning_pids() {
        println!("{pid}: {}", gateway.status(&pid).unwrap_or_default());
    }
    gateway.shutdown();
    Ok(())
}
