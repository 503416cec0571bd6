//! Measures a STOMP broker from outside: messages per second, and the CPU time of the server per message.
//!
//! `measure ADDRESS [--pid PID] [--messages N] [--size OCTETS] [--pairs N] [--window N] [--transient]`
//!
//! Each pair is a producer and a consumer on a queue of its own. Persistent messages ask for a receipt each and are
//! acknowledged one by one; transient ones ask for nothing and are consumed in auto mode. A producer has at most
//! `window` unconfirmed messages; how long each waited for its receipt is told too. Works with any STOMP 1.2 broker.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

use bytes::BytesMut;
use kolejka_codec::{Command, Decoder, Frame, Item, Limits, Version};

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

#[derive(Clone, Debug)]
struct Plan {
    address: String,
    pid: Option<u32>,
    messages: usize,
    size: usize,
    pairs: usize,
    window: usize,
    transient: bool,
}

/// One connection.
struct Client {
    socket: TcpStream,
    decoder: Decoder,
    input: BytesMut,
}

impl Client {
    fn connect(address: &str) -> Outcome<Client> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        let mut decoder = Decoder::new(Limits::default());
        decoder.set_version(Version::V1_2);
        let mut client = Client { socket, decoder, input: BytesMut::with_capacity(256 * 1024) };
        client.socket.write_all(b"CONNECT\naccept-version:1.2\nhost:measure\n\n\0")?;
        match client.frame()?.command {
            Command::Connected => Ok(client),
            other => Err(format!("refused: {other:?}").into()),
        }
    }

    /// The next frame, without waiting if one is there.
    fn buffered(&mut self) -> Outcome<Option<Frame>> {
        loop {
            match self.decoder.decode(&mut self.input)? {
                Some(Item::Frame(frame)) if frame.command == Command::Error => {
                    return Err(format!("the broker says: {}", frame.headers.get("message").unwrap_or("?")).into());
                }
                Some(Item::Frame(frame)) => return Ok(Some(frame)),
                Some(Item::HeartBeat) => {}
                None => return Ok(None),
            }
        }
    }

    fn frame(&mut self) -> Outcome<Frame> {
        loop {
            if let Some(frame) = self.buffered()? {
                return Ok(frame);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Outcome<()> {
        let mut octets = [0; 16 * 1024];
        match self.socket.read(&mut octets)? {
            0 => Err("the broker closed the connection".into()),
            count => {
                self.input.extend_from_slice(&octets[..count]);
                Ok(())
            }
        }
    }
}

/// Sends, and returns how long each message waited for its receipt, in seconds.
#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn produce(plan: &Plan, queue: usize) -> Outcome<Vec<f64>> {
    let mut client = Client::connect(&plan.address)?;
    let body = vec![b'x'; plan.size];
    let (mut sent, mut confirmed) = (0, 0);
    let (mut departures, mut waits) = (VecDeque::new(), Vec::new());
    let mut out = Vec::new();
    while confirmed < plan.messages {
        out.clear();
        while sent < plan.messages && sent - confirmed < plan.window {
            let durability = if plan.transient {
                "persistent:false\n".to_owned()
            } else {
                format!("persistent:true\nreceipt:{sent}\n")
            };
            let length = plan.size;
            write!(out, "SEND\ndestination:/queue/measure.{queue}\n{durability}content-length:{length}\n\n")?;
            out.extend_from_slice(&body);
            out.push(0);
            departures.push_back(Instant::now());
            sent += 1;
        }
        client.socket.write_all(&out)?;
        if plan.transient {
            // Nothing is confirmed; a receipt at the end tells that all was taken.
            confirmed = sent;
            continue;
        }
        client.read()?;
        while client.buffered()?.is_some() {
            confirmed += 1;
            waits.extend(departures.pop_front().map(|departure| departure.elapsed().as_secs_f64()));
        }
    }
    client.socket.write_all(b"DISCONNECT\nreceipt:end\n\n\0")?;
    client.frame()?;
    Ok(waits)
}

fn consume(plan: &Plan, queue: usize) -> Outcome<()> {
    let mut client = Client::connect(&plan.address)?;
    let mode = if plan.transient { "auto" } else { "client-individual" };
    let window = plan.window.max(100);
    write!(
        client.socket,
        "SUBSCRIBE\nid:1\ndestination:/queue/measure.{queue}\nack:{mode}\nprefetch-count:{window}\nactivemq.prefetchSize:{window}\nconsumer-window-size:-1\n\n\0"
    )?;
    let mut received = 0;
    let mut out = Vec::new();
    while received < plan.messages {
        while let Some(frame) = client.buffered()? {
            received += 1;
            if !plan.transient {
                write!(out, "ACK\nid:{}\n\n\0", frame.headers.get("ack").ok_or("a MESSAGE without ack")?)?;
            }
        }
        client.socket.write_all(&out)?;
        out.clear();
        if received < plan.messages {
            client.read()?;
        }
    }
    client.socket.write_all(b"DISCONNECT\nreceipt:end\n\n\0")?;
    client.frame()?;
    Ok(())
}

/// User and system time that a process has used, in seconds.
#[expect(clippy::disallowed_methods, reason = "the kernel tells the time of a process in a file")]
fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit_once(')').ok_or("an odd stat file")?.1.split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>()? + fields[12].parse::<f64>()?;
    Ok(ticks / 100.0)
}

fn plan() -> Outcome<Plan> {
    let mut words = env::args().skip(1);
    let address = words.next().ok_or("usage: measure ADDRESS [--pid PID] [--messages N] [--size N] [--pairs N] …")?;
    let mut plan = Plan { address, pid: None, messages: 100_000, size: 1024, pairs: 2, window: 256, transient: false };
    while let Some(word) = words.next() {
        if word == "--transient" {
            plan.transient = true;
            continue;
        }
        let number: usize = words.next().ok_or(format!("{word} wants a number"))?.parse()?;
        match word.as_str() {
            "--pid" => plan.pid = Some(u32::try_from(number)?),
            "--messages" => plan.messages = number,
            "--size" => plan.size = number,
            "--pairs" => plan.pairs = number,
            "--window" => plan.window = number,
            _ => return Err(format!("unknown option {word}").into()),
        }
    }
    Ok(plan)
}

#[expect(clippy::print_stdout, clippy::disallowed_methods, reason = "a program for people, with a clock and threads")]
fn main() -> Outcome<()> {
    let plan = plan()?;
    let before = plan.pid.map(cpu_seconds).transpose()?;
    let start = Instant::now();
    let (mut producers, mut consumers) = (Vec::new(), Vec::new());
    for queue in 0..plan.pairs {
        let (producer, consumer) = (plan.clone(), plan.clone());
        consumers.push(thread::spawn(move || consume(&consumer, queue)));
        producers.push(thread::spawn(move || produce(&producer, queue)));
    }
    let mut waits = Vec::new();
    for producer in producers {
        waits.extend(producer.join().map_err(|_| "a producer panicked")??);
    }
    for consumer in consumers {
        consumer.join().map_err(|_| "a consumer panicked")??;
    }
    let took = start.elapsed().as_secs_f64();
    let total = (plan.messages * plan.pairs) as f64;
    let kind = if plan.transient { "transient, auto" } else { "persistent, a receipt and an ack each" };
    println!("{} messages of {} octets, {} pairs, window {}, {kind}", total, plan.size, plan.pairs, plan.window);
    println!("{:.0} messages per second", total / took);
    waits.sort_by(f64::total_cmp);
    if let (Some(half), Some(most)) = (waits.get(waits.len() / 2), waits.get(waits.len() * 99 / 100)) {
        println!("confirmed after {:.2} ms (p50), {:.2} ms (p99)", half * 1e3, most * 1e3);
    }
    if let (Some(pid), Some(before)) = (plan.pid, before) {
        println!("{:.2} µs of server CPU per message", (cpu_seconds(pid)? - before) * 1e6 / total);
    }
    Ok(())
}
