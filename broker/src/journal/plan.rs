//! How a schedule is spelled inside a record, both ways.
//!
//! The document of this file is docs/journal-format.md. It must not know what a schedule is good for.

use super::octets::{Octets, put_text};
use crate::model::{Cron, Retain, Schedule, Timestamp};

const NAME: u8 = 1;
const CRON: u8 = 1 << 1;
const PERIOD: u8 = 1 << 2;
const REPEAT: u8 = 1 << 3;
const LEFT: u8 = 1 << 4;
const LIFE: u8 = 1 << 5;
const TRANSIENT: u8 = 1 << 6;
const ALL: u8 = (1 << 7) - 1;

/// Most octets of a schedule.
pub(super) fn plan_bytes(schedule: &Schedule) -> usize {
    let cron = schedule.cron.as_ref().map_or(0, |cron| 2 + cron.expression.len() + 2 + cron.zone.len());
    1 + 1 + 8 + 8 + 8 + 4 + 4 + 8 + schedule.name.as_ref().map_or(0, |name| 2 + name.len()) + cron
}

pub(super) fn put_plan(into: &mut Vec<u8>, schedule: &Schedule) {
    let flag = |is: bool, bit: u8| if is { bit } else { 0 };
    into.push(
        flag(schedule.name.is_some(), NAME)
            | flag(schedule.cron.is_some(), CRON)
            | flag(schedule.period_ms.is_some(), PERIOD)
            | flag(schedule.repeat.is_some(), REPEAT)
            | flag(schedule.left.is_some(), LEFT)
            | flag(schedule.life_ms.is_some(), LIFE)
            | flag(schedule.is_transient, TRANSIENT),
    );
    into.push(match schedule.retain {
        None => 0,
        Some(Retain::Set) => 1,
        Some(Retain::Remove) => 2,
    });
    into.extend_from_slice(&schedule.next.0.to_le_bytes());
    into.extend_from_slice(&schedule.delay_ms.to_le_bytes());
    if let Some(period) = schedule.period_ms {
        into.extend_from_slice(&period.to_le_bytes());
    }
    for count in [schedule.repeat, schedule.left].into_iter().flatten() {
        into.extend_from_slice(&count.to_le_bytes());
    }
    if let Some(life) = schedule.life_ms {
        into.extend_from_slice(&life.to_le_bytes());
    }
    if let Some(name) = &schedule.name {
        put_text(into, name);
    }
    if let Some(cron) = &schedule.cron {
        put_text(into, &cron.expression);
        put_text(into, &cron.zone);
    }
}

pub(super) fn read_plan(fields: &mut Octets<'_>) -> Option<Schedule> {
    let flags = fields.u8().filter(|flags| flags & !ALL == 0)?;
    let has = |bit: u8| flags & bit != 0;
    let retain = match fields.u8()? {
        0 => None,
        1 => Some(Retain::Set),
        2 => Some(Retain::Remove),
        _ => return None,
    };
    let (next, delay_ms) = (Timestamp(fields.u64()?), fields.u64()?);
    let mut schedule = Schedule {
        name: None,
        cron: None,
        delay_ms,
        period_ms: None,
        repeat: None,
        next,
        left: None,
        life_ms: None,
        is_transient: has(TRANSIENT),
        retain,
    };
    if has(PERIOD) {
        schedule.period_ms = Some(fields.u64()?);
    }
    if has(REPEAT) {
        schedule.repeat = Some(fields.u32()?);
    }
    if has(LEFT) {
        schedule.left = Some(fields.u32()?);
    }
    if has(LIFE) {
        schedule.life_ms = Some(fields.u64()?);
    }
    if has(NAME) {
        schedule.name = Some(fields.text()?.into());
    }
    if has(CRON) {
        schedule.cron = Some(Cron { expression: fields.text()?.into(), zone: fields.text()?.into() });
    }
    Some(schedule)
}
