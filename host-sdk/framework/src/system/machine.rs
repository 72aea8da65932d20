//! What Linux knows about the machine, in `/sys` and `/proc`. Read anew each time.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use super::names;

/// All names of [`names`].
pub(super) const NAMES: &[&str] = &[
    names::SERIAL_NUMBER,
    names::PRIMARY_INTERFACE,
    names::PRIMARY_MAC,
    names::PRIMARY_IP,
    names::MODEL_ID,
    names::MODEL_NAME,
    names::PART_NUMBER,
    names::DEVICE_NAME,
    names::FIRMWARE_VERSION,
    names::BIOS_VERSION,
    names::FRAMEWORK_VERSION,
    names::OS_NAME,
    names::OS_VERSION,
    names::OS_ARCH,
];

/// Kura's default primary interface on Linux.
const DEFAULT_INTERFACE: &str = "eth0";

#[derive(Debug)]
pub(super) struct Machine {
    root: PathBuf,
}

impl Machine {
    pub(super) fn at(root: &Path) -> Machine {
        Machine {
            root: root.to_owned(),
        }
    }

    /// A fact that does not depend on an interface.
    pub(super) fn fact(&self, name: &str) -> Option<String> {
        let dmi = |file: &str| self.line(&format!("sys/class/dmi/id/{file}"));
        let tree = |file: &str| self.line(&format!("proc/device-tree/{file}"));
        match name {
            names::SERIAL_NUMBER => dmi("product_serial")
                .or_else(|| tree("serial-number"))
                .or_else(|| self.cpu_serial()),
            names::MODEL_ID | names::MODEL_NAME => dmi("product_name").or_else(|| tree("model")),
            names::PART_NUMBER => dmi("product_sku"),
            names::DEVICE_NAME => self.line("proc/sys/kernel/hostname"),
            names::FIRMWARE_VERSION | names::BIOS_VERSION => dmi("bios_version"),
            names::OS_NAME => self.line("proc/sys/kernel/ostype"),
            names::OS_VERSION => self.line("proc/sys/kernel/osrelease"),
            names::OS_ARCH => Some(
                match std::env::consts::ARCH {
                    "x86_64" => "amd64",
                    other => other,
                }
                .to_owned(),
            ),
            _ => None,
        }
    }

    /// The primary interface: Kura's default where it exists, else that of the default route,
    /// else the first that has a hardware address.
    pub(super) fn interface(&self) -> Option<String> {
        if self.mac(DEFAULT_INTERFACE).is_some() {
            return Some(DEFAULT_INTERFACE.to_owned());
        }
        let default = self
            .routes()
            .into_iter()
            .find(|route| route.mask == 0)
            .map(|route| route.interface);
        if let Some(interface) = default.filter(|name| self.mac(name).is_some()) {
            return Some(interface);
        }
        let folder = fs::read_dir(self.root.join("sys/class/net")).ok()?;
        let mut names: Vec<_> = folder
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name != "lo")
            .collect();
        names.sort();
        names.into_iter().find(|name| self.mac(name).is_some())
    }

    /// The hardware address, upper case with colons.
    pub(super) fn mac(&self, interface: &str) -> Option<String> {
        if interface.contains('/') || interface.starts_with('.') {
            return None;
        }
        let address = self.line(&format!("sys/class/net/{interface}/address"))?;
        let octets: Vec<_> = address.split(':').collect();
        let hex = |octet: &&str| octet.len() == 2 && u8::from_str_radix(octet, 16).is_ok();
        let zero = octets.iter().all(|octet| *octet == "00");
        (octets.len() == 6 && octets.iter().all(hex) && !zero).then(|| address.to_uppercase())
    }

    /// The first IPv4 address in a network that is directly at the interface, else its first
    /// global IPv6 address.
    pub(super) fn ip(&self, interface: &str) -> Option<String> {
        let networks: Vec<_> = self
            .routes()
            .into_iter()
            .filter(|route| route.interface == interface && route.mask != 0)
            .collect();
        let local = self.local_addresses().into_iter().find(|address| {
            let address = u32::from(*address);
            networks
                .iter()
                .any(|network| address & network.mask == network.destination)
        });
        local
            .map(|address| address.to_string())
            .or_else(|| self.ipv6(interface))
    }

    fn routes(&self) -> Vec<Route> {
        let table = fs::read_to_string(self.root.join("proc/net/route")).unwrap_or_default();
        table.lines().skip(1).filter_map(Route::parse).collect()
    }

    /// The addresses of this machine, as `/proc/net/fib_trie` lists them: a leaf, and below it
    /// `/32 host LOCAL`.
    fn local_addresses(&self) -> Vec<Ipv4Addr> {
        let trie = fs::read_to_string(self.root.join("proc/net/fib_trie")).unwrap_or_default();
        let mut addresses = Vec::new();
        let mut leaf = None;
        for line in trie.lines().map(str::trim) {
            if let Some(address) = line.strip_prefix("|-- ") {
                leaf = address.parse::<Ipv4Addr>().ok();
            } else if line == "/32 host LOCAL" {
                addresses.extend(leaf.take());
            }
        }
        addresses
    }

    /// Lines of `/proc/net/if_inet6`: address, index, prefix length, scope (00: global), flags,
    /// interface.
    fn ipv6(&self, interface: &str) -> Option<String> {
        let table = fs::read_to_string(self.root.join("proc/net/if_inet6")).ok()?;
        table.lines().find_map(|line| {
            let mut fields = line.split_whitespace();
            let address = u128::from_str_radix(fields.next()?, 16).ok()?;
            let scope = fields.nth(2)?;
            let name = fields.nth(1)?;
            (name == interface && scope == "00").then(|| Ipv6Addr::from(address).to_string())
        })
    }

    /// The line `Serial : ...` of ARM boards.
    fn cpu_serial(&self) -> Option<String> {
        let info = fs::read_to_string(self.root.join("proc/cpuinfo")).ok()?;
        info.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == "Serial").then(|| meaningful(value))?
        })
    }

    fn line(&self, path: &str) -> Option<String> {
        meaningful(&fs::read_to_string(self.root.join(path)).ok()?)
    }
}

/// The text, unless it is one of those that vendors leave in place of a value.
fn meaningful(text: &str) -> Option<String> {
    const JUNK: &[&str] = &[
        "none",
        "default string",
        "not specified",
        "not applicable",
        "system serial number",
        "system product name",
        "to be filled by o.e.m.",
        "unknown",
    ];
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let junk = JUNK.contains(&text.to_ascii_lowercase().as_str());
    let zeros = text.chars().all(|c| c == '0');
    (!junk && !zeros).then(|| text.to_owned())
}

/// A line of `/proc/net/route`; addresses there are little-endian hexadecimal.
struct Route {
    interface: String,
    destination: u32,
    mask: u32,
}

impl Route {
    fn parse(line: &str) -> Option<Route> {
        let mut fields = line.split_whitespace();
        let address = |text: &str| Some(u32::from_str_radix(text, 16).ok()?.swap_bytes());
        let interface = fields.next()?.to_owned();
        let destination = address(fields.next()?)?;
        let mask = address(fields.nth(5)?)?;
        Some(Route {
            interface,
            destination,
            mask,
        })
    }
}
