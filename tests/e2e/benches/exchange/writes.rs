//! What a gateway writes, and how often it waits for the disk, read from strace.
//!
//! Only files below the gateway's own folder count. What happens before the gateway first connects
//! to the provision broker belongs to its first start (keys, snapshot 0), the rest to the
//! provisioning. Counted are the bytes that were asked to be written, which is what the file system
//! is given; what the disk makes of them is its own matter.

use std::path::Path;

use crate::figures::row;

/// How strace is to be called.
pub const STRACE: [&str; 5] = [
    "-f",
    "-y",
    "-s0",
    "-e",
    "trace=fsync,fdatasync,syncfs,sync,write,pwrite64,rename,renameat,renameat2,connect",
];

/// Durable work of one part of a gateway's life.
#[derive(Clone, Copy, Debug, Default)]
struct Part {
    file_syncs: u32,
    folder_syncs: u32,
    renames: u32,
    bytes: u64,
}

/// What one gateway wrote.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    first_start: Part,
    provisioning: Part,
}

/// Reads the output of strace. `root` is the gateway's folder, `port` that of the provision broker.
pub fn read(trace: &str, root: &Path, port: u16) -> Written {
    let root = root.display().to_string();
    let broker = format!("htons({port})");
    let mut written = Written::default();
    let mut connected = false;
    for line in trace.lines() {
        // "4711  fsync(12</folder/file>) = 0"; a call that was interrupted goes on in another line
        // that has "resumed" in it.
        let Some((call, rest)) = call(line) else {
            continue;
        };
        if call == "connect" {
            connected |= rest.contains(&broker);
            continue;
        }
        let Some(at) = rest.find(&root) else {
            continue;
        };
        let part = match connected {
            true => &mut written.provisioning,
            false => &mut written.first_start,
        };
        match call {
            "write" | "pwrite64" => part.bytes += size(rest),
            "rename" | "renameat" | "renameat2" => part.renames += 1,
            _ => {
                let path = rest.get(at..).and_then(|path| path.split('>').next());
                match path.is_some_and(|path| Path::new(path).is_dir()) {
                    true => part.folder_syncs += 1,
                    false => part.file_syncs += 1,
                }
            }
        }
    }
    written
}

fn call(line: &str) -> Option<(&str, &str)> {
    let (before, rest) = line.split_once('(')?;
    let name = before.split_whitespace().last()?;
    (!before.contains("resumed")).then_some((name, rest))
}

/// The third argument of a write: `12</file>, ""..., 4096) = 4096`.
fn size(rest: &str) -> u64 {
    let arguments = rest.split(") =").next().unwrap_or(rest);
    let arguments = arguments.split(" <unfinished").next().unwrap_or(arguments);
    let third = arguments.split(", ").nth(2).unwrap_or_default();
    third.trim().parse().unwrap_or_default()
}

impl Written {
    /// Two rows for the table of an attempt.
    pub fn table(&self) -> String {
        let line = |what: &str, part: &Part| {
            row(&[
                format!("`gateway run`, written {what}"),
                format!(
                    "{} fsyncs ({} files, {} folders), {} renames, {} bytes",
                    part.file_syncs + part.folder_syncs,
                    part.file_syncs,
                    part.folder_syncs,
                    part.renames,
                    part.bytes
                ),
            ])
        };
        format!(
            "{}\n{}",
            line(
                "at the first start, before the first connect",
                &self.first_start
            ),
            line("from the first connect to provisioned", &self.provisioning)
        )
    }
}
