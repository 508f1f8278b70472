//! Sources that only cost.

use std::net::IpAddr;

use sip_proxy::{Guard, GuardSettings, Offence};

use crate::support::{seconds, start};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn guard() -> Guard {
    Guard::new(GuardSettings {
        offences_max: 3,
        forgives_every: seconds(10),
        ban_min: seconds(60),
        ban_max: seconds(200),
        sources_max: 100,
    })
}

/// Offends until the source is banned; for how long.
fn ban(guard: &mut Guard, now: std::time::Instant, source: IpAddr) -> u64 {
    for _ in 0..10 {
        if let Offence::Banned { lasts } = guard.offend(now, source) {
            return lasts.as_secs();
        }
    }
    panic!("never banned");
}

#[test]
fn who_offends_too_often_is_banned_and_longer_each_time() {
    let (mut guard, scanner) = (guard(), ip("203.0.113.66"));
    let mut now = start();
    for lasts in [60, 120, 200, 200] {
        assert!(!guard.is_banned(now, scanner));
        assert_eq!(ban(&mut guard, now, scanner), lasts);
        assert!(guard.is_banned(now, scanner));
        assert!(guard.is_banned(now + seconds(lasts - 1), scanner));
        now += seconds(lasts);
    }
    assert!(!guard.is_banned(now, scanner));
    assert!(!guard.is_banned(now, ip("203.0.113.67")), "nobody else");
    // A long quiet time makes a first ban of the next one.
    now += seconds(401);
    assert_eq!(ban(&mut guard, now, scanner), 60);
}

#[test]
fn offences_are_forgotten_one_by_one() {
    let (mut guard, source) = (guard(), ip("203.0.113.66"));
    let mut now = start();
    for _ in 0..50 {
        assert_eq!(guard.offend(now, source), Offence::Noted);
        now += seconds(10);
    }
    // Twice as often as is forgiven: one more each 10 s, and the fourth is one too many.
    let mut guard = self::guard();
    let noted = (0..50).take_while(|_| {
        now += seconds(5);
        guard.offend(now, source) == Offence::Noted
    });
    assert_eq!(noted.count(), 5);
}

#[test]
fn who_has_proven_to_be_somebody_is_pardoned() {
    let (mut guard, source, now) = (guard(), ip("203.0.113.66"), start());
    ban(&mut guard, now, source);
    guard.pardon(source);
    assert!(!guard.is_banned(now, source));
    assert!(guard.is_empty());
}

#[test]
fn an_ipv6_source_is_its_network() {
    let (mut guard, now) = (guard(), start());
    for host in 0..3 {
        guard.offend(now, ip(&format!("2001:db8:1:2::{host}")));
    }
    let banned = guard.offend(now, ip("2001:db8:1:2:ffff::9"));
    assert_eq!(banned, Offence::Banned { lasts: seconds(60) });
    assert!(guard.is_banned(now, ip("2001:db8:1:2::1")));
    assert!(!guard.is_banned(now, ip("2001:db8:1:3::1")));
    assert!(!guard.is_banned(now, ip("::ffff:203.0.113.9")));
}

#[test]
fn no_more_sources_are_remembered_than_the_limit() {
    let mut guard = guard();
    let mut now = start();
    for host in 0..1000_u32 {
        guard.offend(now, IpAddr::from((0x0a00_0000 + host).to_be_bytes()));
        now += seconds(1);
        assert!(guard.len() <= 100);
    }
    assert_eq!(guard.len(), 100, "the latest");
}
