//! What selectors select, and what is no selector.

use std::sync::Arc;

use proptest::prelude::*;

use super::{Problem, Selector};
use crate::model::{
    Candidate, DeathNote, DeathReason, DestinationName, Durability, Filter, MessageId, ShardId, Urgency,
};

const HEAD: &[u8] = b"destination:/queue/mail\ncolor:red\nsize:12\nratio:1.5\nflag:true\nx-region:eu-west\n\
    type:invoice\npath:a\\cb\\\\c\nword:12 apples\nempty:\ncolor:blue\nit's:1\nbits:6\ntimestamp:1700000000000\n";

fn candidate(head: &[u8]) -> Candidate<'_> {
    Candidate {
        head,
        message: MessageId::new(ShardId::default(), 17),
        urgency: Urgency::NORMAL,
        attempts: 0,
        redelivered: false,
        durability: Durability::Persistent,
        death: None,
    }
}

fn selects(text: &str) -> bool {
    Selector::parse(text).unwrap_or_else(|error| panic!("{text}: {error}")).wants(&candidate(HEAD))
}

#[track_caller]
fn all(selected: bool, texts: &[&str]) {
    for text in texts {
        assert_eq!(selects(text), selected, "{text}");
    }
}

#[track_caller]
fn wrong(text: &str, column: usize, problem: &Problem) {
    let error = Selector::parse(text).expect_err(text);
    assert_eq!((error.column, &error.problem), (column, problem), "{text}");
}

#[test]
fn values_are_compared() {
    all(
        true,
        &["color = 'red'", "color <> 'blue'", "color != 'blue'", "size > 11", "size >= 12", "size<=12", "size < 13"],
    );
    all(false, &["color = 'Red'", "color <> 'red'", "size = 13", "size > 12", "Color = 'red'"]);
}

#[test]
fn texts_that_read_as_numbers_are_numbers() {
    all(
        true,
        &["size = 12", "size = 12.0", "ratio = 1.5", "ratio > 1", "size + 1 = 13", "ratio * 2 = 3", "size = 0xC"],
    );
    all(false, &["word = 12", "word > 1", "color < 5", "empty = 0", "size = '12.0'"]);
}

#[test]
fn texts_have_an_order_and_numbers_in_texts_theirs() {
    all(true, &["color > 'green'", "size > '9'", "color BETWEEN 'a' AND 'z'"]);
    all(false, &["color < 'green'", "size < '9'"]);
}

#[test]
fn truths_are_compared_with_what_reads_as_one() {
    all(true, &["flag", "flag = TRUE", "flag <> false", "NOT (flag = FALSE)", "TRUE"]);
    all(false, &["NOT flag", "color = TRUE", "color", "FALSE", "flag > false"]);
}

#[test]
fn what_is_missing_is_unknown_and_unknown_is_not_selected() {
    all(false, &["none = 1", "none <> 1", "NOT (none = 1)", "none = none", "none", "none LIKE '%'", "none IN ('a')"]);
    all(false, &["none NOT IN ('a')", "none BETWEEN 1 AND 2", "none = 1 AND flag", "none + 1 = 1"]);
    all(
        true,
        &["none = 1 OR flag", "NOT (none = 1 AND size = 0)", "none IS NULL", "color IS NOT NULL", "size / 0 IS NULL"],
    );
    all(false, &["none IS NOT NULL", "color IS NULL", "empty IS NULL"]);
}

#[test]
fn operators_bind_as_in_sql() {
    all(true, &["flag OR none AND none", "NOT none = 1 OR flag", "1 + 2 * 3 = 7", "(1 + 2) * 3 = 9", "-size = -12"]);
    all(true, &["10 - 3 - 2 = 5", "7 / 2 = 3", "7 / 2.0 = 3.5", "7 % 4 = 3", "1 = 1 and 2 = 2", "+size = 12"]);
    all(false, &["(flag OR none) AND none", "NOT flag AND flag"]);
}

#[test]
fn between_in_and_like_may_be_negated() {
    all(true, &["size BETWEEN 12 AND 20", "size NOT BETWEEN 1 AND 11", "color IN ('blue', 'red')", "size IN (11, 12)"]);
    all(true, &["color NOT IN ('blue')", "color LIKE 'r%'", "color NOT LIKE 'b%'", "size BETWEEN 1 AND 12 AND flag"]);
    all(true, &["size IN (-1, 12.0)"]);
    all(false, &["size BETWEEN 13 AND 20", "color IN ('blue')", "color NOT LIKE '%e%'"]);
}

#[test]
fn like_knows_any_text_one_character_and_an_escape() {
    all(true, &["color LIKE 'red'", "color LIKE '_e_'", "color LIKE '%'", "color LIKE '%d'", "color LIKE '%%r%%d%%'"]);
    all(true, &["color LIKE '__%_'", "path LIKE 'a:%'"]);
    all(false, &["color LIKE 're'", "color LIKE '____'", "color LIKE ''", "color LIKE 'red_%'", "color LIKE '%dr%'"]);
    let head = b"a:50%_off\nb:xaxbxc\n";
    for (text, selected) in [
        ("a LIKE '50!%!_%' ESCAPE '!'", true),
        ("a LIKE '50!!%' ESCAPE '!'", false),
        ("b LIKE '%x_x%c'", true),
        ("b LIKE '%x_%x_%x_%x%'", false),
    ] {
        assert_eq!(Selector::parse(text).expect(text).wants(&candidate(head)), selected, "{text}");
    }
}

/// 63 `_` between two `%` are the worst for a matcher that tries each place of the text by itself.
#[test]
fn like_looks_at_each_character_once() {
    let part = format!("{}b", "_".repeat(63));
    let condition: Vec<_> = (0..12).map(|_| format!("h LIKE '%{part}%'")).collect();
    let selector = Selector::parse(&condition.join(" OR ")).expect("a selector");
    let text = "a".repeat(8000);
    for (end, wanted) in [("", false), ("b", true)] {
        let head = format!("h:{text}{end}\n");
        for _ in 0..20 {
            assert_eq!(selector.wants(&candidate(head.as_bytes())), wanted);
        }
    }
    assert!(selector.wants(&candidate(format!("h:{}b\n", "é".repeat(63)).as_bytes())));
    assert!(!selector.wants(&candidate(format!("h:{}b\n", "é".repeat(62)).as_bytes())));
}

/// What a selector costs grows with the head and with what it asks, and has an end.
#[test]
fn the_steps_of_a_selector_are_bounded() {
    let steps = |text: &str, head| Selector::parse(text).expect("a selector").steps(head);
    assert_eq!(steps("color = 'red'", 100), 1);
    assert!(steps("color = 'red'", 64 << 10) <= 1024);
    let dear: Vec<_> = (0..16).map(|_| "h LIKE '%a_%'").collect();
    let (few, many) = (steps(&dear.join(" OR "), 8 << 10), steps(&dear.join(" OR "), 64 << 10));
    assert!(few > 1000 && many >= 7 * few && many <= 5 * 16 * (64 << 10) / 128 + 100, "{few} and {many}");
}

#[test]
fn like_is_quick_where_a_backtracking_matcher_is_not() {
    let pattern = format!("a LIKE '{}b'", "%a_".repeat(200));
    let selector = Selector::parse(&pattern).expect("a selector");
    let head = [b"a:".as_slice(), &vec![b'a'; 60_000], b"\n"].concat();
    assert!(!selector.wants(&candidate(&head)));
}

#[test]
fn names_may_hold_hyphens_and_dots_before_a_letter() {
    all(true, &["x-region = 'eu-west'", "size-2 = 10", "size - 2 = 10", "\"it's\" = 1", "\"x-region\" IS NOT NULL"]);
    all(true, &["HYPHENATED_PROPS:x-region = 'eu-west'", " convert_string_expressions:size = 12"]);
    all(true, &["a.b IS NULL", "size-color IS NULL"]);
}

#[test]
fn integers_have_bits() {
    all(true, &["bits & 2 = 2", "bits & 1 = 0", "bits | 1 = 7", "bits ^ 2 = 4", "~bits & 7 = 1", "bits << 2 = 24"]);
    all(true, &["bits >> 1 = 3", "ratio & 1 IS NULL", "bits << 64 IS NULL", "0x10 | 1 = 17"]);
}

#[test]
fn numbers_beyond_64_bits_become_decimal() {
    all(
        true,
        &["9223372036854775807 + 1 > 9000000000000000000", "1e3 = 1000", ".5 = 0.5", "7L = 7", "7D = 7", "2.F = 2"],
    );
}

#[test]
fn jms_has_names_of_its_own() {
    all(true, &["JMSPriority = 4", "JMSMessageID = 17", "JMSMessageID = '17'", "x-job-id = 17", "message-id = 17"]);
    all(
        true,
        &["JMSType = 'invoice'", "type = 'invoice'", "JMSTimestamp > 1600000000000", "JMSDestination = '/queue/mail'"],
    );
    all(
        true,
        &["JMSDeliveryMode = 'PERSISTENT'", "JMSExpiration = 0", "JMSCorrelationID IS NULL", "JMSXDeliveryCount = 1"],
    );
    all(true, &["NOT JMSRedelivered", "JMSReplyTo IS NULL", "x-death-reason IS NULL"]);
    let urgent = Candidate { urgency: Urgency(300), attempts: 2, redelivered: true, ..candidate(HEAD) };
    for text in ["JMSPriority = 8", "JMSXDeliveryCount = 3", "JMSRedelivered", "delivery-count = 3"] {
        assert!(Selector::parse(text).expect(text).wants(&urgent), "{text}");
    }
}

#[test]
fn dead_letters_are_selected_by_their_end() {
    let note = DeathNote {
        origin: DestinationName::queue("mail").expect("a name"),
        reason: DeathReason::Nack,
        attempts: 3,
        error: Some(Arc::from("no such user")),
    };
    let dead = Candidate { death: Some(&note), ..candidate(HEAD) };
    for text in [
        "original-destination = '/queue/mail'",
        "x-death-reason = 'nack'",
        "x-death-deliveries >= 3",
        "x-error LIKE 'no such%'",
    ] {
        assert!(Selector::parse(text).expect(text).wants(&dead), "{text}");
    }
}

#[test]
fn the_first_of_a_repeated_header_counts_and_escapes_are_undone() {
    all(true, &["color = 'red'", "path = 'a:b\\c'"]);
}

#[test]
fn what_is_wrong_is_said_with_its_column() {
    wrong("", 1, &Problem::Expected("a name, a value or a bracket"));
    wrong("color = ", 9, &Problem::Expected("a name, a value or a bracket"));
    wrong("color = 'red", 9, &Problem::OpenQuote);
    wrong("größe = 1 ? 2", 11, &Problem::UnknownCharacter);
    wrong("a = 12x", 5, &Problem::BadNumber);
    wrong("a = 99999999999999999999", 5, &Problem::BadNumber);
    wrong("a = 1 b", 7, &Problem::Expected("an operator or the end"));
    wrong("(a = 1", 7, &Problem::Expected("an operator or )"));
    wrong("a BETWEEN 1 OR 2", 13, &Problem::Expected("AND"));
    wrong("a NOT = 1", 7, &Problem::Expected("BETWEEN, IN or LIKE"));
    wrong("a IN ()", 7, &Problem::Expected("a text or a number"));
    wrong("a LIKE b", 8, &Problem::Expected("a text as pattern"));
    wrong("a LIKE 'x' ESCAPE 'ab'", 19, &Problem::Expected("a text of one character"));
    wrong("a LIKE 'x!y' ESCAPE '!'", 8, &Problem::BadEscape);
    wrong("a IS 1", 6, &Problem::Expected("NULL"));
    wrong("1 + 2", 1, &Problem::Expected("a condition"));
    wrong("a = 1 AND 'x'", 11, &Problem::Expected("a condition"));
    wrong("a < b < c", 1, &Problem::ConditionAsValue);
    wrong("a = (b = c)", 5, &Problem::ConditionAsValue);
}

#[test]
fn there_are_budgets() {
    wrong(&format!("a = '{}'", "x".repeat(1024)), 1025, &Problem::TooLong);
    wrong(&"a OR ".repeat(40), 161, &Problem::TooManyNodes);
    let nested = |depth| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Selector::parse(&nested(16)).is_ok());
    wrong(&nested(17), 18, &Problem::TooDeep);
    wrong(&format!("{}a", "NOT ".repeat(17)), 69, &Problem::TooDeep);
    let holes = format!("a LIKE '%{}%'", "_".repeat(65));
    wrong(&holes, 8, &Problem::LongPattern);
}

/// The definition of LIKE, without any thought of its cost.
fn like(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('%', rest)) => (0..=text.len()).any(|skipped| like(rest, &text[skipped..])),
        Some((piece, rest)) => {
            text.split_first().is_some_and(|(c, left)| (*piece == '_' || piece == c) && like(rest, left))
        }
    }
}

proptest! {
    #[test]
    fn any_text_is_a_selector_or_an_error_inside_it(text in "\\PC{0,60}") {
        if let Err(error) = Selector::parse(&text) {
            prop_assert!(error.column <= text.chars().count() + 1);
        }
    }

    #[test]
    fn words_and_signs_in_any_order_neither_panic_nor_err_outside(
        words in prop::collection::vec(prop::sample::select(vec![
            "a", "b-c", "1", "2.5", "'x'", "(", ")", "AND", "OR", "NOT", "=", "<", "BETWEEN", "IN", "LIKE", "IS", "NULL",
            "+", "-", "*", "/", "%", "&", "<<", ",", "TRUE", "ESCAPE", "~",
        ]), 0..14)
    ) {
        let text = words.join(" ");
        match Selector::parse(&text) {
            Ok(selector) => { selector.wants(&candidate(HEAD)); }
            Err(error) => prop_assert!(error.column <= text.chars().count() + 1),
        }
    }

    #[test]
    fn like_means_what_its_definition_says(pattern in "[ab%_é]{0,10}", text in "[abé]{0,12}") {
        let selector = Selector::parse(&format!("t LIKE '{pattern}'")).expect("a selector");
        let head = format!("t:{text}\n");
        let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
        prop_assert_eq!(selector.wants(&candidate(head.as_bytes())), like(&pattern, &text));
    }
}
