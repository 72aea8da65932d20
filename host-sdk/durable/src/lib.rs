//! The one way in which files are written so that they survive a loss of power.
//!
//! [`write()`] replaces a file as a whole: a reader, now or after a crash, sees the old content or
//! the new one, never a mixture; [`write_all`] does so with several, [`create`] never replaces,
//! [`write_lazily`] is for what may be lost, [`Slate`] for what a killed process leaves to the next. [`Appender`] adds records to a log, each durable when
//! the call returns. [`remove`], [`create_folder`] and [`rename`] make the change of the folder
//! durable too. [`sweep`] clears away what killed writers left. Files are private (0600) and folders
//! 0700 from their creation. No symbolic link is followed where a file, or a folder to be made,
//! should be: [`read()`] and [`open`] refuse it, [`write()`] replaces it; and none among the folders
//! on the way there ([`check`]): who starts from a path that an operator gave resolves it first
//! ([`resolve`]). Nothing here knows what is in the files. Component, host and platform all write through this crate.

mod append;
mod folder;
mod read;
mod replace;
mod slate;
mod way;

pub use append::Appender;
pub use folder::{create_folder, remove, remove_folder, rename, sync_folder};
pub use read::{open, read};
pub use replace::{create, sweep, write, write_all, write_lazily};
pub use slate::Slate;
pub use way::{check, check_folder, resolve};
