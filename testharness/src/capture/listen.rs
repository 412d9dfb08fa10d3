//! Addresses to listen on, as people write them.

use std::net::{Ipv4Addr, SocketAddr};

/// `127.0.0.1:8080`, `[::]:8080`, `localhost:8080`, `:8080` and `8080`. Without an address it is that of this machine.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    let port = text.strip_prefix("localhost:").or(text.strip_prefix(':')).unwrap_or(text);
    match (port.parse::<u16>(), text.parse()) {
        (Ok(port), _) => Ok((Ipv4Addr::LOCALHOST, port).into()),
        (_, Ok(address)) => Ok(address),
        _ => Err("expected an address and a port, such as 127.0.0.1:8080".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for text in ["8080", ":8080", "localhost:8080", "127.0.0.1:8080"] {
            assert_eq!(parse(text), Ok((Ipv4Addr::LOCALHOST, 8080).into()), "{text}");
        }
        assert!(parse("[::]:80").is_ok_and(|address| address.is_ipv6()));
        for text in ["", "host:80", "80000", "127.0.0.1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
