//! Memory for what may be large: taken in one piece, and back with the system once it is freed.

/// What is larger gets pages of its own.
pub(super) const LARGE: usize = 1 << 20;
/// What glibc always maps, and gives back as soon as it is freed: the size from which it does so
/// adapts to what was freed before, but only up to here. Of room that nobody writes to nothing is
/// used.
const MAPPED: usize = match cfg!(target_pointer_width = "64") {
    true => 33 << 20,
    false => LARGE,
};

/// Makes room for `more` bytes behind these. Where they have to move for it, the old place is
/// overwritten: messages hold passwords.
pub(super) fn make(bytes: &mut Vec<u8>, more: usize) {
    let needed = bytes.len().saturating_add(more);
    if needed <= LARGE {
        secret_text::reserve(bytes, more);
    } else if needed > bytes.capacity() {
        secret_text::move_to(bytes, needed.max(MAPPED).max(2 * bytes.capacity()));
    }
}
