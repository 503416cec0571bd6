//! What expressions mean, also where clocks are changed.

use super::{Cron, CronError};
use crate::model::Timestamp;

fn at(text: &str) -> Timestamp {
    Timestamp(text.parse::<jiff::Timestamp>().expect("a moment").as_millisecond().cast_unsigned())
}

/// The next times, in UTC.
fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(expression, zone).expect("an expression");
    let mut now = at(after);
    let mut times = Vec::new();
    for _ in 0..count {
        now = cron.next_after(now).expect("a time");
        let time = jiff::Timestamp::from_millisecond(now.0.cast_signed()).expect("in range");
        times.push(time.to_string());
    }
    times
}

#[test]
fn an_expression_has_minute_hour_day_month_and_weekday() {
    assert_eq!(
        times("*/20 * * * *", "UTC", "2030-01-01T00:19:59.999Z", 2),
        ["2030-01-01T00:20:00Z", "2030-01-01T00:40:00Z"]
    );
    assert_eq!(times("0 12 * * MON-FRI", "UTC", "2030-01-04T12:00:00Z", 1), ["2030-01-07T12:00:00Z"]);
    assert_eq!(
        times("30 3 1 jan,jul *", "UTC", "2030-01-01T03:30:00Z", 2),
        ["2030-07-01T03:30:00Z", "2031-01-01T03:30:00Z"]
    );
    assert_eq!(times("0 0 29 2 *", "UTC", "2030-01-01T00:00:00Z", 1), ["2032-02-29T00:00:00Z"]);
}

#[test]
fn a_time_that_is_now_is_not_the_next_one() {
    assert_eq!(times("0 * * * *", "UTC", "2030-01-01T00:00:00Z", 1), ["2030-01-01T01:00:00Z"]);
    assert_eq!(times("0 * * * *", "UTC", "2030-01-01T00:00:00.001Z", 1), ["2030-01-01T01:00:00Z"]);
}

#[test]
fn the_clocks_of_the_zone_count() {
    let berlin = times("0 9 * * *", "Europe/Berlin", "2030-03-30T00:00:00Z", 2);
    assert_eq!(berlin, ["2030-03-30T08:00:00Z", "2030-03-31T07:00:00Z"], "the summer begins in between");
    assert_eq!(times("0 9 * * *", "america/new_york", "2030-01-01T00:00:00Z", 1), ["2030-01-01T14:00:00Z"]);
}

#[test]
fn a_fixed_time_comes_once_a_day_whatever_the_clocks_do() {
    let skipped = times("30 2 * * *", "Europe/Berlin", "2030-03-30T12:00:00Z", 2);
    assert_eq!(skipped, ["2030-03-31T01:00:00Z", "2030-04-01T00:30:00Z"], "at three, as two did not come");
    let repeated = times("30 2 * * *", "Europe/Berlin", "2030-10-26T12:00:00Z", 2);
    assert_eq!(repeated, ["2030-10-27T00:30:00Z", "2030-10-28T01:30:00Z"], "the first of two");
}

#[test]
fn what_is_no_expression_is_refused() {
    for text in ["", "* * * *", "* * * * * *", "@daily", "60 * * * *", "* * * * MOON", "a b c d e", "*/0 * * * *"] {
        assert_eq!(Cron::parse(text, "UTC").err(), Some(CronError::Expression), "{text:?}");
    }
    for zone in ["", "Nowhere", "Europe/Atlantis", "../etc/passwd", "+01:00"] {
        assert_eq!(Cron::parse("* * * * *", zone).err(), Some(CronError::Zone), "{zone:?}");
    }
    let never = Cron::parse("0 0 30 2 *", "UTC").expect("an expression");
    assert_eq!(never.next_after(at("2030-01-01T00:00:00Z")), Err(CronError::Never));
    assert_eq!(never.next_after(Timestamp(u64::MAX)), Err(CronError::Never));
}
