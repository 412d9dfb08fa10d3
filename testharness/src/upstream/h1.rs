//! The HTTP/1.1 side of a recording upstream, byte for byte, so that a request smuggled behind another one is
//! seen as what it is.

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use bytes::{Bytes, BytesMut};
use tokio::net::TcpStream;

use super::{Protocol, Recorded, Server};
use crate::answer::{Answer, Step};
use crate::wire::{self, BodyReader, Framing, Head, Reader, Writer};

/// What becomes of the connection after an answer.
#[derive(PartialEq, Eq)]
enum Next {
    KeepAlive,
    Close,
    Reset,
    Tunnel,
}

pub(super) async fn serve(server: Server, stream: TcpStream, connection: u64) -> Result<()> {
    let (mut reader, mut writer) = wire::split(stream)?;
    while let Some(head) = reader.head().await? {
        server.log.begin(&head.headers);
        if head.headers.has_token("expect", "100-continue") {
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let (recorded, broken) = receive(&server, &mut reader, head, connection).await?;
        server.log.add(&recorded);
        if let Some(error) = broken {
            return Err(error);
        }
        let answer = (server.handler)(&recorded);
        match reply(&mut writer, &recorded, answer).await? {
            Next::KeepAlive => {}
            Next::Close => break,
            Next::Reset => return writer.reset(),
            Next::Tunnel => {
                while let Some(bytes) = reader.some(u64::MAX).await? {
                    writer.write(&bytes).await?;
                }
                break;
            }
        }
    }
    Ok(())
}

/// Reads one request; a body that breaks off is recorded as far as it came.
async fn receive(
    server: &Server,
    reader: &mut Reader,
    head: Head,
    connection: u64,
) -> Result<(Arc<Recorded>, Option<anyhow::Error>)> {
    let mut words = head.start.split(' ');
    let (Some(method), Some(path), Some(_version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        bail!("not a request line: {:?}", head.start);
    };
    let mut body = BytesMut::new();
    let mut pieces = BodyReader::new(Framing::of(&head.headers)?.unwrap_or(Framing::Length(0)));
    let broken = loop {
        match pieces.next(reader).await {
            Ok(Some(piece)) => body.extend_from_slice(&piece),
            Ok(None) => break None,
            Err(error) => break Some(error.context(format!("{method} {path}"))),
        }
    };
    let recorded = Recorded {
        upstream: server.name.to_string(),
        connection,
        protocol: Protocol::H1,
        method: method.to_owned(),
        path: path.to_owned(),
        headers: head.headers,
        body: body.freeze(),
        trailers: pieces.trailers,
        complete: broken.is_none(),
    };
    Ok((Arc::new(recorded), broken))
}

async fn reply(writer: &mut Writer, recorded: &Recorded, answer: Answer) -> Result<Next> {
    for step in &answer.before {
        if !take(writer, step, false).await? {
            return Ok(Next::Reset);
        }
    }
    let length = answer.known_length();
    let bodiless =
        answer.tunnel || recorded.method == "HEAD" || matches!(answer.status, 100..=199 | 204 | 304);
    let has_framing =
        answer.headers.contains("content-length") || answer.headers.contains("transfer-encoding");
    let chunked = !bodiless && !has_framing && length.is_none();
    let mut head = format!("HTTP/1.1 {} {}\r\n", answer.status, reason(answer.status)).into_bytes();
    for (name, value) in answer.headers.iter() {
        head.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
    }
    if chunked {
        head.extend_from_slice(b"transfer-encoding: chunked\r\n");
    } else if let (false, false, Some(length)) = (bodiless, has_framing, length) {
        head.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    head.extend_from_slice(b"\r\n");
    writer.write(&head).await?;
    if answer.tunnel {
        return Ok(Next::Tunnel);
    }
    for step in &answer.steps {
        if !bodiless && !take(writer, step, chunked).await? {
            return Ok(Next::Reset);
        }
    }
    if chunked {
        let mut end = b"0\r\n".to_vec();
        for (name, value) in answer.trailers.iter() {
            end.extend_from_slice(&[name, b": ", value, b"\r\n"].concat());
        }
        end.extend_from_slice(b"\r\n");
        writer.write(&end).await?;
    }
    let close = answer.headers.has_token("connection", "close");
    Ok(if close { Next::Close } else { Next::KeepAlive })
}

/// Takes one step; false when it broke the connection off.
async fn take(writer: &mut Writer, step: &Step, chunked: bool) -> Result<bool> {
    match step {
        Step::Send(bytes) if bytes.is_empty() => {}
        Step::Send(bytes) if chunked => writer.write(&chunk(bytes)).await.context("sending the answer")?,
        Step::Send(bytes) => writer.write(bytes).await.context("sending the answer")?,
        Step::Sleep(time) => tokio::time::sleep(*time).await,
        Step::Hold(gate) => gate.passed().await,
        Step::Await(pause) => pause.over().await,
        Step::Reset => return Ok(false),
    }
    Ok(true)
}

fn chunk(bytes: &Bytes) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

fn reason(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|code| code.canonical_reason()).unwrap_or("Unknown")
}
