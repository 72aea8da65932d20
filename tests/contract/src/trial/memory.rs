//! Memory with an edge: what lies behind it cannot be read or written.

use std::ptr;

/// A record whose last byte is the last one of its page; the next page is not accessible. A
/// reader that believes in a larger record ends the process.
pub struct Edge {
    pages: *mut u8,
    page: usize,
    start: *mut u8,
}

impl Edge {
    /// `bytes` at the edge. They are aligned as their length is, so use multiples of 8.
    pub fn new(bytes: &[u8]) -> Edge {
        // SAFETY: two fresh pages; the second is taken away, the bytes are copied into the first.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            assert!(bytes.len() <= page);
            let pages = libc::mmap(
                ptr::null_mut(),
                2 * page,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            );
            assert_ne!(pages, libc::MAP_FAILED);
            let pages = pages.cast::<u8>();
            assert_eq!(
                libc::mprotect(pages.add(page).cast(), page, libc::PROT_NONE),
                0
            );
            let start = pages.add(page - bytes.len());
            ptr::copy_nonoverlapping(bytes.as_ptr(), start, bytes.len());
            Edge { pages, page, start }
        }
    }

    /// The first `size` bytes of `record` at the edge, saying so in their struct_size.
    pub fn cut<T: Copy>(record: &T, size: usize) -> Edge {
        let mut bytes = bytes_of(record);
        bytes.resize(size, 0xAA);
        if size >= 4 {
            bytes[..4].copy_from_slice(&(size as u32).to_ne_bytes());
        }
        Edge::new(&bytes)
    }

    /// Where the record begins.
    pub fn ptr<T>(&self) -> *mut T {
        self.start.cast()
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        // SAFETY: our own pages, not used any more.
        unsafe { libc::munmap(self.pages.cast(), 2 * self.page) };
    }
}

/// The bytes of a record of the contract, none of which has padding.
pub fn bytes_of<T: Copy>(record: &T) -> Vec<u8> {
    let mut bytes = vec![0; size_of::<T>()];
    // SAFETY: both are size_of::<T>() bytes; records of the contract have no padding.
    unsafe {
        ptr::copy_nonoverlapping(
            ptr::from_ref(record).cast::<u8>(),
            bytes.as_mut_ptr(),
            bytes.len(),
        );
    }
    bytes
}
