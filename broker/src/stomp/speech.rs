//! A client that has logged in says something about a job: at the job's own address, or by a NACK that says much.

use kolejka_codec::Command;
use kolejka_codec::Frame;
use kolejka_codec::header::names::TRANSACTION;

use super::client::Client;
use super::error::Fault;
use super::job;
use super::manage;
use super::turn::Turn;
use crate::model::Action;
use crate::model::Job;
use crate::model::JobEvent;
use crate::model::JobName;
use crate::model::Reply;
use crate::model::Request;
use crate::model::Settle;
use crate::model::Touch;

impl Client {
    /// A word about a job.
    pub(super) fn speak(&mut self, mut turn: Turn<'_>, frame: &Frame, name: &str) -> Result<(), Fault> {
        let reply = self.reply_to(&mut turn, frame)?;
        let head = |written| manage::head(written, &frame.headers, turn.now.wall);
        let reply = reply.map(|(written, to)| Reply { to, head: head(written) });
        match job::event(name, frame, reply)? {
            // By the message a delivery is touched in one way, whoever follows the job.
            Ok(Job { name: JobName::Delivery { message, which }, event: JobEvent::Touch(time_to_run_ms) })
                if frame.headers.get(TRANSACTION).is_none() =>
            {
                turn.ask(Request::Touch(Touch { message, which, time_to_run_ms }));
                Ok(())
            }
            Ok(said) => self.act(&mut turn, frame.headers.get(TRANSACTION), Action::Job(Box::new(said))),
            Err(refusal) => {
                turn.ask(Request::Decline(refusal));
                Ok(())
            }
        }
    }
}

/// A NACK that says more than a reason is a word about its job.
pub(super) fn verdict(frame: &Frame, settle: Settle) -> Action {
    let error = if frame.command == Command::Nack { job::refused(&frame.headers, &settle.outcome) } else { None };
    let Some(error) = error else { return Action::Settle(settle) };
    let Settle { message, which, outcome } = settle;
    let name = JobName::Delivery { message, which };
    Action::Job(Box::new(Job { name, event: JobEvent::Fail { outcome, error } }))
}
