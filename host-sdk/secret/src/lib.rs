//! The one type in which a secret travels: passwords, activation keys, private keys in PEM, tokens.
//!
//! A [`Secret`] prints as `***`, has no `Display`, is overwritten when its last clone is dropped,
//! and lies in pages of its own that the kernel leaves out of core dumps (`MADV_DONTDUMP`), where
//! it gives such pages. What reads it makes copies: OpenSSL, the MQTT library, a buffer on its way
//! to a socket; those are theirs to clear. Nothing is encrypted here, and nothing is locked in
//! memory: that is the host's to decide. Used by component, host, link and platform.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use memmap2::{Advice, MmapMut};
use zeroize::{Zeroize, Zeroizing};

/// Bytes that may hold a secret, overwritten when they are dropped. As far as there are any: unlike
/// `Zeroizing` it does not touch the room behind them, which in a large one nobody may have used.
#[derive(Default)]
pub struct Wiped(Vec<u8>);

impl Wiped {
    /// Lets go of them as they are.
    pub fn into_vec(mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }
}

impl From<Vec<u8>> for Wiped {
    fn from(bytes: Vec<u8>) -> Wiped {
        Wiped(bytes)
    }
}

impl Deref for Wiped {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Wiped {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

/// Makes room for `more` bytes behind these, which may be or hold a secret: where they have to move
/// for it, the place that they leave is overwritten, as no vector does by itself. What has room for
/// twice of what it holds moves seldom.
pub fn reserve(bytes: &mut Vec<u8>, more: usize) {
    let needed = bytes.len().saturating_add(more);
    if needed > bytes.capacity() {
        move_to(bytes, needed.max(bytes.capacity().saturating_mul(2)));
    }
}

/// Moves the bytes to a place for `capacity` of them, or as many as there are, and overwrites the
/// old one.
pub fn move_to(bytes: &mut Vec<u8>, capacity: usize) {
    let mut moved = Vec::with_capacity(capacity.max(bytes.len()));
    moved.extend_from_slice(bytes);
    drop(Wiped(std::mem::replace(bytes, moved)));
}

/// A secret text. Cheap to clone.
#[derive(Clone, Default)]
pub struct Secret(Option<Arc<Store>>);

enum Store {
    /// Pages of its own, of which the first `length` bytes are the text.
    Pages { pages: MmapMut, length: usize },
    /// Where there are no more pages to be had.
    Heap(Zeroizing<Vec<u8>>),
}

impl Store {
    fn of(text: &[u8]) -> Store {
        let pages = MmapMut::map_anon(text.len()).and_then(|pages| {
            // Miri knows no advice, and dumps no core.
            if !cfg!(miri) {
                pages.advise(Advice::DontDump)?;
            }
            Ok(pages)
        });
        match pages {
            Ok(mut pages) => {
                for (to, from) in pages.iter_mut().zip(text) {
                    *to = *from;
                }
                Store::Pages {
                    pages,
                    length: text.len(),
                }
            }
            Err(_) => Store::Heap(Zeroizing::new(text.to_vec())),
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Store::Pages { pages, length } => pages.get(..*length).unwrap_or_default(),
            Store::Heap(bytes) => bytes,
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Store::Pages { pages, .. } = self {
            pages.zeroize();
        }
    }
}

impl Secret {
    /// Takes the text over, and overwrites what it came in.
    pub fn new(text: impl Into<String>) -> Secret {
        let text = Zeroizing::new(text.into());
        Secret::from(text.as_str())
    }

    /// The text itself. Not for logs, errors or files in clear.
    pub fn expose(&self) -> &str {
        let bytes = self.0.as_deref().map_or(&[][..], Store::bytes);
        // It was text when it came, and nobody can write to it.
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.expose().is_empty()
    }

    /// Whether the text is this one, in a time that depends on the lengths only.
    pub fn matches(&self, other: &str) -> bool {
        let (one, other) = (self.expose().as_bytes(), other.as_bytes());
        let pairs = one.iter().zip(other);
        let difference = pairs.fold(0, |sum, (a, b)| std::hint::black_box(sum | (a ^ b)));
        one.len() == other.len() && difference == 0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Secret {
        Secret((!text.is_empty()).then(|| Arc::new(Store::of(text.as_bytes()))))
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Secret {
        Secret::new(text)
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.matches(other.expose())
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What the kernel says of the mapping that holds this address (`proc(5)`, `VmFlags`).
    fn flags_at(address: usize) -> String {
        let map = std::fs::read_to_string("/proc/self/smaps").unwrap();
        let mut within = false;
        for line in map.lines() {
            let range = line.split_once(' ').and_then(|(range, _)| {
                let (from, to) = range.split_once('-')?;
                let number = |text| usize::from_str_radix(text, 16).ok();
                Some(number(from)?..number(to)?)
            });
            if let Some(range) = range {
                within = range.contains(&address);
            } else if let (true, Some(flags)) = (within, line.strip_prefix("VmFlags:")) {
                return flags.to_owned();
            }
        }
        String::new()
    }

    #[test]
    fn it_is_kept_out_of_core_dumps() {
        let secret = Secret::from("canary");
        let flags = flags_at(secret.expose().as_ptr() as usize);
        assert!(flags.split_whitespace().any(|flag| flag == "dd"), "{flags}");
        // What is not kept out would be seen here.
        let open = String::from("canary");
        let flags = flags_at(open.as_ptr() as usize);
        assert!(!flags.is_empty() && !flags.split_whitespace().any(|flag| flag == "dd"));
    }

    #[test]
    fn it_is_equal_by_its_text_and_clones_share_it() {
        let secret = Secret::new("canary");
        assert_eq!(secret, Secret::from("canary"));
        assert_eq!(secret.clone().expose().as_ptr(), secret.expose().as_ptr());
        for other in ["", "canarx", "canary2", "canar"] {
            assert_ne!(secret, Secret::from(other), "{other}");
            assert!(!secret.matches(other));
        }
        assert!(Secret::default().is_empty() && Secret::from("").is_empty());
        assert_eq!(Secret::default(), Secret::from(""));
        assert_eq!(Secret::from("p\u{e4}ss").expose(), "p\u{e4}ss");
        assert_eq!(
            Secret::from("x".repeat(10_000).as_str()).expose().len(),
            10_000
        );
    }

    #[test]
    fn bytes_that_need_room_keep_their_content() {
        let mut bytes = Vec::new();
        for byte in 0..200 {
            reserve(&mut bytes, 1);
            assert!(bytes.capacity() > bytes.len());
            bytes.push(byte);
        }
        let capacity = bytes.capacity();
        let free = capacity - bytes.len();
        reserve(&mut bytes, free);
        assert_eq!(bytes.capacity(), capacity);
        move_to(&mut bytes, 0);
        assert!(bytes.iter().copied().eq(0..200));
    }

    #[test]
    fn nothing_prints_it() {
        #[derive(Debug)]
        struct Login {
            _password: Option<Secret>,
        }
        let login = Login {
            _password: Some(Secret::from("canary")),
        };
        let printed = format!("{login:?} {login:#?}");
        assert!(
            printed.contains("***") && !printed.contains("canary"),
            "{printed}"
        );
    }
}
