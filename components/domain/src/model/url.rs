//! Absolute URLs, as far as variables, items and the answers of a payment provider have them.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The parts of an absolute URL of `http` or `https`, without a login and without a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Url<'a> {
    /// Its origin as browsers write it: in lower case, and without the usual port.
    pub origin: String,
    /// Whether it is `https`.
    pub is_encrypted: bool,
    /// Whether its host is this machine.
    pub is_loopback: bool,
    /// What comes after the origin: path and query.
    pub rest: &'a str,
}

impl<'a> Url<'a> {
    /// The parts of the text, if it is such a URL.
    pub fn parse(text: &'a str) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte);
        if !text.bytes().all(plain) {
            return None;
        }
        let (scheme, after) = text.split_once("://")?;
        let is_encrypted = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let (authority, rest) = after.split_at_checked(after.find(['/', '?']).unwrap_or(after.len()))?;
        let authority = authority.to_ascii_lowercase();
        // An address of IPv6 has colons of its own. A login has an `@`, which no host has.
        let (host, is_loopback, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((address, port)) => {
                let address: Ipv6Addr = address.parse().ok()?;
                (format!("[{address}]"), address.is_loopback(), port)
            }
            None => {
                let (host, port) = authority.split_at_checked(authority.find(':').unwrap_or(authority.len()))?;
                let sound = host.len() <= 253 && host.split('.').all(is_label);
                let loopback = host == "localhost" || host.parse().is_ok_and(|address: Ipv4Addr| address.is_loopback());
                (Some(host.to_owned()).filter(|_| sound)?, loopback, port)
            }
        };
        let port = match port.strip_prefix(':') {
            Some(digits) => {
                let sound = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
                Some(digits.parse::<u16>().ok().filter(|_| sound)?)
            }
            None if port.is_empty() => None,
            None => return None,
        };
        let usual = if is_encrypted { 443 } else { 80 };
        let scheme = if is_encrypted { "https" } else { "http" };
        let origin = match port {
            Some(port) if port != usual => format!("{scheme}://{host}:{port}"),
            _ => format!("{scheme}://{host}"),
        };
        Some(Self { origin, is_encrypted, is_loopback, rest })
    }

    /// Whether what travels there is read by no third party: encrypted, or not beyond this machine.
    pub fn is_private(&self) -> bool {
        self.is_encrypted || self.is_loopback
    }
}

/// Whether a host's name may have this between its dots.
pub(super) fn is_label(label: &str) -> bool {
    !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}
