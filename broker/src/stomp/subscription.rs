//! The subscriptions of one client: what it calls them, and what the engine calls them.

use bytes::BytesMut;
use kolejka_codec::Command;
use kolejka_codec::Version;
use kolejka_codec::encoder::put_header;
use kolejka_codec::header::names::SUBSCRIPTION;

use super::error::Fault;
use super::query;
use crate::model::DestinationName;
use crate::model::Source;
use crate::model::SubscriptionId;

/// One subscription.
#[derive(Debug)]
pub(super) struct Subscription {
    /// What the engine calls it.
    pub(super) number: SubscriptionId,
    /// What the client calls it. Without an id (STOMP 1.0) it goes by its destination.
    pub(super) id: Option<Box<str>>,
    /// From where.
    pub(super) to: Source,
    /// The queue behind the topic, if there is one.
    pub(super) feed: Option<DestinationName>,
    /// The destination as the client wrote it, without the query of ActiveMQ's clients.
    pub(super) written: Box<str>,
    /// It was made for a `reply-to`, not by a SUBSCRIBE.
    pub(super) implicit: bool,
    /// The header `subscription`, encoded once.
    pub(super) line: Box<[u8]>,
}

/// A subscription to be made.
#[derive(Debug)]
pub(super) struct Wanted<'a> {
    pub(super) id: Option<&'a str>,
    pub(super) to: Source,
    pub(super) feed: Option<DestinationName>,
    pub(super) written: &'a str,
    pub(super) implicit: bool,
}

/// All of one client, in the order in which they were made.
#[derive(Debug)]
pub(super) struct Subscriptions {
    /// Sorted by number: new ones have the highest.
    list: Vec<Subscription>,
    last: SubscriptionId,
    limit: usize,
    version: Version,
}

impl Subscriptions {
    /// The number of no subscription, ever: stands for ids that the client made up or forgot.
    pub(super) const NONE: SubscriptionId = SubscriptionId(0);

    /// None yet; at most `limit` at a time. `version` is the client's.
    pub(super) fn new(limit: usize, version: Version) -> Subscriptions {
        Subscriptions { list: Vec::new(), last: Self::NONE, limit, version }
    }

    /// What the client speaks.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Makes one. An id, or without an id a destination, is there once (STOMP 1.2, "SUBSCRIBE").
    pub(super) fn add(&mut self, wanted: Wanted<'_>) -> Result<SubscriptionId, Fault> {
        let exists = match wanted.id {
            Some(id) => self.list.iter().any(|other| other.id.as_deref() == Some(id)),
            None => self.list.iter().any(|other| other.id.is_none() && other.to == wanted.to),
        };
        if exists {
            return Err(Fault::DuplicateSubscription);
        }
        if self.list.len() >= self.limit {
            return Err(Fault::TooManySubscriptions { limit: self.limit });
        }
        self.last.0 += 1;
        let mut line = BytesMut::new();
        if let Some(id) = wanted.id {
            put_header(&mut line, SUBSCRIPTION, id, self.version);
        }
        self.list.push(Subscription {
            number: self.last,
            id: wanted.id.map(Box::from),
            to: wanted.to,
            feed: wanted.feed,
            written: wanted.written.into(),
            implicit: wanted.implicit,
            line: line[..].into(),
        });
        Ok(self.last)
    }

    /// Ends the one that the client calls so.
    pub(super) fn remove_id(&mut self, id: &str) -> Result<Subscription, Fault> {
        let at = self.list.iter().position(|it| it.id.as_deref() == Some(id)).ok_or(Fault::UnknownSubscription)?;
        Ok(self.list.remove(at))
    }

    /// Ends the one without an id from there, or else the only one.
    pub(super) fn remove_destination(&mut self, to: &Source) -> Result<Subscription, Fault> {
        let here = |it: &&Subscription| it.to == *to;
        let chosen = match self.list.iter().filter(here).find(|it| it.id.is_none()) {
            Some(without_id) => without_id.number,
            None => match self.list.iter().filter(here).collect::<Vec<_>>()[..] {
                [] => return Err(Fault::UnknownSubscription),
                [only] => only.number,
                _ => return Err(Fault::AmbiguousSubscription),
            },
        };
        let at = self.list.iter().position(|it| it.number == chosen).ok_or(Fault::UnknownSubscription)?;
        Ok(self.list.remove(at))
    }

    /// Ends the one that was made for a `reply-to` there, if there is one.
    pub(super) fn remove_implicit(&mut self, to: &Source) -> Option<SubscriptionId> {
        let at = self.list.iter().position(|it| it.implicit && it.to == *to)?;
        Some(self.list.remove(at).number)
    }

    /// The one with this number.
    pub(super) fn get(&self, number: SubscriptionId) -> Option<&Subscription> {
        let at = self.list.binary_search_by_key(&number, |it| it.number).ok()?;
        self.list.get(at)
    }

    /// The one that an ACK calls so: by its id, or by its destination if it has none.
    pub(super) fn called(&self, name: &str) -> Option<SubscriptionId> {
        let (destination, _) = query::split(name);
        let is_it = |it: &&Subscription| it.id.as_deref().map_or(*it.written == *destination, |id| id == name);
        self.list.iter().find(is_it).map(|it| it.number)
    }

    /// The only one that a SUBSCRIBE has made.
    pub(super) fn only(&self) -> Result<SubscriptionId, Fault> {
        let mut made = self.list.iter().filter(|it| !it.implicit);
        match (made.next(), made.next()) {
            (Some(only), None) => Ok(only.number),
            (None, _) => Err(Fault::UnknownSubscription),
            (Some(_), Some(_)) => Err(Fault::MissingHeader { command: Command::Ack, header: SUBSCRIPTION }),
        }
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Subscription> {
        self.list.iter()
    }

    /// Whether there is one from there.
    pub(super) fn reads(&self, to: &DestinationName) -> bool {
        self.list.iter().any(|it| it.to.names(to))
    }
}
