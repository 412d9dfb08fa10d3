//! The HTTP/2 side of a recording upstream: every stream is answered on its own.

use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::{Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::net::TcpStream;

use super::{Protocol, Recorded, Server};
use crate::answer::{Answer, Step};
use crate::message::Headers;

pub(super) async fn serve(server: Server, stream: TcpStream, connection: u64) -> Result<()> {
    stream.set_nodelay(true)?;
    let mut builder = h2::server::Builder::new();
    builder.initial_window_size(1 << 20).initial_connection_window_size(16 << 20);
    let mut streams = builder.enable_connect_protocol().handshake::<_, Bytes>(stream).await?;
    while let Some(accepted) = streams.accept().await {
        let (request, respond) = accepted?;
        tokio::spawn(exchange(server.clone(), request, respond, connection));
    }
    Ok(())
}

async fn exchange(
    server: Server,
    request: Request<RecvStream>,
    respond: SendResponse<Bytes>,
    connection: u64,
) {
    let (head, body) = request.into_parts();
    let what = format!("{} connection {connection}: {} {}", server.name, head.method, head.uri);
    let outcome = async {
        let (recorded, broken) = receive(&server, head, body, connection).await;
        let recorded = Arc::new(recorded);
        server.log.add(&recorded);
        if let Some(error) = broken {
            return Err(error.into());
        }
        let answer = (server.handler)(&recorded);
        reply(respond, answer).await
    };
    if let Err(error) = outcome.await {
        server.log.note(format!("{what}: {error:#}"));
    }
}

async fn receive(
    server: &Server,
    head: http::request::Parts,
    mut stream: RecvStream,
    connection: u64,
) -> (Recorded, Option<h2::Error>) {
    let connect = head.method == http::Method::CONNECT;
    let mut headers = Headers::new();
    if let Some(authority) = head.uri.authority() {
        headers.push("host", authority.as_str());
    }
    for (name, value) in &head.headers {
        headers.push(name, value);
    }
    let path = head.uri.path_and_query().map(ToString::to_string);
    let path = path.or_else(|| head.uri.authority().map(ToString::to_string)).unwrap_or_default();
    let mut recorded = Recorded {
        upstream: server.name.to_string(),
        connection,
        protocol: Protocol::H2,
        method: head.method.to_string(),
        path,
        headers,
        body: Bytes::new(),
        trailers: Headers::new(),
        complete: true,
    };
    server.log.begin(&recorded.headers);
    if connect {
        return (recorded, None);
    }
    let mut body = BytesMut::new();
    let mut broken = None;
    while let Some(piece) = stream.data().await {
        match piece {
            Ok(piece) => {
                // Only fails when the stream is gone, and then the next read says so.
                let _ = stream.flow_control().release_capacity(piece.len());
                body.extend_from_slice(&piece);
            }
            Err(error) => {
                broken = Some(error);
                break;
            }
        }
    }
    if broken.is_none() {
        match stream.trailers().await {
            Ok(trailers) => {
                recorded.trailers =
                    trailers.iter().flatten().map(|(name, value)| (name, value.as_bytes())).collect();
            }
            Err(error) => broken = Some(error),
        }
    }
    recorded.body = body.freeze();
    recorded.complete = broken.is_none();
    (recorded, broken)
}

async fn reply(mut respond: SendResponse<Bytes>, answer: Answer) -> Result<()> {
    for step in &answer.before {
        match step {
            Step::Reset => {
                respond.send_reset(Reason::INTERNAL_ERROR);
                return Ok(());
            }
            other => take(None, other).await?,
        }
    }
    let mut head = Response::builder().status(answer.status).body(())?;
    *head.headers_mut() = map(&answer.headers)?;
    let ends = answer.steps.is_empty() && answer.trailers.is_empty();
    let mut stream = respond.send_response(head, ends)?;
    if ends {
        return Ok(());
    }
    for step in &answer.steps {
        if let Step::Reset = step {
            stream.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        }
        take(Some(&mut stream), step).await?;
    }
    if answer.trailers.is_empty() {
        stream.send_data(Bytes::new(), true)?;
    } else {
        stream.send_trailers(map(&answer.trailers)?)?;
    }
    Ok(())
}

async fn take(stream: Option<&mut SendStream<Bytes>>, step: &Step) -> Result<()> {
    match (step, stream) {
        (Step::Send(bytes), Some(stream)) => {
            stream.send_data(bytes.clone(), false).context("sending the answer")?
        }
        (Step::Sleep(time), _) => tokio::time::sleep(*time).await,
        (Step::Hold(gate), _) => gate.passed().await,
        (Step::Await(pause), _) => pause.over().await,
        (Step::Send(_) | Step::Reset, _) => {}
    }
    Ok(())
}

fn map(headers: &Headers) -> Result<HeaderMap> {
    let mut map = HeaderMap::new();
    for (name, value) in headers.iter() {
        map.append(HeaderName::from_bytes(name)?, HeaderValue::from_bytes(value)?);
    }
    Ok(map)
}
