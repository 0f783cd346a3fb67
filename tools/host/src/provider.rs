//! The payment provider of `--with-provider`: a stand-in for Stripe, beside the shop, with which no money moves.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use stripe_stand_in::{Options, SECRET_KEY, StandIn, WEBHOOK_SECRET};

/// The variables that are the stand-in's, so that they cannot be set besides.
const VARIABLES: [&str; 4] = ["stripe_secret_key", "stripe_webhook_secret", "stripe_api", "return_url"];

/// Where the shop takes webhooks.
const EVENTS: &str = "/payments/stripe/events";

/// The file in the state directory that keeps what was done at the stand-in.
const STATE: &str = "stripe_stand_in.json";

/// Why there is no stand-in.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable is set that would make the shop another provider's.
    #[error(
        "--with-provider sets the variable {0} itself, for a stand-in for Stripe: leave out {1}, or --with-provider"
    )]
    Conflict(&'static str, String),
    /// The application would be served as one without a provider.
    #[error(
        "--with-provider is for an application that is paid at Stripe: {} gives its components no variable {}",
        .0.display(),
        .1
    )]
    NotGiven(PathBuf, &'static str),
    /// The manifest.
    #[error(transparent)]
    Manifest(#[from] host::Error),
    /// An address to which buyers could not come back: the shop sends them only to HTTPS, or to this machine.
    #[error("--with-provider needs --listen on this machine's own address, such as 127.0.0.1:3000, and not {0}")]
    Listen(IpAddr),
    /// The free port that was asked for cannot be had.
    #[error("no port is free: {0}")]
    Port(#[from] std::io::Error),
    /// The stand-in.
    #[error("the stand-in for Stripe: {0}")]
    StandIn(#[from] stripe_stand_in::Error),
}

/// Where the shop listens: a port of its own instead of any free one, since the address to come back to names it.
///
/// # Errors
/// If buyers could not come back to it.
pub fn listen_address(asked: SocketAddr) -> Result<SocketAddr, Error> {
    if !asked.ip().is_loopback() && !asked.ip().is_unspecified() {
        return Err(Error::Listen(asked.ip()));
    }
    Ok(if asked.port() == 0 { TcpListener::bind(asked)?.local_addr()? } else { asked })
}

/// Refuses values of the stand-in's variables, wherever they come from.
///
/// # Errors
/// Names the first variable.
pub fn check(variables: &BTreeMap<String, String>, environment: impl Fn(&str) -> Option<String>) -> Result<(), Error> {
    for name in VARIABLES {
        let in_environment = format!("SPIN_VARIABLE_{}", name.to_uppercase());
        if variables.contains_key(name) {
            return Err(Error::Conflict(name, format!("--variable {name}")));
        }
        if environment(&in_environment).is_some() {
            return Err(Error::Conflict(name, format!("{in_environment} in the environment")));
        }
    }
    Ok(())
}

/// Refuses an application that is not given the stand-in's variables: it would take no payment there.
///
/// # Errors
/// Names the first variable, or says why the manifest cannot be read.
pub fn check_manifest(manifest: &Path) -> Result<(), Error> {
    let given = host::given_variables(manifest)?;
    match VARIABLES.into_iter().find(|name| !given.contains(*name)) {
        Some(name) => Err(Error::NotGiven(manifest.to_owned(), name)),
        None => Ok(()),
    }
}

/// The address on this machine under which a server is found.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Starts the stand-in beside a shop that listens here.
///
/// # Errors
/// Says in one line why it cannot start.
pub fn start(listen: SocketAddr, shop: SocketAddr, state_dir: &Path) -> Result<StandIn, Error> {
    let state = state_dir.join(STATE);
    std::fs::create_dir_all(state_dir)?;
    let webhook_url = Some(format!("http://{}{EVENTS}", here(shop)));
    Ok(StandIn::start(Options { listen, webhook_url, state: Some(state), ..Options::default() })?)
}

/// The variables with which a shop that listens here is paid at this stand-in.
pub fn variables(stand_in: &StandIn, shop: SocketAddr) -> BTreeMap<String, String> {
    let values = [SECRET_KEY.to_owned(), WEBHOOK_SECRET.to_owned(), stand_in.url(), format!("http://{}/", here(shop))];
    VARIABLES.map(str::to_owned).into_iter().zip(values).collect()
}

/// What is printed about it.
pub fn banner(stand_in: &StandIn) -> String {
    format!("Payments go to a stand-in for Stripe at {}: no money moves.\n", stand_in.url())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buyers_come_back_to_this_machine_wherever_the_shop_listens() {
        let stand_in = StandIn::start(Options::default()).unwrap();
        for (listen, returned) in [
            ("127.0.0.1:3000", "http://127.0.0.1:3000/"),
            ("0.0.0.0:3000", "http://127.0.0.1:3000/"),
            ("[::1]:3000", "http://[::1]:3000/"),
            ("[::]:3000", "http://[::1]:3000/"),
        ] {
            let variables = variables(&stand_in, listen.parse().unwrap());
            let expected = [SECRET_KEY, WEBHOOK_SECRET, &stand_in.url(), returned];
            assert_eq!(VARIABLES.map(|name| variables[name].as_str()), expected, "{listen}");
        }
    }

    #[test]
    fn any_free_port_is_one_that_is_known_before_the_shop_starts() {
        let address = listen_address((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        assert_ne!(address.port(), 0);
        assert_eq!(listen_address(address).unwrap(), address);
    }
}
