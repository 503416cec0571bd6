//! Expressions of five fields, and the zones whose clocks they are about.

use std::sync::LazyLock;

use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use thiserror::Error;

use crate::model::Timestamp;

/// The zones that the program brings along.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// An expression in a zone. Where clocks go forward, a fixed time that does not exist on that day is the first one that does;
/// where they go back, a fixed time comes once.
#[derive(Clone, Debug)]
pub struct Cron {
    expression: croner::Cron,
    zone: TimeZone,
}

/// Why a text is no expression of a time that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CronError {
    /// Not five fields, or something in them that is not known.
    #[error("it is no cron expression of five fields")]
    Expression,
    /// The time never comes.
    #[error("its time never comes")]
    Never,
    /// There is no such zone.
    #[error("there is no such time zone")]
    Zone,
}

impl Cron {
    /// Reads an expression and the name of a zone.
    pub fn parse(expression: &str, zone: &str) -> Result<Cron, CronError> {
        if expression.split_whitespace().count() != 5 {
            return Err(CronError::Expression);
        }
        let zone = ZONES.get(zone).map_err(|_| CronError::Zone)?;
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let expression = parser.parse(expression).map_err(|_| CronError::Expression)?;
        Ok(Cron { expression, zone })
    }

    /// The first time after that one. To look for what never comes takes some milliseconds.
    pub fn next_after(&self, after: Timestamp) -> Result<Timestamp, CronError> {
        let ms = i64::try_from(after.0).map_err(|_| CronError::Never)?;
        let after = jiff::Timestamp::from_millisecond(ms).map_err(|_| CronError::Never)?.to_zoned(self.zone.clone());
        let next = self.expression.find_next_occurrence(&after, false).map_err(|_| CronError::Never)?;
        u64::try_from(next.timestamp().as_millisecond()).map(Timestamp).map_err(|_| CronError::Never)
    }
}
