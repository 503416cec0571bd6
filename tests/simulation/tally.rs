//! What happened in a run, in numbers: a run in which nothing happened proves nothing.

/// Counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    /// The power was cut.
    pub(crate) cuts: u64,
    /// The process was killed, and the page cache lived on.
    pub(crate) kills: u64,
    /// Of these, while a start was under way.
    pub(crate) cut_starts: u64,
    /// The disk failed, and the process ended with it.
    pub(crate) failed: u64,
    /// The disk was full.
    pub(crate) full: u64,
    /// Orderly stops.
    pub(crate) stops: u64,
    pub(crate) sent: u64,
    pub(crate) receipts: u64,
    pub(crate) delivered: u64,
    pub(crate) redelivered: u64,
    pub(crate) acknowledged: u64,
    pub(crate) committed: u64,
    /// Sent without an answer, and found later.
    pub(crate) recovered: u64,
    pub(crate) refusals: u64,
    pub(crate) drained: u64,
    /// Leases that were given their time again, and ends of jobs that watchers were told.
    pub(crate) touched: u64,
    pub(crate) ends: u64,
    /// Bits that were turned over, and files that were cut short.
    pub(crate) flips: u64,
    pub(crate) truncations: u64,
    /// Of these, how many directories were refused.
    pub(crate) refused: u64,
}

impl Tally {
    /// Adds up.
    pub(crate) fn add(&mut self, other: &Tally) {
        for (sum, more) in self.fields_mut().into_iter().zip(other.clone().fields_mut()) {
            *sum += *more;
        }
    }

    fn fields_mut(&mut self) -> [&mut u64; 21] {
        [
            &mut self.steps,
            &mut self.cuts,
            &mut self.kills,
            &mut self.cut_starts,
            &mut self.failed,
            &mut self.full,
            &mut self.stops,
            &mut self.sent,
            &mut self.receipts,
            &mut self.delivered,
            &mut self.redelivered,
            &mut self.acknowledged,
            &mut self.committed,
            &mut self.recovered,
            &mut self.refusals,
            &mut self.drained,
            &mut self.touched,
            &mut self.ends,
            &mut self.flips,
            &mut self.truncations,
            &mut self.refused,
        ]
    }
}
