//! The two searches over octets not seen before. They stand apart so that a test can count what they look at: every
//! octet of a stream is to be looked at a bounded number of times, however it is cut.

use memchr::memchr;
use memchr::memchr2;

/// The first LF or NUL.
pub(crate) fn line_end_or_nul(octets: &[u8]) -> Option<usize> {
    counted(memchr2(b'\n', 0, octets), octets)
}

/// The first NUL.
pub(crate) fn nul(octets: &[u8]) -> Option<usize> {
    counted(memchr(0, octets), octets)
}

#[cfg(not(test))]
fn counted(found: Option<usize>, _octets: &[u8]) -> Option<usize> {
    found
}

#[cfg(test)]
fn counted(found: Option<usize>, octets: &[u8]) -> Option<usize> {
    LOOKED_AT.set(LOOKED_AT.get() + found.map_or(octets.len(), |at| at + 1));
    found
}

#[cfg(test)]
thread_local! {
    /// Octets that the searches of this thread have looked at.
    pub(crate) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}
