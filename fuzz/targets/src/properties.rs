//! Properties on their way across the ABI: `gateway_component_abi::safe::properties`, and what the
//! component makes of them (`provisioning_service::settings`).
//!
//! The input describes a `gwc_properties` as a sloppy or hostile caller might lay it out. It keeps
//! to the one thing that nobody can check: memory is as large as its length says. Each block is an
//! allocation of its own and of the exact size, so that AddressSanitizer sees a byte too many.

use std::mem::size_of;
use std::os::raw::c_void;
use std::ptr;

use gateway_component_abi::safe::properties::{read, Borrowed};
use gateway_component_abi::types::{GwcProperties, GwcProperty, GwcStr};
use gateway_component_abi::value::{Properties, Scalar, Value};
use provisioning_service::settings::Settings;

use crate::Seed;

/// Takes numbers and runs off the input; zeros when it is used up.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn u8(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes([self.u8(), self.u8(), self.u8(), self.u8()])
    }

    fn bytes(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

/// Blocks of memory that live as long as the list.
#[derive(Default)]
struct Memory {
    // u64, so that every type of the contract is aligned in it.
    words: Vec<Box<[u64]>>,
    bytes: Vec<Box<[u8]>>,
}

impl Memory {
    fn text(&mut self, bytes: &[u8]) -> GwcStr {
        self.bytes.push(bytes.into());
        let block = self.bytes.last().unwrap();
        GwcStr {
            ptr: block.as_ptr().cast(),
            len: block.len() as u64,
        }
    }

    /// A block of whole words that begins with these bytes.
    fn block(&mut self, bytes: &[u8]) -> *mut u8 {
        let mut words = vec![0u64; bytes.len().div_ceil(8)].into_boxed_slice();
        for (word, chunk) in words.iter_mut().zip(bytes.chunks(8)) {
            let mut all = [0; 8];
            all[..chunk.len()].copy_from_slice(chunk);
            *word = u64::from_ne_bytes(all);
        }
        self.words.push(words);
        self.words.last_mut().unwrap().as_mut_ptr().cast()
    }
}

/// Bytes of one element, by `GWC_TYPE_...`; what does not exist has the size of a text.
fn element(kind: u32) -> usize {
    match kind {
        2 | 3 => 8,
        4 | 5 | 7 => 4,
        6 | 8 => 1,
        9 => 2,
        _ => size_of::<GwcStr>(),
    }
}

fn item(input: &mut Input<'_>, memory: &mut Memory) -> GwcProperty {
    let flags = input.u8();
    let length = usize::from(input.u8() & 63);
    let name = memory.text(input.bytes(length));
    let kind = u32::from(input.u8());
    let mut count = u32::from(input.u8() & 7);
    let mut values: *const c_void = ptr::null();
    if flags & 1 == 0 {
        let size = element(kind);
        if size == size_of::<GwcStr>() {
            let texts: Vec<GwcStr> = (0..count)
                .map(|_| {
                    let length = usize::from(input.u8());
                    memory.text(input.bytes(length))
                })
                .collect();
            let mut raw = Vec::new();
            for text in &texts {
                raw.extend((text.ptr as usize as u64).to_ne_bytes());
                raw.extend(text.len.to_ne_bytes());
            }
            values = memory.block(&raw).cast();
        } else {
            let mut raw = input.bytes(count as usize * size).to_vec();
            raw.resize(count as usize * size, 0);
            values = memory.block(&raw).cast();
        }
        if flags & 2 != 0 {
            // Not aligned: never to be looked at, unless bytes are what is meant.
            values = values.cast::<u8>().wrapping_add(1).cast();
            count = count.saturating_sub(if size == 1 { 1 } else { 0 });
        }
    } else if flags & 2 != 0 {
        // A count that nothing stands behind, with NULL.
        count = input.u32();
    }
    GwcProperty {
        struct_size: match flags >> 4 {
            0 => input.u32() % (size_of::<GwcProperty>() as u32 + 1),
            _ => size_of::<GwcProperty>() as u32,
        },
        kind,
        is_array: u32::from(flags >> 2 & 3),
        count,
        name,
        values,
    }
}

pub(crate) fn run(data: &[u8]) {
    let mut input = Input(data);
    let mut memory = Memory::default();
    let flags = input.u8();
    let count = usize::from(input.u8() & 15);
    // A later version may have made the struct larger.
    let stride = size_of::<GwcProperty>() + 8 * usize::from(flags >> 4 & 1);
    let mut raw = Vec::new();
    for _ in 0..count {
        let one = item(&mut input, &mut memory);
        let mut bytes = [0u8; 64];
        // SAFETY: plain data without padding that is looked at, and it fits.
        unsafe {
            ptr::copy_nonoverlapping(
                (&raw const one).cast(),
                bytes.as_mut_ptr(),
                size_of_val(&one),
            );
        }
        raw.extend_from_slice(&bytes[..stride]);
    }
    let items = memory.block(&raw);
    let list = GwcProperties {
        struct_size: match flags & 1 {
            1 => input.u32() % (size_of::<GwcProperties>() as u32 + 1),
            _ => size_of::<GwcProperties>() as u32,
        },
        property_size: match flags & 2 {
            2 => (stride as u32).min(input.u32()),
            _ => stride as u32,
        },
        count: match flags & 4 {
            // More than there are is not to be looked at, as it is more than is allowed.
            4 => u64::MAX - u64::from(input.u32()),
            _ => count as u64,
        },
        items: if flags & 8 == 0 {
            items.cast()
        } else {
            ptr::null()
        },
    };
    // SAFETY: every pointer in it is null or leads to as much memory as its length says.
    let Ok(properties) = (unsafe { read(&raw const list) }) else {
        return;
    };
    assert!(properties.len() <= count);
    for value in properties.values() {
        if let Value::Array(kind, items) = value {
            assert!(items.iter().all(|item| item.kind() == *kind));
        }
    }
    let borrowed = Borrowed::new(&properties);
    // SAFETY: borrowed lives.
    let again = unsafe { read(borrowed.as_ptr()) }.expect("what was read can be handed on");
    assert_eq!(bits(&again), bits(&properties));
    settings(&properties);
}

/// In a form in which a NaN is equal to itself, and a secret is not hidden.
fn bits(properties: &Properties) -> Vec<(String, Vec<String>)> {
    let scalar = |scalar: &Scalar| match scalar {
        Scalar::Double(n) => format!("{:x}", n.to_bits()),
        Scalar::Float(n) => format!("{:x}", n.to_bits()),
        Scalar::Password(secret) => secret.expose().to_owned(),
        other => format!("{other:?}"),
    };
    properties
        .iter()
        .map(|(name, value)| {
            let items = match value {
                Value::Scalar(one) => vec![scalar(one)],
                Value::Array(kind, items) => {
                    let mut all = vec![format!("{kind:?}")];
                    all.extend(items.iter().map(scalar));
                    all
                }
            };
            (name.clone(), items)
        })
        .collect()
}

/// Whatever the parameters hold, they are settings or problems, and no secret is shown.
fn settings(properties: &Properties) {
    let parsed = Settings::parse(properties);
    for problem in parsed.problems() {
        assert!(!problem.to_string().contains(['\n', '\r']));
        if matches!(problem.parameter.as_str(), "password" | "activation-key") {
            // How many there are is no secret.
            let shown = problem.given.as_deref().unwrap_or("0 values");
            let count = shown
                .split_once(" values")
                .map(|(count, rest)| (count.parse::<usize>(), rest));
            assert!(matches!(count, Some((Ok(_), ""))), "shown: {shown}");
        }
    }
    if let Ok(settings) = &parsed.result {
        assert!((1..=86_400).contains(&settings.retry_interval.as_secs()));
        assert!((10..=86_400).contains(&settings.timeout.as_secs()));
        assert!(settings.max_attempts.is_none_or(|n| n >= 1));
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let text = |name: &str, kind: u8, value: &str| {
        let mut out = vec![0x10, name.len() as u8];
        out.extend(name.as_bytes());
        out.extend([kind, 1, value.len() as u8]);
        out.extend(value.as_bytes());
        out
    };
    let number = |name: &str, kind: u8, value: &[u8]| {
        let mut out = vec![0x10, name.len() as u8];
        out.extend(name.as_bytes());
        out.extend([kind, 1]);
        out.extend(value);
        out
    };
    let parameters = [
        number("enabled", 8, &[1]),
        text("broker-url", 1, "mqtts://h"),
        text("account-name", 1, "acme"),
        text("password", 10, "secret"),
        number("timeout", 5, &300u32.to_le_bytes()),
        number("retry-max-attempts", 5, &(-1i32).to_le_bytes()),
    ];
    let others = [
        number("l", 2, &[1; 8]),
        number("d", 3, &[0xff; 8]),
        number("f", 4, &[0; 4]),
        number("y", 6, &[0x80]),
        number("c", 7, &[0xdf, 0, 0, 0]),
        number("s", 9, &[1, 2]),
    ];
    let list =
        |flags: u8, items: &[Vec<u8>]| [vec![flags, items.len() as u8], items.concat()].concat();
    let array = [&[0x14, 1, b'a', 1, 2, 1, b'x', 0][..]].concat();
    vec![
        ("parameters", list(0, &parameters)),
        ("other-types", list(0, &others)),
        ("larger-struct", list(16, &others)),
        ("array", list(0, &[array])),
        ("too-many", list(4, &others)),
    ]
}
