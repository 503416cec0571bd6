//! Numbers as octets, little-endian: what every structure on disk is made of.
//!
//! Reading never panics: what is too short is `None`. It must not know what the numbers mean.

/// Reads fields one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Octets<'a> {
        Octets(bytes)
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn i64(&mut self) -> Option<i64> {
        self.array().map(i64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// A text with its length in front (16 bits).
    pub(super) fn text(&mut self) -> Option<&'a str> {
        let length = self.u16()?;
        std::str::from_utf8(self.take(usize::from(length))?).ok()
    }

    /// Whether everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn rest(self) -> &'a [u8] {
        self.0
    }

    /// `Some` when everything has been read: a structure with octets left over is not the one we know.
    pub(super) fn end(self) -> Option<()> {
        self.is_empty().then_some(())
    }
}

/// Writes a text as [`Octets::text`] reads it; cut at 65,535 octets, which no name and no note reaches.
pub(super) fn put_text(into: &mut Vec<u8>, text: &str) {
    let longest = usize::from(u16::MAX).min(text.len());
    let text = (0..=longest).rev().find_map(|length| text.get(..length)).unwrap_or_default();
    into.extend_from_slice(&(text.len() as u16).to_le_bytes());
    into.extend_from_slice(text.as_bytes());
}
