//! The `log` crate's lines into the host's `gwc.log/1`.
//!
//! A library has one `log` of its own; this routes each line to the host of the instance whose
//! thread writes it. Threads that belong to no instance have no log. A line stays one: control
//! characters become spaces, and what is too long is cut, as some of it comes from the network.

use std::cell::RefCell;
use std::sync::Arc;

use log::{LevelFilter, Log, Metadata, Record};
use once_cell::sync::OnceCell;

use super::host::HostTables;
use crate::diagnosis::one_line_within;

/// The longest line, in bytes. Some hold what a broker sent, a topic of 64 KiB for instance.
const LINE_LIMIT: usize = 2048;

thread_local! {
    static HOST: RefCell<Option<Arc<HostTables>>> = const { RefCell::new(None) };
}

struct Router;

impl Log for Router {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        HOST.try_with(|host| {
            host.try_borrow()
                .ok()
                .and_then(|host| {
                    host.as_ref()
                        .map(|h| metadata.level() as u32 <= h.max_level())
                })
                .unwrap_or(false)
        })
        .unwrap_or(false)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let line = one_line_within(&record.args().to_string(), LINE_LIMIT);
        let _ = HOST.try_with(|host| {
            if let Ok(Some(host)) = host.try_borrow().as_deref() {
                host.write_log(record.level() as u32, record.target(), &line);
            }
        });
    }

    fn flush(&self) {}
}

static INSTALLED: OnceCell<()> = OnceCell::new();

/// From now on, lines of this thread go to `host`. In a process that has set a logger in this
/// copy of the `log` crate (tests that link the component statically) that one stays.
pub fn enter(host: Arc<HostTables>) {
    INSTALLED.get_or_init(|| {
        if log::set_logger(&Router).is_ok() {
            log::set_max_level(LevelFilter::Trace);
        }
    });
    HOST.with(|slot| *slot.borrow_mut() = Some(host));
}
