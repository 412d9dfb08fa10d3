//! A request that is under way, over HTTP/1 or HTTP/2, and may be left at any point.

use std::net::SocketAddr;

use ::h2::{Reason, RecvStream, SendStream};
use anyhow::{Context, Result};
use bytes::Bytes;
use ipp_testharness::client::{Request, Response, h1, h2};
use ipp_testharness::upstream::Protocol;

/// How much of a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    HalfTheBody,
    All,
}

/// One request on a connection of its own, and what has come of its answer.
pub(super) enum Open {
    One(h1::Connection, Option<h1::Incoming>),
    Two(h2::Connection, h2::Stream),
    TwoAnswered(h2::Connection, SendStream<Bytes>, Response, RecvStream),
}

/// How an answer ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) status: u16,
    pub(super) broken: bool,
}

impl Open {
    pub(super) async fn send(
        address: SocketAddr,
        protocol: Protocol,
        request: &Request,
        reach: Reach,
    ) -> Result<Self> {
        let half = request.body.slice(..request.body.len() / 2);
        match protocol {
            Protocol::H1 => {
                let mut connection = h1::Connection::open(address).await?;
                match reach {
                    Reach::All => connection.send_request(request).await?,
                    Reach::HalfTheBody => {
                        connection.send(&request.head()).await?;
                        connection.send(&half).await?;
                    }
                }
                Ok(Self::One(connection, None))
            }
            Protocol::H2 => {
                let mut connection = h2::Connection::open(address).await?;
                let stream = match reach {
                    Reach::All => connection.send_request(request).await?,
                    Reach::HalfTheBody => {
                        let mut stream = connection.open_stream(request, false).await?;
                        stream.body.send_data(half, false)?;
                        stream
                    }
                };
                Ok(Self::Two(connection, stream))
            }
        }
    }

    /// Waits until a part of the answer is there.
    pub(super) async fn first_event(self) -> Result<Self> {
        match self {
            Self::One(mut connection, None) => {
                let mut incoming = connection.incoming("POST").await?;
                connection.piece(&mut incoming).await?.context("the answer ended")?;
                Ok(Self::One(connection, Some(incoming)))
            }
            Self::Two(connection, stream) => {
                let (sending, (head, mut body)) = stream.split().await?;
                h2::next(&mut body).await?.context("the answer ended")?;
                Ok(Self::TwoAnswered(connection, sending, head, body))
            }
            answered => Ok(answered),
        }
    }

    /// Reads the answer to its end.
    pub(super) async fn end(self) -> Result<Ended> {
        match self {
            Self::One(mut connection, begun) => {
                let mut incoming = match begun {
                    Some(incoming) => incoming,
                    None => connection.incoming("POST").await?,
                };
                let broken = loop {
                    match connection.piece(&mut incoming).await {
                        Ok(Some(_)) => {}
                        end => break end.is_err(),
                    }
                };
                Ok(Ended { status: incoming.status, broken })
            }
            Self::Two(_connection, stream) => {
                let response = stream.response().await?;
                Ok(Ended { status: response.status, broken: response.broken.is_some() })
            }
            Self::TwoAnswered(_connection, _sending, head, mut body) => {
                let broken = loop {
                    match h2::next(&mut body).await {
                        Ok(Some(_)) => {}
                        end => break end.is_err(),
                    }
                };
                Ok(Ended { status: head.status, broken })
            }
        }
    }

    /// Goes away: with a reset, of the connection or the stream, or by closing the connection. What is left of it has to
    /// be kept until Envoy has noticed.
    pub(super) fn leave(self, reset: bool) -> Result<Option<h2::Connection>> {
        match self {
            Self::One(connection, _) if reset => {
                connection.abort()?;
                Ok(None)
            }
            Self::Two(connection, stream) if reset => {
                stream.reset();
                Ok(Some(connection))
            }
            Self::TwoAnswered(connection, mut stream, ..) if reset => {
                stream.send_reset(Reason::CANCEL);
                Ok(Some(connection))
            }
            Self::One(..) | Self::Two(..) | Self::TwoAnswered(..) => Ok(None),
        }
    }
}
