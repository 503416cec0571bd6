//! Faults that were once made, or are easily made, put back on purpose: so that it can be shown that the tests find them.
//!
//! Only with the feature `seeded-bugs` is there anything here; without it [`is`] is false when the program is compiled, and
//! nothing of them is in it. `tests/seeded` puts back one after the other.

/// A fault. Its name says what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// Receipts leave before the log has what they promise.
    ReceiptBeforeSync,
    /// Receipts leave as soon as theirs is durable, past those that wait.
    ReceiptsOvertake,
    /// A batch counts as durable without having been synced.
    DataNotSynced,
    /// A sync that failed counts as one that did not.
    SyncErrorIgnored,
    /// The directory is not synced when a segment is made.
    DirectoryNotSynced,
    /// Batches are read without looking at their sums.
    ChecksumIgnored,
    /// Settlements do not get into the log.
    AckLost,
    /// Keys that were seen do not get into the log.
    KeysForgotten,
    /// A durable subscription does not get into the log.
    SubscriptionForgotten,
    /// Ids that were reserved may be given again after a restart.
    IdsGivenAgain,
    /// A segment is given back before the checkpoint that does without it is durable.
    SegmentGivenBackEarly,
    /// A start does not carry the last message of the tail over.
    TailCutShort,
    /// Void openings do not count on those below them: a start that was killed is taken for damage.
    VoidsDoNotCount,
    /// A spare is used although a segment is the same file.
    SpareIsASegment,
    /// After a crash nothing counts as having been delivered.
    RedeliveredForgotten,
    /// The stop is noted as clean although clients still hold messages.
    StopAlwaysClean,
    /// Neighbours in a queue change places.
    OrderLost,
    /// The records of a transaction are appended one by one.
    TransactionSplit,
    /// ABORT does what COMMIT does.
    AbortCommits,
    /// A message that failed for the last time is thrown away.
    DeadLetterDropped,
    /// Of a list of queues the last gets nothing.
    ListLosesTheLast,
    /// A body is taken for the one before it in the same append.
    BodyOfAnother,
    /// The queue takes what has the same key again.
    DuplicateTaken,
    /// What a message is told to wait for, and its record, do not hold it back.
    HandedOutEarly,
    /// What a connection held is counted for ever.
    MemoryNotGivenBack,
    /// The timer of a connection stays as it was when it has run out.
    TimerNotSet,
    /// The log says that there is room when there is none.
    FullDiskNotTold,
    /// Schedules do not ask for room on the disk.
    SchedulesIgnoreFullDisk,
    /// All of one hold of the engine goes to the log as one unit, however large.
    UnitsNotCut,
    /// An ACK in client-individual mode settles nothing and says so to nobody.
    AckIgnored,
    /// What a client that is gone held stays reserved.
    HeldForever,
    /// A message is handed out and stays ready as well.
    HandedOutTwice,
    /// The count of attempts goes beyond its number.
    AttemptsOverflow,
    /// Every new segment begins with a checkpoint.
    CheckpointsAlways,
    /// The log does not get to know how often a message was delivered.
    CountsNotLogged,
    /// A message is tried once more when it has failed for the last time.
    LimitOverrun,
    /// What becomes of a job that is followed does not get into the log.
    StatusNotLogged,
    /// A lease is not given its time again, and its holder is told that it is.
    TouchIgnored,
    /// A start does not know which unique keys are taken.
    UniqueForgotten,
    /// An older value stays beside a newer one.
    OldValueStays,
}

impl Bug {
    /// All of them.
    pub const ALL: [Bug; 40] = [
        Bug::ReceiptBeforeSync,
        Bug::ReceiptsOvertake,
        Bug::DataNotSynced,
        Bug::SyncErrorIgnored,
        Bug::DirectoryNotSynced,
        Bug::ChecksumIgnored,
        Bug::AckLost,
        Bug::KeysForgotten,
        Bug::SubscriptionForgotten,
        Bug::IdsGivenAgain,
        Bug::SegmentGivenBackEarly,
        Bug::TailCutShort,
        Bug::VoidsDoNotCount,
        Bug::SpareIsASegment,
        Bug::RedeliveredForgotten,
        Bug::StopAlwaysClean,
        Bug::OrderLost,
        Bug::TransactionSplit,
        Bug::AbortCommits,
        Bug::DeadLetterDropped,
        Bug::ListLosesTheLast,
        Bug::BodyOfAnother,
        Bug::DuplicateTaken,
        Bug::HandedOutEarly,
        Bug::MemoryNotGivenBack,
        Bug::TimerNotSet,
        Bug::FullDiskNotTold,
        Bug::SchedulesIgnoreFullDisk,
        Bug::UnitsNotCut,
        Bug::AckIgnored,
        Bug::HeldForever,
        Bug::HandedOutTwice,
        Bug::AttemptsOverflow,
        Bug::CheckpointsAlways,
        Bug::CountsNotLogged,
        Bug::LimitOverrun,
        Bug::StatusNotLogged,
        Bug::TouchIgnored,
        Bug::UniqueForgotten,
        Bug::OldValueStays,
    ];

    /// The bug of that name.
    pub fn from_name(name: &str) -> Option<Bug> {
        Bug::ALL.into_iter().find(|bug| format!("{bug:?}") == name)
    }
}

/// Whether this fault is to be made now: the one that the variable `KOLEJKA_SEEDED_BUG` names.
#[cfg(feature = "seeded-bugs")]
pub fn is(bug: Bug) -> bool {
    static CHOSEN: std::sync::OnceLock<Option<Bug>> = std::sync::OnceLock::new();
    let chosen = || std::env::var("KOLEJKA_SEEDED_BUG").ok().and_then(|name| Bug::from_name(&name));
    *CHOSEN.get_or_init(chosen) == Some(bug)
}

/// None of them is ever made.
#[cfg(not(feature = "seeded-bugs"))]
pub const fn is(_: Bug) -> bool {
    false
}
