//! A raw HTTP/1 client: each write is one send on the socket, nothing is added and nothing is held back.

use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

use super::{Request, Response};
use crate::message::Headers;
use crate::wire::{self, BodyReader, Framing, Head, Reader, Writer};

/// One connection.
pub struct Connection {
    reader: Reader,
    writer: Writer,
}

/// An answer whose body is read piece by piece.
pub struct Incoming {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    interim: Vec<u16>,
    body: BodyReader,
}

impl Connection {
    /// Connects, with Nagle's algorithm off.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        let (reader, writer) = wire::split(stream)?;
        Ok(Self { reader, writer })
    }

    /// Sends these bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write(bytes).await
    }

    /// Sends the request: its head, then each piece of its body.
    pub async fn send_request(&mut self, request: &Request) -> Result<()> {
        send(&mut self.writer, request).await
    }

    /// Sends the request and reads the whole answer, which may come before everything is sent: a proxy that
    /// refuses a body stops reading it. So a failed write only counts when no answer came.
    pub async fn exchange(&mut self, request: &Request) -> Result<Response> {
        let (reader, writer) = (&mut self.reader, &mut self.writer);
        let mut receiving = pin!(receive(reader, &request.method));
        let sent = tokio::select! {
            response = &mut receiving => return response,
            sent = send(writer, request) => sent,
        };
        match (receiving.await, sent) {
            (Err(_), Err(error)) => Err(error),
            (received, _) => received,
        }
    }

    /// Reads the whole answer to a request of this method.
    pub async fn response(&mut self, method: &str) -> Result<Response> {
        receive(&mut self.reader, method).await
    }

    /// Reads the head of the answer to a request of this method, past interim answers.
    pub async fn incoming(&mut self, method: &str) -> Result<Incoming> {
        incoming(&mut self.reader, method).await
    }

    /// The next piece of that body, or `None` after its end.
    pub async fn piece(&mut self, incoming: &mut Incoming) -> Result<Option<Bytes>> {
        incoming.body.next(&mut self.reader).await
    }

    /// Reads an interim answer.
    pub async fn interim(&mut self) -> Result<u16> {
        let head =
            self.reader.head().await?.context("the connection was closed without an interim answer")?;
        match status(&head)? {
            interim @ 100..=199 => Ok(interim),
            other => bail!("expected an interim answer, got {other}"),
        }
    }

    /// Reads exactly `size` bytes, for tunnels.
    pub async fn raw(&mut self, size: usize) -> Result<Bytes> {
        self.reader.exactly(size).await?.context("the connection was closed inside a tunnel")
    }

    /// Returns when the peer has closed; whatever it still sends is an error.
    pub async fn closed(&mut self) -> Result<()> {
        match self.reader.some(u64::MAX).await {
            Ok(None) => Ok(()),
            Ok(Some(bytes)) => {
                bail!("expected the end of the connection, got {:?}", bytes.escape_ascii().to_string())
            }
            Err(_) => Ok(()),
        }
    }

    /// Ends the sending side in order.
    pub async fn finish(&mut self) -> Result<()> {
        self.writer.finish().await
    }

    /// Breaks the connection off with a reset.
    pub fn abort(self) -> Result<()> {
        self.writer.reset()
    }
}

async fn send(writer: &mut Writer, request: &Request) -> Result<()> {
    writer.write(&request.head()).await?;
    for piece in request.wire_body() {
        writer.write(&piece).await?;
    }
    Ok(())
}

async fn receive(reader: &mut Reader, method: &str) -> Result<Response> {
    let Incoming { status, headers, interim, body: mut pieces } = incoming(reader, method).await?;
    let mut body = BytesMut::new();
    let broken = loop {
        match pieces.next(reader).await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => break None,
            Err(error) => break Some(format!("{error:#}")),
        }
    };
    Ok(Response { status, headers, body: body.freeze(), trailers: pieces.trailers, interim, broken })
}

async fn incoming(reader: &mut Reader, method: &str) -> Result<Incoming> {
    let mut interim = Vec::new();
    loop {
        let head = reader.head().await?.context("the connection was closed without an answer")?;
        let status = status(&head)?;
        if (100..200).contains(&status) && status != 101 {
            interim.push(status);
            continue;
        }
        let bodiless = method == "HEAD"
            || matches!(status, 101 | 204 | 304)
            || (method == "CONNECT" && (200..300).contains(&status));
        let framing = match bodiless {
            true => Framing::Length(0),
            false => Framing::of(&head.headers)?.unwrap_or(Framing::UntilClose),
        };
        return Ok(Incoming { status, headers: head.headers, interim, body: BodyReader::new(framing) });
    }
}

fn status(head: &Head) -> Result<u16> {
    let code = head.start.split(' ').nth(1).unwrap_or_default();
    code.parse().with_context(|| format!("not a status line: {:?}", head.start))
}
