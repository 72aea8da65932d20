//! Facts about the gateway under the names that Kura's `SystemService` uses: from a properties
//! file (`kura.properties`), and where that says nothing, from the machine. The machine is asked
//! anew each time, as an interface or a serial number may come late at boot. No command is run:
//! `kura.serialNumber.provider`, a shell command, is not followed.

pub mod changes;
mod machine;
pub mod properties_file;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use machine::Machine;

/// Kura names; the header `gwc/ext/system.h` lists them.
pub mod names {
    /// Serial number of the gateway.
    pub const SERIAL_NUMBER: &str = "kura.serialNumber";
    /// Name of the primary network interface.
    pub const PRIMARY_INTERFACE: &str = "kura.primary.network.interface";
    /// MAC of the primary interface: `AA:BB:CC:DD:EE:FF`. In Kura by method only.
    pub const PRIMARY_MAC: &str = "kura.primary.mac";
    /// IP address of the primary interface. In Kura by method only.
    pub const PRIMARY_IP: &str = "kura.primary.ip";
    /// Model, for machines.
    pub const MODEL_ID: &str = "kura.model.id";
    /// Model, for people.
    pub const MODEL_NAME: &str = "kura.model.name";
    /// Part number.
    pub const PART_NUMBER: &str = "kura.partNumber";
    /// Name of the gateway; the host name where nothing is configured.
    pub const DEVICE_NAME: &str = "kura.device.name";
    /// Version of the firmware.
    pub const FIRMWARE_VERSION: &str = "kura.firmware.version";
    /// Version of the BIOS.
    pub const BIOS_VERSION: &str = "kura.bios.version";
    /// Version of the framework.
    pub const FRAMEWORK_VERSION: &str = "kura.version";
    /// Name of the operating system.
    pub const OS_NAME: &str = "os.name";
    /// Version of the operating system: that of the kernel.
    pub const OS_VERSION: &str = "os.version";
    /// Architecture, as Java names it: `amd64`, `aarch64`, `arm`.
    pub const OS_ARCH: &str = "os.arch";
}

/// Why the properties file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SystemError {
    /// It cannot be read.
    #[error("the properties file {path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is malformed.
    #[error("the properties file {path} is malformed")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where.
        #[source]
        source: properties_file::PropertiesError,
    },
}

/// The facts. Any thread.
#[derive(Debug)]
pub struct SystemProperties {
    file: BTreeMap<String, String>,
    machine: Machine,
}

impl SystemProperties {
    /// Reads the file, if one is given, and takes the machine for the rest.
    ///
    /// # Errors
    /// A file that cannot be read or is malformed; what is wrong, and where.
    pub fn load(file: Option<&Path>) -> Result<SystemProperties, SystemError> {
        Self::load_at(file, Path::new("/"))
    }

    /// As [`SystemProperties::load`], the machine's `/sys` and `/proc` being below `root`.
    pub fn load_at(file: Option<&Path>, root: &Path) -> Result<SystemProperties, SystemError> {
        let file = match file {
            Some(path) => read_file(path)?,
            None => BTreeMap::new(),
        };
        let machine = Machine::at(root);
        Ok(SystemProperties { file, machine })
    }

    /// The value of a property, or nothing while it is not known. What the file says wins,
    /// unless it is blank.
    pub fn get(&self, name: &str) -> Option<String> {
        if let Some(value) = self.file.get(name).map(|value| value.trim()) {
            if !value.is_empty() {
                return Some(value.to_owned());
            }
        }
        match name {
            names::PRIMARY_INTERFACE => self.machine.interface(),
            names::PRIMARY_MAC => self.machine.mac(&self.get(names::PRIMARY_INTERFACE)?),
            names::PRIMARY_IP => self.machine.ip(&self.get(names::PRIMARY_INTERFACE)?),
            name => self.machine.fact(name),
        }
    }

    /// All that is known: what the file holds, and the names of [`names`].
    pub fn all(&self) -> BTreeMap<String, String> {
        let mut all = self.file.clone();
        for name in machine::NAMES {
            if let Some(value) = self.get(name) {
                all.insert((*name).to_owned(), value);
            }
        }
        all
    }
}

fn read_file(path: &Path) -> Result<BTreeMap<String, String>, SystemError> {
    let bytes = std::fs::read(path).map_err(|source| SystemError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    properties_file::parse(&properties_file::decode(&bytes)).map_err(|source| {
        SystemError::Malformed {
            path: path.to_owned(),
            source,
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    fn put(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn the_file_wins_over_the_machine_unless_it_is_blank() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "proc/cpuinfo",
            "Model : x\nSerial\t\t: 00000000abcd1234\n",
        );
        put(
            dir.path(),
            "p",
            "kura.serialNumber=SN1\nkura.model.id=\nown.name=v\n",
        );
        put(dir.path(), "sys/class/dmi/id/product_name", "Box 10\n");
        let file = dir.path().join("p");
        let with = SystemProperties::load_at(Some(&file), dir.path()).unwrap();
        assert_eq!(with.get(names::SERIAL_NUMBER).unwrap(), "SN1");
        assert_eq!(with.get(names::MODEL_ID).unwrap(), "Box 10");
        assert_eq!(with.get("own.name").unwrap(), "v");
        assert_eq!(with.all().get(names::MODEL_NAME).unwrap(), "Box 10");
        let without = SystemProperties::load_at(None, dir.path()).unwrap();
        assert_eq!(
            without.get(names::SERIAL_NUMBER).unwrap(),
            "00000000abcd1234"
        );
        assert_eq!(without.get("own.name"), None);
    }

    #[test]
    fn placeholders_of_vendors_are_no_serial_number() {
        let dir = tempfile::tempdir().unwrap();
        let system = SystemProperties::load_at(None, dir.path()).unwrap();
        for junk in [
            "To Be Filled By O.E.M.",
            "None",
            " 0000 ",
            "Default string",
            "",
        ] {
            put(dir.path(), "sys/class/dmi/id/product_serial", junk);
            assert_eq!(system.get(names::SERIAL_NUMBER), None, "{junk:?}");
        }
        put(
            dir.path(),
            "proc/device-tree/serial-number",
            "10000000c0ffee\0",
        );
        assert_eq!(system.get(names::SERIAL_NUMBER).unwrap(), "10000000c0ffee");
    }

    #[test]
    fn a_mac_that_comes_late_is_found_in_kuras_form() {
        let dir = tempfile::tempdir().unwrap();
        let system = SystemProperties::load_at(None, dir.path()).unwrap();
        assert_eq!(system.get(names::PRIMARY_MAC), None);
        put(
            dir.path(),
            "sys/class/net/lo/address",
            "00:00:00:00:00:00\n",
        );
        put(
            dir.path(),
            "sys/class/net/enp3s0/address",
            "00:00:00:00:00:00\n",
        );
        assert_eq!(system.get(names::PRIMARY_MAC), None);
        put(
            dir.path(),
            "sys/class/net/enp3s0/address",
            "00:1a:2b:3c:4d:5e\n",
        );
        assert_eq!(system.get(names::PRIMARY_INTERFACE).unwrap(), "enp3s0");
        assert_eq!(system.get(names::PRIMARY_MAC).unwrap(), "00:1A:2B:3C:4D:5E");
        put(
            dir.path(),
            "sys/class/net/eth0/address",
            "00:1a:2b:00:00:01\n",
        );
        assert_eq!(system.get(names::PRIMARY_MAC).unwrap(), "00:1A:2B:00:00:01");
    }

    #[test]
    fn the_interface_of_the_file_decides_and_cannot_leave_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "sys/class/net/eth0/address",
            "00:1a:2b:00:00:01\n",
        );
        put(
            dir.path(),
            "sys/class/net/wlan0/address",
            "00:1a:2b:00:00:02\n",
        );
        put(dir.path(), "address", "00:1a:2b:00:00:03\n");
        for (name, mac) in [
            ("wlan0", Some("00:1A:2B:00:00:02".to_owned())),
            ("ppp0", None),
            ("../../..", None),
        ] {
            put(
                dir.path(),
                "p",
                &format!("kura.primary.network.interface={name}"),
            );
            let file = dir.path().join("p");
            let system = SystemProperties::load_at(Some(&file), dir.path()).unwrap();
            assert_eq!(system.get(names::PRIMARY_MAC), mac, "{name}");
        }
    }

    #[test]
    fn the_address_is_that_of_the_interface() {
        let dir = tempfile::tempdir().unwrap();
        put(
            dir.path(),
            "sys/class/net/eth0/address",
            "00:1a:2b:00:00:01\n",
        );
        put(
            dir.path(),
            "proc/net/route",
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
             eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n\
             docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n\
             eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\n",
        );
        put(
            dir.path(),
            "proc/net/fib_trie",
            "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 172.17.0.1\n        /32 host LOCAL\n     \
             |-- 192.168.1.0\n        /24 link UNICAST\n     |-- 192.168.1.23\n        /32 host LOCAL\n     \
             |-- 192.168.1.255\n        /32 link BROADCAST\n",
        );
        let system = SystemProperties::load_at(None, dir.path()).unwrap();
        assert_eq!(system.get(names::PRIMARY_IP).unwrap(), "192.168.1.23");
    }

    #[test]
    fn this_machine_says_what_it_is() {
        let system = SystemProperties::load(None).unwrap();
        assert_eq!(system.get(names::OS_NAME).unwrap(), "Linux");
        assert!(system.get(names::OS_VERSION).is_some());
    }

    #[test]
    fn a_missing_or_malformed_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("absent.properties");
        let error = SystemProperties::load(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("absent.properties"), "{error}");
        put(dir.path(), "bad.properties", "a=\\u1");
        let error = SystemProperties::load(Some(&dir.path().join("bad.properties"))).unwrap_err();
        assert!(error.to_string().contains("bad.properties"), "{error}");
    }
}
