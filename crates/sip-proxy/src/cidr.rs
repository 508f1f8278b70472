//! Address prefixes as a configuration writes them: `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.7`.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// All addresses that share their first bits. Those of an IPv4-mapped IPv6 prefix
/// (`::ffff:192.0.2.0/120`) are the IPv4 ones that they stand for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    /// Has no bit set after the first `len`.
    address: IpAddr,
    len: u8,
}

/// Why text is no prefix.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CidrError {
    /// What stands before `/` is no IP address.
    #[error("{text:?} is not an IPv4 or IPv6 address")]
    Address {
        /// What stands there.
        text: String,
    },
    /// What stands after `/` is no number of bits, or more than the address has.
    #[error("{text:?} is not a prefix length from 0 to {max}")]
    Length {
        /// What stands there.
        text: String,
        /// How many bits the address has.
        max: u8,
    },
    /// The address has bits set after the prefix: nobody can say which of the two was meant.
    #[error("{address} has bits set after the first {}: write {prefix} for the whole prefix, or {address} for this address alone", prefix.len)]
    HostBits {
        /// The address as written.
        address: IpAddr,
        /// The prefix that the address is in.
        prefix: Cidr,
    },
}

impl Cidr {
    /// The prefix of this length that the address is in; `None` when the address has fewer bits.
    pub fn containing(address: IpAddr, len: u8) -> Option<Self> {
        let (address, len) = match address {
            // Only a prefix that reaches into the IPv4 part is one of IPv4 addresses.
            IpAddr::V6(v6) if len >= MAPPED_LEN => {
                let v4 = v6.to_ipv4_mapped();
                v4.map_or((address, len), |v4| (v4.into(), len - MAPPED_LEN))
            }
            _ => (address, len),
        };
        let address = match address {
            IpAddr::V4(v4) => {
                let host_bits = u32::from(max_len(address).checked_sub(len)?);
                let mask = u32::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) => {
                let host_bits = u32::from(max_len(address).checked_sub(len)?);
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
        };
        Some(Self { address, len })
    }

    /// The first address.
    pub const fn address(&self) -> IpAddr {
        self.address
    }

    /// How many first bits the addresses share: 0 to 32, or 0 to 128.
    #[expect(clippy::len_without_is_empty, reason = "no prefix is empty")]
    pub const fn len(&self) -> u8 {
        self.len
    }

    /// Whether the address is in the prefix. An IPv4-mapped IPv6 address counts as the IPv4 one.
    pub fn contains(&self, address: IpAddr) -> bool {
        Self::containing(address.to_canonical(), self.len) == Some(*self)
    }

    /// The first and the last address as numbers.
    pub(crate) fn bounds(&self) -> (u128, u128) {
        let (first, host_bits) = match self.address {
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), max_len(self.address) - self.len),
            IpAddr::V6(v6) => (v6.to_bits(), max_len(self.address) - self.len),
        };
        let host_mask = match host_bits {
            128 => u128::MAX,
            _ => (1 << host_bits) - 1,
        };
        (first, first | host_mask)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    fn from_str(text: &str) -> Result<Self, CidrError> {
        let (address_text, len_text) = match text.split_once('/') {
            Some((address, len)) => (address, Some(len)),
            None => (text, None),
        };
        let address: IpAddr = address_text.parse().map_err(|_| CidrError::Address {
            text: address_text.to_owned(),
        })?;
        let max = max_len(address);
        let len = match len_text {
            Some(len_text) => parse_len(len_text, max)?,
            None => max,
        };
        let prefix = Self::containing(address, len).expect("parse_len keeps to the address's bits");
        if prefix.address != address.to_canonical() {
            return Err(CidrError::HostBits { address, prefix });
        }
        Ok(prefix)
    }
}

impl From<IpAddr> for Cidr {
    /// The prefix that has this address alone.
    fn from(address: IpAddr) -> Self {
        Self::containing(address, max_len(address)).expect("an address has as many bits as it has")
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.len)
    }
}

impl fmt::Debug for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

const fn max_len(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// A number without sign or leading zeros: `08` can be read in two ways.
fn parse_len(text: &str, max: u8) -> Result<u8, CidrError> {
    let is_plain =
        text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    let len = is_plain.then(|| text.parse().ok()).flatten();
    len.filter(|&len| len <= max)
        .ok_or_else(|| CidrError::Length {
            text: text.to_owned(),
            max,
        })
}

/// Bits of an IPv4-mapped IPv6 address before the IPv4 part.
const MAPPED_LEN: u8 = 96;
