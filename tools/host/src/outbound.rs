//! Where components may connect to: `allowed_outbound_hosts`, read and applied as Spin does, but for networks (`10.0.0.0/8`)
//! and other components (`NAME.spin.internal`), which are refused.

use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use url::{Host, Url};

/// How long the start waits for a Redis before it warns that none answers.
const TIMEOUT: Duration = Duration::from_secs(1);

/// The names by which the components of an application call each other on Spin, without a connection.
const SERVICE_CHAINING: &str = ".spin.internal";

/// An entry of `allowed_outbound_hosts`, with its variables filled in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AllowedHost {
    /// `None` for any.
    scheme: Option<String>,
    host: Hosts,
    ports: Ports,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Hosts {
    Any,
    /// Every subdomain of what follows the dot that it starts with.
    Subdomains(String),
    /// The application itself.
    Own,
    One(Host),
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ports {
    Any,
    One(u16),
    /// The second is not in it.
    Range(u16, u16),
}

/// Where a component wants to connect to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    scheme: String,
    host: Host,
    port: Option<u16>,
}

impl AllowedHost {
    /// Reads `scheme://host[:port]`, in which each may be `*`.
    ///
    /// # Errors
    /// Says what is wrong with it, or not understood here.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.trim().split_once("://").ok_or("it must be scheme://host[:port]")?;
        // The last colon may be one of an IPv6 address.
        let (host, port) = match rest.rsplit_once(':') {
            None => (rest, ""),
            Some((host, "")) => (host, ""),
            Some(_) if Hosts::parse(rest).is_ok() => (rest, ""),
            Some((host, port)) => (host, port.strip_suffix('/').unwrap_or(port)),
        };
        let ports = Ports::parse(port, scheme)?;
        let scheme = match scheme {
            "*" => None,
            name if name.chars().all(char::is_alphabetic) => Some(name.to_owned()),
            other => return Err(format!("scheme {other:?} must have letters only")),
        };
        Ok(Self { scheme, host: Hosts::parse(host)?, ports })
    }

    /// Reads an entry that variables were filled into. One that they have left empty stands for no host at all.
    pub(crate) fn parse_filled(text: &str) -> Result<Option<Self>, String> {
        match text {
            "" | "http://" | "https://" => Ok(None),
            text => Self::parse(text).map(Some),
        }
    }

    /// Whether a component may connect there.
    pub(crate) fn allows(&self, to: &Destination) -> bool {
        self.scheme.as_ref().is_none_or(|allowed| *allowed == to.scheme)
            && self.host.allows(&to.host)
            && self.ports.allows(to.port.or_else(|| usual_port(&to.scheme)))
    }

    /// Whether a component may send HTTP requests to its own application.
    pub(crate) fn allows_self(&self) -> bool {
        matches!(self.scheme.as_deref(), None | Some("http" | "https")) && matches!(self.host, Hosts::Any | Hosts::Own)
    }

    /// Whether it is for Redis.
    pub(crate) fn is_redis(&self) -> bool {
        matches!(self.scheme.as_deref(), Some("redis" | "rediss"))
    }

    /// Why no server can be reached at this host, if so. Blocks for a moment.
    pub(crate) fn unreachable(&self) -> Option<String> {
        let (Hosts::One(host), Ports::One(port)) = (&self.host, &self.ports) else { return None };
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

impl Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        match text {
            "*" => return Ok(Self::Any),
            "self" | "self.alt" => return Ok(Self::Own),
            _ => {}
        }
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.contains(['/', '@']) {
            return Err("it must have neither a path nor a login, and networks are left to Spin".to_owned());
        }
        let (subdomains, name) = text.strip_prefix("*.").map_or((false, text), |domain| (true, domain));
        if name.contains('*') {
            return Err(format!("host {text:?} has a * elsewhere than before its first dot"));
        }
        let host = Host::parse(name).map_err(|error| format!("host {text:?}: {error}"))?;
        if matches!(&host, Host::Domain(domain) if is_service_chaining(&format!(".{domain}"))) {
            return Err(format!("host {text:?}: calls between components are left to Spin"));
        }
        match host {
            host if !subdomains => Ok(Self::One(host)),
            Host::Domain(domain) => Ok(Self::Subdomains(format!(".{domain}"))),
            _ => Err(format!("host {text:?}: an address has no subdomains")),
        }
    }

    fn allows(&self, host: &Host) -> bool {
        match (self, host) {
            (Self::Any, _) => true,
            (Self::Subdomains(suffix), Host::Domain(domain)) => domain.ends_with(suffix),
            (Self::One(allowed), host) => allowed == host,
            (Self::Subdomains(_) | Self::Own, _) => false,
        }
    }
}

impl Ports {
    fn parse(text: &str, scheme: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse().map_err(|_| format!("port {text:?} is not a number"));
        match text {
            "" => {
                usual_port(scheme).map(Self::One).ok_or("it has no port, and its scheme none that is known".to_owned())
            }
            "*" => Ok(Self::Any),
            text => match text.split_once("..") {
                Some((first, after)) => Ok(Self::Range(number(first)?, number(after)?)),
                None if text.contains('/') => Err("it must have neither a path nor a login".to_owned()),
                None => Ok(Self::One(number(text)?)),
            },
        }
    }

    fn allows(&self, port: Option<u16>) -> bool {
        match (self, port) {
            (Self::Any, _) => true,
            (Self::One(allowed), Some(port)) => port == *allowed,
            (Self::Range(first, after), Some(port)) => (*first..*after).contains(&port),
            (_, None) => false,
        }
    }
}

impl Destination {
    /// Where this URL leads. One without a scheme has `scheme`.
    pub(crate) fn parse(url: &str, scheme: &str) -> Option<Self> {
        let without_login = without_login(url);
        let read = |text: &str| Url::parse(text).ok().filter(Url::has_host);
        let url = read(&without_login).or_else(|| read(&format!("{scheme}://{without_login}")))?;
        // Of a scheme that the parser does not know, a host is what stands there.
        let host = Host::parse(url.host_str()?).ok()?;
        Some(Self { scheme: url.scheme().to_owned(), host, port: url.port() })
    }

    /// Whether it is another component of the application.
    pub(crate) fn is_component(&self) -> bool {
        matches!(&self.host, Host::Domain(domain) if is_service_chaining(domain))
    }
}

impl std::fmt::Display for Destination {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

fn is_service_chaining(domain: &str) -> bool {
    domain.ends_with(SERVICE_CHAINING)
}

/// A login may have characters that a URL must not have, and plays no part here.
fn without_login(url: &str) -> String {
    let start = url.find("://").map_or(0, |end| end + 3);
    let (scheme, rest) = url.split_at(start);
    match rest.find('@') {
        Some(at) if !rest[..at].contains('/') => format!("{scheme}{}", &rest[at + 1..]),
        _ => url.to_owned(),
    }
}

/// The port of a scheme, where none is said. `rediss` has none in Spin's table.
fn usual_port(scheme: &str) -> Option<u16> {
    match scheme {
        "postgres" => Some(5432),
        "mysql" => Some(3306),
        "redis" => Some(6379),
        "mqtt" => Some(1883),
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(allowed: &str, url: &str) -> bool {
        let allowed = AllowedHost::parse(allowed).unwrap();
        Destination::parse(url, "redis").is_some_and(|to| allowed.allows(&to))
    }

    #[test]
    fn scheme_host_and_port_must_be_the_ones_that_are_allowed() {
        for url in ["redis://shop:6379", "redis://SHOP:6379/1", "redis://user:word@shop:6379/1", "redis://shop"] {
            assert!(allows("redis://shop:6379", url), "{url}");
        }
        for url in ["rediss://shop:6379", "redis://other:6379", "redis://shop:6380", "redis://shop:80", ""] {
            assert!(!allows("redis://shop:6379", url), "{url}");
        }
        assert!(!allows("redis://shop:6379", "redis://shop:6379@other/"), "a login is no host");
        assert!(allows("redis://shop:6379", "redis://user:w#rd@shop:6379/"), "a login may be anything");
        assert!(allows("redis://shop:6379", "shop:6379"), "the scheme may go without saying");
        assert!(allows("redis://shop", "redis://shop:6379/"));
        assert!(allows("redis://[::1]:7000", "redis://[::1]:7000/0"));
        assert!(allows("redis://shop:80", "redis://shop:80/0"));
    }

    #[test]
    fn a_port_that_is_not_said_is_that_of_the_scheme() {
        assert!(allows("https://api.example", "https://api.example/v1?a=b@c"));
        assert!(allows("https://api.example/", "https://API.example:443/v1"));
        assert!(allows("http://[::1]", "http://[::1]:80/"));
        assert!(!allows("https://api.example", "https://api.example:8443/"));
        assert!(!allows("https://api.example", "http://api.example/"));
        assert!(!allows("https://api.example", "http://api.example:443/"));
        assert!(allows("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"));
        assert!(!allows("http://127.0.0.1:8080", "http://localhost:8080/v1"));
    }

    #[test]
    fn a_star_stands_for_any() {
        assert!(allows("*://*:*", "rediss://shop:1"));
        assert!(allows("redis://*:6379", "redis://shop"));
        assert!(!allows("redis://*:6379", "redis://shop:1"));
        assert!(allows("redis://shop:*", "redis://shop:1"));
        assert!(allows("https://*.example", "https://a.b.Example/"));
        assert!(!allows("https://*.example", "https://example/"));
        assert!(!allows("https://*.example", "https://an-example/"));
    }

    #[test]
    fn of_a_range_of_ports_the_last_is_not_in_it() {
        assert!(allows("http://shop:8000..8002", "http://shop:8001"));
        assert!(!allows("http://shop:8000..8002", "http://shop:8002"));
        assert!(!allows("http://shop:8000..8002", "http://shop:7999"));
    }

    #[test]
    fn an_application_may_call_itself_where_that_is_allowed() {
        let own = |allowed: &str| AllowedHost::parse(allowed).unwrap().allows_self();
        for allowed in ["http://self", "https://self", "http://self.alt", "*://*:*", "https://*"] {
            assert!(own(allowed), "{allowed}");
        }
        for allowed in ["redis://self", "http://localhost", "http://*.example"] {
            assert!(!own(allowed), "{allowed}");
        }
        assert!(!allows("http://self", "http://self/"), "self is no name of a host");
    }

    #[test]
    fn an_entry_that_variables_leave_empty_allows_nothing() {
        for empty in ["", "http://", "https://"] {
            assert_eq!(AllowedHost::parse_filled(empty), Ok(None), "{empty:?}");
            assert!(AllowedHost::parse(empty).is_err(), "{empty:?}");
        }
        for wrong in [" ", "redis://", "https:///"] {
            assert!(AllowedHost::parse_filled(wrong).is_err(), "{wrong:?}");
        }
        assert!(AllowedHost::parse_filled("http://shop").is_ok_and(|host| host.is_some()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for (text, why) in [
            ("shop:6379", "scheme://host"),
            ("redis://shop:x", "not a number"),
            ("redis://shop:1..x", "not a number"),
            ("redis://shop:70000", "not a number"),
            ("redis://shop:1/path", "neither a path"),
            ("https://shop/path", "neither a path"),
            ("http://10.0.0.0/8", "networks are left to Spin"),
            ("redis://:word@shop:1", "nor a login"),
            ("other://shop", "no port"),
            ("rediss://shop", "no port"),
            ("h2://shop:1", "letters only"),
            ("redis://a.*.shop:1", "before its first dot"),
            ("redis://*.127.0.0.1:1", "no subdomains"),
            ("redis://:1", "host"),
            ("http://probe.spin.internal", "left to Spin"),
            ("http://*.spin.internal", "left to Spin"),
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
