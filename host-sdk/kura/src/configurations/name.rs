//! The names of the schema, written once for the reader and the writer.

pub(super) const CONFIGURATIONS: &str = "configurations";
pub(super) const CONFIGURATION: &str = "configuration";
pub(super) const PROPERTIES: &str = "properties";
pub(super) const PROPERTY: &str = "property";
pub(super) const VALUE: &str = "value";

pub(super) const PID: &str = "pid";
pub(super) const NAME: &str = "name";
pub(super) const ARRAY: &str = "array";
pub(super) const ENCRYPTED: &str = "encrypted";
pub(super) const TYPE: &str = "type";
