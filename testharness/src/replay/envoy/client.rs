//! The client of one exchange: sends what the recording says, piece by piece, and goes away when it says so.

use std::net::SocketAddr;
use std::pin::pin;

use anyhow::{Context, Result};
use tokio::net::TcpStream;

use crate::message::Headers;
use crate::recording::{Abort, Framing, Request};
use crate::replay::engine::Response;
use crate::wire::{self, BodyReader, Framing as Wire, Reader, Writer};

/// A connection of its own for each exchange.
pub(super) struct Client {
    reader: Reader,
    writer: Writer,
    /// The port that Envoy sees.
    pub(super) port: u16,
}

/// What the client received.
#[derive(Debug, Default)]
pub(super) struct Received {
    /// As far as it came.
    pub(super) response: Option<Response>,
    /// Whether it is whole.
    pub(super) whole: bool,
}

/// What a client waits for, since what it does next must not be mixed up with what it did before.
pub(super) trait Pace {
    /// Until Envoy has read all that was sent.
    async fn read(&self) -> Result<()>;

    /// Until nothing more happens to what was sent.
    async fn settled(&self) -> Result<()>;
}

/// Why the client does nothing more.
enum Left {
    /// It has the response, or the connection ended.
    Ended,
    /// The recording says so.
    Willingly,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        let port = stream.local_addr()?.port();
        let (reader, writer) = wire::split(stream)?;
        Ok(Self { reader, writer, port })
    }

    /// Sends the request and receives the response, at the same time: it may be answered before all of it is sent.
    pub(super) async fn run(mut self, request: &Request, pace: &impl Pace) -> Result<Received> {
        let mut received = Received::default();
        let left = {
            let mut receiving = pin!(receive(&mut self.reader, request, &mut received));
            tokio::select! {
                biased;
                left = &mut receiving => left,
                left = send(&mut self.writer, request, pace) => match left? {
                    Some(left) => left,
                    None => receiving.await,
                },
            }
        };
        if let Left::Willingly = left {
            self.writer.reset()?;
        }
        Ok(received)
    }
}

/// The HTTP/1 head, byte for byte as the recording has it.
fn head(request: &Request) -> Vec<u8> {
    let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.path).into_bytes();
    let mut field =
        |name: &[u8], value: &[u8]| head.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
    for (name, value) in request.wire_headers().iter() {
        field(name, value);
    }
    if request.framing() == Framing::Chunked {
        let given: Vec<_> = request.headers.all("transfer-encoding").collect();
        for value in if given.is_empty() { vec![&b"chunked"[..]] } else { given } {
            field(b"transfer-encoding", value);
        }
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// Sends the request; says why nothing more is to be done, if so. A connection that Envoy has closed is no error here:
/// what it sent before is what counts.
async fn send(writer: &mut Writer, request: &Request, pace: &impl Pace) -> Result<Option<Left>> {
    let leaves = matches!(request.abort, Some(Abort::AfterBytes(_)));
    let paced = leaves || !request.chunks.is_empty();
    let chunked = request.framing() == Framing::Chunked;
    let mut messages = vec![head(request)];
    for piece in request.pieces() {
        messages.push(match chunked {
            true => [format!("{:x}\r\n", piece.len()).as_bytes(), &piece, b"\r\n"].concat(),
            false => piece.to_vec(),
        });
    }
    if chunked && !leaves {
        messages.push(end(&request.trailers));
    }
    if !paced {
        messages = vec![messages.concat()];
    }
    for message in messages {
        if writer.write(&message).await.is_err() {
            return Ok(None);
        }
        if paced {
            pace.read().await?;
        }
    }
    if leaves {
        pace.settled().await?;
        return Ok(Some(Left::Willingly));
    }
    Ok(None)
}

/// The last chunk.
fn end(trailers: &Headers) -> Vec<u8> {
    let mut end = b"0\r\n".to_vec();
    for (name, value) in trailers.iter() {
        end.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
    }
    end.extend_from_slice(b"\r\n");
    end
}

/// Receives the response until it ends, breaks off, or is as long as the client wants it.
async fn receive(reader: &mut Reader, request: &Request, received: &mut Received) -> Left {
    let (status, headers) = loop {
        let Ok(Some(head)) = reader.head().await else { return Left::Ended };
        let Some(status) = head.start.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()) else {
            return Left::Ended;
        };
        // An interim answer, except for the one after which there is no HTTP any more.
        if !(100..200).contains(&status) || status == 101 {
            break (status, head.headers);
        }
    };
    let bodiless = request.method == "HEAD" || matches!(status, 101 | 204 | 304);
    let framing = match bodiless {
        true => Some(Wire::Length(0)),
        false => Wire::of(&headers).ok().map(|framing| framing.unwrap_or(Wire::UntilClose)),
    };
    let headers = headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let mut body = Vec::new();
    let (left, whole) = match framing {
        Some(framing) => receive_body(reader, framing, request.abort, &mut body).await,
        None => (Left::Ended, false),
    };
    received.response = Some(Response { status, headers, body: body.into() });
    received.whole = whole;
    left
}

async fn receive_body(
    reader: &mut Reader,
    framing: Wire,
    abort: Option<Abort>,
    body: &mut Vec<u8>,
) -> (Left, bool) {
    let mut pieces = BodyReader::new(framing);
    loop {
        if let Some(Abort::AfterResponseBytes(most)) = abort
            && body.len() >= most
        {
            body.truncate(most);
            return (Left::Willingly, false);
        }
        match pieces.next(reader).await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => return (Left::Ended, true),
            Err(_) => return (Left::Ended, false),
        }
    }
}
