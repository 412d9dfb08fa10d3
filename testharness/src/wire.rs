//! HTTP/1 framing over a socket, for the raw client and the recording upstream alike: heads, bodies,
//! trailers, nothing interpreted.

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::message::Headers;

/// What comes from a socket, with what was read but not yet used.
pub(crate) struct Reader {
    half: OwnedReadHalf,
    buffer: BytesMut,
}

/// What goes to a socket.
pub(crate) struct Writer(OwnedWriteHalf);

/// Both directions of a socket, with Nagle's algorithm off.
pub(crate) fn split(stream: TcpStream) -> Result<(Reader, Writer)> {
    stream.set_nodelay(true)?;
    let (half, writer) = stream.into_split();
    Ok((Reader { half, buffer: BytesMut::new() }, Writer(writer)))
}

/// A start line and the fields below it.
#[derive(Debug)]
pub(crate) struct Head {
    /// The first line, without its line end.
    pub(crate) start: String,
    /// The fields.
    pub(crate) headers: Headers,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// This many bytes are still to come.
    Length(u64),
    /// Chunks, then trailers.
    Chunked,
    /// The end of the connection is the end of the body.
    UntilClose,
}

impl Framing {
    /// What the fields of a message say; `None` when they say nothing.
    pub(crate) fn of(headers: &Headers) -> Result<Option<Self>> {
        if headers.has_token("transfer-encoding", "chunked") {
            return Ok(Some(Self::Chunked));
        }
        let Some(length) = headers.get("content-length") else { return Ok(None) };
        Ok(Some(Self::Length(length.parse().with_context(|| format!("content-length {length:?}"))?)))
    }
}

/// Reads one body piece by piece.
#[derive(Debug)]
pub(crate) struct BodyReader {
    framing: Framing,
    done: bool,
    /// The trailers, once the body has ended.
    pub(crate) trailers: Headers,
}

impl BodyReader {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, done: framing == Framing::Length(0), trailers: Headers::new() }
    }

    /// The next bytes of the body, or `None` after its end; an error when the connection ends first.
    pub(crate) async fn next(&mut self, wire: &mut Reader) -> Result<Option<Bytes>> {
        if self.done {
            return Ok(None);
        }
        match self.framing {
            Framing::Length(left) => {
                let piece = wire.some(left).await?.context("the connection ended inside a body")?;
                let left = left - piece.len() as u64;
                self.framing = Framing::Length(left);
                self.done = left == 0;
                Ok(Some(piece))
            }
            Framing::UntilClose => {
                let piece = wire.some(u64::MAX).await?;
                self.done = piece.is_none();
                Ok(piece)
            }
            Framing::Chunked => {
                let line = wire.line().await?.context("the connection ended before a chunk size")?;
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size =
                    usize::from_str_radix(digits, 16).with_context(|| format!("chunk size {line:?}"))?;
                if size == 0 {
                    self.trailers = wire.fields().await?.context("the connection ended inside trailers")?;
                    self.done = true;
                    return Ok(None);
                }
                let piece = wire.exactly(size).await?.context("the connection ended inside a chunk")?;
                match wire.line().await?.as_deref() {
                    Some("") => Ok(Some(piece)),
                    other => bail!("a chunk of {size} bytes is followed by {other:?}"),
                }
            }
        }
    }
}

impl Writer {
    /// Writes these bytes and hands them to the kernel at once.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).await?;
        Ok(self.0.flush().await?)
    }

    /// Ends the sending side in order.
    pub(crate) async fn finish(&mut self) -> Result<()> {
        Ok(self.0.shutdown().await?)
    }

    /// Breaks the connection off: once the reader is gone too, the peer sees a reset and not an orderly end.
    pub(crate) fn reset(self) -> Result<()> {
        self.0.as_ref().set_zero_linger()?;
        self.0.forget();
        Ok(())
    }
}

impl Reader {
    /// The next start line and fields; `None` when the peer closed instead.
    pub(crate) async fn head(&mut self) -> Result<Option<Head>> {
        let Some(start) = self.line().await? else { return Ok(None) };
        let headers = self.fields().await?.context("the connection ended inside a head")?;
        Ok(Some(Head { start, headers }))
    }

    /// Exactly `size` bytes; `None` when the peer closes before that.
    pub(crate) async fn exactly(&mut self, size: usize) -> Result<Option<Bytes>> {
        while self.buffer.len() < size {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    /// At least one byte and at most `limit`; `None` when the peer closed.
    pub(crate) async fn some(&mut self, limit: u64) -> Result<Option<Bytes>> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Ok(None);
        }
        let size = usize::try_from(limit).unwrap_or(usize::MAX).min(self.buffer.len());
        Ok(Some(self.buffer.split_to(size).freeze()))
    }

    async fn fields(&mut self) -> Result<Option<Headers>> {
        let mut headers = Headers::new();
        loop {
            let Some(line) = self.raw_line().await? else { return Ok(None) };
            if line.is_empty() {
                return Ok(Some(headers));
            }
            let colon = line.iter().position(|byte| *byte == b':');
            let colon = colon.with_context(|| format!("no colon in the field {:?}", line.escape_ascii()))?;
            headers.push(&line[..colon], line[colon + 1..].trim_ascii());
        }
    }

    async fn line(&mut self) -> Result<Option<String>> {
        Ok(self.raw_line().await?.map(|line| String::from_utf8_lossy(&line).into_owned()))
    }

    async fn raw_line(&mut self) -> Result<Option<Bytes>> {
        let mut seen = 0;
        loop {
            if let Some(end) = self.buffer[seen..].iter().position(|byte| *byte == b'\n') {
                let mut line = self.buffer.split_to(seen + end + 1);
                line.truncate(line.len() - 1);
                if line.ends_with(b"\r") {
                    line.truncate(line.len() - 1);
                }
                return Ok(Some(line.freeze()));
            }
            seen = self.buffer.len();
            if !self.fill().await? {
                return Ok(None);
            }
        }
    }

    async fn fill(&mut self) -> Result<bool> {
        self.buffer.reserve(64 * 1024);
        Ok(self.half.read_buf(&mut self.buffer).await? > 0)
    }
}
