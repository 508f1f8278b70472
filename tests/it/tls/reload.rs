//! Certificates change while calls go on: at SIGHUP.

use std::fs;

use nix::sys::signal::Signal;
use rcgen::CertificateParams;

use super::{Lab, expiry};
use crate::support::certificates::{Authority, KEY, loopback};

impl Lab {
    /// Tells the node to read its files, and waits until it says this for the n-th time.
    fn hang_up(&mut self, says: &str, nth: usize) {
        self.node.process.signal(Signal::SIGHUP).unwrap();
        self.node.until_logged(says, nth);
    }
}

const DONE: &str = "certificates were read again";
const FAILED: &str = "certificates stay as they were";

/// A certificate of the node that ends with the year 2097.
fn renewed() -> CertificateParams {
    let mut request = loopback();
    request.not_after = rcgen::date_time_ymd(2098, 1, 1);
    request
}

/// 2099-01-01 and 2098-01-01, midnight.
const ENDS: [f64; 2] = [4_070_908_800.0, 4_039_372_800.0];

#[test]
fn sighup_shows_the_new_certificate_to_new_connections_and_ends_no_old_one() {
    let mut lab = Lab::new("reload");
    let mut old = lab.operator();
    old.ping().unwrap();
    let shown = old.certificate().clone();
    let new = lab.authority.issue(&renewed());
    assert_ne!(new.certificate(), &shown);
    assert_eq!(expiry(&lab.node), ENDS[0]);

    new.write(&lab.folder);
    assert_eq!(lab.operator().certificate(), &shown, "not before SIGHUP");
    lab.hang_up(DONE, 1);
    let mut later = lab.operator();
    assert_eq!(later.certificate(), new.certificate());
    assert_eq!(expiry(&lab.node), ENDS[1]);
    for (peer, call_id) in [(&mut old, "old"), (&mut later, "later")] {
        peer.invite(call_id);
        assert_eq!(peer.status(), "180", "{call_id}");
    }
    lab.node.stop();
}

#[test]
fn sighup_with_broken_files_keeps_what_there_was_and_says_which() {
    let mut lab = Lab::new("reload-broken");
    let mut old = lab.operator();
    let shown = old.certificate().clone();
    let new = lab.authority.issue(&renewed());
    new.write(&lab.folder);
    let key = lab.folder.join(KEY);
    fs::write(&key, "-----BEGIN PRIVATE KEY-----\n").unwrap();

    lab.hang_up(FAILED, 1);
    assert!(lab.node.log().contains(key.to_str().unwrap()));
    assert_eq!(expiry(&lab.node), ENDS[0]);
    let mut later = lab.operator();
    assert_eq!(later.certificate(), &shown);
    for (peer, call_id) in [(&mut old, "old"), (&mut later, "later")] {
        peer.invite(call_id);
        assert_eq!(peer.status(), "180", "{call_id}");
    }

    new.write_key(&lab.folder);
    lab.hang_up(DONE, 1);
    assert_eq!(lab.operator().certificate(), new.certificate());
    lab.node.stop();
}

#[test]
fn sighup_forgets_an_authority_that_is_no_longer_believed_for_new_connections() {
    let mut lab = Lab::new("reload-authorities");
    let mut old = lab.operator();
    old.ping().unwrap();
    Authority::new("others").write(&lab.folder);
    lab.hang_up(DONE, 1);
    let mut later = lab.operator();
    later.invite("later");
    assert_eq!(later.status(), "403");
    old.invite("old");
    assert_eq!(old.status(), "180");
    lab.node.stop();
}
