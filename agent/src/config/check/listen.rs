//! Addresses that components will listen on: no two may want the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::config::Listen;
use crate::config::diagnostic::Diagnostic;
use crate::config::place::Place;

/// Every address asked for so far.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    wanted: Vec<Wanted>,
}

#[derive(Debug)]
struct Wanted {
    host: Host,
    port: u16,
    address: String,
    path: String,
    place: Option<Place>,
}

#[derive(Debug, PartialEq)]
enum Host {
    /// All addresses of the machine.
    Any,
    /// One address.
    Address(IpAddr),
    /// A name that only the machine can resolve.
    Name(String),
}

impl Listeners {
    /// Notes an address that the file asks for. What is not `host:port` is left to the component's
    /// own check.
    pub(super) fn add(&mut self, listen: &Listen, path: String, place: Place) {
        self.wanted.extend(wanted(listen, path, Some(place)));
    }

    /// Notes an address that is taken without being written.
    pub(super) fn reserve(&mut self, listen: &Listen, path: String) {
        self.wanted.extend(wanted(listen, path, None));
    }

    /// One error for each address that an earlier component has.
    pub(super) fn conflicts(&self) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (at, later) in self.wanted.iter().enumerate() {
            let earlier = self
                .wanted
                .iter()
                .take(at)
                .find(|earlier| earlier.conflicts_with(later));
            if let Some(earlier) = earlier {
                found.push(conflict(earlier, later));
            }
        }
        found
    }
}

impl Wanted {
    fn conflicts_with(&self, other: &Self) -> bool {
        self.port == other.port
            && self.port != 0
            && (self.host == other.host || self.host == Host::Any || other.host == Host::Any)
    }
}

fn wanted(listen: &Listen, path: String, place: Option<Place>) -> Option<Wanted> {
    let (host, port) = parse(&listen.address)?;
    Some(Wanted {
        host,
        port,
        address: listen.address.clone(),
        path,
        place,
    })
}

fn parse(address: &str) -> Option<(Host, u16)> {
    if let Ok(socket) = address.parse::<SocketAddr>() {
        let host = if socket.ip().is_unspecified() {
            Host::Any
        } else {
            Host::Address(socket.ip())
        };
        return Some((host, socket.port()));
    }
    let (host, port) = address.rsplit_once(':')?;
    let host = match host {
        "" => Host::Any,
        "localhost" => Host::Address(Ipv4Addr::LOCALHOST.into()),
        name => Host::Name(name.to_owned()),
    };
    Some((host, port.parse().ok()?))
}

fn conflict(earlier: &Wanted, later: &Wanted) -> Diagnostic {
    let (told, other) = match (&earlier.place, &later.place) {
        (Some(_), None) => (earlier, later),
        _ => (later, earlier),
    };
    let place = other
        .place
        .as_ref()
        .map_or_else(String::new, |place| format!(" at {place}"));
    Diagnostic::error(
        told.place.clone(),
        format!("{}: the address {} is taken", told.path, told.address),
    )
    .note(format!(
        "{} listens on {}{place}",
        other.path, other.address
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_conflict(one: &str, other: &str) -> bool {
        let mut listeners = Listeners::default();
        listeners.reserve(&Listen::tcp("", one), "one".to_owned());
        listeners.reserve(&Listen::tcp("", other), "other".to_owned());
        !listeners.conflicts().is_empty()
    }

    #[test]
    fn two_may_not_listen_on_one_address() {
        for (one, other, conflicts) in [
            ("127.0.0.1:4317", "127.0.0.1:4317", true),
            ("localhost:4317", "127.0.0.1:4317", true),
            ("0.0.0.0:4317", "127.0.0.1:4317", true),
            ("[::]:4317", "10.0.0.1:4317", true),
            (":4317", "host:4317", true),
            ("127.0.0.1:4317", "127.0.0.1:4318", false),
            ("127.0.0.1:4317", "10.0.0.1:4317", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("nonsense", "nonsense", false),
        ] {
            assert_eq!(is_conflict(one, other), conflicts, "{one} {other}");
        }
    }
}
