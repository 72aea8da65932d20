//! What MQTT 3.1.1 lets a client send, checked before anything is sent.
//!
//! The same rules for topics are applied to what a broker sends (`bridge::guard`).

use crate::{Failure, Limits, Options, Publish};

/// Everything in the options that MQTT cannot carry.
pub(crate) fn options(options: &Options) -> Result<(), Failure> {
    text("the client-id", &options.client_id)?;
    if let Some(username) = &options.username {
        text("the user name", username)?;
    }
    if let Some(password) = &options.password {
        if password.expose().len() > 65_535 {
            return Err(Failure::malformed(
                "the password is longer than 65535 bytes",
            ));
        }
    }
    for (filter, qos) in &options.subscriptions {
        self::filter(filter)?;
        quality(*qos)?;
    }
    for message in options.first.iter().chain(&options.will) {
        publish(message, &options.limits)?;
    }
    if let Some(will) = &options.will {
        if will.payload.len() > 65_535 {
            return Err(Failure::malformed(
                "the will message is longer than 65535 bytes",
            ));
        }
    }
    Ok(())
}

/// A message that MQTT can carry within the limits.
pub(crate) fn publish(publish: &Publish, limits: &Limits) -> Result<(), Failure> {
    topic(publish.topic.as_bytes())?;
    quality(publish.qos)?;
    if publish.wire_size() > limits.max_packet {
        return Err(Failure::TooLarge {
            what: format!("the message to {}", publish.topic),
            size: publish.wire_size() as u64,
            limit: limits.max_packet as u64,
        });
    }
    Ok(())
}

/// A topic name: 1 to 65,535 bytes of UTF-8 without NUL and wildcards (MQTT 3.1.1, 4.7).
pub(crate) fn topic(bytes: &[u8]) -> Result<&str, Failure> {
    let topic =
        std::str::from_utf8(bytes).map_err(|_| Failure::malformed("a topic that is not UTF-8"))?;
    if topic.is_empty() {
        return Err(Failure::malformed("an empty topic"));
    }
    if topic.len() > 65_535 {
        return Err(Failure::malformed("a topic longer than 65535 bytes"));
    }
    if topic.contains('\0') {
        return Err(Failure::malformed("a topic that holds NUL"));
    }
    if topic.contains(['+', '#']) {
        return Err(Failure::malformed(format_args!(
            "a topic that holds a wildcard: {topic:?}"
        )));
    }
    Ok(topic)
}

fn filter(filter: &str) -> Result<(), Failure> {
    let bad = || Failure::malformed(format_args!("{filter:?} is not a topic filter"));
    if filter.is_empty() || filter.len() > 65_535 || filter.contains('\0') {
        return Err(bad());
    }
    let mut levels = filter.split('/').peekable();
    while let Some(level) = levels.next() {
        let last = levels.peek().is_none();
        if (level.contains('#') && !(level == "#" && last)) || (level.contains('+') && level != "+")
        {
            return Err(bad());
        }
    }
    Ok(())
}

fn text(what: &str, text: &str) -> Result<(), Failure> {
    if text.len() > 65_535 || text.contains('\0') {
        return Err(Failure::malformed(format_args!(
            "{what} is longer than 65535 bytes or holds NUL"
        )));
    }
    Ok(())
}

fn quality(qos: u8) -> Result<(), Failure> {
    if qos > 2 {
        return Err(Failure::malformed(format_args!(
            "QoS {qos}: it is 0, 1 or 2"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn topics_and_filters_follow_the_standard() {
        for good in ["a", "/", "a/b", "$EDC/acc/x", "größe"] {
            topic(good.as_bytes()).unwrap();
        }
        for bad in [&b""[..], b"a\0b", b"a/+", b"#", b"\xff", b"\xed\xa0\x80"] {
            topic(bad).unwrap_err();
        }
        for good in ["#", "+", "a/#", "+/b/+", "$EDC/+/x/#"] {
            filter(good).unwrap();
        }
        for bad in ["", "a#", "#/a", "a+/b", "a/b#", "\0"] {
            filter(bad).unwrap_err();
        }
    }
}
