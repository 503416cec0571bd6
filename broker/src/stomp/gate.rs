//! From the text of a destination to its name, if this client may do there what it wants. Remembers what it has looked up.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::BytesMut;
use foldhash::fast::FixedState;
use kolejka_codec::Headers;
use kolejka_codec::Version;
use kolejka_codec::encoder::put_header;

use super::error::Fault;
use crate::auth::Action;
use crate::auth::Grants;
use crate::auth::Principal;
use crate::model::DestinationKind;
use crate::model::DestinationName;
use crate::model::Publish;
use crate::model::Reader;
use crate::model::Source;
use crate::model::Wildcard;
use crate::model::Writer;
use crate::model::key_of;

/// Where a client may go.
#[derive(Debug)]
pub(super) struct Gate {
    grants: Arc<Grants>,
    /// What makes `/temp-queue/x` of this client different from that of others.
    owner: String,
    /// The `client-id` of CONNECT.
    client_id: Option<String>,
    /// Who sends, as headers of each message; nothing without a login.
    stamp: Box<[u8]>,
    /// Destinations sent to lately, with the right to do so. Emptied when it is full.
    known: HashMap<Box<str>, Known, FixedState>,
}

#[derive(Debug)]
struct Known {
    name: DestinationName,
    may_write: bool,
}

/// What a bare name stands for; ActiveMQ Artemis' `destination-type` and `subscription-type` say it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Routing {
    /// To one (`ANYCAST`): a queue.
    Queue,
    /// To all (`MULTICAST`): a topic.
    Topic,
}

impl Routing {
    /// What `written` stands for, by the header of that name. A name that says its kind itself needs no header.
    pub(super) fn of(written: &str, headers: &Headers, header: &'static str) -> Result<Routing, Fault> {
        if written.starts_with('/') {
            return Ok(Routing::Queue);
        }
        match headers.get(header) {
            None => Ok(Routing::Queue),
            Some(text) if text.eq_ignore_ascii_case("anycast") => Ok(Routing::Queue),
            Some(text) if text.eq_ignore_ascii_case("multicast") => Ok(Routing::Topic),
            Some(_) => Err(Fault::BadHeader { header, expected: "ANYCAST or MULTICAST" }),
        }
    }
}

impl Gate {
    /// Names remembered. A client that sends to more of them pays for each look-up, nothing else.
    const KNOWN_NAMES: usize = 64;

    /// For a client with these rights, this token and perhaps an id of its own.
    pub(super) fn new(grants: Grants, owner: String, client_id: Option<String>) -> Gate {
        let stamp = stamp(&grants);
        Gate { grants: Arc::new(grants), owner, client_id, stamp, known: HashMap::default() }
    }

    /// Whether these are the rights that it goes by.
    pub(super) fn has(&self, grants: &Grants) -> bool {
        self.grants.are_those_of(grants)
    }

    /// Other rights hold from now on.
    pub(super) fn regrant(&mut self, grants: Grants) {
        self.grants = Arc::new(grants);
        self.known.clear();
    }

    /// Whether something may be denied to the client.
    pub(super) fn is_limited(&self) -> bool {
        self.grants.is_limited()
    }

    /// The destination of a SEND.
    pub(super) fn writable(&mut self, text: &str, routing: Routing) -> Result<DestinationName, Fault> {
        if routing == Routing::Topic {
            return self.writable(&format!("/topic/{text}"), Routing::Queue);
        }
        let known = match self.known.get(text) {
            Some(known) => known,
            None => self.look_up(text)?,
        };
        if !known.may_write {
            return Err(Fault::Forbidden { action: Action::Write, name: known.name.as_str().into() });
        }
        Ok(known.name.clone())
    }

    /// What a SUBSCRIBE reads from. For a pattern the right is asked for destination by destination, where it reaches one.
    pub(super) fn readable(&self, text: &str, routing: Routing) -> Result<Source, Fault> {
        let source = self.any(text, routing)?;
        self.check_readable(&source)?;
        Ok(source)
    }

    /// Asks for the right to read what is named.
    pub(super) fn check_readable(&self, source: &Source) -> Result<(), Fault> {
        match source {
            // The token is the permission.
            Source::Name(name) if name.kind() == DestinationKind::Job => Ok(()),
            Source::Name(_) | Source::List(_) => self.check_read(source),
            Source::Wildcard(_) | Source::Feed(_) => Ok(()),
        }
    }

    /// The same, without asking for rights.
    pub(super) fn any(&self, text: &str, routing: Routing) -> Result<Source, Fault> {
        if routing == Routing::Topic {
            return self.any(&format!("/topic/{text}"), Routing::Queue);
        }
        if !Wildcard::is_meant(text) {
            let name = DestinationName::parse(text, &self.owner).map_err(Fault::BadDestination)?;
            return if name.is_announced() { Ok(Source::Name(name)) } else { self.name(text).map(Source::Name) };
        }
        let wildcard = Wildcard::parse(text, self.grants.clone()).map_err(Fault::BadDestination)?;
        if wildcard.is_of_the_server() && wildcard.kind() != DestinationKind::Topic {
            Err(Fault::ReservedDestination)
        } else {
            Ok(Source::Wildcard(Arc::new(wildcard)))
        }
    }

    /// The destination that a text names.
    pub(super) fn name(&self, text: &str) -> Result<DestinationName, Fault> {
        let name = DestinationName::parse(text, &self.owner).map_err(Fault::BadDestination)?;
        let mut segments = name.path().split(['.', '/']);
        if segments.next() == Some("Kolejka") || name.is_announced() {
            Err(Fault::ReservedDestination)
        } else {
            Ok(name)
        }
    }

    /// Who knows what the client may read.
    pub(super) fn reader(&self) -> Arc<dyn Reader> {
        self.grants.clone()
    }

    /// Whether the client has a right.
    pub(super) fn may(&self, action: Action, name: &DestinationName) -> bool {
        self.grants.may(action, name)
    }

    /// Where the client may send to, for whoever has to ask later.
    pub(super) fn writer(&self) -> Arc<dyn Writer> {
        self.grants.clone()
    }

    /// Asks for the right to read one destination, or all that a pattern means.
    pub(super) fn check_read(&self, source: &Source) -> Result<(), Fault> {
        let may = |name: &&DestinationName| self.grants.may(Action::Read, name);
        let refused = match source {
            Source::Name(name) => Some(name).filter(|name| !may(name)).map(DestinationName::as_str),
            Source::Wildcard(wildcard) => {
                let all = self.grants.may_all(Action::Read, wildcard.pattern());
                (!all).then_some(wildcard.as_str())
            }
            Source::Feed(feed) => Some(feed.queue.as_str()),
            Source::List(list) => list.names().iter().find(|name| !may(name)).map(DestinationName::as_str),
        };
        let fault = |name: &str| Fault::Forbidden { action: Action::Read, name: name.into() };
        refused.map_or(Ok(()), |name| Err(fault(name)))
    }

    /// Who sends: `JMSXUserID` as in ActiveMQ, and `user-id` as in RabbitMQ, encoded.
    pub(super) fn stamp(&self) -> &[u8] {
        &self.stamp
    }

    /// A key as it belongs to the client's user.
    pub(super) fn own_key(&self, key: &str) -> Arc<str> {
        if self.grants.is_limited() { key_of(self.grants.principal().as_str(), key) } else { key.into() }
    }

    /// The login, and what the client calls itself.
    pub(super) fn identity(&self) -> (&str, Option<&str>) {
        (self.grants.principal().as_str(), self.client_id.as_deref())
    }

    /// Asks again for the right to send there: it may have been taken away since a transaction took the frame.
    pub(super) fn check_write(&self, name: &DestinationName) -> Result<(), Fault> {
        let scheduled = name.scheduled();
        let name = scheduled.as_ref().unwrap_or(name);
        if self.grants.may(Action::Write, name) {
            return Ok(());
        }
        Err(Fault::Forbidden { action: Action::Write, name: name.as_str().into() })
    }

    /// The same for all that a message names: its destination, and where its dead letter and its result go.
    pub(super) fn check_publish(&self, publish: &Publish) -> Result<(), Fault> {
        self.check_write(&publish.to)?;
        let Some(terms) = publish.message.terms.as_deref() else { return Ok(()) };
        let tracked = terms.tracking.as_ref().and_then(|tracking| tracking.waiter.as_ref());
        let joined = terms.unique.as_ref().and_then(|unique| unique.waiter.as_ref());
        let answered = tracked.into_iter().chain(joined).map(|waiter| &waiter.to);
        terms.dead_letter.iter().chain(answered).try_for_each(|name| self.check_write(name))
    }

    fn look_up(&mut self, text: &str) -> Result<&Known, Fault> {
        let name = self.name(text)?;
        if self.known.len() >= Self::KNOWN_NAMES {
            self.known.clear();
        }
        let may_write = self.grants.may(Action::Write, &name);
        Ok(self.known.entry(text.into()).or_insert(Known { name, may_write }))
    }
}

fn stamp(grants: &Grants) -> Box<[u8]> {
    let mut head = BytesMut::new();
    let user = grants.principal().as_str();
    if user != Principal::ANONYMOUS {
        put_header(&mut head, "JMSXUserID", user, Version::V1_2);
        put_header(&mut head, "user-id", user, Version::V1_2);
    }
    head[..].into()
}
