//! The grammar of control topics, and the ids of requests that enter them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use kura_formats::payload::Payload;
use kura_formats::request::{self, Ids, IdsError, ResponseCode};
use kura_formats::topic::{check_id, Incoming, Method, RequestTopic, TopicError, Topics};

fn request_topic(resources: &[&str]) -> RequestTopic {
    RequestTopic {
        account: "acc".to_owned(),
        client_id: "gw 1".to_owned(),
        app: "CONF-V1".to_owned(),
        method: Method::Put,
        resources: resources.iter().map(|r| (*r).to_owned()).collect(),
    }
}

#[test]
fn only_the_five_methods_are_requests() {
    let topics = Topics::default();
    for name in ["GET", "PUT", "POST", "DEL", "EXEC"] {
        let Incoming::Request(found) = topics.classify(&format!("$EDC/a/c/X-V1/{name}/r")) else {
            panic!("{name}");
        };
        assert_eq!(found.method.name(), name);
    }
    for other in ["get", "SUBMIT", "CANCEL", "DELETE", "", "+"] {
        assert_eq!(
            topics.classify(&format!("$EDC/a/c/X-V1/{other}/r")),
            Incoming::Other,
            "{other}"
        );
    }
}

#[test]
fn requests_come_apart_and_together_again() {
    let topics = Topics::default();
    for (resources, topic, application) in [
        (&[][..], "$EDC/acc/gw 1/CONF-V1/PUT", "CONF-V1/PUT"),
        (
            &["configurations", "a.b"],
            "$EDC/acc/gw 1/CONF-V1/PUT/configurations/a.b",
            "CONF-V1/PUT/configurations/a.b",
        ),
    ] {
        let parts = request_topic(resources);
        assert_eq!(topics.request(&parts).unwrap(), topic);
        assert_eq!(parts.application_topic(), application);
        assert_eq!(topics.classify(topic), Incoming::Request(parts));
    }
    // Empty levels stay, so that a signature covers the topic as it was sent.
    let Incoming::Request(odd) = topics.classify("$EDC/a/c/X-V1/GET//r/") else {
        panic!("no request");
    };
    assert_eq!(odd.application_topic(), "X-V1/GET//r/");
    assert_eq!(odd.resource(), "/r/");
}

#[test]
fn own_echo_replies_and_notifications_are_no_requests() {
    let topics = Topics::default();
    assert_eq!(
        topics.classify("$EDC/a/c/MQTT/GET"),
        Incoming::Lifecycle {
            account: "a".to_owned(),
            client_id: "c".to_owned(),
            name: "GET".to_owned(),
        }
    );
    assert_eq!(
        topics.classify("$EDC/a/c/X-V1/REPLY/17"),
        Incoming::Reply {
            account: "a".to_owned(),
            requester: "c".to_owned(),
            app: "X-V1".to_owned(),
            request_id: "17".to_owned(),
        }
    );
    assert_eq!(
        topics.classify("$EDC/a/c/X-V1/NOTIFY/gw/download/x"),
        Incoming::Notify {
            account: "a".to_owned(),
            requester: "c".to_owned(),
            app: "X-V1".to_owned(),
            client_id: "gw".to_owned(),
            resource: "download/x".to_owned(),
        }
    );
}

#[test]
fn anything_else_is_other() {
    let topics = Topics::default();
    for topic in [
        "",
        "$EDC",
        "$EDC/a/c",
        "$EDC/a/c/X-V1",
        "$EDC//c/X-V1/GET",
        "$EDC/a//X-V1/GET",
        "$EDC/a/c//GET",
        "EDC/a/c/X-V1/GET",
        "$EDC2/a/c/X-V1/GET",
        "$EDC/a/c\n/X-V1/GET",
        "$EDC/a/c/X-V1/REPLY",
        "$EDC/a/c/X-V1/REPLY/",
        "$EDC/a/c/X-V1/REPLY/1/2",
        "$EDC/a/c/MQTT",
        "$EDC/a/c/MQTT/",
    ] {
        assert_eq!(topics.classify(topic), Incoming::Other, "{topic}");
    }
}

#[test]
fn the_prefix_is_a_choice() {
    let topics = Topics::new("$CTRL").unwrap();
    assert_eq!(topics.subscription("a", "c").unwrap(), "$CTRL/a/c/#");
    assert_eq!(topics.classify("$EDC/a/c/X/GET"), Incoming::Other);
    assert!(Topics::new("a/b").is_err());
}

#[test]
fn builders_agree_with_the_parser() {
    let topics = Topics::default();
    let reply = topics.reply("a", "c", "X-V1", "17").unwrap();
    assert_eq!(reply, "$EDC/a/c/X-V1/REPLY/17");
    let notify = topics.notify("a", "c", "X-V1", "gw", "download").unwrap();
    assert_eq!(notify, "$EDC/a/c/X-V1/NOTIFY/gw/download");
    let birth = topics.lifecycle("a", "gw", "BIRTH").unwrap();
    assert_eq!(birth, "$EDC/a/gw/MQTT/BIRTH");
    assert!(matches!(topics.classify(&reply), Incoming::Reply { .. }));
    assert!(matches!(topics.classify(&notify), Incoming::Notify { .. }));
    assert!(matches!(
        topics.classify(&birth),
        Incoming::Lifecycle { .. }
    ));
}

#[test]
fn no_id_breaks_out_of_its_level() {
    for id in [
        "",
        "a/b",
        "+",
        "#",
        "a#",
        "a\0",
        "a\n",
        "\u{85}",
        &"x".repeat(256),
    ] {
        assert!(check_id(id).is_err(), "{id:?}");
        let topics = Topics::default();
        assert!(topics.reply("a", id, "X", "1").is_err());
        assert!(topics.reply("a", "c", "X", id).is_err());
        assert!(topics.reply(id, "c", "X", "1").is_err());
        assert!(topics.notify("a", "c", "X", id, "r").is_err());
        assert!(topics.lifecycle("a", id, "DC").is_err());
        assert!(topics.subscription(id, "c").is_err());
        assert!(topics.request(&request_topic(&[id])).is_err());
        let payload = request::request(
            &Ids {
                request_id: "1".to_owned(),
                requester: id.to_owned(),
            },
            0,
        );
        assert!(matches!(
            request::ids(&payload),
            Err(IdsError::Unsafe {
                name: request::REQUESTER_CLIENT_ID,
                ..
            })
        ));
    }
    for id in ["a", "$EDC", "gw 1", "\u{65e5}", &"x".repeat(255)] {
        check_id(id).unwrap();
    }
    assert_eq!(
        check_id("a/b").unwrap_err(),
        TopicError::Character {
            what: "id",
            character: '/'
        }
    );
}

#[test]
fn ids_have_to_be_strings() {
    let ids = Ids {
        request_id: "-7".to_owned(),
        requester: "cloud".to_owned(),
    };
    assert_eq!(request::ids(&request::request(&ids, 5)).unwrap(), ids);
    assert_eq!(
        request::ids(&Payload::new()).unwrap_err(),
        IdsError::Missing {
            name: request::REQUEST_ID
        }
    );
    let number = request::request(&ids, 5).with_metric(request::REQUEST_ID, 7);
    assert_eq!(
        request::ids(&number).unwrap_err(),
        IdsError::NotString {
            name: request::REQUEST_ID
        }
    );
}

#[test]
fn replies_carry_what_kura_reads() {
    let reply = request::refusal(ResponseCode::Conflict, "protocol.unexpected", "not now", 5);
    assert_eq!(reply.timestamp, Some(5));
    assert_eq!(reply.int32("response.code"), Some(409));
    assert_eq!(reply.string("response.exception.message"), Some("not now"));
    assert_eq!(reply.string("prov.error.code"), Some("protocol.unexpected"));
    let ok = request::reply(ResponseCode::Ok, 6);
    assert_eq!(ok.metrics.len(), 1);
    for code in ResponseCode::ALL {
        assert_eq!(ResponseCode::from_code(code.code()), Some(code));
    }
    assert_eq!(ResponseCode::from_code(201), None);
}
