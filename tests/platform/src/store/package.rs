//! Packages of a request, and how far devices are with fetching them.
//!
//! The files lie beside the database in `packages/`, named by their SHA-256 (mode 0600). They are
//! kept when a request is deleted: another one may have the same file.

use super::{Store, StoreError};
use crate::clock;
use crate::secret::Secret;
use openssl::sha::Sha256;
use rusqlite::{params, OptionalExtension};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How many packages a request may have.
pub const MOST_PACKAGES: usize = 9;
/// The largest package file, in bytes.
pub const LARGEST_PACKAGE: u64 = 1 << 28;

/// A package to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPackage {
    /// The file; copied when the request is made.
    pub file: PathBuf,
    /// Its name, `[A-Za-z0-9._-]{1,255}`, not `.` or `..`.
    pub name: String,
    /// Its version, likewise.
    pub version: String,
}

/// A stored package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What the file was called.
    pub file_name: String,
    /// SHA-256 of the file, lower hex.
    pub sha256: String,
    /// Its length in bytes.
    pub size: u64,
    /// Where the file lies.
    pub file: PathBuf,
}

/// How a request's packages are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackageAccess {
    /// Part of their address, random.
    pub token: String,
    /// User name and password, if they are demanded besides.
    pub credentials: Option<(String, Secret)>,
}

/// What a device says of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// `job.id` of the request and the notifications.
    pub job_id: i64,
    /// The package's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Such as `IN_PROGRESS`; `ASKED` before the first notification.
    pub status: String,
    /// Percent.
    pub progress: i64,
    /// What went wrong.
    pub message: Option<String>,
}

impl NewPackage {
    pub(super) fn check(&self) -> Result<(), StoreError> {
        let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        for (field, text) in [
            ("package name", &self.name),
            ("package version", &self.version),
        ] {
            let fits = (1..=255).contains(&text.len())
                && text.chars().all(letters)
                && text != "."
                && text != "..";
            if !fits {
                let file = self.file.display();
                return Err(StoreError::Invalid {
                    field,
                    problem: format!("{text:?} of {file} is not 1 to 255 letters, digits, . _ -"),
                });
            }
        }
        Ok(())
    }

    /// Copies the file, and says what it is.
    pub(super) fn take_in(&self, folder: &Path) -> Result<Package, StoreError> {
        let unreadable = |source| StoreError::Package {
            path: self.file.clone(),
            source,
        };
        let mut source = File::open(&self.file).map_err(unreadable)?;
        let size = source.metadata().map_err(unreadable)?.len();
        if size > LARGEST_PACKAGE {
            let problem = format!("more than {LARGEST_PACKAGE} bytes");
            return Err(unreadable(std::io::Error::other(problem)));
        }
        let mut content = Vec::new();
        source
            .by_ref()
            .take(LARGEST_PACKAGE)
            .read_to_end(&mut content)
            .map_err(unreadable)?;
        let mut sha = Sha256::new();
        sha.update(&content);
        let sha256 = crate::hex(&sha.finish());
        durable_file::create_folder(folder).map_err(unreadable)?;
        let file = folder.join(&sha256);
        durable_file::write(&file, &content).map_err(unreadable)?;
        let name = self.file.file_name().unwrap_or(self.file.as_os_str());
        Ok(Package {
            name: self.name.clone(),
            version: self.version.clone(),
            file_name: name.to_string_lossy().into_owned(),
            sha256,
            size: content.len() as u64,
            file,
        })
    }
}

pub(super) fn insert(
    change: &rusqlite::Transaction<'_>,
    request: i64,
    packages: &[Package],
) -> Result<(), StoreError> {
    for (position, package) in packages.iter().enumerate() {
        change.execute(
            "INSERT INTO package (request, position, name, version, file, sha256, size) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                request,
                position,
                package.name,
                package.version,
                package.file_name,
                package.sha256,
                i64::try_from(package.size).unwrap_or(i64::MAX),
            ],
        )?;
    }
    Ok(())
}

impl Store {
    /// Copies a package file beside the database, outside of any request.
    pub fn take_in(&self, package: &NewPackage) -> Result<Package, StoreError> {
        package.check()?;
        package.take_in(&self.packages)
    }

    /// The packages of a request, in order.
    pub fn packages(&self, request: i64) -> Result<Vec<Package>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT name, version, file, sha256, size FROM package \
             WHERE request = ?1 ORDER BY position",
        )?;
        let rows = query.query_map([request], |row| {
            let sha256: String = row.get(3)?;
            Ok(Package {
                name: row.get(0)?,
                version: row.get(1)?,
                file_name: row.get(2)?,
                file: self.packages.join(&sha256),
                sha256,
                size: u64::try_from(row.get::<_, i64>(4)?).unwrap_or_default(),
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How the packages of a request are fetched; none if it has none.
    pub fn package_access(&self, request: i64) -> Result<Option<PackageAccess>, StoreError> {
        type Columns = (Option<String>, Option<String>, Option<Vec<u8>>);
        let row: Option<Columns> = self
            .db
            .query_row(
                "SELECT package_token, package_username, package_password_sealed \
                 FROM request WHERE id = ?1",
                [request],
                |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
            )
            .optional()?;
        let Some((Some(token), username, sealed)) = row else {
            return Ok(None);
        };
        let open = |sealed: Vec<u8>| self.vault.unseal_text("package password", &sealed);
        let credentials = username.zip(sealed.map(open).transpose()?);
        Ok(Some(PackageAccess { token, credentials }))
    }

    /// Notes that a device was asked to fetch a package.
    pub fn note_download(
        &mut self,
        attempt: i64,
        job_id: i64,
        name: &str,
        version: &str,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "INSERT INTO download (attempt, job_id, name, version, status, changed_on) \
             VALUES (?1, ?2, ?3, ?4, 'ASKED', ?5)",
            params![attempt, job_id, name, version, clock::now()],
        )?;
        Ok(())
    }

    /// Notes what a device says of a download.
    pub fn note_progress(
        &mut self,
        job_id: i64,
        status: &str,
        progress: Option<i64>,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        self.db.execute(
            "UPDATE download SET status = ?2, progress = COALESCE(?3, progress), \
             message = COALESCE(?4, message), changed_on = ?5 WHERE job_id = ?1",
            params![job_id, status, progress, message, clock::now()],
        )?;
        Ok(())
    }

    /// The downloads of an attempt, oldest first.
    pub fn downloads(&self, attempt: i64) -> Result<Vec<Download>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT job_id, name, version, status, progress, message FROM download \
             WHERE attempt = ?1 ORDER BY rowid",
        )?;
        let rows = query.query_map([attempt], |row| {
            Ok(Download {
                job_id: row.get(0)?,
                name: row.get(1)?,
                version: row.get(2)?,
                status: row.get(3)?,
                progress: row.get(4)?,
                message: row.get(5)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}
