//! What the shell counts of connections.

/// Why a connection that a peer opened was closed before it carried anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConnectionRefusal {
    /// There are as many connections as there may be.
    ConnectionsMax,
    /// There are as many from this address as there may be.
    PerSourceMax,
    /// TLS did not come about: another protocol, no version or cipher in common, or too slow.
    Handshake,
}

impl ConnectionRefusal {
    /// Every reason.
    pub const ALL: [Self; 3] = [Self::ConnectionsMax, Self::PerSourceMax, Self::Handshake];

    /// For metric labels.
    pub const fn label(self) -> &'static str {
        match self {
            Self::ConnectionsMax => "connections-max",
            Self::PerSourceMax => "connections-per-source-max",
            Self::Handshake => "tls-handshake",
        }
    }
}
