//! From characters to tokens, with nom. Knows words and signs, no grammar.

use std::borrow::Cow;

use nom::IResult;
use nom::Parser;
use nom::branch::alt;
use nom::bytes::complete::{tag, tag_no_case, take_while, take_while1};
use nom::character::complete::{char, digit1, hex_digit1, one_of};
use nom::combinator::{map, map_opt, not, opt, peek, recognize, value};
use nom::multi::{many0_count, separated_list1};
use nom::sequence::{delimited, preceded, terminated};

use super::error::{Problem, SelectorError};

/// One token.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token<'t> {
    /// `'it''s'`
    Text(Cow<'t, str>),
    /// `12`, `0x1F`, `7L`
    Integer(i64),
    /// `1.5`, `.5`, `1e3`, `7D`
    Decimal(f64),
    /// `color`, `x-region`, `"two words"`
    Name(Cow<'t, str>),
    /// `AND`, whatever its case
    Word(Word),
    /// `<=`
    Sign(&'static str),
    /// Nothing more.
    End,
}

/// A reserved word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    And,
    Between,
    Escape,
    False,
    In,
    Is,
    Like,
    Not,
    Null,
    Or,
    True,
}

const WORDS: [(&str, Word); 11] = [
    ("and", Word::And),
    ("between", Word::Between),
    ("escape", Word::Escape),
    ("false", Word::False),
    ("in", Word::In),
    ("is", Word::Is),
    ("like", Word::Like),
    ("not", Word::Not),
    ("null", Word::Null),
    ("or", Word::Or),
    ("true", Word::True),
];

/// The tokens of a text, one ahead.
#[derive(Debug)]
pub(super) struct Tokens<'t> {
    text: &'t str,
    rest: &'t str,
    /// Where the next token begins, in octets.
    at: usize,
    next: Token<'t>,
}

impl<'t> Tokens<'t> {
    /// The tokens of a text behind its octet `from`.
    pub(super) fn new(text: &'t str, from: usize) -> Result<Tokens<'t>, SelectorError> {
        let mut tokens = Tokens { text, rest: &text[from..], at: from, next: Token::End };
        tokens.advance()?;
        Ok(tokens)
    }

    /// The token that comes next.
    pub(super) fn peek(&self) -> &Token<'t> {
        &self.next
    }

    /// Takes it.
    pub(super) fn take(&mut self) -> Result<Token<'t>, SelectorError> {
        let taken = self.next.clone();
        self.advance()?;
        Ok(taken)
    }

    /// Takes it if it is that one.
    pub(super) fn accept(&mut self, wanted: &Token<'_>) -> Result<bool, SelectorError> {
        let found = self.next == *wanted;
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// Takes it if it is that one, or says what should stand there.
    pub(super) fn expect(&mut self, wanted: &Token<'_>, what: &'static str) -> Result<(), SelectorError> {
        if self.accept(wanted)? { Ok(()) } else { Err(self.error(Problem::Expected(what))) }
    }

    /// An error at the next token.
    pub(super) fn error(&self, problem: Problem) -> SelectorError {
        self.error_at(self.at, problem)
    }

    /// An error at an octet.
    pub(super) fn error_at(&self, at: usize, problem: Problem) -> SelectorError {
        SelectorError { column: self.text[..at].chars().count() + 1, problem }
    }

    /// Where the next token begins, in octets.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn advance(&mut self) -> Result<(), SelectorError> {
        self.rest = self.rest.trim_start();
        self.at = self.text.len() - self.rest.len();
        if self.rest.is_empty() {
            self.next = Token::End;
            return Ok(());
        }
        match token(self.rest) {
            Ok((rest, token)) => {
                (self.rest, self.next) = (rest, token);
                Ok(())
            }
            Err(_) => Err(self.error(match self.rest.as_bytes()[0] {
                b'\'' | b'"' => Problem::OpenQuote,
                b'.' | b'0'..=b'9' => Problem::BadNumber,
                _ => Problem::UnknownCharacter,
            })),
        }
    }
}

fn token(input: &str) -> IResult<&str, Token<'_>> {
    alt((map(quoted('\''), Token::Text), map(quoted('"'), Token::Name), number, name, sign)).parse(input)
}

/// Between two marks; a mark inside is written twice.
fn quoted<'t>(mark: char) -> impl Parser<&'t str, Output = Cow<'t, str>, Error = nom::error::Error<&'t str>> {
    let part = move || take_while(move |c| c != mark);
    let doubled = move || (char(mark), char(mark));
    let inside = recognize((part(), many0_count((doubled(), part()))));
    map(terminated(preceded(char(mark), inside), char(mark)), move |text: &str| {
        if text.contains(mark) {
            let mark = mark.to_string();
            Cow::Owned(text.replace(&mark.repeat(2), &mark))
        } else {
            Cow::Borrowed(text)
        }
    })
}

fn number(input: &str) -> IResult<&str, Token<'_>> {
    terminated(alt((hexadecimal, decimal)), peek(not(take_while1(is_part)))).parse(input)
}

fn hexadecimal(input: &str) -> IResult<&str, Token<'_>> {
    let digits = delimited(tag_no_case("0x"), hex_digit1, opt(one_of("lL")));
    map_opt(digits, |digits| i64::from_str_radix(digits, 16).ok().map(Token::Integer)).parse(input)
}

fn decimal(input: &str) -> IResult<&str, Token<'_>> {
    let exponent = (one_of("eE"), opt(one_of("+-")), digit1);
    let whole = recognize((digit1, opt((char('.'), take_while(|c: char| c.is_ascii_digit())))));

    let digits = recognize((alt((whole, recognize((char('.'), digit1)))), opt(exponent)));
    map_opt((digits, opt(one_of("lLdDfF"))), |(digits, suffix): (&str, _)| {
        let whole = digits.bytes().all(|octet| octet.is_ascii_digit());
        match suffix {
            None | Some('l' | 'L') if whole => digits.parse().ok().map(Token::Integer),
            Some('l' | 'L') => None,
            _ => digits.parse().ok().filter(|number: &f64| number.is_finite()).map(Token::Decimal),
        }
    })
    .parse(input)
}

/// Words joined by `-` or `.`, which belong to the name only in front of a letter: `a-1` and `a - b` are differences.
fn name(input: &str) -> IResult<&str, Token<'_>> {
    let part = || recognize((take_while1(is_start), take_while(is_part)));
    map(recognize(separated_list1(one_of("-."), part())), |name: &str| {
        let word = WORDS.iter().find(|(word, _)| name.eq_ignore_ascii_case(word));
        word.map_or(Token::Name(Cow::Borrowed(name)), |(_, word)| Token::Word(*word))
    })
    .parse(input)
}

fn sign(input: &str) -> IResult<&str, Token<'_>> {
    let two = alt((
        value("<>", alt((tag("<>"), tag("!=")))),
        value("<=", tag("<=")),
        value(">=", tag(">=")),
        value("<<", tag("<<")),
        value(">>", tag(">>")),
    ));
    let one = map_opt(one_of("=<>()+-*/%&|^~,"), |sign| ONE.iter().find(|one| one.starts_with(sign)).copied());
    map(alt((two, one)), Token::Sign).parse(input)
}

const ONE: [&str; 15] = ["=", "<", ">", "(", ")", "+", "-", "*", "/", "%", "&", "|", "^", "~", ","];

fn is_start(c: char) -> bool {
    c.is_alphabetic() || c == '_' || c == '$'
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}
