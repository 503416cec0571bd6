//! Work on many messages that is not done at once: a little with each tick, as fast as it was asked for.
//!
//! What somebody asks for with a selector may need heads that only the log has, and with a rate it takes its time. It is
//! no part of durable state, only the changes that it makes are: it ends with the process.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use super::machine::{Engine, queue_of};
use super::manage::Task;
use super::reading::Unread;
use crate::destination::{Survey, Surveyed};
use crate::model::{Actor, DestinationId, DestinationName, Effects, Now, Permissions, Reply, SoftRefusal};

/// One such work.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) queue: DestinationId,
    pub(super) name: DestinationName,
    pub(super) word: &'static str,
    pub(super) task: Task,
    pub(super) survey: Survey,
    /// At most so many messages.
    pub(super) limit: u64,
    /// So many have been dealt with.
    pub(super) done: u64,
    /// So many have been looked at.
    pub(super) looks: u64,
    pub(super) pace: Option<Pace>,
    /// It waits for heads.
    pub(super) is_reading: bool,
    pub(super) reply: Option<Reply>,
    /// Who asked for it.
    pub(super) actor: Actor,
    /// What that client may do; `None`: everything.
    pub(super) permissions: Option<Arc<dyn Permissions>>,
}

/// How fast something is done.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) per_second: u32,
    pub(super) since: Duration,
}

impl Pace {
    /// How many may have been done by now.
    fn allows(self, now: Duration) -> u64 {
        let micros = now.saturating_sub(self.since).as_micros();
        1 + (micros * u128::from(self.per_second) / 1_000_000) as u64
    }

    /// When one more than that many may have been.
    fn next(self, done: u64) -> Duration {
        let micros = (u128::from(done) * 1_000_000).div_ceil(u128::from(self.per_second));
        self.since + Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// All that go on.
#[derive(Debug, Default)]
pub(super) struct Errands {
    list: VecDeque<Errand>,
    /// The log has as much in flight as it wants: nothing is added to it now.
    pub(super) is_held: bool,
}

/// How a step of one ended.
enum Step {
    Again,
    Reading,
    Over(Option<SoftRefusal>),
}

impl Errands {
    /// Those that may go on at a time.
    const AT_A_TIME: usize = 16;
    /// How soon it is asked again whether the log wants more.
    const PATIENCE: Duration = Duration::from_millis(5);

    /// Takes one in, if there is room.
    pub(super) fn begin(&mut self, errand: Errand) -> Result<(), SoftRefusal> {
        if self.list.len() >= Self::AT_A_TIME {
            return Err(SoftRefusal::Busy);
        }
        self.list.push_back(errand);
        Ok(())
    }

    /// When one goes on.
    pub(super) fn deadline(&self, now: Duration) -> Option<Duration> {
        let due = |errand: &Errand| errand.pace.map_or(Duration::ZERO, |pace| pace.next(errand.done));
        let next = self.list.iter().filter(|errand| !errand.is_reading).map(due).min()?;
        Some(if self.is_held { next.max(now + Self::PATIENCE) } else { next })
    }

    /// Whether one waits for heads that nobody reads yet.
    pub(super) fn wants_heads(&self) -> bool {
        self.list.iter().any(|errand| errand.is_reading)
    }

    /// The heads of that queue are there.
    pub(super) fn heads_read(&mut self, queue: DestinationId) {
        for errand in self.list.iter_mut().filter(|errand| errand.queue == queue) {
            errand.is_reading = false;
        }
    }
}

impl Engine {
    /// Does a part of what goes on.
    pub(super) fn run_errands(&mut self, now: Now, effects: &mut Effects) {
        if self.errands.is_held {
            return;
        }
        for _ in 0..self.errands.list.len() {
            let Some(mut errand) = self.errands.list.pop_front() else { return };
            if errand.is_reading {
                self.errands.list.push_back(errand);
                continue;
            }
            if self.is_used_up(effects) {
                self.errands.list.push_front(errand);
                return;
            }
            let whole = self.restrict(Self::PART, effects);
            let step = self.step(now, &mut errand, effects);
            self.restore(whole);
            match step {
                Step::Again => self.errands.list.push_back(errand),
                Step::Reading => {
                    errand.is_reading = true;
                    self.errands.list.push_back(errand);
                }
                Step::Over(why) => self.report(now, errand, why, effects),
            }
        }
    }

    fn step(&mut self, now: Now, errand: &mut Errand, effects: &mut Effects) -> Step {
        let allowed = errand.pace.map_or(u64::MAX, |pace| pace.allows(now.monotonic)).min(errand.limit);
        while errand.done < allowed {
            let mut steps = self.share(effects, Self::PART);
            let Some(queue) = queue_of(&mut self.destinations, errand.queue) else { return Step::Over(None) };
            let surveyed = queue.survey(&mut errand.survey, &self.contents, &mut steps);
            self.steps.charge(steps.spent());
            let entry = match surveyed {
                Surveyed::Found(entry) => entry,
                Surveyed::Unread => return Step::Reading,
                Surveyed::Later => return Step::Again,
                Surveyed::Nothing => return Step::Over(None),
            };
            if !self.may_touch(errand, &entry) {
                continue;
            }
            match self.perform(now, errand.queue, &entry, &errand.task, effects) {
                Ok(done) => errand.done += u64::from(done),
                Err(why) => return Step::Over(Some(why)),
            }
            if self.end_part(now, effects) && errand.done < errand.limit {
                return Step::Again;
            }
        }
        if errand.done >= errand.limit { Step::Over(None) } else { Step::Again }
    }

    /// What is to be read for one of them.
    pub(super) fn unread_of_errands(&mut self) -> Option<Unread> {
        for errand in &mut self.errands.list {
            if !errand.is_reading {
                continue;
            }
            let destination = errand.queue;
            let messages = queue_of(&mut self.destinations, destination)
                .map(|queue| queue.unread_of(&errand.survey, &self.contents))
                .unwrap_or_default();
            if !messages.is_empty() {
                return Some(Unread { destination, messages });
            }
            // Somebody else has taken what it waited for.
            errand.is_reading = false;
        }
        None
    }
}
