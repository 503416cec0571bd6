//! From tokens to an expression, by precedence: a loop that takes operators as long as they bind more tightly than what
//! stands around (Pratt's method). Budgets are counted here.

use super::error::{Problem, SelectorError};
use super::expression::{Constant, Expression, Operation, Relation, Selector};
use super::like::Like;
use super::property::Property;
use super::token::{Token, Tokens, Word};

/// Understands a whole text.
pub(super) fn parse(text: &str) -> Result<Expression, SelectorError> {
    if text.len() > Selector::MAX_BYTES {
        let column = text.char_indices().take_while(|(at, _)| *at < Selector::MAX_BYTES).count() + 1;
        return Err(SelectorError { column, problem: Problem::TooLong });
    }
    let mut parser = Parser { tokens: Tokens::new(text, prefixes(text))?, nodes: 0, depth: 0 };
    let condition = parser.condition(0)?;
    match parser.tokens.peek() {
        Token::End => Ok(condition),
        _ => Err(parser.tokens.error(Problem::Expected("an operator or the end"))),
    }
}

/// Octets of what asks for what we do anyway.
fn prefixes(text: &str) -> usize {
    const PREFIXES: [&str; 2] = ["convert_string_expressions:", "hyphenated_props:"];
    let mut rest = text.trim_start();
    while let Some(prefix) =
        PREFIXES.iter().find(|prefix| rest.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)))
    {
        rest = rest[prefix.len()..].trim_start();
    }
    text.len() - rest.len()
}

#[derive(Debug)]
struct Parser<'t> {
    tokens: Tokens<'t>,
    nodes: usize,
    depth: usize,
}

/// What an operator is, and how tightly it binds. SQL's order, with C's for the integer operators in between.
#[derive(Clone, Copy)]
enum Infix {
    Or,
    And,
    Relation(Relation),
    /// `NOT`, in front of BETWEEN, IN or LIKE.
    Not,
    Between,
    In,
    Like,
    Is,
    Operation(Operation),
}

impl Infix {
    fn of(token: &Token<'_>) -> Option<(Infix, u8)> {
        const CONDITION: u8 = 4;
        Some(match token {
            Token::Word(Word::Or) => (Infix::Or, 1),
            Token::Word(Word::And) => (Infix::And, 2),
            Token::Word(Word::Not) => (Infix::Not, CONDITION),
            Token::Word(Word::Between) => (Infix::Between, CONDITION),
            Token::Word(Word::In) => (Infix::In, CONDITION),
            Token::Word(Word::Like) => (Infix::Like, CONDITION),
            Token::Word(Word::Is) => (Infix::Is, CONDITION),
            Token::Sign(sign) => match *sign {
                "=" => (Infix::Relation(Relation::Equal), CONDITION),
                "<>" => (Infix::Relation(Relation::Different), CONDITION),
                "<" => (Infix::Relation(Relation::Less), CONDITION),
                "<=" => (Infix::Relation(Relation::LessOrEqual), CONDITION),
                ">" => (Infix::Relation(Relation::Greater), CONDITION),
                ">=" => (Infix::Relation(Relation::GreaterOrEqual), CONDITION),
                "|" => (Infix::Operation(Operation::Or), 5),
                "^" => (Infix::Operation(Operation::ExclusiveOr), 6),
                "&" => (Infix::Operation(Operation::And), 7),
                "<<" => (Infix::Operation(Operation::ShiftLeft), 8),
                ">>" => (Infix::Operation(Operation::ShiftRight), 8),
                "+" => (Infix::Operation(Operation::Add), 9),
                "-" => (Infix::Operation(Operation::Subtract), 9),
                "*" => (Infix::Operation(Operation::Multiply), 10),
                "/" => (Infix::Operation(Operation::Divide), 10),
                "%" => (Infix::Operation(Operation::Remainder), 10),
                _ => return None,
            },
            _ => return None,
        })
    }
}

/// How tightly the prefixes bind.
const NOT: u8 = 3;
const SIGN: u8 = 11;
/// The loosest that a value may be taken apart by.
const VALUE: u8 = 5;

impl Parser<'_> {
    /// Something that is true or false.
    fn condition(&mut self, binding: u8) -> Result<Expression, SelectorError> {
        let at = self.tokens.at();
        let found = self.expression(binding)?;
        if found.may_be_true() { Ok(found) } else { Err(self.tokens.error_at(at, Problem::Expected("a condition"))) }
    }

    /// Something to compare or to calculate with.
    fn value(&mut self, binding: u8) -> Result<Expression, SelectorError> {
        let at = self.tokens.at();
        let found = self.expression(binding)?;
        if found.is_condition() { Err(self.tokens.error_at(at, Problem::ConditionAsValue)) } else { Ok(found) }
    }

    fn expression(&mut self, binding: u8) -> Result<Expression, SelectorError> {
        let at = self.tokens.at();
        let mut left = self.operand()?;
        while let Some((infix, binds)) = Infix::of(self.tokens.peek()).filter(|(_, binds)| *binds >= binding.max(1)) {
            let connects = matches!(infix, Infix::Or | Infix::And);
            if connects && !left.may_be_true() {
                return Err(self.tokens.error_at(at, Problem::Expected("a condition")));
            }
            if !connects && left.is_condition() {
                return Err(self.tokens.error_at(at, Problem::ConditionAsValue));
            }
            self.node()?;
            self.tokens.take()?;
            left = match infix {
                Infix::Or => Expression::Or(Box::new((left, self.condition(binds + 1)?))),
                Infix::And => Expression::And(Box::new((left, self.condition(binds + 1)?))),
                Infix::Relation(relation) => Expression::Comparison(relation, Box::new((left, self.value(VALUE)?))),
                Infix::Operation(operation) => {
                    Expression::Calculation(operation, Box::new((left, self.value(binds + 1)?)))
                }
                Infix::Is => self.is_null(left)?,
                Infix::Not => {
                    let (infix, _) = Infix::of(self.tokens.peek()).unwrap_or((Infix::Not, 0));
                    if matches!(infix, Infix::Between | Infix::In | Infix::Like) {
                        self.tokens.take()?;
                    }
                    Expression::Not(Box::new(self.predicate(infix, left)?))
                }
                predicate => self.predicate(predicate, left)?,
            };
        }
        Ok(left)
    }

    /// What stands behind BETWEEN, IN or LIKE.
    fn predicate(&mut self, infix: Infix, left: Expression) -> Result<Expression, SelectorError> {
        match infix {
            Infix::Between => {
                let low = self.value(VALUE)?;
                self.tokens.expect(&Token::Word(Word::And), "AND")?;
                Ok(Expression::Between(Box::new((left, low, self.value(VALUE)?))))
            }
            Infix::In => Ok(Expression::In(Box::new(left), self.list()?)),
            Infix::Like => self.like(left),
            _ => Err(self.tokens.error(Problem::Expected("BETWEEN, IN or LIKE"))),
        }
    }

    fn is_null(&mut self, left: Expression) -> Result<Expression, SelectorError> {
        let negated = self.tokens.accept(&Token::Word(Word::Not))?;
        self.tokens.expect(&Token::Word(Word::Null), "NULL")?;
        let found = Expression::IsNull(Box::new(left));
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn list(&mut self) -> Result<Box<[Constant]>, SelectorError> {
        self.tokens.expect(&Token::Sign("("), "(")?;
        let mut list = Vec::new();
        loop {
            self.node()?;
            let negative = self.tokens.accept(&Token::Sign("-"))?;
            list.push(match (self.tokens.peek(), negative) {
                (Token::Text(text), false) => Constant::Text(text.as_ref().into()),
                (Token::Integer(number), _) => Constant::Integer(if negative { -number } else { *number }),
                (Token::Decimal(number), _) => Constant::Decimal(if negative { -number } else { *number }),
                _ => return Err(self.tokens.error(Problem::Expected("a text or a number"))),
            });
            self.tokens.take()?;
            if !self.tokens.accept(&Token::Sign(","))? {
                break;
            }
        }
        self.tokens.expect(&Token::Sign(")"), ", or )")?;
        Ok(list.into())
    }

    fn like(&mut self, left: Expression) -> Result<Expression, SelectorError> {
        let at = self.tokens.at();
        let pattern = self.text("a text as pattern")?;
        let escape = if self.tokens.accept(&Token::Word(Word::Escape))? {
            let at = self.tokens.at();
            let text = self.text("a text of one character")?;
            let mut characters = text.chars();
            match (characters.next(), characters.next()) {
                (Some(escape), None) => Some(escape),
                _ => return Err(self.tokens.error_at(at, Problem::Expected("a text of one character"))),
            }
        } else {
            None
        };
        let like = Like::new(&pattern, escape).map_err(|problem| self.tokens.error_at(at, problem))?;
        Ok(Expression::Like(Box::new(left), like))
    }

    fn text(&mut self, what: &'static str) -> Result<String, SelectorError> {
        match self.tokens.peek() {
            Token::Text(text) => {
                let text = text.clone().into_owned();
                self.tokens.take()?;
                Ok(text)
            }
            _ => Err(self.tokens.error(Problem::Expected(what))),
        }
    }

    /// A value, a name, something in brackets, or a prefix with its operand.
    fn operand(&mut self) -> Result<Expression, SelectorError> {
        let expected = self.tokens.error(Problem::Expected("a name, a value or a bracket"));
        self.node()?;
        Ok(match self.tokens.take()? {
            Token::Text(text) => Expression::Constant(Constant::Text(text.into())),
            Token::Integer(number) => Expression::Constant(Constant::Integer(number)),
            Token::Decimal(number) => Expression::Constant(Constant::Decimal(number)),
            Token::Word(Word::True) => Expression::Constant(Constant::Boolean(true)),
            Token::Word(Word::False) => Expression::Constant(Constant::Boolean(false)),
            Token::Name(name) => Expression::Property(Property::of(&name)),
            Token::Sign("(") => {
                self.nodes -= 1;
                let inside = self.nested(|parser| parser.expression(0))?;
                self.tokens.expect(&Token::Sign(")"), "an operator or )")?;
                inside
            }
            Token::Sign("+") => self.nested(|parser| parser.value(SIGN))?,
            Token::Sign("-") => Expression::Negative(Box::new(self.nested(|parser| parser.value(SIGN))?)),
            Token::Sign("~") => Expression::Complement(Box::new(self.nested(|parser| parser.value(SIGN))?)),
            Token::Word(Word::Not) => Expression::Not(Box::new(self.nested(|parser| parser.condition(NOT))?)),
            _ => return Err(expected),
        })
    }

    fn nested<T>(&mut self, inside: impl FnOnce(&mut Self) -> Result<T, SelectorError>) -> Result<T, SelectorError> {
        self.depth += 1;
        if self.depth > Selector::MAX_DEPTH {
            return Err(self.tokens.error(Problem::TooDeep));
        }
        let found = inside(self)?;
        self.depth -= 1;
        Ok(found)
    }

    fn node(&mut self) -> Result<(), SelectorError> {
        self.nodes += 1;
        if self.nodes > Selector::MAX_NODES { Err(self.tokens.error(Problem::TooManyNodes)) } else { Ok(()) }
    }
}
