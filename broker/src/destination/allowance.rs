//! What a consumer may still be given, where its credit does not say it all: it pulls, or it is not meant to last.

use std::time::Duration;

use crate::model::{Credit, DestinationId, Manner};

/// The rest of what was asked for, and how long to wait for it.
#[derive(Debug)]
pub struct Allowance {
    /// Granted and not used, where nothing comes back by itself.
    granted: Option<Credit>,
    /// Deliveries before it ends.
    left: Option<u32>,
    /// It ends when nothing is there for it.
    pub until_empty: bool,
    /// It ends when nothing has been there for it for so long.
    pub wait: Option<Duration>,
    /// When that will be, while it waits.
    pub waits_until: Option<Duration>,
    /// It is looked whether anything is there, and among what a pattern means nothing was up to this one.
    pub looked: Option<DestinationId>,
    /// Something was handed out since somebody looked.
    served: bool,
    ended: bool,
}

impl Allowance {
    /// What a manner comes to; `None` where credit says it all.
    pub fn of(manner: &Manner) -> Option<Box<Allowance>> {
        let Manner { pull, wait_ms, until_empty, limit, .. } = *manner;
        let is_special = pull.is_some() || wait_ms.is_some() || until_empty || limit.is_some();
        is_special.then(|| {
            Box::new(Allowance {
                granted: pull,
                left: limit,
                until_empty,
                wait: wait_ms.map(|ms| Duration::from_millis(ms.into())),
                waits_until: None,
                looked: None,
                served: false,
                ended: false,
            })
        })
    }

    /// Whether one more may be handed out.
    pub fn permits(&self) -> bool {
        !self.ended && !self.is_used_up() && self.granted.is_none_or(|left| left.messages > 0 && left.bytes > 0)
    }

    /// Whether it was given as much as it wanted.
    pub fn is_used_up(&self) -> bool {
        self.left == Some(0)
    }

    /// Whether it has ended.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// It ends.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Counts a delivery of so many octets. The last one may be larger than what was granted: it could never leave else.
    pub fn spend(&mut self, bytes: u32) {
        self.served = true;
        self.left = self.left.map(|left| left.saturating_sub(1));
        if let Some(granted) = &mut self.granted {
            granted.messages = granted.messages.saturating_sub(1);
            granted.bytes = granted.bytes.saturating_sub(bytes.into());
        }
    }

    /// Adds credit. `false` where it means nothing, because it comes back by itself.
    pub fn grant(&mut self, credit: Credit) -> bool {
        let Some(granted) = &mut self.granted else { return false };
        granted.messages = granted.messages.saturating_add(credit.messages);
        granted.bytes = granted.bytes.saturating_add(credit.bytes);
        true
    }

    /// Whether something was handed out since this was asked last.
    pub fn was_served(&mut self) -> bool {
        std::mem::take(&mut self.served)
    }
}
