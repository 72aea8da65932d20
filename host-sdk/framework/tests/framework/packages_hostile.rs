//! Archives that somebody made in order to get out of the plugin directory, to fill the disk or the
//! memory, or just badly: refused, with the entry named, and nothing is left behind.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use applications::Application;
use flate2::write::GzEncoder;
use flate2::Compression;
use gateway_host_sdk::events::Hub;
use gateway_host_sdk::packages::{inspect, pack, PackageError, Packages};
use proptest::prelude::*;
use serde_json::{json, Value};
use tar::{EntryType, Header};

use crate::packages::tree;

const XML: &str = "metatype/com.example.Heater.xml";

fn sha256(bytes: &[u8]) -> String {
    let digest = openssl::sha::sha256(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The files of a good package.
fn good() -> Vec<(String, Vec<u8>)> {
    static FILES: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    FILES
        .get_or_init(|| Application::heater("1").files())
        .clone()
}

fn manifest(files: &[(String, Vec<u8>)]) -> Value {
    let file = |(path, content): &(String, Vec<u8>)| json!({"path": path, "size": content.len(), "sha256": sha256(content)});
    let files: Vec<Value> = files.iter().map(file).collect();
    json!({"format": 1, "name": "heater", "version": "1", "files": files})
}

/// A tar that is written entry by entry, each as one likes.
struct Tar(Vec<u8>);

impl Tar {
    fn new(manifest: &Value) -> Tar {
        Tar(Vec::new()).plain("package.json", manifest.to_string().as_bytes())
    }

    /// With a good manifest of the good files, none of which is there yet.
    fn good() -> Tar {
        Tar::new(&manifest(&good()))
    }

    fn entry(mut self, name: &str, content: &[u8], change: impl FnOnce(&mut Header)) -> Tar {
        let mut header = Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(EntryType::Regular);
        let field = &mut header.as_old_mut().name;
        field[..name.len()].copy_from_slice(name.as_bytes());
        change(&mut header);
        header.set_cksum();
        self.0.extend(header.as_bytes());
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    fn plain(self, name: &str, content: &[u8]) -> Tar {
        self.entry(name, content, |_| {})
    }

    fn files(self) -> Tar {
        let add = |tar: Tar, (path, content): &(String, Vec<u8>)| tar.plain(path, content);
        good().iter().fold(self, add)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        gzip(&self.0)
    }
}

fn gzip(tar: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(tar).unwrap();
    gzip.finish().unwrap()
}

/// A gateway's folders, on which nothing may change.
struct Victim {
    root: tempfile::TempDir,
    packages: Packages,
}

impl Victim {
    fn new() -> Victim {
        let root = tempfile::tempdir().unwrap();
        for folder in ["data", "plugins"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        fs::write(root.path().join("outside"), "untouched").unwrap();
        let (data, plugins) = (root.path().join("data"), root.path().join("plugins"));
        let packages = Packages::open(&data, &plugins, Hub::default()).unwrap();
        Victim { root, packages }
    }

    /// Tries to install an archive; gives the refusal.
    fn refuses(&self, archive: &[u8]) -> String {
        let path = self.root.path().join("archive");
        fs::write(&path, archive).unwrap();
        self.refuses_file(&path)
    }

    fn refuses_file(&self, path: &Path) -> String {
        let before = tree(self.root.path());
        let error = self.packages.install("k", "heater", "1", path).unwrap_err();
        let same = tree(self.root.path()) == before;
        assert!(same, "something has changed: {error:?}");
        assert!(self.packages.list().is_empty());
        let call = error.to_call_error();
        assert_eq!(call.code, "package.failed", "{call:?}");
        assert!(!call.message.contains('\n'));
        call.message
    }
}

/// Each with the words that the refusal must hold.
fn check(cases: Vec<(&str, Vec<u8>, &str)>) {
    let victim = Victim::new();
    for (hazard, archive, words) in cases {
        let message = victim.refuses(&archive);
        assert!(message.contains(words), "{hazard}: {message}");
    }
    // The same with nothing wrong is taken.
    let path = victim.root.path().join("archive");
    fs::write(&path, Tar::good().files().end()).unwrap();
    victim.packages.install("k", "heater", "1", &path).unwrap();
}

#[test]
fn no_entry_leads_out_of_the_plugin_directory() {
    let elf = good().remove(0).1;
    let named = |name: &str| Tar::good().files().plain(name, &elf).end();
    let listed = |name: &str| {
        let files = vec![(name.to_owned(), elf.clone())];
        Tar::new(&manifest(&files)).plain(name, &elf).end()
    };
    let mut cases = Vec::new();
    for name in [
        "/etc/cron.d/evil.so",
        "../outside",
        "metatype/../../outside.xml",
        "./libx.so",
        "a/b.so",
        ".packages/1/new/x.so",
        ".hidden.so",
        "metatype/x/y.xml",
        "libx.so/",
        "C:\\x.so",
    ] {
        cases.push((name, named(name), "not a plain relative name"));
        cases.push((name, listed(name), "package.json"));
    }
    // Every name is named, whatever exactly is wrong with it.
    let victim = Victim::new();
    for (name, archive, _) in cases {
        let message = victim.refuses(&archive);
        let shown = format!("{name:?}");
        assert!(message.contains(&shown), "{name}: {message}");
    }
}

#[test]
fn only_plain_files_are_taken() {
    let kind = |kind: EntryType, link: &str| {
        let link = link.to_owned();
        let first = good().remove(0);
        Tar::good()
            .entry(&first.0, b"", move |header| {
                header.set_entry_type(kind);
                if !link.is_empty() {
                    header.set_link_name(&link).unwrap();
                }
                header.set_size(0);
            })
            .end()
    };
    let mut pax = Tar::good();
    pax = pax.entry("x", b"17 path=../evil\n\n", |h| {
        h.set_entry_type(EntryType::XHeader)
    });
    let mut long = Tar::good();
    long = long.entry("././@LongLink", b"../../evil.so\0", |h| {
        h.set_entry_type(EntryType::GNULongName);
    });
    let mut long_link = Tar::good();
    long_link = long_link.entry("././@LongLink", b"/etc\0", |h| {
        h.set_entry_type(EntryType::GNULongLink);
    });
    let global = Tar(Vec::new()).entry("g", b"12 size=9999\n", |h| {
        h.set_entry_type(EntryType::XGlobalHeader);
    });
    let named_link = Tar::good().entry("libheater.so", &good()[0].1, |h| {
        h.set_link_name("/etc/passwd").unwrap();
    });
    check(vec![
        (
            "symlink",
            kind(EntryType::Symlink, "/etc/passwd"),
            "is a symbolic link",
        ),
        (
            "hard link",
            kind(EntryType::Link, "../outside"),
            "is a hard link",
        ),
        ("character device", kind(EntryType::Char, ""), "is a device"),
        ("block device", kind(EntryType::Block, ""), "is a device"),
        ("folder", kind(EntryType::Directory, ""), "is a folder"),
        ("fifo", kind(EntryType::Fifo, ""), "is a fifo"),
        ("sparse", kind(EntryType::GNUSparse, ""), "is a sparse file"),
        ("contiguous", kind(EntryType::Continuous, ""), "not known"),
        ("vendor's own", kind(EntryType::new(b'V'), ""), "not known"),
        ("extended header", pax.end(), "is an extended header"),
        ("global header", global.end(), "is an extended header"),
        ("long name", long.end(), "is a long name"),
        ("long link", long_link.end(), "is a long name"),
        ("file with a link's name", named_link.end(), "names a link"),
    ]);
}

#[test]
fn the_archive_holds_what_the_manifest_says_and_nothing_else() {
    let files = good();
    let (library, xml) = (&files[0].1, &files[1].1);
    let of = |change: &dyn Fn(&mut Value)| {
        let mut value = manifest(&files);
        change(&mut value);
        Tar::new(&value).files().end()
    };
    let many: Vec<(String, Vec<u8>)> = (0..65).map(|n| (format!("l{n}.so"), Vec::new())).collect();
    let huge = json!({"path": "libheater.so", "size": 300u64 << 20, "sha256": sha256(b"")});
    let wide = json!({"path": XML, "size": 2 << 20, "sha256": sha256(b"")});
    let mut wrong = library.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let plain = Tar::good;
    check(vec![
        (
            "not first",
            Tar(Vec::new()).plain("libheater.so", library).end(),
            "first entry",
        ),
        (
            "no manifest",
            gzip(&[0; 1024]),
            "package.json: it is missing",
        ),
        (
            "no json",
            Tar(Vec::new()).plain("package.json", b"{").end(),
            "package.json",
        ),
        (
            "another format",
            of(&|m| m["format"] = json!(2)),
            "format 2",
        ),
        (
            "unknown field",
            of(&|m| m["post-install"] = json!("rm -rf")),
            "post-install",
        ),
        ("name", of(&|m| m["name"] = json!("../x")), "name \"../x\""),
        ("version", of(&|m| m["version"] = json!("")), "version \"\""),
        (
            "another package",
            of(&|m| m["name"] = json!("cooler")),
            "it is cooler 1, not heater 1",
        ),
        (
            "another version",
            of(&|m| m["version"] = json!("2")),
            "it is heater 2, not heater 1",
        ),
        (
            "too many",
            Tar::new(&manifest(&many)).end(),
            "65 files, at most 64",
        ),
        (
            "too large",
            of(&|m| m["files"] = json!([huge])),
            "at most 268435456",
        ),
        (
            "descriptor",
            of(&|m| m["files"][1] = wide.clone()),
            "at most 262144 for a descriptor",
        ),
        (
            "upper-case hash",
            of(&|m| m["files"][0]["sha256"] = json!("A".repeat(64))),
            "hex digits",
        ),
        (
            "no library",
            Tar::new(&manifest(&files[1..])).end(),
            "no library",
        ),
        (
            "listed twice",
            of(&|m| m["files"][1] = m["files"][0].clone()),
            "occurs twice",
        ),
        (
            "entry twice",
            plain().files().plain(XML, xml).end(),
            "occurs twice",
        ),
        (
            "extra",
            plain().files().plain("libx.so", library).end(),
            "\"libx.so\" is not in the manifest",
        ),
        (
            "extra text",
            plain().files().plain("README", b"").end(),
            "\"README\"",
        ),
        (
            "missing",
            plain().plain(XML, xml).end(),
            "\"libheater.so\" is in the manifest",
        ),
        (
            "short",
            plain().plain("libheater.so", &library[1..]).end(),
            "the manifest says",
        ),
        (
            "other bytes",
            plain().plain("libheater.so", &wrong).end(),
            "another SHA-256",
        ),
    ]);
}

#[test]
fn what_is_no_library_or_metatype_is_found_out_while_the_platform_can_still_mend_it() {
    let mut other_machine = good().remove(0).1;
    other_machine[18] ^= 0x55;
    let cases = [
        ("lib.so", b"#!/bin/sh".to_vec(), "not an ELF"),
        ("lib.so", other_machine, "architecture"),
    ];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    let refusal = |files: &[(String, Vec<u8>)]| {
        pack("heater", "1", files, fs::File::create(&path).unwrap()).unwrap();
        inspect(&path).unwrap_err().to_call_error().message
    };
    for (name, content, words) in cases {
        let message = refusal(&[(name.to_owned(), content)]);
        assert!(
            message.contains(words) && message.contains(name),
            "{message}"
        );
    }
    let mut files = good();
    files[1].1 = b"<MetaData>".to_vec();
    let message = refusal(&files);
    assert!(
        message.contains(XML) && message.contains("no metatype"),
        "{message}"
    );
}

#[test]
fn an_archive_ends_where_it_ends() {
    let whole = Tar::good().files().end();
    let mut tar = Vec::new();
    flate2::read::GzDecoder::new(&*whole)
        .read_to_end(&mut tar)
        .unwrap();
    let behind = |bytes: &[u8]| [&*whole, bytes].concat();
    let inside = |bytes: &[u8]| gzip(&[&*tar, bytes].concat());
    check(vec![
        ("bytes behind", behind(b"x"), "behind its end"),
        ("zeros behind", behind(&[0; 512]), "behind its end"),
        ("a second archive", behind(&whole), "behind its end"),
        ("text behind the tar", inside(b"x"), "behind its end"),
        ("a second tar", inside(&tar), "behind its end"),
        ("endless zeros", inside(&vec![0; 1 << 20]), "behind its end"),
        ("no end", gzip(&tar[..tar.len() - 1024]), "truncated"),
        ("half an end", gzip(&tar[..tar.len() - 512]), "truncated"),
        ("half an entry", gzip(&tar[..2000]), "truncated"),
        ("half a header", gzip(&tar[..700]), ""),
        ("nothing", Vec::new(), ""),
        ("text", b"this is not an archive at all".to_vec(), "gzip"),
        ("tar without gzip", tar.clone(), "gzip"),
    ]);
    let victim = Victim::new();
    for length in (0..whole.len()).step_by(97) {
        victim.refuses(&whole[..length]);
    }
    // A checksum that is wrong though all bytes came.
    let mut crc = whole.clone();
    let at = crc.len() - 6;
    crc[at] ^= 1;
    victim.refuses(&crc);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let victim = Victim::new();
    let fifo = victim.root.path().join("fifo");
    assert!(Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap()
        .success());
    for (path, words) in [
        (fifo, "it is no"),
        (PathBuf::from("/dev/zero"), "it is no"),
        (victim.root.path().to_owned(), "it is no"),
        (victim.root.path().join("nothing"), "cannot be read"),
    ] {
        let error = victim
            .packages
            .install("k", "heater", "1", &path)
            .unwrap_err();
        for error in [error, inspect(&path).unwrap_err()] {
            let message = error.to_call_error().message;
            assert!(message.contains(words), "{}: {message}", path.display());
        }
    }
}

#[test]
fn a_link_is_followed_for_a_person_and_nobody_else() {
    let victim = Victim::new();
    let at = |name: &str| victim.root.path().join(name);
    fs::create_dir(at("folder")).unwrap();
    let (there, link, way) = (at("folder/heater.tar.gz"), at("link"), at("way"));
    pack("heater", "1", &good(), fs::File::create(&there).unwrap()).unwrap();
    std::os::unix::fs::symlink(&there, &link).unwrap();
    std::os::unix::fs::symlink(at("folder"), &way).unwrap();
    for path in [link, way.join("heater.tar.gz")] {
        inspect(&path).unwrap();
        let packages = &victim.packages;
        let results = [
            packages.inspect("heater", "1", &path).map(drop),
            packages.install("k", "heater", "1", &path),
            packages.install_now(&path).map(drop),
        ];
        for result in results {
            let error = result.unwrap_err().to_call_error();
            assert!(
                error.message.contains("cannot be read"),
                "{}",
                error.message
            );
        }
    }
    victim.packages.inspect("heater", "1", &there).unwrap();
}

#[test]
fn names_that_become_paths_or_topics_are_refused_before_anything_is_read() {
    let victim = Victim::new();
    let nowhere = Path::new("/nonexistent");
    for (name, version) in [
        ("../x", "1"),
        ("x", "1/2"),
        ("", "1"),
        ("x", ".."),
        ("x y", "1"),
    ] {
        let refused = |result: Result<(), PackageError>| {
            assert!(
                matches!(result, Err(PackageError::BadName { .. })),
                "{name} {version}"
            );
        };
        refused(victim.packages.install("k", name, version, nowhere));
        refused(victim.packages.inspect(name, version, nowhere).map(drop));
    }
}

/// Writes `length` zeros.
fn zeros(to: &mut impl Write, mut length: u64) {
    let block = vec![0; 1 << 20];
    while length > 0 {
        let part = length.min(block.len() as u64);
        to.write_all(&block[..part as usize]).unwrap();
        length -= part;
    }
}

/// The header of an entry that claims so many bytes.
fn claim(name: &str, size: u64) -> Vec<u8> {
    let mut tar = Tar(Vec::new())
        .entry(name, b"", |header| header.set_size(size))
        .0;
    tar.truncate(512);
    tar
}

/// Bombs: how they are called, and a writer of the tar that is in each.
fn bomb(kind: &str, to: impl Write) -> io::Result<()> {
    let mut gzip = GzEncoder::new(to, Compression::fast());
    let giant = 96u64 << 20;
    match kind {
        "entry" => {
            gzip.write_all(&Tar::good().0)?;
            gzip.write_all(&claim("libheater.so", giant))?;
            zeros(&mut gzip, giant);
        }
        "manifest" => {
            gzip.write_all(&claim("package.json", giant))?;
            zeros(&mut gzip, giant);
        }
        "end" => {
            gzip.write_all(&Tar::good().files().0)?;
            zeros(&mut gzip, giant);
        }
        "names" => {
            for _ in 0..64 {
                let name = claim("././@LongLink", 1 << 20);
                gzip.write_all(&name)?;
                zeros(&mut gzip, 1 << 20);
            }
        }
        // Large and right: it goes to the disk, not into the memory.
        _ => {
            let size = 64u64 << 20;
            let elf = &good()[0].1;
            let mut digest = openssl::sha::Sha256::new();
            digest.update(elf);
            let block = vec![0; 1 << 20];
            let mut left = size - elf.len() as u64;
            while left > 0 {
                let part = left.min(block.len() as u64) as usize;
                digest.update(&block[..part]);
                left -= part as u64;
            }
            let sha: String = digest.finish().iter().map(|b| format!("{b:02x}")).collect();
            let file = json!({"path": "libheater.so", "size": size, "sha256": sha});
            let manifest = json!({"format": 1, "name": "heater", "version": "1", "files": [file]});
            gzip.write_all(&Tar::new(&manifest).0)?;
            gzip.write_all(&claim("libheater.so", size))?;
            gzip.write_all(elf)?;
            zeros(&mut gzip, size - elf.len() as u64 + 1024);
        }
    }
    gzip.finish()?.flush()
}

const BOMB: &str = "GWC_TEST_BOMB";

/// The most memory that this process has used, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
#[ignore = "run by the test of bombs, in a process of its own"]
fn child() {
    let Some(path) = std::env::var_os(BOMB) else {
        return;
    };
    let victim = Victim::new();
    let before = peak();
    let result = victim
        .packages
        .install("k", "heater", "1", Path::new(&path));
    println!("refused {}", result.is_err());
    println!("grown {}", peak() - before);
}

#[test]
fn a_bomb_is_refused_and_a_large_package_taken_with_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, refused) in [
        ("entry", true),
        ("manifest", true),
        ("end", true),
        ("names", true),
        ("large", false),
    ] {
        let path = folder.path().join(kind);
        bomb(kind, fs::File::create(&path).unwrap()).unwrap();
        assert!(
            fs::metadata(&path).unwrap().len() < 8 << 20,
            "{kind} is no bomb"
        );
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "packages_hostile::child",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(BOMB, &path)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(
            said.contains(&format!("refused {refused}")),
            "{kind}: {said}"
        );
        let grown = said.lines().find_map(|l| l.strip_prefix("grown ")).unwrap();
        let grown: u64 = grown.parse().unwrap();
        assert!(grown < 4 << 10, "{kind}: {grown} KiB");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a transfer or an attacker changes is noticed, or changes nothing that counts.
    #[test]
    fn a_changed_archive_is_refused_or_means_the_same(
        at in any::<prop::sample::Index>(),
        with in any::<u8>(),
        cut in any::<prop::sample::Index>(),
        packed in any::<bool>(),
    ) {
        let files = vec![good().remove(0)];
        let mut archive = Vec::new();
        pack("p", "1", &files, &mut archive).unwrap();
        let mut bytes = archive.clone();
        if packed {
            let length = bytes.len();
            bytes[at.index(length)] = with;
        } else {
            let mut tar = Vec::new();
            flate2::read::GzDecoder::new(&*bytes).read_to_end(&mut tar).unwrap();
            let length = tar.len();
            tar[at.index(length)] = with;
            tar.truncate(length - cut.index(2) * cut.index(length));
            bytes = gzip(&tar);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, &bytes).unwrap();
        if let Ok(contents) = inspect(&path) {
            for (file, (name, content)) in contents.manifest.files.iter().zip(&files) {
                prop_assert_eq!(&file.sha256, &sha256(content));
                // A single byte of a manifest may name a file otherwise, but then no entry has
                // that name, unless that was changed as well.
                prop_assert_eq!(&file.path, name);
            }
        }
    }

    #[test]
    fn what_is_no_archive_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..4096), tar in any::<bool>()) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        fs::write(&path, if tar { gzip(&bytes) } else { bytes }).unwrap();
        prop_assert!(inspect(&path).is_err());
    }
}

#[test]
fn packing_the_same_files_gives_the_same_bytes_in_whatever_order_they_come() {
    let mut files = good();
    let packed = |files: &[(String, Vec<u8>)]| {
        let mut archive = Vec::new();
        pack("heater", "1.0", files, &mut archive).unwrap();
        archive
    };
    let first = packed(&files);
    files.reverse();
    assert_eq!(packed(&files), first);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a");
    fs::write(&path, first).unwrap();
    let contents = inspect(&path).unwrap();
    assert_eq!(contents.manifest.name, "heater");
    assert_eq!(contents.metatypes, [files[0].1.clone()]);
}
