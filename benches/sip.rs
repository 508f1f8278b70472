//! One INVITE of an operator, 900 bytes: read it, and make of it what a proxy sends on; beside rsip.

#![allow(clippy::unwrap_used, reason = "a bench may fail")]

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use quinze_benches::invite::{INVITE, ROOM, VIA, forward, read, read_routing};
use rsip::{
    headers::{Header, ToTypedHeader, UntypedHeader},
    message::{HasHeaders, HeadersExt},
};

static RECEIVED: Bytes = Bytes::from_static(INVITE.as_bytes());

/// The same as [`forward`] by rsip: it owns what it reads, and types headers on demand.
fn forward_by_rsip(received: &[u8]) -> Vec<u8> {
    let mut request = rsip::Request::try_from(received).unwrap();
    black_box(request.via_header().unwrap().typed().unwrap().branch());
    black_box(request.call_id_header().unwrap().value());
    black_box(request.from_header().unwrap().typed().unwrap().tag());
    black_box(request.to_header().unwrap().typed().unwrap().tag());
    black_box(request.cseq_header().unwrap().typed().unwrap().seq);
    black_box(request.uri());
    black_box(request.max_forwards_header().unwrap().num().unwrap());
    black_box(request.route_header().unwrap().typed().unwrap());
    let mut headers = vec![Header::Via(rsip::headers::Via::new(VIA))];
    headers.extend(std::mem::take(request.headers_mut()));
    request.headers = headers.into();
    request.into()
}

/// What each allocates for one message.
#[expect(clippy::print_stdout, reason = "what a bench is for")]
fn allocations(_: &mut Criterion) {
    let mut out = BytesMut::with_capacity(ROOM);
    let ours = allocation_counter::measure(|| {
        black_box(forward(RECEIVED.clone(), &mut out));
    });
    let rsips = allocation_counter::measure(|| {
        black_box(forward_by_rsip(INVITE.as_bytes()));
    });
    assert_eq!(
        out.len(),
        forward_by_rsip(INVITE.as_bytes()).len(),
        "both do the same"
    );
    for (who, made) in [("sip", ours), ("rsip 0.4", rsips)] {
        let (count, bytes) = (made.count_total, made.bytes_total);
        println!("parse, read, add a Via, print: {who} makes {count} allocations, {bytes} bytes");
    }
}

fn parts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("an INVITE of 900 bytes");
    group.throughput(Throughput::Bytes(INVITE.len() as u64));
    group.bench_function("sip: parse and validate", |bench| {
        bench.iter(|| read(black_box(RECEIVED.clone())));
    });
    group.bench_function("sip: … and read the routing fields", |bench| {
        bench.iter(|| {
            let request = read(black_box(RECEIVED.clone()));
            read_routing(&request);
            request
        });
    });
    group.bench_function("rsip: parse", |bench| {
        bench.iter(|| rsip::Request::try_from(black_box(INVITE.as_bytes())).unwrap());
    });
    group.finish();
}

/// The row of the figures: parse, read the routing fields, add a Via, print.
fn whole(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parse, read, add a Via, print");
    group.throughput(Throughput::Bytes(INVITE.len() as u64));
    let mut out = BytesMut::with_capacity(ROOM);
    group.bench_function("sip", |bench| {
        bench.iter(|| black_box(forward(black_box(RECEIVED.clone()), &mut out)));
    });
    group.bench_function("rsip 0.4", |bench| {
        bench.iter(|| forward_by_rsip(black_box(INVITE.as_bytes())));
    });
    group.finish();
}

criterion_group!(benches, allocations, parts, whole);
criterion_main!(benches);
