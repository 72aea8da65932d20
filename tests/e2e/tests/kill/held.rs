//! Between the change of the configuration and the proof a restart finds the new account applied.
//! Nobody may connect to it before it is proved.

use std::fs;
use std::time::Duration;

use gateway_host_sdk::ConnectionState;

use crate::bench::{Bench, Scenario};
use crate::expect::exactly_once;
use crate::gateway::Interference;

#[test]
fn an_account_that_is_applied_and_not_proved_is_not_connected_to_after_a_restart() {
    for scenario in [Scenario::First, Scenario::Again] {
        let bench = Bench::new(scenario);
        let place = bench.place();
        let operations = place.run(&place.gateway(), None).operations;
        let after = |from: usize, what: &str| {
            let rest = operations.iter().skip(from);
            from + rest.take_while(|name| !name.contains(what)).count()
        };
        let sealed = after(0, ".plan");
        let sealed = after(sealed, "fsync");
        let applied = after(
            after(sealed, "rename data/snapshots/snapshot_"),
            "fsync data",
        );
        let mut gateway = place.gateway();
        let killed = place.run(&gateway, Some((applied + 1, Interference::After)));
        assert!(killed.was_killed(), "{operations:#?}");

        // Without the plugin nobody takes it back either.
        let plugin = gateway.site.plugins().join("libprovisioning_service.so");
        let aside = gateway.site.folder().join("aside");
        fs::rename(&plugin, &aside).unwrap();
        gateway.site.start().unwrap();
        let info = gateway
            .site
            .wait_connection("the hold", Duration::from_secs(20), |info| {
                let reason = info.last_error.as_deref().unwrap_or_default();
                reason.starts_with("held")
            })
            .unwrap();
        assert_eq!(info.state, ConnectionState::Disconnected);
        let new = place.platform().target_broker().mutual_url();
        assert_eq!(info.broker, new, "the new account is applied");
        // Nor does a person connect it by mistake.
        let framework = gateway.site.framework().unwrap();
        let refused = framework.connect(&info.pid).unwrap_err();
        assert!(refused.message.contains("held until"), "{refused:?}");
        gateway.site.stop();

        fs::rename(&aside, &plugin).unwrap();
        let ended = place.run(&gateway, None);
        exactly_once(place.platform(), &gateway, &ended).unwrap();
        let devices = place.platform().store().devices().unwrap();
        let device = devices
            .iter()
            .find(|device| device.client_id == gateway.client_id);
        let device = device.expect("a BIRTH");
        assert_eq!(device.births, 1, "the first BIRTH is that after the proof");
        assert!(device.transaction_id.is_some());
    }
}
