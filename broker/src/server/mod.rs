//! Puts it together: recovery, listeners, limits on connections, signals, and the end.

mod accept;
mod admission;
mod banner;
mod descriptors;
mod gate;
mod lifecycle;
mod machine;
mod plan;
mod repeats;
mod signals;
mod strangers;
mod survey;
mod timekeeping;

#[cfg(test)]
mod tests;

pub use banner::{Banner, Listening};
pub use lifecycle::{Server, ServerError};
pub use signals::Signals;
pub use survey::{Found, Survey, survey};
