//! The address of a broker, as a person or a configuration says it: `mqtt_session::BrokerUrl`.

use mqtt_session::BrokerUrl;

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match text.parse::<BrokerUrl>() {
        Ok(url) => {
            assert!(url.port != 0 && !url.host.is_empty());
            // It enters a request line and a log.
            let shown = url.to_string();
            assert!(
                !shown.contains(|c: char| c.is_control() || c.is_whitespace()),
                "{shown:?}"
            );
            assert_eq!(shown.parse::<BrokerUrl>().as_ref(), Ok(&url));
        }
        Err(error) => {
            let line = error.to_string();
            assert!(!line.contains(['\n', '\r']), "{line}");
        }
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("tls", of("mqtts://broker.example.com:8883")),
        ("ipv6", of("mqtt://[2001:db8::1]")),
        ("ipv4", of("MQTT://192.0.2.1:1883/")),
        ("web-socket", of("wss://h:443/mqtt/x?y=%20")),
        ("user", of("mqtt://me:pw@h")),
    ]
}
