//! A queue in pieces.
//!
//! The usual one is moved whole when it grows, and so are all those at once that grow alike: what waits for a hundred
//! subscribers of one topic. To take one out of the middle it moves half of the others. In this one neither costs more than a piece.

use std::collections::VecDeque;

use super::give_back;

/// Entries of a piece.
const PIECE: usize = 256;

/// Entries in their order. Of the room of the first piece that for `KEPT` entries stays: what comes and goes with each batch
/// should not allocate.
#[derive(Clone, Debug)]
pub struct Pieces<T, const KEPT: usize = 64> {
    /// Empty only where there is nothing else.
    first: VecDeque<T>,
    /// None of them is empty.
    rest: VecDeque<VecDeque<T>>,
    len: usize,
}

impl<T, const KEPT: usize> Default for Pieces<T, KEPT> {
    fn default() -> Pieces<T, KEPT> {
        Pieces { first: VecDeque::new(), rest: VecDeque::new(), len: 0 }
    }
}

impl<T, const KEPT: usize> Pieces<T, KEPT> {
    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Entries that there is room for.
    pub fn capacity(&self) -> usize {
        self.pieces().map(VecDeque::capacity).sum()
    }

    /// The oldest one.
    #[inline]
    pub fn front(&self) -> Option<&T> {
        self.first.front()
    }

    /// The newest one.
    pub fn back(&self) -> Option<&T> {
        self.rest.back().unwrap_or(&self.first).back()
    }

    /// One more.
    #[inline]
    pub fn push_back(&mut self, entry: T) {
        self.len += 1;
        if self.rest.is_empty() && self.first.len() < PIECE {
            self.first.push_back(entry);
        } else {
            self.push_behind(entry);
        }
    }

    fn push_behind(&mut self, entry: T) {
        match self.rest.back_mut() {
            Some(piece) if piece.len() < PIECE => piece.push_back(entry),
            _ => {
                let mut piece = VecDeque::with_capacity(PIECE);
                piece.push_back(entry);
                self.rest.push_back(piece);
            }
        }
    }

    /// Takes the oldest one out.
    #[inline]
    pub fn pop_front(&mut self) -> Option<T> {
        let entry = self.first.pop_front()?;
        self.len -= 1;
        self.fill_first();
        Some(entry)
    }

    /// All of them, oldest first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(self.rest.iter().flatten())
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut T> {
        self.first.iter_mut().chain(self.rest.iter_mut().flatten())
    }

    fn pieces(&self) -> impl Iterator<Item = &VecDeque<T>> {
        std::iter::once(&self.first).chain(&self.rest)
    }

    fn fill_first(&mut self) {
        if self.first.is_empty()
            && let Some(piece) = self.rest.pop_front()
        {
            self.first = piece;
            give_back(&mut self.rest, KEPT.div_ceil(PIECE));
        }
        give_back(&mut self.first, KEPT);
    }
}

/// What can be done where keys rise.
impl<T, const KEPT: usize> Pieces<T, KEPT> {
    /// The entry with that key.
    #[inline]
    pub fn find(&self, key: u64, key_of: impl Fn(&T) -> u64) -> Option<&T> {
        let (piece, at) = self.locate(key, key_of)?;
        self.piece(piece)?.get(at)
    }

    /// Takes the entry with that key out.
    #[inline]
    pub fn remove(&mut self, key: u64, key_of: impl Fn(&T) -> u64) -> Option<T> {
        let (piece, at) = self.locate(key, key_of)?;
        let entry = match piece {
            None => self.first.remove(at)?,
            Some(piece) => self.rest.get_mut(piece)?.remove(at)?,
        };
        self.join(piece.map_or(0, |piece| piece + 1));
        if let Some(piece) = piece {
            self.join(piece);
        }
        self.len -= 1;
        self.fill_first();
        Some(entry)
    }

    /// How many entries have keys up to that one.
    pub fn count_through(&self, key: u64, key_of: impl Fn(&T) -> u64) -> usize {
        let mut count = 0;
        for piece in self.pieces() {
            let within = piece.partition_point(|entry| key_of(entry) <= key);
            count += within;
            if within < piece.len() {
                break;
            }
        }
        count
    }

    /// Which piece that is, and where in it; `None` for the first one.
    fn locate(&self, key: u64, key_of: impl Fn(&T) -> u64) -> Option<(Option<usize>, usize)> {
        let is_before = |piece: &VecDeque<T>| piece.back().is_some_and(|last| key_of(last) < key);
        let piece = is_before(&self.first).then(|| self.rest.partition_point(is_before));
        Some((piece, self.piece(piece)?.binary_search_by_key(&key, key_of).ok()?))
    }

    fn piece(&self, piece: Option<usize>) -> Option<&VecDeque<T>> {
        piece.map_or(Some(&self.first), |piece| self.rest.get(piece))
    }

    /// A small piece of the rest becomes one with the small one before it, so that few entries do not keep the room of many.
    fn join(&mut self, piece: usize) {
        let before = piece.checked_sub(1);
        let Some((len, before_len)) = self.rest.get(piece).zip(self.piece(before)).map(|(a, b)| (a.len(), b.len()))
        else {
            return;
        };
        if len > 0 && len + before_len > PIECE / 2 {
            return;
        }
        let Some(mut joined) = self.rest.remove(piece) else { return };
        let before = before.map_or(Some(&mut self.first), |before| self.rest.get_mut(before));
        if let Some(before) = before {
            before.append(&mut joined);
        }
    }
}
