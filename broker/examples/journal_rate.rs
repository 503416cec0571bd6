//! Measures the journal alone: how many durable messages of 1 KiB a second, with so many in flight at a time.
//!
//! `cargo run --release -p kolejka --example journal_rate -- DIRECTORY`; the directory should be on the disk in question.

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a measurement prints, and reads the clock")]

use std::error::Error;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kolejka::journal::{Disk, Journal, Options};
use kolejka::model::{
    Accepted, Content, DestinationId, DestinationName, Durable, Log, LogError, LogSink, MessageId, Place,
};
use kolejka::model::{Position, Record, Replay, Settled, ShardId, Ticket, Timestamp, Urgency};

const MESSAGE_BYTES: usize = 1024;
const LONG_ENOUGH: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Sink {
    through: Mutex<(Ticket, Vec<Position>)>,
    changed: Condvar,
}

impl LogSink for Sink {
    fn durable(&self, durable: Durable<'_>) {
        let mut through = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        through.0 = durable.through;
        through.1.extend_from_slice(durable.positions);
        self.changed.notify_all();
    }

    fn failed(&self, error: LogError) {
        println!("failed: {error}");
    }
}

impl Sink {
    fn wait(&self, ticket: Ticket) -> Vec<Position> {
        let through = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        let late = |through: &mut (Ticket, Vec<Position>)| through.0 < ticket;
        let mut through = self.changed.wait_while(through, late).unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut through.1)
    }
}

struct Nobody;

impl Replay for Nobody {
    fn record(&mut self, _record: Record, _position: Option<Position>) {}
}

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args().nth(1).ok_or("name a directory")?;
    let options = Options::new(Path::new(&directory));
    let fs = Arc::new(Disk::at(&options.directory)?);
    let opened = Journal::open(options, fs, &mut Nobody, Timestamp(1))?;
    println!("{:?}", opened.recovered);
    let sink = Arc::new(Sink::default());
    let mut running = opened.journal.start(sink.clone())?;
    let name = DestinationName::queue("rate")?;
    running.log.append(&mut vec![Record::Created { destination: DestinationId(1), name }], Timestamp(1))?;
    std::thread::sleep(Duration::from_secs(1));
    let mut next = 0;
    for batch in [1, 16, 128, 1024] {
        let (messages, took) = rate(running.log.as_mut(), &sink, batch, &mut next)?;
        println!("{batch:>5} in flight: {:>9.0} messages a second", messages as f64 / took.as_secs_f64());
    }
    running.stopper.stop()?;
    Ok(())
}

/// Appends messages one by one, waits for the last of each group, and settles the group with the next.
fn rate(log: &mut dyn Log, sink: &Sink, batch: u64, next: &mut u64) -> Result<(u64, Duration), LogError> {
    let content = Content::small(&[7; MESSAGE_BYTES], 100);
    let place = Place { urgency: Urgency::NORMAL, sequence: 0 };
    let destination = DestinationId(1);
    let (begun, first) = (Instant::now(), *next);
    let (mut unit, mut done) = (Vec::new(), Vec::new());
    while begun.elapsed() < LONG_ENOUGH {
        let mut last = Ticket(0);
        for _ in 0..batch {
            let message = MessageId::new(ShardId::default(), *next);
            *next += 1;
            let size = MESSAGE_BYTES as u32;
            let content = Some(content.clone());
            unit.push(Record::Accepted(Accepted { destination, message, place, size, content, terms: None }));
            if let Some(position) = done.pop() {
                unit.push(Record::Settled(Settled { destination, message, place, position }));
            }
            last = log.append(&mut unit, Timestamp(1))?;
        }
        done = sink.wait(last);
    }
    Ok((*next - first, begun.elapsed()))
}
