//! What the maker of a queue asked for, and what came of it.

use super::Queue;
use crate::model::Limits;

impl Queue {
    /// Whether all that is asked for holds here.
    pub fn heeds(&self, limits: &Limits) -> bool {
        let policy = self.policy();
        let is = |asked: Option<u64>, granted: Option<u64>| asked.is_none() || asked == granted;
        let dead_letter = limits.dead_letter.as_ref();
        is(limits.max_length, Some(policy.max_length))
            && is(limits.max_bytes, Some(policy.max_bytes))
            && limits.drops_oldest.is_none_or(|drops| drops == policy.overflow.drops())
            && is(limits.expiry_ms, policy.expiry_ms)
            && is(limits.idle_ms, policy.idle_ms)
            && limits.max_deliveries.is_none_or(|most| most == policy.max_deliveries)
            && dead_letter.is_none_or(|name| policy.dead_letter_for(self.name()).as_ref() == Some(name))
            && (!limits.auto_delete || self.goes_with_readers())
    }

    /// Whether it goes with its last reader.
    pub fn goes_with_readers(&self) -> bool {
        self.asked.as_ref().is_some_and(|asked| asked.auto_delete)
    }

    /// Whether its last reader is gone, and it with him.
    pub fn is_abandoned(&self) -> bool {
        self.had_reader && !self.is_wanted() && self.goes_with_readers()
    }
}
