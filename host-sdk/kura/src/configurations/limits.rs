//! Bounds of a document, so that one of bad will costs no more than a large honest one.

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
}

impl Default for XmlLimits {
    fn default() -> Self {
        Self {
            bytes: 16 << 20,
            depth: 32,
            configurations: 4096,
            properties: 16_384,
            values: 16_384,
        }
    }
}
