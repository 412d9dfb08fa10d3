//! Both ends of one Envoy, the client's and the upstream's, driven by one thread that asks and never sleeps.
//!
//! Waking a sleeping thread on another core is an interrupt between processors, which is charged to whoever
//! sends it, and inside of a virtual machine it costs several times what Envoy needs for a request. Peers
//! behind a network do not cost Envoy that. So this thread is always awake.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::client::Client;
use super::upstream::Upstream;
use crate::wait::PATIENCE;

/// A client and the upstream that its requests come out at.
pub(super) struct Link {
    client: Client,
    upstream: Upstream,
}

/// How many times in a row nothing has to happen before a look at the clock.
const IDLE: u32 = 4096;

impl Link {
    /// A link from `address` to this upstream.
    pub(super) fn connect(address: SocketAddr, upstream: Upstream) -> Result<Self> {
        Ok(Self { client: Client::connect(address)?, upstream })
    }

    /// Requests that came out, and how many of them had their model in the routing header.
    pub(super) fn seen(&self) -> (u64, u64) {
        (self.upstream.requests, self.upstream.routed)
    }

    /// Sends the bytes of one request and reads the answer. How long both took together.
    pub(super) fn exchange(&mut self, request: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        self.client.begin();
        let mut sent = self.client.send(request)?;
        let mut idle = 0;
        loop {
            let (client, upstream) = self.ready(!sent)?;
            if upstream.is_none() && client.is_empty() {
                idle += 1;
                if idle % IDLE == 0 && start.elapsed() > PATIENCE {
                    bail!("no answer after {PATIENCE:?}");
                }
            }
            if let Some(socket) = upstream {
                self.upstream.serve(socket)?;
            }
            if client.contains(PollFlags::POLLOUT) {
                sent = self.client.send(request)?;
            }
            if client.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR)
                && self.client.receive()?
            {
                if !sent {
                    bail!("the answer came before the end of the request");
                }
                return Ok(start.elapsed());
            }
        }
    }

    /// What the client can do, and one of the upstream's sockets that has something. Asking takes no lock
    /// that Envoy's packets would have to wait for, as reading from an empty socket would.
    fn ready(&self, sending: bool) -> Result<(PollFlags, Option<usize>)> {
        let wanted = if sending { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut sockets = Vec::with_capacity(4);
        sockets.push(PollFd::new(self.client.socket(), wanted));
        sockets.extend(self.upstream.sockets().map(|socket| PollFd::new(socket, PollFlags::POLLIN)));
        match poll(&mut sockets, PollTimeout::ZERO) {
            Ok(_) | Err(nix::errno::Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
        let events = |socket: &PollFd| socket.revents().unwrap_or(PollFlags::empty());
        let upstream = sockets[1..].iter().position(|socket| !events(socket).is_empty());
        Ok((events(&sockets[0]), upstream))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::body::MODEL;
    use crate::bench::client::request;

    /// Without an Envoy between them.
    fn link() -> Link {
        let upstream = Upstream::start().unwrap();
        let address = upstream.address().unwrap();
        Link::connect(address, upstream).unwrap()
    }

    #[test]
    fn counts_what_was_routed() {
        let mut link = link();
        let plain = request(&"x".repeat(3 << 20));
        let mut routed = format!("POST / HTTP/1.1\r\nX-Gateway-Model-Name: {MODEL}\r\n").into_bytes();
        routed.extend_from_slice(b"content-length: 2\r\n\r\n{}");
        for bytes in [&plain, &routed, &plain] {
            link.exchange(bytes).unwrap();
        }
        assert_eq!(link.seen(), (3, 1));
    }

    #[test]
    fn a_request_without_a_length_is_an_error() {
        let error = link().exchange(b"POST / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap_err();
        assert_eq!(error.to_string(), "a request without content-length came to the upstream");
    }

    #[test]
    fn another_status_is_an_error_even_when_the_body_was_not_read() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            use std::io::Write as _;
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n").unwrap();
        });
        let mut link = Link::connect(address, Upstream::start().unwrap()).unwrap();
        let error = link.exchange(&request(&"x".repeat(64 << 20))).unwrap_err();
        assert!(format!("{error:#}").contains("413"), "{error:#}");
    }
}
