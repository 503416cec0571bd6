//! Patterns of LIKE: `%` is any text, `_` one character.

use super::error::Problem;

/// A pattern, taken apart at its `%`. Matching takes the leftmost place for each part, which finds a match if there is
/// one and never goes back; and to find that place takes one look at each character. So the cost grows with the text, with
/// neither the number of `%` nor that of `_`.
#[derive(Clone, Debug)]
pub(super) struct Like {
    /// At the beginning of the text.
    first: Part,
    /// In this order behind it, anywhere.
    middle: Box<[Searched]>,
    /// At its end; `None` for a pattern without `%`, which is all of the text.
    last: Option<Part>,
}

/// What stands between two `%`.
#[derive(Clone, Debug)]
enum Part {
    Exactly(Box<str>),
    /// `None` is any character.
    Holes(Box<[Option<char>]>),
}

/// A part that is searched for.
#[derive(Clone, Debug)]
enum Searched {
    Exactly(Box<str>),
    Holes(Holes),
}

/// A part with holes, at most 64 characters, that is searched for with all its beginnings at once: one bit for each
/// (Shift-And, Baeza-Yates and Gonnet 1992).
#[derive(Clone, Debug)]
struct Holes {
    /// The bit of the last character.
    last: u64,
    /// Where any character fits.
    any: u64,
    /// Where each of these fits, holes included; in the order of the characters.
    exactly: Box<[(char, u64)]>,
}

impl Like {
    pub(super) fn new(pattern: &str, escape: Option<char>) -> Result<Like, Problem> {
        let mut parts = vec![Vec::new()];
        let mut characters = pattern.chars();
        while let Some(character) = characters.next() {
            let piece = match character {
                c if Some(c) == escape => match characters.next() {
                    Some(c) if c == '%' || c == '_' || Some(c) == escape => Some(c),
                    _ => return Err(Problem::BadEscape),
                },
                '%' => {
                    parts.push(Vec::new());
                    continue;
                }
                '_' => None,
                c => Some(c),
            };
            if let Some(part) = parts.last_mut() {
                part.push(piece);
            }
        }
        let mut parts: Vec<Part> = parts.into_iter().map(Part::new).collect();
        let last = if parts.len() > 1 { parts.pop() } else { None };
        let mut parts = parts.into_iter();
        let first = parts.next().unwrap_or(Part::Exactly("".into()));
        let middle = parts.filter(|part| !part.is_empty()).map(Searched::new).collect::<Result<_, _>>()?;
        Ok(Like { first, middle, last })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let Some(mut rest) = self.first.strip(text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        for part in &self.middle {
            match part.find(rest) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        last.ends(rest)
    }
}

impl Part {
    fn new(pieces: Vec<Option<char>>) -> Part {
        match pieces.iter().copied().collect::<Option<String>>() {
            Some(text) => Part::Exactly(text.into()),
            None => Part::Holes(pieces.into()),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Part::Exactly(text) if text.is_empty())
    }

    /// What follows it, if the text begins with it.
    fn strip<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Part::Exactly(part) => text.strip_prefix(&**part),
            Part::Holes(pieces) => {
                let mut characters = text.chars();
                pieces.iter().all(|piece| fits(*piece, characters.next())).then_some(characters.as_str())
            }
        }
    }

    fn ends(&self, text: &str) -> bool {
        match self {
            Part::Exactly(part) => text.ends_with(&**part),
            Part::Holes(pieces) => {
                let mut characters = text.chars().rev();
                pieces.iter().rev().all(|piece| fits(*piece, characters.next()))
            }
        }
    }
}

impl Searched {
    fn new(part: Part) -> Result<Searched, Problem> {
        match part {
            Part::Exactly(text) => Ok(Searched::Exactly(text)),
            Part::Holes(pieces) => Holes::new(&pieces).map(Searched::Holes).ok_or(Problem::LongPattern),
        }
    }

    /// What follows its first place in the text.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Searched::Exactly(part) => text.find(&**part).map(|at| &text[at + part.len()..]),
            Searched::Holes(holes) => holes.find(text),
        }
    }
}

impl Holes {
    /// `None` if it is longer than there are bits.
    fn new(pieces: &[Option<char>]) -> Option<Holes> {
        if pieces.len() > u64::BITS as usize {
            return None;
        }
        let bits = |wanted: Option<char>| {
            let at = pieces.iter().enumerate().filter(move |(_, piece)| **piece == wanted);
            at.fold(0u64, |bits, (at, _)| bits | 1 << at)
        };
        let any = bits(None);
        let mut exactly: Vec<_> = pieces.iter().flatten().map(|c| (*c, any | bits(Some(*c)))).collect();
        exactly.sort_unstable();
        exactly.dedup();
        Some(Holes { last: 1 << (pieces.len() - 1), any, exactly: exactly.into() })
    }

    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        let mut begun = 0u64;
        for (at, character) in text.char_indices() {
            let found = self.exactly.binary_search_by_key(&character, |(c, _)| *c);
            begun = (begun << 1 | 1) & found.map_or(self.any, |found| self.exactly[found].1);
            if begun & self.last != 0 {
                return Some(&text[at + character.len_utf8()..]);
            }
        }
        None
    }
}

fn fits(piece: Option<char>, character: Option<char>) -> bool {
    character.is_some_and(|character| piece.is_none_or(|piece| piece == character))
}
