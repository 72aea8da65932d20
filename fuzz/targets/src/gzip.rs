//! Gzip around a message: `kura_formats::payload::gunzip`.

use kura_formats::payload::{gunzip, gzip, is_gzip, PayloadError};

use crate::Seed;

/// Bytes that may come out.
const LIMIT: usize = 256 << 10;

pub(crate) fn run(data: &[u8]) {
    if let Ok(out) = gunzip(data, LIMIT) {
        assert!(is_gzip(data));
        assert!(out.len() <= LIMIT);
        if let Some(less) = out.len().checked_sub(1) {
            assert!(matches!(
                gunzip(data, less),
                Err(PayloadError::TooLarge { limit }) if limit == less
            ));
        }
    }
    let packed = gzip(data);
    assert!(is_gzip(&packed));
    assert_eq!(gunzip(&packed, data.len()).unwrap(), data);
    // Two members are one text, and what is no member is passed over.
    let twice = [packed.as_slice(), &packed].concat();
    assert_eq!(
        gunzip(&twice, 2 * data.len()).unwrap(),
        [data, data].concat()
    );
}

pub(crate) fn seeds() -> Vec<Seed> {
    let text = gzip(b"a message, a message, a message");
    let mut named = vec![0x1f, 0x8b, 8, 4 | 8 | 16, 0, 0, 0, 0, 0, 3];
    named.extend(b"\x02\0xyname\0comment\0");
    named.extend(&text[10..]);
    vec![
        ("text", text.clone()),
        ("zeros", gzip(&vec![0; 100_000])),
        ("two-members", [text.as_slice(), &text].concat()),
        (
            "trailing",
            [text.as_slice(), b"trailing bytes, not a member"].concat(),
        ),
        ("extra-name-comment", named),
        ("empty", gzip(b"")),
        ("cut", text[..text.len() - 5].to_vec()),
    ]
}
