//! Gives the records of a directory one by one, as they lie in it, behind damage too.

use std::collections::BTreeMap;

use super::super::OpenError;
use super::super::format::{BATCH_HEADER_BYTES, SegmentId};
use super::super::stored;
use super::super::stored::Stored;
use super::line::{Fields, Line, Value, describe};
use super::sweep::{Found, Sweep};
use super::{Damage, Inspection};
use crate::model::DestinationId;

/// Which records are given.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only those that name this queue, by its full name.
    pub queue: Option<String>,
    /// Only those of the segment with this number.
    pub segment: Option<u64>,
    /// With heads and bodies of messages.
    pub contents: bool,
}

impl Inspection {
    /// Gives all of them to `tell`, and damage among them, until that says no.
    pub fn dump(&self, filter: &Filter, tell: &mut dyn FnMut(Result<Line, Damage>) -> bool) -> Result<(), OpenError> {
        let mut names = BTreeMap::new();
        for id in &self.ids {
            let is_shown = filter.segment.is_none_or(|number| number == id.0);
            // Segments before may say what a queue is called.
            if (is_shown || filter.queue.is_some()) && !self.dump_segment(*id, filter, is_shown, &mut names, tell)? {
                break;
            }
        }
        Ok(())
    }

    fn dump_segment(
        &self,
        id: SegmentId,
        filter: &Filter,
        is_shown: bool,
        names: &mut BTreeMap<DestinationId, String>,
        tell: &mut dyn FnMut(Result<Line, Damage>) -> bool,
    ) -> Result<bool, OpenError> {
        let file = id.file_name();
        let mut sweep = Sweep::of(&self.store, id)?;
        while let Some(found) = sweep.next()? {
            let (at, sequence, body) = match found {
                Found::Batch { at, header, body } => (at, header.sequence.0, body),
                Found::Damaged { at, until, what, .. } => {
                    if is_shown && !tell(Err(Damage { file: file.clone(), offset: at, until, what })) {
                        return Ok(false);
                    }
                    continue;
                }
                Found::Torn { .. } => continue,
            };
            let mut rest = body.as_slice();
            while !rest.is_empty() {
                let offset = at + (BATCH_HEADER_BYTES + body.len() - rest.len()) as u64;
                let Some(stored) = stored::take(&mut rest, offset) else { break };
                if let Stored::Created { destination, name } = &stored {
                    names.insert(*destination, name.as_str().to_owned());
                }
                let (kind, mut fields) = describe(&stored, filter.contents);
                fields.name_queues(names);
                if !is_shown || !filter.takes(&fields) {
                    continue;
                }
                if !tell(Ok(Line { file: file.clone(), offset: at, sequence, kind, fields: fields.0 })) {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

impl Fields {
    /// Names in the place of numbers, where they are known.
    fn name_queues(&mut self, names: &BTreeMap<DestinationId, String>) {
        for (_, value) in self.0.iter_mut().filter(|(name, _)| matches!(*name, "queue" | "from" | "to")) {
            let name = if let Value::Number(number) = value { names.get(&DestinationId(*number)) } else { None };
            if let Some(name) = name {
                *value = Value::Text(name.clone());
            }
        }
    }
}

impl Filter {
    fn takes(&self, fields: &Fields) -> bool {
        let is_it = |(name, value): &(&str, Value)| {
            matches!(*name, "queue" | "from" | "to" | "name")
                && matches!(value, Value::Text(text) if Some(text) == self.queue.as_ref())
        };
        self.queue.is_none() || fields.0.iter().any(is_it)
    }
}
