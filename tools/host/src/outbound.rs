//! Where components may connect to: `allowed_outbound_hosts`. This host allows Redis and nothing else.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::Url;

/// How long the start waits for a Redis before it warns that none answers.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The default port of both schemes.
const REDIS_PORT: u16 = 6379;

/// An entry of `allowed_outbound_hosts`, with its variables filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AllowedHost {
    /// `None` for any.
    scheme: Option<String>,
    /// `None` for any. As [`Url`] writes it.
    host: Option<String>,
    /// `None` for any.
    port: Option<u16>,
}

impl AllowedHost {
    /// Reads `scheme://host[:port]`, in which each may be `*`.
    ///
    /// # Errors
    /// Says what this host does not understand: Spin also takes networks, ranges of ports, and subdomains.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or("it must be scheme://host[:port]")?;
        let scheme = any(scheme).map(str::to_owned);
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        if rest.contains(['/', '@']) {
            return Err("it must have neither a path nor a login".to_owned());
        }
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && !port.ends_with(']') => (host, Some(port)),
            _ => (rest, None),
        };
        let port = match (port, scheme.as_deref()) {
            (Some("*"), _) => None,
            (Some(port), _) => Some(port.parse().map_err(|_| format!("port {port:?} is not a number"))?),
            (None, Some("redis" | "rediss")) => Some(REDIS_PORT),
            (None, Some("http")) => Some(80),
            (None, Some("https")) => Some(443),
            (None, _) => return Err("it has no port, and its scheme none that is known".to_owned()),
        };
        let host = any(host).map(|host| {
            let url = Url::parse(&format!("http://{host}")).map_err(|error| format!("host {host:?}: {error}"))?;
            url.host_str().filter(|host| !host.contains('*')).map(str::to_owned).ok_or(format!("host {host:?} is none"))
        });
        Ok(Self { scheme, host: host.transpose()?, port })
    }

    /// Whether a component may connect to this URL.
    pub(crate) fn allows(&self, url: &str) -> bool {
        // Read as a URL of HTTP, whose hosts are compared without regard to case.
        let parts = url
            .split_once("://")
            .and_then(|(scheme, rest)| Some((scheme, Url::parse(&format!("http://{rest}")).ok()?)));
        let Some((scheme, parsed)) = parts else { return false };
        let port = if url_names_port(url, &parsed) { parsed.port_or_known_default() } else { Some(REDIS_PORT) };
        self.scheme.as_deref().is_none_or(|allowed| allowed == scheme)
            && self.host.as_deref().is_none_or(|allowed| parsed.host_str() == Some(allowed))
            && self.port.is_none_or(|allowed| port == Some(allowed))
    }

    /// Whether it is for Redis.
    pub(crate) fn is_redis(&self) -> bool {
        matches!(self.scheme.as_deref(), Some("redis" | "rediss"))
    }

    /// Why no server can be reached at this host, if so. Blocks for a moment.
    pub(crate) fn unreachable(&self) -> Option<String> {
        let (Some(host), Some(port)) = (&self.host, self.port) else { return None };
        let reached =
            format!("{host}:{port}").to_socket_addrs().map(Iterator::collect).and_then(|all: Vec<SocketAddr>| {
                all.iter().map(|address| TcpStream::connect_timeout(address, TIMEOUT)).reduce(Result::or).transpose()
            });
        match reached {
            Ok(Some(_)) => None,
            Ok(None) => Some(format!("{host}:{port} is no address")),
            Err(error) => Some(format!("{host}:{port}: {error}")),
        }
    }
}

/// The stand-in scheme has the default port 80, so a URL with port 80 looks like one without a port.
fn url_names_port(url: &str, parsed: &Url) -> bool {
    parsed.port().is_some() || url.contains(":80/") || url.ends_with(":80")
}

fn any(part: &str) -> Option<&str> {
    (part != "*").then_some(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &str, url: &str) -> bool {
        AllowedHost::parse(allowed).unwrap().allows(url)
    }

    #[test]
    fn scheme_host_and_port_must_be_the_ones_that_are_allowed() {
        for url in ["redis://shop:6379", "redis://SHOP:6379/1", "redis://user:word@shop:6379/1", "redis://shop"] {
            assert!(allows("redis://shop:6379", url), "{url}");
        }
        for url in ["rediss://shop:6379", "redis://other:6379", "redis://shop:6380", "redis://shop:80", "shop:6379", ""]
        {
            assert!(!allows("redis://shop:6379", url), "{url}");
        }
        assert!(!allows("redis://shop:6379", "redis://shop:6379@other/"), "a login is no host");
        assert!(allows("redis://shop", "redis://shop:6379/"));
        assert!(allows("redis://[::1]:7000", "redis://[::1]:7000/0"));
        assert!(allows("redis://shop:80", "redis://shop:80/0"));
    }

    #[test]
    fn a_star_stands_for_any() {
        assert!(allows("*://*:*", "rediss://shop:1"));
        assert!(allows("redis://*:6379", "redis://shop"));
        assert!(!allows("redis://*:6379", "redis://shop:1"));
        assert!(allows("redis://shop:*", "redis://shop:1"));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, why) in [
            ("shop:6379", "scheme://host"),
            ("redis://shop:x", "not a number"),
            ("redis://shop:1/path", "neither a path"),
            ("redis://:word@shop:1", "nor a login"),
            ("other://shop", "no port"),
            ("redis://*.shop:1", "is none"),
            ("redis://:1", "host"),
        ] {
            let refused = AllowedHost::parse(text);
            assert!(refused.as_ref().is_err_and(|reason| reason.contains(why)), "{text}: {refused:?}");
        }
    }

    #[test]
    fn a_host_where_nothing_listens_is_found_out() {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let unused = AllowedHost::parse(&format!("redis://{free}")).unwrap();
        assert!(unused.is_redis() && unused.unreachable().is_some_and(|why| why.contains("refused")));
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let listening = AllowedHost::parse(&format!("redis://{}", listener.local_addr().unwrap())).unwrap();
        assert_eq!(listening.unreachable(), None);
    }
}
