//! Clients look through queues: what they are shown stays where it is.
//!
//! They are consumers with credit and a ledger, so that no more is under way to them than they read, and lease nothing.

use super::destination::Kind;
use super::dispatch::deliver;
use super::machine::{Engine, queue_of};
use super::quotas::Counted;
use super::reading::Unread;
use crate::destination::{Consumer, ConsumerKey, Entry, Glimpse, Reach, View};
use crate::model::{
    AckMode, Answer, Browse, Delivery, DestinationId, Effects, End, Lease, Now, Payload, Refusal, SessionId, Source,
};
use crate::model::{Content, Stage, Steps};

impl Engine {
    /// Somebody begins to look through a queue. One that is not there is looked through as one that is empty.
    pub(super) fn browse(
        &mut self,
        now: Now,
        id: SessionId,
        browse: &Browse,
        effects: &mut Effects,
    ) -> Result<Answer, Refusal> {
        let wish = &browse.subscribe;
        let Some(session) = self.sessions.get(id) else { return Err(Refusal::ShuttingDown) };
        if Engine::is_foreign(&wish.to, &session.owner) {
            return Err(Refusal::NotOwner);
        }
        let whose = session.whose;
        self.may_have(whose, Counted::Subscriptions, 0)?;
        let queue = match &wish.to {
            // It is there for as long as somebody waits for what comes.
            Source::Name(name) if browse.tail => Some(self.obtain_for(now, id, name)?),
            Source::Name(name) => self.router.resolve(name),
            Source::Feed(feed) => self.router.resolve(&feed.queue),
            Source::Wildcard(_) | Source::List(_) => None,
        };
        let filter = queue.and_then(|queue| self.readable(id, queue, wish.filter.as_ref()));
        let found = queue.and_then(|queue| Some((queue, &*queue_of(&mut self.destinations, queue)?)));
        let reach = found.map_or(Reach::Nowhere, |found| {
            let mut view = View::new(found, &browse.stages, filter.as_ref());
            (view.left, view.tail) = (browse.limit, browse.tail);
            Reach::View(Box::new(view))
        });
        let key = self.consumers.insert(Box::new(Consumer::new(id, wish.id, reach, AckMode::Auto, wish.credit)));
        self.quotas.add(whose, Counted::Subscriptions);
        if let Some(session) = self.sessions.get_mut(id) {
            session.subscriptions.insert(wish.id, key);
        }
        match queue.and_then(|queue| self.queue_mut(queue)) {
            Some(queue) => queue.viewers.push(key),
            None => self.end(key, End::Browse, effects),
        }
        self.views.push(key);
        Ok(Answer::Done)
    }

    /// Shows somebody more, as far as he has credit.
    pub(super) fn look_on(&mut self, now: Now, key: ConsumerKey, effects: &mut Effects) {
        let mut steps = self.share(effects, Self::PART);
        self.look_within(now, key, &mut steps, effects);
        self.steps.charge(steps.spent());
    }

    fn look_within(&mut self, now: Now, key: ConsumerKey, steps: &mut Steps, effects: &mut Effects) {
        while let Some(consumer) = self.consumers.get_mut(key) {
            let has_credit = consumer.has_credit();
            let Reach::View(view) = &mut consumer.reach else { return };
            let queue = queue_of(&mut self.destinations, view.queue).filter(|_| view.left != Some(0));
            let Some(queue) = queue else { return self.end(key, End::Browse, effects) };
            if !has_credit {
                return;
            }
            match view.seek(queue, &self.contents, (now.wall, &mut *steps)) {
                Glimpse::Found(entry, stage) => self.show(key, &entry, stage, effects),
                Glimpse::Nothing if view.tail => return,
                Glimpse::Nothing => return self.end(key, End::Browse, effects),
                Glimpse::Unread => return self.dim.push_back(key),
                Glimpse::Later => return self.put_off_view(key),
            }
        }
    }

    fn show(&mut self, key: ConsumerKey, entry: &Entry, stage: Stage, effects: &mut Effects) {
        let cached = entry.content.and_then(|content| self.contents.get(content).cloned()).map(Payload::Memory);
        let stored = entry.position().map(|position| Payload::Stored { position, size: entry.size });
        // What has no position is kept in memory until it departs.
        let payload = cached.or(stored).unwrap_or_else(|| Payload::Memory(Content::small(&[], 0)));
        let Some(consumer) = self.consumers.get_mut(key) else { return };
        let Reach::View(view) = &consumer.reach else { return };
        let death = queue_of(&mut self.destinations, view.queue).and_then(|queue| queue.note(entry.message).cloned());
        let delivery = Delivery {
            tracked: false,
            is_event: false,
            token: None,
            subscription: consumer.subscription,
            number: consumer.hand_out(entry.message, entry.size, None),
            message: entry.message,
            auto: true,
            held_twice: false,
            is_numbered: false,
            attempt: entry.attempts.saturating_add(1),
            redelivered: entry.handed_out,
            lease: Lease::Seen(stage),
            death,
            from: None,
            payload,
        };
        if let Some(session) = self.sessions.get_mut(consumer.session) {
            session.lend_copy(entry.size as usize);
        }
        deliver(&mut self.sessions, key, consumer.session, AckMode::Auto, delivery, effects);
    }

    /// What has come to a queue is shown to those who wait for it, before somebody takes it away.
    pub(super) fn show_news(&mut self, now: Now, id: DestinationId, effects: &mut Effects) {
        let Some(Kind::Queue(queue)) = self.destinations.get(&id).map(|found| &found.kind) else { return };
        for key in queue.viewers.clone() {
            self.steps.charge(1);
            let reach = self.consumers.get(key).map(|consumer| &consumer.reach);
            // Whoever has not come so far yet is shown it in time.
            if matches!(reach, Some(Reach::View(view)) if !view.is_late) {
                self.look_on(now, key, effects);
            }
        }
    }

    /// Somebody looks no more.
    pub(super) fn unview(&mut self, queue: DestinationId, key: ConsumerKey) {
        if let Some(queue) = self.queue_mut(queue) {
            queue.viewers.retain(|&other| other != key);
        }
        self.touch(queue);
    }

    /// Heads that somebody needs who looks for messages of his choice.
    pub(super) fn next_dim(&mut self, now: Now, effects: &mut Effects) -> Option<Unread> {
        while let Some(key) = self.dim.pop_front() {
            let Some(Reach::View(view)) = self.consumers.get(key).map(|consumer| &consumer.reach) else { continue };
            let Some(queue) = queue_of(&mut self.destinations, view.queue) else { continue };
            let messages = view.unread(queue, &self.contents);
            if !messages.is_empty() {
                return Some(Unread { destination: view.queue, messages });
            }
            self.views.push(key);
            self.dispatch(now, effects);
        }
        None
    }

    /// Heads have been read: whoever looks through that queue may go on.
    pub(super) fn light_up(&mut self, id: DestinationId) {
        if let Some(queue) = queue_of(&mut self.destinations, id) {
            self.views.extend_from_slice(&queue.viewers);
        }
    }
}
