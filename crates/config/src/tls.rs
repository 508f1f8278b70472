//! TLS: which certificate is ours, and whose we believe.

use std::path::{Path, PathBuf};

use engine::Listener;
use sip::Transport;

use crate::{
    report::Report,
    table::{At, Table},
};

/// Files in PEM form. The node reads them when it starts, and again when it is told to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Our certificate, and those between it and an authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities whose certificates prove who a peer is. Without them no peer proves anything,
    /// and no connection can be opened over TLS.
    pub authorities: Option<PathBuf>,
}

/// Reads `[tls]`. A TLS listener needs it.
pub(crate) fn read(
    root: &Table<'_>,
    path: &Path,
    listeners: &[Listener],
    report: &Report<'_>,
) -> Option<TlsFiles> {
    let Some(table) = root.table("tls", "[tls]") else {
        let needs_it = |one: &Listener| one.transport == Transport::Tls;
        if listeners.iter().any(needs_it) {
            let message = "a listener speaks TLS and there is no [tls]; add one with certificate and \
                           key";
            report.error(root.span(), message);
        }
        return None;
    };
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    let file = |at: At<String>| folder.join(at.value);
    let certificate = table.required("certificate", "\"node.pem\"").map(file);
    let key = table.required("key", "\"node.key\"").map(file);
    let authorities = table.string("authorities").map(file);
    table.finish();
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
        authorities,
    })
}
