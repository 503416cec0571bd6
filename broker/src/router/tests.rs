//! The tree says what the patterns say.

use proptest::prelude::*;

use super::Patterns;
use crate::model::{DestinationName, Pattern};

fn part() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("a"), Just("b"), Just("c")]
}

fn pattern() -> impl Strategy<Value = String> {
    let part = prop_oneof![3 => part(), 1 => Just("*")];
    let rest = prop_oneof![Just(""), Just(".>"), Just("/#"), Just("/**")];
    (prop::collection::vec(part, 1..4), prop_oneof![Just("."), Just("/")], rest)
        .prop_map(|(parts, between, rest)| format!("/topic/{}{rest}", parts.join(between)))
}

proptest! {
    /// Looking up is asking each pattern; what was taken out is not found and leaves nothing behind.
    #[test]
    fn a_look_up_finds_what_each_pattern_alone_would(
        patterns in prop::collection::vec(pattern(), 0..12),
        gone in prop::collection::vec(any::<bool>(), 12),
        names in prop::collection::vec(prop::collection::vec(part(), 1..5), 1..12),
    ) {
        let patterns: Vec<_> = patterns.iter().map(|text| Pattern::parse(text).expect("a pattern")).collect();
        let mut tree = Patterns::default();
        for (number, pattern) in patterns.iter().enumerate() {
            tree.insert(pattern, number);
        }
        for (number, pattern) in patterns.iter().enumerate().filter(|(number, _)| gone[*number]) {
            tree.remove(pattern, number);
        }
        for parts in names {
            let name = DestinationName::parse(&format!("/topic/{}", parts.join(".")), "").expect("a name");
            let is_meant = |(number, pattern): &(usize, &Pattern)| !gone[*number] && pattern.matches(&name);
            let expected: Vec<_> = patterns.iter().enumerate().filter(is_meant).map(|(number, _)| number).collect();
            prop_assert_eq!(tree.matching(&name), expected);
        }
        for (number, pattern) in patterns.iter().enumerate() {
            tree.remove(pattern, number);
        }
        prop_assert!(tree.is_empty());
        prop_assert_eq!(format!("{tree:?}"), format!("{:?}", Patterns::<usize>::default()));
    }
}
