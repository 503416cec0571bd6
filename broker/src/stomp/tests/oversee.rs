//! Words to the scheduler's management address.

use super::Client;
use crate::model::MessageId;
use crate::model::Oversight;
use crate::model::Request;
use crate::model::Schedule;
use crate::model::ShardId;
use crate::model::SoftRefusal;
use crate::model::Timestamp;
use crate::model::Upcoming;

fn asked(to: &str, headers: &str) -> Request {
    let mut client = Client::speaking("1.2");
    client.says(&format!("SEND\ndestination:{to}\n{headers}\n\n^@"));
    assert!(client.farewell.is_none(), "{headers}: {:?}", client.farewell);
    client.asked.pop().expect("a request")
}

fn operation(headers: &str) -> Oversight {
    match asked("/queue/ActiveMQ.Scheduler.Management", headers) {
        Request::Oversee(oversee) => oversee.operation,
        other => panic!("{headers}: {other:?}"),
    }
}

#[test]
fn the_address_is_known_as_queue_as_topic_and_bare() {
    for prefix in ["/queue/", "/topic/", ""] {
        let request = asked(&format!("{prefix}ActiveMQ.Scheduler.Management"), "AMQ_SCHEDULER_ACTION:REMOVEALL");
        assert!(matches!(request, Request::Oversee(_)), "{prefix}");
    }
}

#[test]
fn a_time_may_be_said_at_either_end() {
    let Oversight::RemoveAll { due } = operation("AMQ_SCHEDULER_ACTION:REMOVEALL") else { panic!("something else") };
    assert_eq!(due, Timestamp(0)..=Timestamp(u64::MAX));
    let headers = "AMQ_SCHEDULER_ACTION:REMOVEALL\nAMQ_SCHEDULER_ACTION_START_TIME:5\nAMQ_SCHEDULER_ACTION_END_TIME:9";
    let Oversight::RemoveAll { due } = operation(headers) else { panic!("something else") };
    assert_eq!(due, Timestamp(5)..=Timestamp(9));
    let frame = "SEND\ndestination:ActiveMQ.Scheduler.Management\nAMQ_SCHEDULER_ACTION:REMOVEALL\n\
                 AMQ_SCHEDULER_ACTION_START_TIME:soon\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "bad-header");
}

#[test]
fn one_is_removed_by_id_or_by_name() {
    assert!(matches!(
        operation("AMQ_SCHEDULER_ACTION:REMOVE\nscheduledJobId:7"),
        Oversight::Remove { message } if message == MessageId::from_bits(7)
    ));
    let named = operation("AMQ_SCHEDULER_ACTION:REMOVE\nx-schedule:nightly\nx-queue:/topic/t");
    let Oversight::RemoveNamed { name, of } = named else { panic!("something else") };
    assert_eq!((&*name, of.expect("a destination").as_str()), ("nightly", "/topic/t"));
}

#[test]
fn what_makes_no_sense_is_refused_softly() {
    // JOBS 5.12
    for (headers, refusal) in [
        ("AMQ_SCHEDULER_ACTION:DANCE", SoftRefusal::BadRequest),
        ("foo:bar", SoftRefusal::BadRequest),
        ("AMQ_SCHEDULER_ACTION:BROWSE", SoftRefusal::BadRequest),
        ("AMQ_SCHEDULER_ACTION:REMOVE", SoftRefusal::BadRequest),
        ("AMQ_SCHEDULER_ACTION:REMOVE\nscheduledJobId:ID\\cof-another-broker", SoftRefusal::Unknown),
        ("AMQ_SCHEDULER_ACTION:REMOVE\nx-schedule:n\nx-queue:a..b", SoftRefusal::UnknownQueue),
    ] {
        let request = asked("/queue/ActiveMQ.Scheduler.Management", headers);
        assert!(matches!(request, Request::Decline(other) if other == refusal), "{headers}: {request:?}");
    }
    let frame = "BEGIN\ntransaction:t\n\n^@SEND\ndestination:ActiveMQ.Scheduler.Management\ntransaction:t\n\n^@";
    assert_eq!(Client::speaking("1.2").fails_with(frame), "not-supported");
}

#[test]
fn a_listing_has_a_head_for_each_and_an_end() {
    let headers = "AMQ_SCHEDULER_ACTION:BROWSE\nreply-to:/queue/answers\ncorrelation-id:c\\c1";
    let Oversight::Browse { to, scribe, .. } = operation(headers) else { panic!("something else") };
    assert_eq!(to.as_str(), "/queue/answers");
    let schedule = Schedule {
        name: Some("a:b".into()),
        cron: None,
        delay_ms: 0,
        period_ms: Some(100),
        repeat: None,
        next: Timestamp(5),
        left: None,
        life_ms: None,
        is_transient: false,
        retain: None,
    };
    let upcoming = Upcoming {
        message: MessageId::new(ShardId::default(), 7),
        to: to.clone(),
        due: Timestamp(5),
        schedule: Some(Box::new(schedule)),
    };
    let content = scribe.write(&upcoming);
    assert_eq!(
        String::from_utf8_lossy(content.head()),
        "destination:/queue/answers\ncorrelation-id:c\\c1\nscheduledJobId:7\noriginal-destination:/queue/answers\n\
         AMQ_SCHEDULED_TIME:5\nAMQ_SCHEDULED_PERIOD:100\nAMQ_SCHEDULED_REPEAT:-1\nx-schedule:a\\cb\n"
    );
    assert!(content.body().is_empty());
    let end = scribe.end();
    assert_eq!(String::from_utf8_lossy(end.head()), "destination:/queue/answers\ncorrelation-id:c\\c1\nbrowser:end\n");
}
