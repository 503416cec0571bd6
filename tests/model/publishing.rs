//! Messages are sent, and the answer is the one that the model expects.

use kolejka::model::{
    Answer, Content, DestinationName, Durability, Group, Message, Publish, Refusal, Request, Terms, Timestamp, Urgency,
};

use super::sending::{Sent, Verdict};
use super::setting::{QUEUES, REPLIES, SHARED_FEED, TOPICS, name, temporary};
use super::step::Send;
use super::world::World;

impl World {
    /// A destination by its number.
    pub(super) fn place(number: usize) -> DestinationName {
        match number {
            0..2 => name(QUEUES[number]),
            2..4 => name(TOPICS[number - 2]),
            4 => name(SHARED_FEED),
            5 => name(REPLIES),
            _ => temporary(number % 3),
        }
    }

    /// A message as both sides are given it.
    pub(super) fn message(&mut self, client: usize, send: &Send) -> (Publish, Sent) {
        self.last += 1;
        let mut body = self.last.to_be_bytes().to_vec();
        body.resize(8 + send.padding, b'.');
        let to = World::place(send.place);
        let is_topic = !to.kind().is_queue();
        let retain = send.retain.filter(|_| is_topic);
        let after = |ms: u64| (ms > 0).then_some(Timestamp(self.now.wall.0 + ms));
        let failures = &send.failures;
        let group = send.group.filter(|_| self.setting.has_groups && !is_topic);
        let terms = Terms {
            due: after(send.delay).filter(|_| !is_topic),
            expires: after(send.life),
            time_to_run_ms: (send.time_to_run > 0).then_some(send.time_to_run),
            max_deliveries: failures.max_deliveries,
            backoff: failures.backoff,
            on_exhaust: failures.on_exhaust,
            dead_letter: failures.dead_letter.map(|number| World::place([0, 1, 5][number])),
            group: group.map(|(number, closes)| Group { name: format!("g{number}").into(), closes }),
            ..Terms::default()
        };
        let terms = (!terms.is_empty()).then_some(terms);
        let content = Content::new(format!("u:{}\n", send.urgency).as_bytes(), body.clone().into());
        let key = send.key.filter(|_| !to.kind().is_temporary());
        let sent = Sent {
            from: Some(client),
            to: to.clone(),
            urgency: send.urgency,
            says: send.urgency,
            durable: send.durable,
            body,
            size: content.len() as u32,
            terms: terms.clone(),
            key,
            retain,
        };
        let durability = if send.durable { Durability::Persistent } else { Durability::Transient };
        let message = Message { content, urgency: Urgency(send.urgency), durability, terms: terms.map(Box::new) };
        (Publish { to, message, key: key.map(|key| key.to_string().into()), retain }, sent)
    }

    pub(super) fn publish(&mut self, client: usize, send: &Send) {
        let (publish, sent) = self.message(client, send);
        let verdict = self.model.judge(&[&sent], self.now.wall);
        let answer = self.apply(client, Request::Publish(publish));
        self.expect_sent(client, &answer, verdict);
        if verdict == Verdict::Taken {
            self.model.send(&sent, self.now.wall);
        }
    }

    /// The answer is the one that the model expects.
    pub(super) fn expect_sent(&mut self, client: usize, answer: &Result<Answer, Refusal>, verdict: Verdict) {
        match verdict {
            Verdict::Taken => assert!(answer.as_ref().is_ok_and(Answer::is_done), "{answer:?}"),
            Verdict::Duplicate => assert_eq!(*answer, Ok(Answer::Duplicate)),
            Verdict::Refused => {
                assert!(
                    matches!(answer, Err(Refusal::QueueFull { .. } | Refusal::QueuePaused | Refusal::DiskFull)),
                    "{answer:?}"
                );
                self.refused(client);
            }
        }
    }
}
