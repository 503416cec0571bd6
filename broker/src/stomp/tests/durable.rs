//! Durable subscriptions, groups and virtual topics, in every spelling.

use super::{Client, Right, all_but};
use crate::model::DestinationName;
use crate::model::Feed;
use crate::model::Request;
use crate::model::Source;

fn named(client_id: Option<&str>) -> Client {
    let mut client = Client::new();
    let line = client_id.map(|id| format!("client-id:{id}\n")).unwrap_or_default();
    client.says(&format!("CONNECT\naccept-version:1.2\nhost:h\n{line}\n^@"));
    client.asked.clear();
    client
}

/// The feed that a SUBSCRIBE asks for.
fn feed(client: &mut Client, headers: &str) -> Feed {
    client.says(&format!("SUBSCRIBE\n{headers}\n^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    match &client.subscribed().to {
        Source::Feed(feed) => (**feed).clone(),
        other => panic!("{headers}: {other:?}"),
    }
}

#[test]
fn every_vendors_name_means_the_same_queue() {
    for header in [
        "activemq.subscriptionName:news",
        "activemq.subcriptionName:news",
        "durable-subscription-name:news",
        "durable-subscriber-name:news",
    ] {
        let feed = feed(&mut named(Some("me")), &format!("id:1\ndestination:/topic/price/gold\n{header}\n"));
        assert_eq!(feed.queue.as_str(), "/dsub/anonymous/me/news/price/gold", "{header}");
        assert_eq!(feed.topics.as_str(), "/topic/price/gold");
        assert!(feed.is_sole, "a client-id is one client");
    }
    for header in ["durable:true", "durable:true\nauto-delete:false", "persistent:true"] {
        let feed = feed(&mut named(None), &format!("id:news\ndestination:/topic/a\n{header}\n"));
        assert_eq!(feed.queue.as_str(), "/dsub/anonymous/~/news/a", "{header}");
        assert!(!feed.is_sole, "without a client-id it is shared");
    }
}

#[test]
fn no_two_names_meet() {
    let mut client = named(Some("a/b"));
    let feed = feed(&mut client, "id:1\ndestination:/topic/a.*\ndurable-subscription-name:~ é\n");
    assert_eq!(feed.queue.as_str(), "/dsub/anonymous/a%2Fb/%7E%20%C3%A9/a.%2A");
    assert_eq!(DestinationName::from_full(feed.queue.as_str()), Ok(feed.queue));
}

#[test]
fn a_selector_belongs_to_the_subscription_and_not_to_its_reader() {
    for header in ["durable-subscription-name:news", "group:news"] {
        let mut client = named(Some("me"));
        let head = format!("id:1\ndestination:/topic/t\nselector:price > 10\n{header}\n");
        client.says(&format!("SUBSCRIBE\n{head}\n^@"));
        let wish = client.subscribed();
        let Source::Feed(feed) = &wish.to else { panic!("{header}") };
        assert_eq!((feed.selector.as_deref(), wish.filter.is_none()), (Some("price > 10"), true), "{header}");
    }
    let mut client = named(None);
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/Consumer.mail.VirtualTopic.t\nselector:price > 10\n\n^@");
    let wish = client.subscribed();
    let Source::Feed(feed) = &wish.to else { panic!("no feed") };
    assert_eq!((feed.selector.as_deref(), wish.filter.is_some()), (None, true), "there each reader has its own");
    client.says("SUBSCRIBE\nid:2\ndestination:/topic/t\ngroup:g\nselector:price >\n\n^@");
    assert!(client.farewell.is_some());
}

#[test]
fn a_group_is_a_queue_that_has_a_name() {
    let group = feed(&mut named(Some("me")), "id:1\ndestination:/topic/orders\ngroup:mail\n");
    assert_eq!((group.queue.as_str(), group.is_sole), ("/queue/Consumer.mail.orders", false));
    let classic = feed(&mut named(None), "id:1\ndestination:/queue/Consumer.mail.VirtualTopic.orders.eu\n");
    let same = feed(&mut named(None), "id:1\ndestination:/topic/VirtualTopic.orders.eu\ngroup:mail\n");
    assert_eq!(classic, same);
    assert_eq!(classic.topics.as_str(), "/topic/VirtualTopic.orders.eu");
}

#[test]
fn artemis_writes_a_group_behind_two_colons() {
    let group = feed(&mut named(None), "id:1\ndestination:/topic/orders::mail\n");
    assert_eq!(group.queue.as_str(), "/queue/Consumer.mail.orders");
    let bare = feed(&mut named(None), "id:1\ndestination:orders::mail\nsubscription-type:MULTICAST\n");
    assert_eq!(group, bare);
    let mut client = named(None);
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/My::Job\n\n^@");
    assert_eq!(client.subscribed().to.as_str(), "/queue/My::Job", "a queue may be called so");
    client.says("SUBSCRIBE\nid:2\ndestination:/topic/a::b\n\n^@UNSUBSCRIBE\ndestination:/topic/a::b\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))));
}

#[test]
fn on_a_queue_there_is_nothing_to_do() {
    let mut client = named(None);
    client.says("SUBSCRIBE\nid:1\ndestination:/queue/a\ndurable:true\ngroup:g\nactivemq.subscriptionName:n\n\n^@");
    assert_eq!(client.subscribed().to.as_str(), "/queue/a");
    client.says("SUBSCRIBE\nid:2\ndestination:/topic/a\ndurable:true\nauto-delete:true\n\n^@");
    assert_eq!(client.subscribed().to.as_str(), "/topic/a", "what goes with its reader is not durable");
}

#[test]
fn the_time_without_a_reader_is_in_milliseconds() {
    for header in ["expires-after", "x-expires"] {
        let head = format!("id:1\ndestination:/topic/a\ndurable:true\n{header}:60000\n");
        assert_eq!(feed(&mut named(None), &head).expires_after, Some(60_000));
        let frame = format!("SUBSCRIBE\nid:1\ndestination:/topic/a\ndurable:true\n{header}:soon\n\n^@");
        assert_eq!(named(None).fails_with(&frame), "bad-header");
    }
}

#[test]
fn an_unsubscribe_that_says_so_is_for_good() {
    let mut client = named(Some("me"));
    let queue = feed(&mut client, "id:1\ndestination:/topic/a\nactivemq.subscriptionName:n\n").queue;
    client.says("UNSUBSCRIBE\nid:1\n\n^@");
    assert!(matches!(client.asked.last(), Some(Request::Unsubscribe(_))), "this one only stops to read");
    feed(&mut client, "id:1\ndestination:/topic/a\nactivemq.subscriptionName:n\n");
    client.asked.clear();
    client.says("UNSUBSCRIBE\nid:1\nactivemq.subscriptionName:n\n\n^@");
    let [Request::Unsubscribe(_), Request::Discard(gone)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert_eq!(*gone, queue);
    client.asked.clear();
    client.says("UNSUBSCRIBE\nid:9\ndestination:/topic/a\ndurable-subscription-name:n\n\n^@");
    let [Request::Discard(gone)] = &client.asked[..] else { panic!("{:?}", client.asked) };
    assert_eq!(*gone, queue, "also by a connection that does not read it");
    assert_eq!(client.fails_with("UNSUBSCRIBE\nid:9\nactivemq.subscriptionName:n\n\n^@"), "missing-header");
}

#[test]
fn what_may_not_be_read_is_not_gathered() {
    let denied = [("/topic/secret.**", Right::Read), ("/queue/Consumer.audit.**", Right::Read)];
    for head in [
        "destination:/topic/secret.a\ndurable:true\n",
        "destination:/topic/>\ndurable:true\n",
        "destination:/topic/*.a\ndurable:true\n",
        "destination:/topic/open\ngroup:audit\n",
    ] {
        let mut client = Client::new();
        client.login = Ok(all_but(&denied));
        let mut client = client.connect("1.2");
        assert_eq!(client.fails_with(&format!("SUBSCRIBE\nid:1\n{head}\n^@")), "forbidden", "{head}");
    }
    let mut client = Client::new();
    client.login = Ok(all_but(&denied));
    let mut client = client.connect("1.2");
    let feed = feed(&mut client, "id:1\ndestination:/topic/open.>\ndurable:true\n");
    assert_eq!(feed.topics.as_str(), "/topic/open.>");
}

#[test]
fn what_may_not_be_read_is_not_ended() {
    let denied = [("/topic/secret.**", Right::Read), ("/topic/VirtualTopic.secret", Right::Read)];
    let denied = [&denied[..], &[("/queue/Consumer.audit.**", Right::Read)]].concat();
    for head in [
        "destination:/queue/Consumer.audit.VirtualTopic.open\ndurable:true\n",
        "destination:Consumer.audit.VirtualTopic.open\npersistent:true\n",
        "destination:/amq/queue/Consumer.audit.VirtualTopic.open\nactivemq.subscriptionName:n\n",
        "destination:/queue/Consumer/audit/VirtualTopic/open\ngroup:x\n",
        "destination:/queue/Consumer.mail.VirtualTopic.secret\ndurable:true\n",
        "destination:/topic/VirtualTopic.open\ngroup:audit\n",
        "destination:/topic/VirtualTopic.open::audit\ndurable-subscription-name:\ngroup:audit\n",
        "destination:VirtualTopic.open\nsubscription-type:MULTICAST\ngroup:audit\n",
        "destination:/topic/open\ngroup:audit\n",
        "destination:/topic/secret.a\ngroup:mail\n",
        "destination:/topic/secret.a\ndurable:true\n",
        "destination:/topic/>\ndurable:true\n",
    ] {
        for id in ["id:x\n", ""] {
            let mut client = Client::new();
            client.login = Ok(all_but(&denied));
            let mut client = client.connect("1.2");
            if id.is_empty() && head.contains(":true") && head.contains("/topic/") {
                // Without an id such a subscription has no name.
                continue;
            }
            assert_eq!(client.fails_with(&format!("UNSUBSCRIBE\n{id}{head}\n^@")), "forbidden", "{head}");
            assert!(client.asked.is_empty(), "{head}: {:?}", client.asked);
        }
    }
}
