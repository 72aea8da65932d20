//! Bounds of a document, so that one of bad will costs no more than a large honest one.

use gateway_component_abi::value::{Kind, Properties, Scalar, Value};

use super::Configuration;

/// The most that [`super::read()`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct XmlLimits {
    /// Bytes of the document.
    pub bytes: usize,
    /// Elements inside each other.
    pub depth: usize,
    /// Configurations in the document.
    pub configurations: usize,
    /// Properties of one configuration.
    pub properties: usize,
    /// Values of one property.
    pub values: usize,
    /// What the document weighs (see [`weight`]).
    pub weight: usize,
}

/// What the documents of one provisioning, or that of one request to a gateway, may weigh together
/// (see [`weight`]). Kura's own snapshots of a whole gateway have 0.1 to 0.5 MB, and weigh less than
/// this. Why not more: `docs/decisions/weight.md`.
pub const MAX_WEIGHT: usize = 1536 << 10;
/// What each configuration weighs besides its text: a host adds the defaults of its factory.
pub const PER_CONFIGURATION: usize = 4096;
/// What each configuration weighs where it is kept ([`weight_kept`]).
pub const PER_KEPT: usize = 1024;
/// What each password weighs where it is kept ([`weight_kept`]).
pub const PER_KEPT_PASSWORD: usize = 2048;
/// What each value weighs besides its text: in memory, and in a snapshot, the shortest takes more
/// than it has in a document.
pub const PER_VALUE: usize = 128;

/// What each password weighs besides its text: it lies in a page of its own. Its clear text counts
/// [`PER_SECRET_BYTE`] times more, as it is stored encrypted, that in base64 twice, and each of these
/// steps takes a buffer.
pub const PER_PASSWORD: usize = 4096;
/// See [`PER_PASSWORD`].
pub const PER_SECRET_BYTE: usize = 3;
/// What each character weighs besides itself that a document has to write in another way.
pub const PER_ESCAPE: usize = 4;

/// For messages: of what there may be no more.
pub(super) const WEIGHT: &str =
    "bytes, where each component and each password counts 4096 besides its text, each other value 128";

/// What a document of `bytes` bytes with these configurations weighs: its text, and what each of its
/// configurations, values and escaped characters costs besides. An array has as many values as it has
/// elements.
pub fn weight(bytes: usize, configurations: &[Configuration]) -> usize {
    configurations.iter().fold(bytes, |weight, configuration| {
        let properties = configuration.properties.iter();
        let properties = properties.map(|(name, value)| escapes(name) + of_value(value));
        weight + of_pid(&configuration.pid) + properties.sum::<usize>()
    })
}

/// What one configuration weighs where it is kept, after it was taken. The measure is that of
/// [`weight`], but for three things: there is no markup, which [`PER_VALUE`] stands for; the defaults
/// are among the properties, so that [`PER_KEPT`] is enough besides; and a password, whose page is
/// shared by all who hold it, weighs [`PER_KEPT_PASSWORD`] and its text, encrypted, as it is.
pub fn weight_kept(pid: &str, properties: &Properties) -> usize {
    let property = |(name, value): (&String, &Value)| {
        name.len() + escapes(name) + scalars(value).iter().map(scalar_kept).sum::<usize>()
    };
    PER_KEPT + escapes(pid) + pid.len() + properties.iter().map(property).sum::<usize>()
}

fn scalar_kept(scalar: &Scalar) -> usize {
    match scalar {
        Scalar::String(text) => PER_VALUE + text.len() + escapes(text),
        Scalar::Password(secret) => PER_KEPT_PASSWORD + secret.expose().len(),
        _ => PER_VALUE,
    }
}

/// What a configuration of that pid weighs besides its text and its properties.
pub(super) fn of_pid(pid: &str) -> usize {
    PER_CONFIGURATION + escapes(pid)
}

/// What so many values of that type weigh besides their texts.
pub(super) fn of_values(kind: Kind, count: usize) -> usize {
    let each = match kind {
        Kind::Password => PER_PASSWORD,
        _ => PER_VALUE,
    };
    count.saturating_mul(each)
}

fn of_value(value: &Value) -> usize {
    of_values(value.kind(), scalars(value).len()) + of_texts(value)
}

fn scalars(value: &Value) -> &[Scalar] {
    match value {
        Value::Scalar(scalar) => std::slice::from_ref(scalar),
        Value::Array(_, scalars) => scalars,
    }
}

/// What the texts in a value weigh besides themselves.
pub(super) fn of_texts(value: &Value) -> usize {
    let text = |scalar: &Scalar| match scalar {
        Scalar::String(text) => escapes(text),
        Scalar::Password(secret) => secret.expose().len() * PER_SECRET_BYTE,
        _ => 0,
    };
    scalars(value).iter().map(text).sum()
}

/// What the characters of a text weigh that are written in another way.
pub(super) fn escapes(text: &str) -> usize {
    let special = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | b'"' | b'\t' | b'\r');
    text.bytes().filter(|byte| special(byte)).count() * PER_ESCAPE
}

impl XmlLimits {
    /// For a document from outside, which may weigh [`MAX_WEIGHT`]: a longer one is not even read.
    pub fn remote() -> Self {
        Self {
            bytes: MAX_WEIGHT,
            weight: MAX_WEIGHT,
            ..Self::default()
        }
    }
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 32,
            configurations: 4096,
            properties: 16_384,
            values: 16_384,
            weight: usize::MAX,
        }
    }
}
