//! The Kura stack: which components make one cloud connection, by their pids.
//!
//! Source: Kura's `DefaultCloudServiceFactory`; the fourth component is ours.

use std::collections::BTreeSet;

use gateway_component_abi::value::{Properties, Value};

use crate::metatype::{self, Ocd};

/// Factory pid of the cloud layer.
pub const CLOUD_SERVICE: &str = "org.eclipse.kura.cloud.CloudService";
/// Factory pid of the data layer.
pub const DATA_SERVICE: &str = "org.eclipse.kura.data.DataService";
/// Factory pid of the transport.
pub const MQTT_TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
/// Factory pid of the component that provisions a connection.
pub const PROVISIONING_SERVICE: &str = "gwc.provisioning.ProvisioningService";
/// Kura's factory of such stacks, as it stands in their configurations.
const STACK_FACTORY: &str = "org.eclipse.kura.core.cloud.factory.DefaultCloudServiceFactory";

const DESCRIPTORS: [(&str, &str); 3] = [
    (
        CLOUD_SERVICE,
        include_str!("metatype/org.eclipse.kura.cloud.CloudService.xml"),
    ),
    (
        DATA_SERVICE,
        include_str!("metatype/org.eclipse.kura.data.DataService.xml"),
    ),
    (
        MQTT_TRANSPORT,
        include_str!("metatype/org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport.xml"),
    ),
];

/// The pids of one stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// CloudService.
    pub cloud: String,
    /// DataService.
    pub data: String,
    /// MqttDataTransport.
    pub transport: String,
    /// ProvisioningService.
    pub provisioning: String,
}

impl Stack {
    /// The stack of a CloudService pid: `org.eclipse.kura.cloud.CloudService`, or the same with a
    /// suffix of letters and digits, `-2`. `None` for everything else.
    pub fn of(cloud_pid: &str) -> Option<Stack> {
        let rest = cloud_pid.strip_prefix(CLOUD_SERVICE)?;
        let plain =
            |suffix: &str| !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_alphanumeric());
        if !rest.is_empty() && !rest.strip_prefix('-').is_some_and(plain) {
            return None;
        }
        Some(Stack {
            cloud: cloud_pid.to_owned(),
            data: format!("{DATA_SERVICE}{rest}"),
            transport: format!("{MQTT_TRANSPORT}{rest}"),
            provisioning: format!("{PROVISIONING_SERVICE}{rest}"),
        })
    }

    /// The stack that a component belongs to by its suffix, as Kura cuts it: what is between the
    /// first `-` and the second.
    pub fn of_member(pid: &str) -> Option<Stack> {
        match pid.split('-').nth(1) {
            Some(suffix) => Stack::of(&format!("{CLOUD_SERVICE}-{suffix}")),
            None => Stack::of(CLOUD_SERVICE),
        }
    }

    /// What a new stack's components are made with: factory pid, pid, properties; the one that
    /// others refer to first.
    pub fn blueprint(&self) -> [(&'static str, String, Properties); 3] {
        let target = |pid: &str| Value::from(format!("(kura.service.pid={pid})"));
        let cloud = Properties::from([
            ("DataService.target".to_owned(), target(&self.data)),
            (
                "kura.cloud.service.factory.pid".to_owned(),
                STACK_FACTORY.into(),
            ),
            (
                "kura.cloud.connection.factory.pid".to_owned(),
                STACK_FACTORY.into(),
            ),
        ]);
        let data = Properties::from([(
            "DataTransportService.target".to_owned(),
            target(&self.transport),
        )]);
        [
            (MQTT_TRANSPORT, self.transport.clone(), Properties::new()),
            (DATA_SERVICE, self.data.clone(), data),
            (CLOUD_SERVICE, self.cloud.clone(), cloud),
        ]
    }
}

/// Whether the framework itself is behind this factory pid.
pub fn is_built_in(factory_pid: &str) -> bool {
    DESCRIPTORS.iter().any(|(pid, _)| *pid == factory_pid)
}

/// The built-in factory pids and their definitions.
pub fn definitions() -> Vec<(&'static str, Ocd)> {
    DESCRIPTORS
        .into_iter()
        .filter_map(|(pid, xml)| match metatype::read(xml.as_bytes()) {
            Ok(metatype) => Some((pid, metatype.ocd_of(pid)?.clone())),
            Err(e) => {
                log::error!("{pid}: {}", crate::one_line(&e));
                None
            }
        })
        .collect()
}

/// The descriptor (XML) of a built-in factory pid.
pub fn descriptor(factory_pid: &str) -> Option<&'static str> {
    DESCRIPTORS
        .into_iter()
        .find_map(|(pid, xml)| (pid == factory_pid).then_some(xml))
}

/// The CloudService pids among these.
pub fn cloud_pids<'a>(pids: impl IntoIterator<Item = &'a String>) -> BTreeSet<String> {
    pids.into_iter()
        .filter(|pid| Stack::of(pid).is_some())
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_suffix_binds_a_stack_together() {
        let stack = Stack::of("org.eclipse.kura.cloud.CloudService-2").unwrap();
        assert_eq!(stack.data, "org.eclipse.kura.data.DataService-2");
        assert_eq!(stack.provisioning, "gwc.provisioning.ProvisioningService-2");
        assert_eq!(Stack::of_member(&stack.transport), Some(stack.clone()));
        assert_eq!(Stack::of_member(&stack.provisioning), Some(stack));
        assert_eq!(
            Stack::of_member(PROVISIONING_SERVICE).unwrap().cloud,
            CLOUD_SERVICE
        );
        for bad in [
            "x",
            "org.eclipse.kura.cloud.CloudService-",
            "org.eclipse.kura.cloud.CloudService-a-b",
        ] {
            assert_eq!(Stack::of(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_built_in_descriptors_are_complete_and_their_defaults_hold() {
        let definitions = definitions();
        let count = |pid: &str| {
            let (_, ocd) = definitions.iter().find(|(p, _)| *p == pid).unwrap();
            assert_eq!(ocd.validate(&ocd.defaults()), [], "{pid}");
            ocd.ads.len()
        };
        assert_eq!(count(CLOUD_SERVICE), 8);
        assert_eq!(count(DATA_SERVICE), 22);
        assert_eq!(count(MQTT_TRANSPORT), 15);
    }
}
