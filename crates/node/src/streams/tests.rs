//! Handshakes of TLS on virtual time. The sockets are real: while nothing comes over them, only the
//! time limit can come next.

use std::{fs, net::Ipv4Addr, path::PathBuf};

use config::TlsFiles;
use engine::acd::Directory;
use tokio::time::Instant;

use super::*;

/// Files of a node that is its own authority; gone with the test.
struct Files(PathBuf);

impl Files {
    fn write(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("quinze-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let names = ["node.example".to_owned()];
        let node = rcgen::generate_simple_self_signed(names).unwrap();
        fs::write(folder.join("node.pem"), node.cert.pem()).unwrap();
        fs::write(folder.join("node.key"), node.signing_key.serialize_pem()).unwrap();
        Self(folder)
    }

    fn read(&self) -> Arc<Tls> {
        let certificate = self.0.join("node.pem");
        let files = TlsFiles {
            key: self.0.join("node.key"),
            authorities: Some(certificate.clone()),
            certificate,
        };
        Arc::new(Tls::read(files).unwrap())
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone_already = fs::remove_dir_all(&self.0);
    }
}

fn connections(tls: Arc<Tls>) -> (Connections, mpsc::Receiver<Input>) {
    let (sender, inbox) = mpsc::channel(16);
    let metrics = Arc::new(Metrics::new(&Directory::default(), "test-1"));
    let limits = ConnectionLimits::default();
    let connections = Connections::new(sender, metrics, Some(tls), limits, Limits::default());
    (connections, inbox)
}

const fn over_tls(remote: SocketAddr) -> Flow {
    Flow {
        transport: Transport::Tls,
        listener: ListenerId(0),
        remote,
    }
}

#[tokio::test(start_paused = true)]
async fn who_begins_a_handshake_and_never_ends_it_is_cut_off() {
    let files = Files::write("handshake-accepted");
    let (connections, mut inbox) = connections(files.read());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, remote) = listener.accept().await.unwrap();
    // The head of a record that holds a handshake of 512 bytes.
    io::Write::write_all(&mut peer, b"\x16\x03\x01\x02\x00").unwrap();

    let place = connections.places.take(remote.ip()).unwrap();
    let began = Instant::now();
    connections
        .clone()
        .accepted(stream, over_tls(remote), place)
        .await;
    assert_eq!(began.elapsed().as_secs(), HANDSHAKE_MAX.as_secs());
    assert!(connections.table.is_empty());
    assert!(inbox.try_recv().is_err(), "the core hears nothing of it");
    let mut rest = Vec::new();
    let _reset = io::Read::read_to_end(&mut peer, &mut rest);
    assert_eq!(rest, b"");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_shake_hands_with_us_counts_as_gone() {
    let files = Files::write("handshake-opened");
    let (connections, mut inbox) = connections(files.read());
    let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let flow = over_tls(silent.local_addr().unwrap());

    let began = Instant::now();
    let sent = connections.send(flow, None, Bytes::from_static(b"OPTIONS"));
    assert_eq!(sent, Sent::Queued);
    match inbox.recv().await {
        Some(Input::TransportFailed { flow: failed }) => {
            assert_eq!(failed, flow);
            connections.heard(failed);
        }
        other => panic!("the core does not hear of the failure but {other:?}"),
    }
    assert_eq!(began.elapsed().as_secs(), CONNECT_MAX.as_secs());
    assert!(connections.table.is_empty());
    silent.accept().unwrap();
}

/// Two phones behind NATs that have the same address inside, or two connections of one operator that are both gone.
#[tokio::test(start_paused = true)]
async fn everybody_hears_of_it_who_waits_for_a_connection_that_cannot_be_made() {
    let files = Files::write("handshake-shared");
    let (connections, mut inbox) = connections(files.read());
    let silent = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let inside = silent.local_addr().unwrap();
    let asked =
        ["198.51.100.7:40001", "198.51.100.8:40001"].map(|one| over_tls(one.parse().unwrap()));
    for flow in asked {
        let sent = connections.send(flow, Some(inside), Bytes::from_static(b"OPTIONS"));
        assert_eq!(sent, Sent::Queued);
    }
    for flow in [over_tls(inside), asked[0], asked[1]] {
        match inbox.recv().await {
            Some(Input::TransportFailed { flow: failed }) => {
                assert_eq!(failed, flow);
                connections.heard(failed);
            }
            other => panic!("the core does not hear of the failure but {other:?}"),
        }
    }
    assert!(connections.table.is_empty());
}

/// An operator whose connections always come from the same port.
#[tokio::test]
async fn whoever_is_back_does_not_end_with_what_stood_in_for_them() {
    let (sender, mut inbox) = mpsc::channel(16);
    let table = Table::new(sender, QUEUE_MAX);
    let [theirs, named] =
        ["192.0.2.9:40001", "192.0.2.9:5061"].map(|one| over_tls(one.parse().unwrap()));
    let frame = Bytes::from_static(b"OPTIONS");
    let given = table.send_or_open(theirs, named.remote, frame);
    let Given::Opened(stand_in, _frames) = given else {
        panic!("there was a connection: {given:?}");
    };
    let (_back, _frames) = table.enter(theirs).await;
    table.leave(stand_in).await;
    let told = inbox.try_recv();
    assert!(
        matches!(told, Ok(Input::TransportFailed { flow }) if flow == named),
        "{told:?}"
    );
    assert!(inbox.try_recv().is_err());
}

/// Otherwise the kernel says the same again for a quarter of an hour, and nobody hears that it is said to nobody.
#[tokio::test]
async fn a_connection_that_leads_nowhere_any_more_ends_by_itself() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let opened = connected(listener.local_addr().unwrap()).await.unwrap();
    let socket = SockRef::from(&opened);
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNHEARD_MAX));
    assert!(!socket.keepalive().unwrap());
}

#[test]
fn one_source_does_not_take_the_places_of_others_and_gives_its_own_back() {
    let address = |last| Ipv4Addr::new(192, 0, 2, last).into();
    let places = Arc::new(Places::new(ConnectionLimits {
        connections_max: 3,
        per_source_max: 2,
        ..ConnectionLimits::default()
    }));
    let first = places.take(address(1)).unwrap();
    let _second = places.take(address(1)).unwrap();
    let refused = places.take(address(1)).unwrap_err();
    assert_eq!(refused, ConnectionRefusal::PerSourceMax);
    let other = places.take(address(2)).unwrap();
    let refused = places.take(address(3)).unwrap_err();
    assert_eq!(refused, ConnectionRefusal::ConnectionsMax);
    drop(first);
    let _again = places.take(address(1)).unwrap();
    drop(other);
    assert_eq!(places.sources(), 1);
}
