//! Tests of the journal: conformance of every log, then power cuts, failing operations, torn batches and damage.

mod chains;
mod checkpoints;
mod compaction;
mod damage;
mod enumeration;
mod fanout;
mod faults;
mod full;
mod golden;
mod inspect;
mod inverse;
mod kit;
mod lifecycle;
mod scrub;
mod workload;
