//! The configuration is read again: new rules for destinations, also for those that are there.

use super::handle::Handle;
use super::machine::Engine;
use crate::destination::Policies;
use crate::model::{DestinationId, Effects};

/// What it costs to find the rules of a queue, in steps.
const RULES: u64 = 8;

impl Engine {
    /// Replaces the rules of destinations that come from here on. Those that are there get theirs from
    /// [`apply_policies`](Self::apply_policies).
    pub fn set_policies(&mut self, policies: Policies) {
        self.options.policies = policies;
    }

    /// Gives some of the queues behind that one the rules that hold now. The last one that has them, if there are more.
    pub fn apply_policies(&mut self, mut behind: Option<DestinationId>, effects: &Effects) -> Option<DestinationId> {
        while let Some((id, _)) = self.router.behind(behind) {
            if self.is_used_up(effects) {
                return behind;
            }
            behind = Some(id);
            self.steps.charge(1);
            let policies = &self.options.policies;
            if let Some(queue) = super::machine::queue_of(&mut self.destinations, id) {
                queue.set_policy(policies.resolve_for(queue.name(), queue.asked.as_deref()));
                self.steps.charge(RULES);
            }
        }
        None
    }
}

impl Handle {
    /// Replaces the rules of destinations. Where there are very many, others have their turns in between.
    pub fn set_policies(&self, policies: Policies) {
        self.lock().engine.set_policies(policies);
        let mut behind = None;
        loop {
            let mut guard = self.lock();
            let now = self.clock().now();
            let core = &mut *guard;
            behind = core.engine.apply_policies(behind, &core.effects);
            core.engine.dispatch(now, &mut core.effects);
            self.finish(now, guard);
            if behind.is_none() {
                return;
            }
        }
    }
}
