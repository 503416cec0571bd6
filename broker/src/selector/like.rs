//! Patterns of LIKE: `%` is any text, `_` one character.

use super::error::Problem;

/// A pattern, taken apart at its `%`. Matching takes the leftmost place for each part, which finds a match if there is
/// one and never goes back; so the cost grows with the text, not with the number of `%`.
#[derive(Clone, Debug)]
pub(super) struct Like {
    /// At the beginning of the text.
    first: Part,
    /// In this order behind it, anywhere.
    middle: Box<[Part]>,
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

/// Characters of a part with holes that is searched for: each place of the text costs up to so many comparisons.
const HOLES: usize = 64;

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
        let middle: Box<[Part]> = parts.filter(|part| !part.is_empty()).collect();
        if middle.iter().any(|part| matches!(part, Part::Holes(pieces) if pieces.len() > HOLES)) {
            return Err(Problem::LongPattern);
        }
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

    /// What follows its first place in the text.
    fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Part::Exactly(part) => text.find(&**part).map(|at| &text[at + part.len()..]),
            Part::Holes(_) => text.char_indices().find_map(|(at, _)| self.strip(&text[at..])),
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

fn fits(piece: Option<char>, character: Option<char>) -> bool {
    character.is_some_and(|character| piece.is_none_or(|piece| piece == character))
}
