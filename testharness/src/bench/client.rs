//! The client's end: one connection that is kept, one request at a time.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};

use anyhow::{Context, Result, bail, ensure};

use super::congestion;
use super::head::{content_length, head_size, is_chunked};
use super::stream::{Told, WANTED, ends_of_events};

/// A connection to one Envoy. Nothing here blocks.
pub(super) struct Client {
    stream: TcpStream,
    /// How much of the request has gone.
    sent: usize,
    /// The answer so far.
    answer: Vec<u8>,
    /// How much of that is filled.
    filled: usize,
    /// Events of a stream that are complete.
    events: usize,
}

impl Client {
    pub(super) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        congestion::plain(&stream)?;
        Ok(Self { stream, sent: 0, answer: vec![0; 128 << 10], filled: 0, events: 0 })
    }

    /// Forgets the exchange before.
    pub(super) fn begin(&mut self) {
        (self.sent, self.filled, self.events) = (0, 0, 0);
    }

    /// Sends as much as goes at once. Whether all of it has gone.
    pub(super) fn send(&mut self, request: &[u8]) -> Result<bool> {
        while let Some(rest) = request.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                // Whoever refuses a body answers before it is complete, and that answer says more than the
                // broken pipe.
                Err(error) => {
                    self.receive()?;
                    return Err(error).context("sending a request");
                }
            }
        }
        Ok(true)
    }

    /// Reads what is there. Whether the answer is complete; anything but 200 is an error.
    pub(super) fn receive(&mut self) -> Result<bool> {
        let before = self.filled;
        match self.stream.read(&mut self.answer[before..]) {
            Ok(0) => bail!("the connection was closed instead of an answer"),
            Ok(count) => self.filled += count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error).context("waiting for an answer"),
        }
        let got = &self.answer[..self.filled];
        let Some(head) = head_size(got) else { return Ok(false) };
        ensure!(
            got.starts_with(b"HTTP/1.1 200 "),
            "the answer is not 200:\n{}",
            String::from_utf8_lossy(got)
        );
        if is_chunked(&got[..head]) {
            // Chunks are framed by CRLF, which ends no event of ours.
            let ahead = before.checked_sub(1).and_then(|at| got.get(at)).copied();
            self.events += ends_of_events(ahead, &got[before..]);
            ensure!(got.len() < self.answer.len(), "a stream that long was not expected");
            return Ok(got.ends_with(b"\r\n0\r\n\r\n"));
        }
        let all = head + content_length(&got[..head]).context("an answer without content-length")?;
        ensure!(got.len() <= all && all <= self.answer.len(), "an answer of {all} bytes was not expected");
        Ok(got.len() == all)
    }

    /// How many events of a stream have come.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

/// The bytes of a request with this body, which asks the upstream for a stream if there is one.
pub(super) fn request(body: &str, stream: Option<Told>) -> Vec<u8> {
    let wanted = stream.map_or_else(String::new, |told| format!("{WANTED}: {}\r\n", told.name()));
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\n\
         host: models.example.com\r\n\
         accept: application/json\r\n\
         content-type: application/json\r\n\
         user-agent: ipp-bench\r\n\
         authorization: Bearer sk-0123456789abcdef0123456789abcdef\r\n\
         {wanted}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body.as_bytes()].concat()
}
