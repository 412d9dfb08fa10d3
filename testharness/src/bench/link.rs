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
use super::upstream::{Seen, Upstream};
use crate::wait::PATIENCE;

/// Clients, used one at a time, and the upstream that their requests come out at.
pub(super) struct Link {
    clients: Vec<Client>,
    upstream: Upstream,
}

/// How many times in a row nothing has to happen before a look at the clock.
const IDLE: u32 = 4096;

impl Link {
    /// A link from each of these addresses to this upstream.
    pub(super) fn connect(addresses: &[SocketAddr], upstream: Upstream) -> Result<Self> {
        let clients = addresses.iter().map(|address| Client::connect(*address)).collect::<Result<_>>()?;
        Ok(Self { clients, upstream })
    }

    /// What came out.
    pub(super) fn seen(&self) -> Seen {
        self.upstream.seen
    }

    /// Streams that told of tokens.
    pub(super) fn told(&self) -> u64 {
        self.upstream.told
    }

    /// Sends the bytes of one request from the client at this place and reads the answer. How long both took
    /// together.
    pub(super) fn exchange(&mut self, place: usize, request: &[u8]) -> Result<Duration> {
        let start = Instant::now();
        self.clients[place].begin();
        let mut sent = self.clients[place].send(request)?;
        let mut idle = 0;
        loop {
            let (client, upstream) = self.ready(place, !sent)?;
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
                sent = self.clients[place].send(request)?;
            }
            if client.intersects(PollFlags::POLLIN | PollFlags::POLLHUP | PollFlags::POLLERR) {
                if self.clients[place].receive()? {
                    if !sent {
                        bail!("the answer came before the end of the request");
                    }
                    return Ok(start.elapsed());
                }
                self.upstream.go_on(self.clients[place].events())?;
            }
        }
    }

    /// What the client can do, and one of the upstream's sockets that has something. Asking takes no lock
    /// that Envoy's packets would have to wait for, as reading from an empty socket would.
    fn ready(&self, place: usize, sending: bool) -> Result<(PollFlags, Option<usize>)> {
        let wanted = if sending { PollFlags::POLLIN | PollFlags::POLLOUT } else { PollFlags::POLLIN };
        let mut sockets = Vec::with_capacity(4);
        sockets.push(PollFd::new(self.clients[place].socket(), wanted));
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
    use crate::bench::stream::{CHUNKS, Told};

    /// Without an Envoy between them.
    fn link() -> Link {
        let upstream = Upstream::start().unwrap();
        let address = upstream.address().unwrap();
        Link::connect(&[address, address], upstream).unwrap()
    }

    #[test]
    fn counts_what_was_routed() {
        let mut link = link();
        let plain = request(&"x".repeat(3 << 20), None);
        let mut routed = format!("POST / HTTP/1.1\r\nX-Gateway-Model-Name: {MODEL}\r\n").into_bytes();
        routed.extend_from_slice(b"content-length: 2\r\n\r\n{}");
        let mut chosen = format!("POST / HTTP/1.1\r\nX-Gateway-Model-Name: {MODEL}-07\r\n").into_bytes();
        chosen.extend_from_slice(b"content-length: 2\r\n\r\n{}");
        for bytes in [&plain, &routed, &plain, &chosen] {
            link.exchange(0, bytes).unwrap();
        }
        assert_eq!(link.seen(), Seen { requests: 4, routed: 2, chosen: 1 });
    }

    #[test]
    fn a_stream_comes_to_its_end_event_by_event() {
        let mut link = link();
        for told in Told::ALL {
            link.exchange(1, &request("{}", Some(told))).unwrap();
            // The last chunk has one event, or two.
            assert_eq!(link.clients[1].events(), CHUNKS + usize::from(told == Told::Usage));
            // The connection is fit for the next request.
            link.exchange(1, &request("{}", None)).unwrap();
        }
        assert_eq!((link.seen().requests, link.told()), (4, 1));
    }

    #[test]
    fn a_chunk_is_written_when_the_event_before_has_come_and_not_earlier() {
        let mut upstream = Upstream::start().unwrap();
        let mut client = Client::connect(upstream.address().unwrap()).unwrap();
        client.begin();
        assert!(client.send(&request("{}", Some(Told::Plain))).unwrap());
        while upstream.seen.requests == 0 {
            let last = upstream.sockets().count() - 1;
            upstream.serve(last).ok();
        }
        let mut come = |upstream: &mut Upstream, events| {
            upstream.go_on(events).unwrap();
            for _ in 0..100 {
                client.receive().unwrap();
            }
            client.events()
        };
        assert_eq!(come(&mut upstream, 0), 1);
        assert_eq!(come(&mut upstream, 0), 1);
        assert_eq!(come(&mut upstream, 1), 2);
    }

    #[test]
    fn a_request_without_a_length_is_an_error() {
        let error = link().exchange(0, b"POST / HTTP/1.1\r\nhost: a\r\n\r\n").unwrap_err();
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
        let mut link = Link::connect(&[address], Upstream::start().unwrap()).unwrap();
        let error = link.exchange(0, &request(&"x".repeat(64 << 20), None)).unwrap_err();
        assert!(format!("{error:#}").contains("413"), "{error:#}");
    }
}
