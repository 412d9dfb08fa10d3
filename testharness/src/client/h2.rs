//! An HTTP/2 client with prior knowledge: concurrent streams, chosen DATA frames, trailers, resets.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use h2::client::{ResponseFuture, SendRequest};
use h2::ext::Protocol;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::{Framing, Request, Response};
use crate::message::Headers;

/// One connection; its streams run side by side.
pub struct Connection {
    sender: SendRequest<Bytes>,
    driver: JoinHandle<()>,
}

/// A stream that was opened, with its answer still to come.
pub struct Stream {
    /// For sending DATA frames one by one.
    pub body: SendStream<Bytes>,
    response: ResponseFuture,
}

impl Connection {
    /// Connects and exchanges settings.
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(16 << 20).enable_push(false);
        let (sender, connection) = builder.handshake(stream).await?;
        let driver = tokio::spawn(async move {
            // How the connection ended is told to every stream.
            let _ = connection.await;
        });
        Ok(Self { sender, driver })
    }

    /// Opens a stream with the request's head; the body is up to the caller unless `ends`.
    pub async fn open_stream(&mut self, request: &Request, ends: bool) -> Result<Stream> {
        self.open_with(request, None, ends).await
    }

    /// Opens a tunnel for `protocol` by an extended CONNECT (RFC 8441), which is how HTTP/2 upgrades.
    pub async fn open_tunnel(&mut self, request: &Request, protocol: &'static str) -> Result<Stream> {
        self.open_with(request, Some(Protocol::from_static(protocol)), false).await
    }

    async fn open_with(
        &mut self,
        request: &Request,
        protocol: Option<Protocol>,
        ends: bool,
    ) -> Result<Stream> {
        let authority = request.headers.get("host").unwrap_or_else(|| "ipp.test".to_owned());
        let uri = match request.method.as_str() {
            "CONNECT" if protocol.is_none() => request.path.clone(),
            _ => format!("http://{authority}{}", request.path),
        };
        let mut head = http::Request::builder().method(request.method.as_str()).uri(uri).body(())?;
        *head.headers_mut() = map(&request.headers)?;
        if request.framing == Framing::Length && !request.headers.contains("content-length") {
            head.headers_mut().insert(http::header::CONTENT_LENGTH, request.body.len().into());
        }
        if let Some(protocol) = protocol {
            head.extensions_mut().insert(protocol);
        }
        let mut sender = self.sender.clone().ready().await?;
        let (response, body) = sender.send_request(head, ends)?;
        Ok(Stream { body, response })
    }

    /// Opens a stream and sends the whole request; each piece of the body is a DATA frame.
    pub async fn send_request(&mut self, request: &Request) -> Result<Stream> {
        let pieces = request.body_pieces();
        let framed = request.framing == Framing::Chunked || !pieces.is_empty();
        let mut stream = self.open_stream(request, !framed).await?;
        for piece in pieces {
            stream.body.send_data(piece, false)?;
        }
        if !request.trailers.is_empty() {
            stream.body.send_trailers(map(&request.trailers)?)?;
        } else if framed {
            stream.body.send_data(Bytes::new(), true)?;
        }
        Ok(stream)
    }

    /// Sends the request and reads the whole answer.
    pub async fn exchange(&mut self, request: &Request) -> Result<Response> {
        self.send_request(request).await?.response().await
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Stream {
    /// Reads the whole answer.
    pub async fn response(self) -> Result<Response> {
        let (mut response, mut stream) = self.incoming().await?;
        let mut body = BytesMut::new();
        loop {
            match next(&mut stream).await {
                Ok(Some(piece)) => body.extend_from_slice(&piece),
                Ok(None) => break,
                Err(error) => {
                    response.broken = Some(format!("{error:#}"));
                    break;
                }
            }
        }
        if response.broken.is_none() {
            match stream.trailers().await {
                Ok(trailers) => response.trailers = trailers.as_ref().map(list).unwrap_or_default(),
                Err(error) => response.broken = Some(error.to_string()),
            }
        }
        response.body = body.freeze();
        Ok(response)
    }

    /// Waits for the head of the answer; the body is up to the caller.
    pub async fn incoming(self) -> Result<(Response, RecvStream)> {
        let (_, incoming) = self.split().await?;
        Ok(incoming)
    }

    /// Waits for the head of the answer, and keeps the sending side too.
    pub async fn split(self) -> Result<(SendStream<Bytes>, (Response, RecvStream))> {
        let (head, stream) = self.response.await?.into_parts();
        Ok((self.body, (self::head(&head), stream)))
    }

    /// Breaks the stream off.
    pub fn reset(mut self) {
        self.body.send_reset(Reason::CANCEL);
    }
}

fn head(head: &http::response::Parts) -> Response {
    Response {
        status: head.status.as_u16(),
        headers: list(&head.headers),
        body: Bytes::new(),
        trailers: Headers::new(),
        interim: Vec::new(),
        broken: None,
    }
}

/// The next DATA frame of an answer, or `None` after the last one.
pub async fn next(stream: &mut RecvStream) -> Result<Option<Bytes>> {
    let Some(piece) = stream.data().await.transpose()? else { return Ok(None) };
    stream.flow_control().release_capacity(piece.len())?;
    Ok(Some(piece))
}

fn list(map: &HeaderMap) -> Headers {
    map.iter().map(|(name, value)| (name, value.as_bytes())).collect()
}

/// In HTTP/2 the host is a pseudo field.
fn map(headers: &Headers) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        if !name.eq_ignore_ascii_case(b"host") {
            map.append(HeaderName::from_bytes(name)?, HeaderValue::from_bytes(value)?);
        }
    }
    Ok(map)
}
