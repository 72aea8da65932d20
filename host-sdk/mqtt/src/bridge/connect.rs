//! The CONNECT packet that goes to the broker (MQTT 3.1.1, section 3.1).
//!
//! Ours, not paho's: paho never learns the client-id, the password or the will, and cannot print
//! them into its log.

use super::packet::put_remaining_length;
use crate::Options;
use zeroize::Zeroizing;

/// Encodes CONNECT with a clean session. The options have passed `check::options`.
pub(crate) fn encode(options: &Options) -> Zeroizing<Vec<u8>> {
    let with_password = options.password.is_some();
    let with_user = options.username.is_some() || with_password;
    let mut flags = 0x02u8;
    if let Some(will) = &options.will {
        flags |= 0x04 | (will.qos << 3) | (u8::from(will.retained) << 5);
    }
    flags |= (u8::from(with_password) << 6) | (u8::from(with_user) << 7);

    let user = options.username.as_deref().unwrap_or("");
    let password = options.password.as_ref().map_or("", |p| p.expose());
    let will_size = options
        .will
        .as_ref()
        .map_or(0, |w| 4 + w.topic.len() + w.payload.len());
    // Allocated once: a vector that grows leaves copies of the password behind.
    let size = 32 + options.client_id.len() + user.len() + password.len() + will_size;
    let mut body = Zeroizing::new(Vec::with_capacity(size));
    put(&mut body, b"MQTT");
    body.push(4);
    body.push(flags);
    body.extend_from_slice(&keep_alive_seconds(options).to_be_bytes());
    put(&mut body, options.client_id.as_bytes());
    if let Some(will) = &options.will {
        put(&mut body, will.topic.as_bytes());
        put(&mut body, &will.payload);
    }
    if with_user {
        put(&mut body, user.as_bytes());
    }
    if with_password {
        put(&mut body, password.as_bytes());
    }
    let mut packet = Zeroizing::new(Vec::with_capacity(body.len() + 5));
    packet.push(0x10);
    put_remaining_length(&mut packet, body.len());
    packet.extend_from_slice(&body);
    packet
}

/// The keep-alive in seconds, at least 1 unless it is off.
pub(crate) fn keep_alive_seconds(options: &Options) -> u16 {
    if options.keep_alive.is_zero() {
        return 0;
    }
    u16::try_from(options.keep_alive.as_secs().max(1)).unwrap_or(u16::MAX)
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    // Longer ones were refused by `check`.
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes.get(..usize::from(length)).unwrap_or(bytes));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Publish;

    #[test]
    fn a_full_connect_is_encoded_as_the_standard_says() {
        let mut options = Options::new("mqtt://h".parse().unwrap(), "id");
        options.username = Some("me".into());
        options.password = Some("pw".into());
        options.will = Some(Publish {
            topic: "w".into(),
            payload: vec![7],
            qos: 1,
            retained: true,
        });
        let expected: &[u8] =
            b"\x10\x1c\0\x04MQTT\x04\xee\0\x3c\0\x02id\0\x01w\0\x01\x07\0\x02me\0\x02pw";
        assert_eq!(encode(&options).as_slice(), expected);
    }

    #[test]
    fn a_password_without_a_user_brings_an_empty_user() {
        let mut options = Options::new("mqtt://h".parse().unwrap(), "");
        options.password = Some("pw".into());
        assert_eq!(
            encode(&options).as_slice(),
            b"\x10\x12\0\x04MQTT\x04\xc2\0\x3c\0\0\0\0\0\x02pw"
        );
    }
}
