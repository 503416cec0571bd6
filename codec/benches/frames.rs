//! How long frames take, small and large, whole and in pieces: `cargo bench -p kolejka-codec`.

use std::hint::black_box;

use bytes::BytesMut;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use kolejka_codec::{Command, Decoder, Ending, Frame, Item, Limits, Version, encode, encoder};

/// Seven headers and a body with its length.
fn send(body_bytes: usize) -> Vec<u8> {
    let headers = "destination:/queue/orders.incoming\ncontent-type:application/json\npersistent:true\n\
                   priority:4\nreceipt:message-12345\ncorrelation-id:2f1c7a9e-61d5\n";
    format!("SEND\n{headers}content-length:{body_bytes}\n\n{}\0\n", "x".repeat(body_bytes)).into_bytes()
}

fn decoder() -> Decoder {
    let mut decoder = Decoder::new(Limits::default());
    decoder.set_version(Version::V1_2);
    decoder
}

/// Decodes octets that arrive in reads of this size; returns how many frames they held.
fn decode(octets: &[u8], read_bytes: usize, buffer: &mut BytesMut) -> usize {
    let mut decoder = decoder();
    let mut frames = 0;
    for read in octets.chunks(read_bytes) {
        buffer.extend_from_slice(read);
        while let Ok(Some(item)) = decoder.decode(buffer) {
            frames += usize::from(matches!(black_box(item), Item::Frame(_)));
        }
    }
    frames
}

fn decoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    let cases = [
        ("100 SENDs of 256 B in one read", send(256).repeat(100), usize::MAX),
        ("100 SENDs of 256 B, reads of 64 B", send(256).repeat(100), 64),
        ("one SEND of 64 KiB, reads of 4 KiB", send(65_536), 4_096),
        ("one SEND of 1 MiB, reads of 16 KiB", send(1 << 20), 16_384),
    ];
    for (name, octets, read_bytes) in cases {
        group.throughput(Throughput::Bytes(octets.len() as u64));
        group.bench_function(name, |bencher| {
            // As a connection does, one buffer is used again and again.
            let mut buffer = BytesMut::with_capacity(65_536);
            bencher.iter(|| decode(&octets, read_bytes, &mut buffer));
        });
    }
    group.finish();
}

fn message() -> Frame {
    Frame::new(Command::Message)
        .header("destination", "/queue/orders.incoming")
        .header("message-id", "17-482")
        .header("subscription", "sub-0")
        .header("ack", "17-482")
        .header("content-type", "application/json")
        .header("correlation-id", "2f1c7a9e:61d5")
        .body(vec![b'x'; 256])
}

fn encoding(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    let mut out = BytesMut::with_capacity(4_096);
    let frame = message();
    for version in Version::ALL {
        group.bench_function(format!("MESSAGE of 256 B for {version}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                encode(black_box(&frame), version, Ending::NulLf, &mut out);
                out.len()
            });
        });
    }
    group.finish();
}

fn blocks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("put_block");
    let mut block = BytesMut::new();
    for (name, value) in message().headers.iter() {
        encoder::put_header(&mut block, name, value, Version::V1_2);
    }
    let mut out = BytesMut::with_capacity(4_096);
    for version in Version::ALL {
        group.bench_function(format!("6 headers for {version}"), |bencher| {
            bencher.iter(|| {
                out.clear();
                encoder::put_block(&mut out, black_box(&block), version);
                out.len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, decoding, encoding, blocks);
criterion_main!(benches);
