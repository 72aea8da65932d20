//! An application that is as large as a test wants it to be.

use std::fs::File;
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use gateway_host_sdk::packages::manifest::{FORMAT, MANIFEST};
use gateway_host_sdk::packages::{Manifest, PackageFile};
use openssl::sha::sha256;
use tar::{Builder, EntryType, Header};

use crate::Application;

/// Heads of the archive, and of the blocks of an uncompressed one.
fn overhead(size: usize) -> usize {
    (16 << 10) + size / 1000
}

impl Application {
    /// Writes its package into a folder: at most `size` bytes, and little less. What it is filled up
    /// with stands behind the library, where no loader looks. Not compressed, which would take long.
    ///
    /// # Panics
    /// If the application itself is larger, or the folder not writable.
    pub fn write_large(&self, folder: &Path, size: usize) -> PathBuf {
        let mut files = self.files();
        let small: usize = files.iter().map(|(_, content)| content.len()).sum();
        let mut filling = vec![0; size - small - overhead(size)];
        openssl::rand::rand_bytes(&mut filling).expect("random bytes");
        if let Some((_, library)) = files.first_mut() {
            library.extend(filling);
        }
        let manifest = serde_json::to_vec(&self.manifest(&files)).expect("JSON");
        let path = folder.join(format!("{}-{}.tar.gz", self.name, self.version));
        let file = File::create(&path).expect("the folder is writable");
        let mut archive = Builder::new(GzBuilder::new().write(file, Compression::none()));
        append(&mut archive, MANIFEST, &manifest);
        for (path, content) in &files {
            append(&mut archive, path, content);
        }
        let gzip = archive.into_inner().expect("room on the disk");
        let file = gzip.finish().expect("room on the disk");
        let written = file.metadata().expect("a file").len();
        assert!(written <= size as u64, "{written} bytes, not {size}");
        path
    }

    fn manifest(&self, files: &[(String, Vec<u8>)]) -> Manifest {
        let hex = |digest: [u8; 32]| digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let files = files.iter().map(|(path, content)| PackageFile {
            path: path.clone(),
            size: content.len() as u64,
            sha256: hex(sha256(content)),
        });
        Manifest {
            format: FORMAT,
            name: self.name.clone(),
            version: self.version.clone(),
            files: files.collect(),
        }
    }
}

fn append(archive: &mut Builder<impl std::io::Write>, path: &str, content: &[u8]) {
    let mut header = Header::new_ustar();
    header.set_path(path).expect("a short path");
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_cksum();
    archive.append(&header, content).expect("room on the disk");
}
