//! Memory with an edge: what lies behind it cannot be read or written.

use std::mem::size_of;
use std::ptr;

/// A record whose last byte is the last one of its page; the next page is not accessible. A
/// reader that believes in a larger record ends the process, which is the verdict.
pub(crate) struct Edge {
    pages: *mut u8,
    page: usize,
    start: *mut u8,
}

impl Edge {
    /// The first `size` bytes of `record` at the edge, filled up with 0xAA, saying so in their
    /// struct_size. `None` if the system gives no memory, or `size` is larger than a page.
    pub(crate) fn cut<T: Copy>(record: &T, size: usize) -> Option<Edge> {
        let mut bytes = vec![0; size_of::<T>()];
        // SAFETY: both are size_of::<T>() bytes; records of the contract have no padding.
        unsafe {
            let from = ptr::from_ref(record).cast::<u8>();
            ptr::copy_nonoverlapping(from, bytes.as_mut_ptr(), bytes.len());
        }
        bytes.resize(size, 0xAA);
        if let (Some(head), Ok(size)) = (bytes.get_mut(..4), u32::try_from(size)) {
            head.copy_from_slice(&size.to_ne_bytes());
        }
        Self::new(&bytes)
    }

    fn new(bytes: &[u8]) -> Option<Edge> {
        // SAFETY: two fresh pages; the second is taken away, the bytes are copied into the first.
        unsafe {
            let page = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)).ok()?;
            if bytes.len() > page {
                return None;
            }
            let (access, kind) = (
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            );
            let pages = libc::mmap(ptr::null_mut(), 2 * page, access, kind, -1, 0);
            if pages == libc::MAP_FAILED {
                return None;
            }
            let pages = pages.cast::<u8>();
            let edge = Edge {
                pages,
                page,
                start: pages.add(page - bytes.len()),
            };
            if libc::mprotect(pages.add(page).cast(), page, libc::PROT_NONE) != 0 {
                return None;
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), edge.start, bytes.len());
            Some(edge)
        }
    }

    /// Where the record begins.
    pub(crate) fn ptr<T>(&self) -> *mut T {
        self.start.cast()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // SAFETY: our own pages, not used any more.
        unsafe { libc::munmap(self.pages.cast(), 2 * self.page) };
    }
}
