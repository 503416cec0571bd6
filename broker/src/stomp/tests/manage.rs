//! `/queue/Kolejka.Manage`.

use super::{Client, Right, all_but};
use crate::model::DestinationName;
use crate::model::Manage;
use crate::model::Operation;
use crate::model::Request;
use crate::model::Side;
use crate::model::SoftRefusal;
use crate::model::States;
use crate::model::Subject;
use crate::model::Transfer;

fn client() -> Client {
    let mut client = Client::new();
    client.login = Ok(all_but(&[("/queue/secret", Right::Manage), ("/queue/closed", Right::Write)]));
    client.connect("1.2")
}

fn manages(headers: &str) -> Manage {
    let mut client = client();
    client.says(&format!("SEND\ndestination:/queue/Kolejka.Manage\n{headers}\n^@"));
    match client.asked.pop() {
        Some(Request::Manage(manage)) => *manage,
        other => panic!("{headers}: {other:?}, {:?}", client.farewell),
    }
}

#[test]
fn kick_and_purge_are_understood() {
    // JOBS 5.21
    let manage = manages("x-op:kick\nx-queue:mail\nx-count:20\n");
    assert_eq!((manage.operation, manage.queue.as_str()), (Operation::Kick { count: 20 }, "/queue/mail"));
    assert_eq!(manages("x-op:kick\nx-queue:/queue/mail\n").operation, Operation::Kick { count: 1 });
    let all = Operation::Purge(States::ALL);
    assert_eq!(manages("x-op:purge\nx-queue:mail\n").operation, all);
    let some = Operation::Purge(States { ready: false, delayed: true, buried: true });
    assert_eq!(manages("x-op:purge\nx-queue:mail\nx-states:buried, delayed\n").operation, some);
}

#[test]
fn pause_and_resume_are_understood() {
    let pause = |side, for_ms| Operation::Pause { side, for_ms };
    assert_eq!(manages("x-op:pause\nx-queue:mail\n").operation, pause(Side::Output, None));
    let timed = "x-op:pause\nx-queue:mail\nx-for:5000\nx-side:both\n";
    assert_eq!(manages(timed).operation, pause(Side::Both, Some(5000)));
    assert_eq!(manages("x-op:resume\nx-queue:mail\n").operation, Operation::Resume { side: Side::Both });
    let input = "x-op:resume\nx-queue:mail\nx-side:input\n";
    assert_eq!(manages(input).operation, Operation::Resume { side: Side::Input });
}

#[test]
fn a_move_is_understood() {
    let transfer = |to: Option<&str>, states, count, rate| {
        let to = to.map(|to| DestinationName::parse(to, "").expect("a name"));
        Operation::Move(Transfer { to, states, count, rate })
    };
    let all = transfer(Some("/queue/b"), States::ALL, None, None);
    assert_eq!(manages("x-op:move\nx-queue:mail\nx-to:b\n").operation, all);
    assert_eq!(manages("x-op:move\nx-queue:DLQ.mail\n").operation, transfer(None, States::ALL, None, None));
    let some = "x-op:move\nx-queue:mail\nx-to:b\nx-states:buried\nx-count:7\nx-rate:100\nselector:a = 1\n";
    let manage = manages(some);
    let buried = States { ready: false, delayed: false, buried: true };
    assert_eq!(manage.operation, transfer(Some("/queue/b"), buried, Some(7), Some(100)));
    assert!(manage.filter.is_some() && manage.writer.is_some());
}

#[test]
fn the_answer_goes_to_reply_to_with_its_correlation_id() {
    let mut client = client();
    client.says(
        "SEND\ndestination:Kolejka.Manage\nx-op:kick\nx-queue:mail\nreply-to:/temp-queue/r\ncorrelation-id:7\n\n^@",
    );
    assert!(matches!(client.asked[0], Request::Subscribe(_)), "whoever asks wants to hear");
    let Request::Manage(manage) = &client.asked[1] else { panic!("{:?}", client.asked) };
    let reply = manage.reply.as_ref().expect("an answer");
    let head = String::from_utf8_lossy(&reply.head);
    assert!(head.starts_with("destination:/temp-queue/r\ncontent-type:application/json\ncorrelation-id:7\n"), "{head}");
    assert!(reply.to.kind().is_temporary());
}

/// What a question is about.
fn inquires(destination: &str, headers: &str) -> Result<Subject, Option<SoftRefusal>> {
    let mut client = client();
    client.says(&format!("SEND\ndestination:{destination}\n{headers}\n^@"));
    match client.asked.pop() {
        Some(Request::Inquire(inquiry)) => Ok(inquiry.about),
        Some(Request::Decline(why)) => Err(Some(why)),
        _ => Err(None),
    }
}

#[test]
fn statistics_are_asked_for_at_the_addresses_of_activemq() {
    let asks = |destination: &str| inquires(destination, "reply-to:/queue/answers\n");
    for prefix in ["/queue/", "/topic/", ""] {
        assert!(matches!(asks(&format!("{prefix}ActiveMQ.Statistics.Broker")), Ok(Subject::Broker)));
        assert!(matches!(asks(&format!("{prefix}ActiveMQ.Statistics.Subscription")), Ok(Subject::Subscriptions)));
    }
    for (written, expected) in [("", "/queue/a.b"), ("/queue/", "/queue/a.b"), ("/topic/", "/topic/a.b")] {
        match asks(&format!("{written}ActiveMQ.Statistics.Destination.a.b")) {
            Ok(Subject::Destination(name)) => assert_eq!(name.as_str(), expected),
            other => panic!("{written}: {other:?}"),
        }
    }
    let many = asks("/queue/ActiveMQ.Statistics.Destination.>");
    assert!(matches!(many, Ok(Subject::Destinations(wildcard)) if wildcard.as_str() == "/queue/>"));
    let refused = Some(SoftRefusal::BadRequest);
    assert_eq!(asks("ActiveMQ.Statistics.Weather").err(), Some(refused));
    assert_eq!(inquires("ActiveMQ.Statistics.Broker", "").err(), Some(refused), "nobody to tell");
    let mut client = client();
    client.says("SEND\ndestination:ActiveMQ.Statistics.Broker\nreply-to:/temp-queue/r\n\n^@");
    assert!(matches!(client.asked[..], [Request::Subscribe(_), Request::Inquire(_)]));
}

#[test]
fn what_makes_no_sense_there_is_refused_softly() {
    // JOBS 5.12
    for (headers, expected) in [
        ("x-op:kick\nx-queue:secret\n", SoftRefusal::Forbidden),
        ("x-op:kick\n", SoftRefusal::UnknownQueue),
        ("x-op:kick\nx-queue:/topic/t\n", SoftRefusal::UnknownQueue),
        ("x-op:kick\nx-queue:mail\nx-count:-1\n", SoftRefusal::BadRequest),
        ("x-op:purge\nx-queue:mail\nx-states:lost\n", SoftRefusal::BadRequest),
        ("x-op:pause\nx-queue:mail\nx-for:soon\n", SoftRefusal::BadRequest),
        ("x-op:pause\nx-queue:mail\nx-side:left\n", SoftRefusal::BadRequest),
        ("x-op:resume\nx-queue:mail\nx-side:left\n", SoftRefusal::BadRequest),
        ("x-op:move\nx-queue:mail\nx-to:mail\n", SoftRefusal::BadRequest),
        ("x-op:move\nx-queue:mail\nx-to:/topic/t\n", SoftRefusal::BadRequest),
        ("x-op:move\nx-queue:mail\nx-to:b\nx-rate:0\n", SoftRefusal::BadRequest),
        ("x-op:move\nx-queue:mail\nx-to:b\nx-count:many\n", SoftRefusal::BadRequest),
        ("x-op:move\nx-queue:mail\nx-to:closed\n", SoftRefusal::Forbidden),
        ("x-op:move\nx-queue:secret\nx-to:b\n", SoftRefusal::Forbidden),
        ("x-op:dance\nx-queue:mail\n", SoftRefusal::BadRequest),
        ("x-queue:mail\n", SoftRefusal::BadRequest),
    ] {
        let operation = manages(headers).operation;
        assert!(matches!(operation, Operation::Refuse { why, .. } if why == expected), "{headers}: {operation:?}");
    }
    let frame = "SEND\ndestination:/queue/Kolejka.Manage\nx-op:purge\nx-queue:mail\nselector:a =\n\n^@";
    assert_eq!(client().fails_with(frame), "bad-selector");
    let frame = "BEGIN\ntransaction:t\n\n^@SEND\ndestination:Kolejka.Manage\ntransaction:t\nx-op:kick\n\n^@";
    assert_eq!(client().fails_with(frame), "not-supported");
}
