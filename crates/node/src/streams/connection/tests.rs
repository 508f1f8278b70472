//! Connections on virtual time, their other end in memory.

use std::{net::SocketAddr, sync::Arc};

use config::ConnectionLimits;
use engine::{
    acd::Directory,
    sip::{FramingError, Limits, Transport},
    sip_transaction::{Flow, ListenerId},
};
use metrics::Metrics;
use tokio::{
    io::DuplexStream,
    task::JoinHandle,
    time::{advance, sleep},
};

use super::*;
use crate::streams::Sent;

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any other limit of a connection.
const IDLE_MAX: Duration = Duration::from_secs(3600);

const OPTIONS: &str = "OPTIONS sip:15@192.0.2.1 SIP/2.0\r\nCall-ID: a\r\nl: 4\r\n\r\nbody";

/// What a test holds of a connection: the peer's end, and what the core hears.
struct Open {
    peer: DuplexStream,
    inbox: mpsc::Receiver<Input>,
    served: JoinHandle<()>,
    connections: Connections,
    since: Instant,
}

fn flow() -> Flow {
    Flow {
        transport: Transport::Tcp,
        listener: ListenerId(0),
        remote: SocketAddr::from(([192, 0, 2, 9], 40_000)),
    }
}

impl Open {
    async fn new(side: StreamSide) -> Self {
        let (sender, inbox) = mpsc::channel(1024);
        let limits = ConnectionLimits {
            idle_max: IDLE_MAX,
            ..ConnectionLimits::default()
        };
        let metrics = Arc::new(Metrics::new(&Directory::default(), "test-1"));
        let connections = Connections::new(sender, metrics, None, limits, Limits::default());
        let (peer, ours) = tokio::io::duplex(64 * 1024);
        let (link, queue) = connections.table.enter(flow()).await;
        let serve = connections.clone().serve(ours, side, link, queue);
        Self {
            peer,
            inbox,
            served: tokio::spawn(serve),
            connections,
            since: Instant::now(),
        }
    }

    /// Writes, and waits until it has been read: virtual time goes on only when nobody else can.
    async fn write(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).await.unwrap();
        sleep(Duration::from_millis(1)).await;
    }

    /// The next message that the core is given.
    async fn message(&mut self) -> Bytes {
        match self.inbox.recv().await {
            Some(Input::StreamMessage { flow: of, bytes }) if of == flow() => bytes,
            other => panic!("no message of this connection: {other:?}"),
        }
    }

    /// Waits for the end of the connection, which the core hears of and the peer sees; how long it
    /// has lasted, in whole seconds.
    async fn end(mut self) -> u64 {
        self.served.await.unwrap();
        let lasted = self.since.elapsed().as_secs();
        match self.inbox.recv().await {
            Some(Input::TransportFailed { flow: of }) => {
                assert_eq!(of, flow());
                self.connections.heard(of);
            }
            other => panic!("the core does not hear of the end but {other:?}"),
        }
        assert!(self.connections.table.is_empty());
        let mut rest = Vec::new();
        self.peer.read_to_end(&mut rest).await.unwrap();
        lasted
    }
}

#[tokio::test(start_paused = true)]
async fn messages_arrive_whole_wherever_the_stream_is_cut() {
    let two = format!("{OPTIONS}{}", OPTIONS.replace("Call-ID: a", "Call-ID: b"));
    for cut in 1..two.len() {
        let mut open = Open::new(StreamSide::Accepted).await;
        let (one, other) = two.as_bytes().split_at(cut);
        open.write(one).await;
        open.write(other).await;
        let (first, second) = (open.message().await, open.message().await);
        assert_eq!([first, second].concat(), two.as_bytes(), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_byte_by_byte_arrives_whole() {
    let mut open = Open::new(StreamSide::Accepted).await;
    for byte in OPTIONS.bytes() {
        open.write(&[byte]).await;
    }
    assert_eq!(open.message().await, OPTIONS);
}

#[tokio::test(start_paused = true)]
async fn who_trickles_a_message_is_cut_off_at_its_time_limit() {
    let mut open = Open::new(StreamSide::Accepted).await;
    open.write(OPTIONS.as_bytes()).await;
    open.message().await;
    sleep(IDLE_MAX / 2).await;

    let began = Instant::now();
    let mut bytes = OPTIONS.bytes().cycle();
    while !open.served.is_finished() {
        let byte = bytes.next().unwrap();
        let _closed = open.peer.write_all(&[byte]).await;
        sleep(SECOND).await;
    }
    let lasted = began.elapsed();
    assert!(
        (MESSAGE_MAX..=MESSAGE_MAX + SECOND).contains(&lasted),
        "{lasted:?}"
    );
    open.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_begins_a_message_behind_another_has_its_time_limit_too() {
    let mut open = Open::new(StreamSide::Accepted).await;
    open.write(format!("{OPTIONS}INVITE sip:15").as_bytes())
        .await;
    open.message().await;
    assert_eq!(open.end().await, MESSAGE_MAX.as_secs());
}

#[tokio::test(start_paused = true)]
async fn who_opens_a_connection_and_says_nothing_is_not_waited_for_as_long_as_an_old_peer() {
    let open = Open::new(StreamSide::Accepted).await;
    assert_eq!(open.end().await, MESSAGE_MAX.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_connection_of_ours_may_be_silent_from_the_beginning() {
    let open = Open::new(StreamSide::Opened).await;
    assert_eq!(open.end().await, IDLE_MAX.as_secs());
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_ends_at_the_idle_limit_counted_from_the_last_word() {
    let mut open = Open::new(StreamSide::Accepted).await;
    open.write(OPTIONS.as_bytes()).await;
    open.message().await;
    advance(IDLE_MAX - SECOND).await;
    open.write(b"\r\n\r\n").await;
    assert_eq!(open.end().await, 2 * IDLE_MAX.as_secs() - 1);
}

#[tokio::test(start_paused = true)]
async fn a_ping_is_answered_by_a_pong() {
    let mut open = Open::new(StreamSide::Accepted).await;
    for _ in 0..3 {
        open.write(b"\r\n\r\n").await;
        let mut pong = [0; 16];
        let len = open.peer.read(&mut pong).await.unwrap();
        assert_eq!(&pong[..len], b"\r\n");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ping_that_comes_in_two_pieces_is_no_message_that_has_begun() {
    for cut in 1..4 {
        let mut open = Open::new(StreamSide::Accepted).await;
        open.write(OPTIONS.as_bytes()).await;
        open.message().await;
        let (one, other) = b"\r\n\r\n".split_at(cut);
        open.write(one).await;
        open.write(other).await;
        assert_eq!(open.end().await, IDLE_MAX.as_secs(), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_framed_closes_the_connection_and_is_counted() {
    let mut open = Open::new(StreamSide::Accepted).await;
    open.write(format!("{OPTIONS}GET / HTTP/1.1\r\n\r\n{OPTIONS}").as_bytes())
        .await;
    // What came before it is served, what comes behind it is not read.
    assert_eq!(open.message().await, OPTIONS);
    match open.inbox.recv().await {
        Some(Input::StreamMalformed { error }) => assert_eq!(error, FramingError::NotSip),
        other => panic!("it is not counted: {other:?}"),
    }
    assert_eq!(open.end().await, 0);
}

#[tokio::test(start_paused = true)]
async fn who_does_not_read_is_cut_off() {
    let mut open = Open::new(StreamSide::Accepted).await;
    open.write(OPTIONS.as_bytes()).await;
    open.message().await;
    let bytes = Bytes::from(vec![b'x'; 64 * 1024 + 1]);
    let sent = open.connections.send(flow(), None, bytes);
    assert_eq!(sent, Sent::Queued);
    assert_eq!(open.end().await, WRITE_MAX.as_secs());
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_before_the_peer_hangs_up_reaches_it() {
    let mut open = Open::new(StreamSide::Accepted).await;
    let sent = open
        .connections
        .send(flow(), None, Bytes::from_static(b"SIP/2.0 200"));
    assert_eq!(sent, Sent::Queued);
    let mut answer = [0; 11];
    open.peer.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"SIP/2.0 200");
    open.peer.shutdown().await.unwrap();
    assert_eq!(open.end().await, 0);
}
