//! Prefixes and the trunks that have them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;
use sip_proxy::{Cidr, CidrError, Trunk, TrunkId, Trunks};

fn trunk(name: &str, sources: &[&str]) -> Trunk {
    Trunk {
        sources: sources
            .iter()
            .map(|source| source.parse().unwrap())
            .collect(),
        ..Trunk::named(name)
    }
}

#[test]
fn the_longest_prefix_wins() {
    let trunks = Trunks::new(vec![
        trunk("operator-a", &["0.0.0.0/0"]),
        trunk("operator-b", &["198.51.100.0/24", "2001:db8::/32"]),
        trunk("operator-c", &["198.51.100.128/25", "2001:db8:1::1"]),
    ]);
    for (source, name) in [
        ("192.0.2.1", Some("operator-a")),
        ("255.255.255.255", Some("operator-a")),
        ("198.51.100.127", Some("operator-b")),
        ("198.51.100.128", Some("operator-c")),
        ("198.51.100.255", Some("operator-c")),
        ("198.51.101.0", Some("operator-a")),
        ("::ffff:198.51.100.128", Some("operator-c")),
        ("2001:db8:1::", Some("operator-b")),
        ("2001:db8:1::1", Some("operator-c")),
        ("2001:db8:1::2", Some("operator-b")),
        ("2001:db9::", None),
        ("::1", None),
    ] {
        let found = trunks.by_source(source.parse().unwrap());
        let found = found.and_then(|id| trunks.get(id));
        assert_eq!(found.map(|trunk| &*trunk.name), name, "{source}");
    }
    assert_eq!(trunks.overlaps(), []);
    let ids: Vec<_> = trunks.iter().map(|(id, _)| id.index()).collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(
        Trunks::new(vec![]).by_source(Ipv4Addr::LOCALHOST.into()),
        None
    );
}

#[test]
fn a_prefix_of_two_trunks_is_told() {
    let trunks = Trunks::new(vec![
        trunk("operator-a", &["192.0.2.0/24", "192.0.2.0/24"]),
        trunk("operator-b", &["::ffff:192.0.2.0/120", "192.0.2.0/25"]),
    ]);
    let [overlap] = trunks.overlaps() else {
        panic!("{:?}", trunks.overlaps());
    };
    assert_eq!(overlap.source, "192.0.2.0/24".parse().unwrap());
    assert_eq!(
        (overlap.kept, overlap.ignored),
        (TrunkId::new(0), TrunkId::new(1))
    );
    assert_eq!(
        trunks.by_source("192.0.2.200".parse().unwrap()),
        Some(TrunkId::new(0))
    );
    assert_eq!(
        trunks.by_source("192.0.2.1".parse().unwrap()),
        Some(TrunkId::new(1))
    );
}

#[test]
fn prefixes_are_read_and_printed() {
    for (text, printed) in [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.7", "192.0.2.7/32"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8:0::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
    ] {
        let cidr: Cidr = text.parse().unwrap();
        assert_eq!(
            (cidr.to_string(), format!("{cidr:?}")),
            (printed.to_owned(), printed.to_owned())
        );
    }
}

#[test]
fn what_is_no_prefix_says_what_is_wrong() {
    for (text, message) in [
        ("", "\"\" is not an IPv4 or IPv6 address"),
        (
            "operator.example",
            "\"operator.example\" is not an IPv4 or IPv6 address",
        ),
        ("192.0.2/24", "\"192.0.2\" is not an IPv4 or IPv6 address"),
        (
            " 192.0.2.0/24",
            "\" 192.0.2.0\" is not an IPv4 or IPv6 address",
        ),
        ("192.0.2.0/33", "\"33\" is not a prefix length from 0 to 32"),
        ("192.0.2.0/", "\"\" is not a prefix length from 0 to 32"),
        ("192.0.2.0/+8", "\"+8\" is not a prefix length from 0 to 32"),
        ("10.0.0.0/08", "\"08\" is not a prefix length from 0 to 32"),
        (
            "10.0.0.0/8/8",
            "\"8/8\" is not a prefix length from 0 to 32",
        ),
        (
            "2001:db8::/129",
            "\"129\" is not a prefix length from 0 to 128",
        ),
        (
            "192.0.2.7/24",
            "192.0.2.7 has bits set after the first 24: write 192.0.2.0/24 for the whole prefix, \
             or 192.0.2.7 for this address alone",
        ),
        (
            "2001:db8::1/32",
            "2001:db8::1 has bits set after the first 32: write 2001:db8::/32 for the whole \
             prefix, or 2001:db8::1 for this address alone",
        ),
    ] {
        let error = text.parse::<Cidr>().unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
    for text in ["::ffff:192.0.2.0/90", "::ffff:0.0.0.0/32"] {
        let error = text.parse::<Cidr>().unwrap_err();
        assert!(matches!(error, CidrError::HostBits { .. }), "{text}");
    }
}

/// Addresses and prefixes that are close to each other, at both ends of their space.
fn any_cidr() -> impl Strategy<Value = Cidr> {
    let v4_bits = prop_oneof![any::<u32>(), 0..64_u32, (u32::MAX - 63)..=u32::MAX];
    let v4_len = prop_oneof![0..=32_u8, 24..=32_u8];
    let v4 = (v4_bits, v4_len).prop_map(|(bits, len)| (Ipv4Addr::from_bits(bits).into(), len));
    let v6_bits = prop_oneof![any::<u128>(), 0..64_u128, (u128::MAX - 63)..=u128::MAX];
    let v6_len = prop_oneof![0..=128_u8, 120..=128_u8];
    let v6 = (v6_bits, v6_len).prop_map(|(bits, len)| (Ipv6Addr::from_bits(bits).into(), len));
    let containing = |(address, len): (IpAddr, u8)| Cidr::containing(address, len).unwrap();
    prop_oneof![v4, v6].prop_map(containing)
}

/// Whether the first bits are the same, one by one.
fn holds(cidr: &Cidr, address: IpAddr) -> bool {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(v4) => (32, u128::from(v4.to_bits())),
        IpAddr::V6(v6) => (128, v6.to_bits()),
    };
    let ((len, a), (other_len, b)) = (bits(cidr.address()), bits(address.to_canonical()));
    let bit_of = |number: u128, bit: u32| number >> (len - 1 - bit) & 1;
    len == other_len && (0..u32::from(cidr.len())).all(|bit| bit_of(a, bit) == bit_of(b, bit))
}

/// The first and the last address of a prefix and those just outside.
fn edges(cidr: &Cidr) -> Vec<IpAddr> {
    match cidr.address() {
        IpAddr::V4(v4) => {
            let first = v4.to_bits();
            let last = first | u32::MAX.checked_shr(cidr.len().into()).unwrap_or(0);
            let edges = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
            let v4 = edges.map(Ipv4Addr::from_bits);
            v4.into_iter()
                .flat_map(|v4| [v4.into(), v4.to_ipv6_mapped().into()])
                .collect()
        }
        IpAddr::V6(v6) => {
            let first = v6.to_bits();
            let last = first | u128::MAX.checked_shr(cidr.len().into()).unwrap_or(0);
            let edges = [first, last, first.wrapping_sub(1), last.wrapping_add(1)];
            edges.map(|bits| Ipv6Addr::from_bits(bits).into()).to_vec()
        }
    }
}

proptest! {
    #[test]
    fn a_look_up_finds_what_a_walk_over_all_prefixes_finds(
        sources in prop::collection::vec(prop::collection::vec(any_cidr(), 0..8), 0..6),
    ) {
        let trunks: Vec<_> = sources
            .iter()
            .map(|sources| Trunk {
                sources: sources.clone(),
                ..Trunk::named("")
            })
            .collect();
        let trunks = Trunks::new(trunks);
        for address in sources.iter().flatten().flat_map(edges) {
            let mut best: Option<(u8, usize)> = None;
            for (index, cidr) in sources.iter().enumerate().flat_map(|(index, sources)| {
                sources.iter().map(move |cidr| (index, cidr))
            }) {
                if holds(cidr, address) && best.is_none_or(|(len, _)| cidr.len() > len) {
                    best = Some((cidr.len(), index));
                }
            }
            let found = trunks.by_source(address).map(TrunkId::index);
            prop_assert_eq!(found, best.map(|(_, index)| index), "{}", address);
        }
    }

    #[test]
    fn a_prefix_holds_its_addresses_and_is_read_as_it_is_printed(
        cidr in any_cidr(),
        other in any_cidr(),
    ) {
        prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
        for address in edges(&cidr).into_iter().chain(edges(&other)) {
            prop_assert_eq!(cidr.contains(address), holds(&cidr, address), "{}", address);
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[0-9a-f:./ ]{0,24}|\\PC{0,12}") {
        if let Ok(cidr) = text.parse::<Cidr>() {
            prop_assert_eq!(cidr.to_string().parse::<Cidr>(), Ok(cidr));
        }
    }
}
