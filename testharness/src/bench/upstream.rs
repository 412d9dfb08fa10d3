//! The cheapest upstream that is still honest: it reads every body to its end, looks for the routing header
//! and answers, with a stream if it was asked for one.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Sub;
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, ensure};

use super::body::MODEL;
use super::congestion;
use super::head::{content_length, fields, head_size};
use super::selection::ASKED;
use super::stream::{Told, WANTED};

/// A listener with the connections that Envoy has made to it. Nothing here blocks.
#[derive(Debug)]
pub(super) struct Upstream {
    listener: TcpListener,
    connections: Vec<Connection>,
    /// What bodies are read into, and forgotten.
    buffer: Vec<u8>,
    answer: Vec<u8>,
    /// What is written for a stream, in the order of [`Told::ALL`].
    streams: [Vec<Vec<u8>>; 2],
    pub(super) seen: Seen,
    /// Streams that told of tokens.
    pub(super) told: u64,
}

/// Complete requests, and what they were like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) requests: u64,
    /// Those that had a model in the routing header.
    pub(super) routed: u64,
    /// Those of them whose model was a choice.
    pub(super) chosen: u64,
}

impl Sub for Seen {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            routed: self.routed - before.routed,
            chosen: self.chosen - before.chosen,
        }
    }
}

/// What stands in the routing header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Route {
    None,
    /// What the client asked for.
    Asked,
    /// One of those that it may be.
    Chosen,
}

#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    /// The head so far.
    head: Vec<u8>,
    /// What is still to come of a body, once the head is complete.
    body: Option<usize>,
    route: Route,
    /// What stream the request asks for.
    wanted: Option<Told>,
    /// A stream, and how many of its chunks were written.
    under_way: Option<(Told, usize)>,
}

const ROUTING_HEADER: &[u8] = b"x-gateway-model-name";

const ANSWER: &str = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Certainly."}}]}"#;

impl Upstream {
    /// On a free port.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        congestion::plain(&listener)?;
        let size = ANSWER.len();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {size}\r\n\r\n");
        let answer = [head.as_bytes(), ANSWER.as_bytes()].concat();
        Ok(Self {
            listener,
            connections: Vec::new(),
            buffer: vec![0; 256 << 10],
            answer,
            streams: Told::ALL.map(Told::writes),
            seen: Seen::default(),
            told: 0,
        })
    }

    pub(super) fn address(&self) -> Result<SocketAddr> {
        Ok(self.listener.local_addr()?)
    }

    /// The listener, then the connections in order.
    pub(super) fn sockets(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let connections = self.connections.iter().map(|connection| connection.stream.as_fd());
        std::iter::once(self.listener.as_fd()).chain(connections)
    }

    /// Takes what came on the socket at this place among [`Self::sockets`].
    pub(super) fn serve(&mut self, socket: usize) -> Result<()> {
        let Some(index) = socket.checked_sub(1) else { return self.accept() };
        let Some(connection) = self.connections.get_mut(index) else { return Ok(()) };
        match connection.stream.read(&mut self.buffer) {
            Ok(0) => drop(self.connections.remove(index)),
            Ok(count) => {
                if connection.take(&self.buffer[..count])? {
                    self.seen.requests += 1;
                    self.seen.routed += u64::from(connection.route != Route::None);
                    self.seen.chosen += u64::from(connection.route == Route::Chosen);
                    match connection.wanted {
                        None => connection.stream.write_all(&self.answer).context("answering")?,
                        Some(told) => {
                            self.told += u64::from(told == Told::Usage);
                            connection.under_way = Some((told, 0));
                            self.go_on(0)?;
                        }
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error).context("reading a request at the upstream"),
        }
        Ok(())
    }

    /// Writes the next chunk of a stream under way, once the client has all events before it: so that each of
    /// them is a chunk of its own to Envoy, too.
    pub(super) fn go_on(&mut self, events: usize) -> Result<()> {
        for connection in &mut self.connections {
            let Some((told, written)) = &mut connection.under_way else { continue };
            let writes = &self.streams[*told as usize];
            if *written > events {
                continue;
            }
            connection.stream.write_all(&writes[*written]).context("writing a chunk")?;
            *written += 1;
            if *written == writes.len() {
                connection.under_way = None;
            }
        }
        Ok(())
    }

    fn accept(&mut self) -> Result<()> {
        let (stream, _) = self.listener.accept()?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        self.connections.push(Connection {
            stream,
            head: Vec::new(),
            body: None,
            route: Route::None,
            wanted: None,
            under_way: None,
        });
        Ok(())
    }
}

impl Connection {
    /// Whether a request is complete with these bytes.
    fn take(&mut self, bytes: &[u8]) -> Result<bool> {
        let left = match self.body {
            Some(left) => left.checked_sub(bytes.len()),
            None => {
                self.head.extend_from_slice(bytes);
                let Some(size) = head_size(&self.head) else { return Ok(false) };
                let head = &self.head[..size];
                let routing = fields(head).find(|(name, _)| name.eq_ignore_ascii_case(ROUTING_HEADER));
                self.route = match routing {
                    Some((_, value)) if value == MODEL.as_bytes() || value == ASKED.as_bytes() => {
                        Route::Asked
                    }
                    Some((_, value)) if value.starts_with(MODEL.as_bytes()) => Route::Chosen,
                    _ => Route::None,
                };
                let wanted = fields(head).find(|(name, _)| name.eq_ignore_ascii_case(WANTED.as_bytes()));
                self.wanted = wanted.and_then(|(_, value)| {
                    Told::ALL.into_iter().find(|told| told.name().as_bytes() == value)
                });
                let length =
                    content_length(head).context("a request without content-length came to the upstream")?;
                let left = (size + length).checked_sub(self.head.len());
                self.head.clear();
                left
            }
        };
        ensure!(left.is_some(), "more came to the upstream than one request");
        self.body = left.filter(|left| *left > 0);
        Ok(self.body.is_none())
    }
}
