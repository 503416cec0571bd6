//! A SUBSCRIBE with `browser:true`: it looks through a queue and takes nothing.

use kolejka_codec::Headers;

use super::error::Fault;
use super::options::Options;
use crate::model::AckMode;
use crate::model::Browse;
use crate::model::Manner;
use crate::model::Request;
use crate::model::Source;
use crate::model::Stage;
use crate::model::Subscribe;

const STATES: &str = "x-states";

/// What is to be looked at.
#[derive(Debug)]
pub(super) struct Wish {
    stages: Vec<Stage>,
    tail: bool,
}

/// Reads the headers of a SUBSCRIBE; `None` if it does not browse.
pub(super) fn asked(headers: &Headers, source: &Source) -> Result<Option<Wish>, Fault> {
    let said = |name| headers.get(name).filter(|text| !text.is_empty());
    let browses = match said("browser") {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => return Err(Fault::BadHeader { header: "browser", expected: "true or false" }),
    };
    if !browses {
        return match said(STATES) {
            Some(_) => Err(Fault::BadHeader { header: STATES, expected: "browser:true beside it" }),
            None => Ok(None),
        };
    }
    if !source.kind().is_queue() {
        return Err(Fault::BadHeader { header: "browser", expected: "a queue to look through; a topic keeps nothing" });
    }
    if matches!(source, Source::Wildcard(_) | Source::List(_)) {
        return Err(Fault::Unsupported("browser on several queues"));
    }
    let tail = match said("browser-end") {
        None | Some("true") => false,
        Some("false") => true,
        Some(_) => return Err(Fault::BadHeader { header: "browser-end", expected: "true or false" }),
    };
    let stages = said(STATES).map_or_else(|| Ok(vec![Stage::Ready]), stages)?;
    Ok(Some(Wish { stages, tail }))
}

impl Wish {
    /// What to ask for. Whatever the ack mode says, there is nothing to acknowledge.
    pub(super) fn request(self, subscribe: Subscribe, manner: Manner, options: &Options) -> Result<Request, Fault> {
        if manner.wait_ms.is_some() || manner.until_empty {
            let expected = "neither x-wait nor x-until-empty beside it: it ends by itself";
            return Err(Fault::BadHeader { header: "browser", expected });
        }
        let Wish { stages, tail } = self;
        let subscribe = Subscribe { mode: AckMode::Auto, credit: options.auto_credit, ..subscribe };
        Ok(Request::Browse(Box::new(Browse { subscribe, stages, limit: manner.limit, tail })))
    }
}

/// A list, each once.
fn stages(text: &str) -> Result<Vec<Stage>, Fault> {
    let mut stages = Vec::new();
    for word in text.split(',').map(str::trim) {
        let expected = "a list of ready, delayed, buried and reserved";
        let stage = Stage::from_word(word).ok_or(Fault::BadHeader { header: STATES, expected })?;
        if !stages.contains(&stage) {
            stages.push(stage);
        }
    }
    Ok(stages)
}
