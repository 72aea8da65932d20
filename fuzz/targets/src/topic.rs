//! Control topics: `kura_formats::topic`.

use kura_formats::topic::{check_id, Incoming, Topics};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    let Ok(topic) = std::str::from_utf8(data) else {
        return;
    };
    if check_id(topic).is_ok() {
        assert!(!topic.is_empty() && topic.len() <= 255);
        assert!(!topic.contains(['/', '+', '#']) && !topic.contains(char::is_control));
    }
    let topics = Topics::default();
    // What can be taken apart can be put together, unless a level behind it cannot be sent.
    let built = match topics.classify(topic) {
        Incoming::Request(parts) => {
            assert!(topic.ends_with(&parts.application_topic()));
            topics.request(&parts)
        }
        Incoming::Lifecycle {
            account,
            client_id,
            name,
        } => topics.lifecycle(&account, &client_id, &name),
        Incoming::Reply {
            account,
            requester,
            app,
            request_id,
        } => {
            let built = topics.reply(&account, &requester, &app, &request_id);
            assert_eq!(built.as_deref(), Ok(topic));
            built
        }
        Incoming::Notify {
            account,
            requester,
            app,
            client_id,
            resource,
        } => topics.notify(&account, &requester, &app, &client_id, &resource),
        Incoming::Other => return,
    };
    if let Ok(built) = built {
        assert_eq!(built, topic);
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let of = |text: &str| text.as_bytes().to_vec();
    vec![
        ("request", of("$EDC/acme/gw-1/PROV-V1/EXEC/commit")),
        (
            "deep",
            of("$EDC/acme/gw-1/KEYS-V1/POST/keystores/entries/csr"),
        ),
        ("bare", of("$EDC/acme/gw-1/CONF-V1/GET")),
        ("reply", of("$EDC/acme/cloud-1/PROV-V1/REPLY/r-1")),
        (
            "notify",
            of("$EDC/acme/cloud-1/DEPLOY-V2/NOTIFY/gw-1/download"),
        ),
        ("birth", of("$EDC/acme/gw-1/MQTT/BIRTH")),
        ("apps", of("$EDC/acme/gw-1/MQTT/APPS/x")),
        ("id", of("gw-1")),
    ]
}
