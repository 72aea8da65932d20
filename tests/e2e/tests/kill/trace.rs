//! What the shim wrote down: each change of the disk, in order, with its data.

use std::fmt;
use std::fs;
use std::path::Path;

/// One change that went well. Paths are relative to the gateway's folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What was done.
    pub call: Call,
    /// To what.
    pub path: String,
}

/// The calls that count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Opened for writing; made where it did not exist, emptied with `truncate`.
    Open { truncate: bool },
    /// Bytes at an offset.
    Write { offset: usize, data: Vec<u8> },
    /// Cut off or filled up.
    Length(usize),
    /// The file or folder is on the disk.
    Sync,
    /// The name was the other's.
    Rename { from: String },
    /// The name is one more of the other's.
    Link { from: String },
    /// The name is gone.
    Remove,
    /// A folder.
    Folder,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = match self.call {
            Call::Open { .. } => "open",
            Call::Write { .. } => "write",
            Call::Length(_) => "ftruncate",
            Call::Sync => "fsync",
            Call::Rename { .. } => "rename",
            Call::Link { .. } => "link",
            Call::Remove => "unlink",
            Call::Folder => "mkdir",
        };
        write!(f, "{call} {}", self.path)
    }
}

/// Reads a trace.
pub fn read(file: &Path) -> Vec<Operation> {
    let text = fs::read_to_string(file).expect("a trace");
    text.lines().map(operation).collect()
}

fn operation(line: &str) -> Operation {
    let fields: Vec<&str> = line.split('\t').collect();
    let [call, path, from, number, data] = fields[..] else {
        panic!("a line of the trace: {line}");
    };
    let number: i64 = number.parse().unwrap();
    let at = || usize::try_from(number).unwrap();
    let call = match call {
        // O_TRUNC of Linux.
        "open" => Call::Open {
            truncate: number & 0o1000 != 0,
        },
        "write" => Call::Write {
            offset: at(),
            data: bytes(data),
        },
        "ftruncate" => Call::Length(at()),
        "fsync" | "fdatasync" => Call::Sync,
        "rename" => Call::Rename { from: from.into() },
        "link" => Call::Link { from: from.into() },
        "unlink" | "rmdir" => Call::Remove,
        "mkdir" => Call::Folder,
        other => panic!("the model of the disk knows no {other}"),
    };
    Operation {
        call,
        path: path.to_owned(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
