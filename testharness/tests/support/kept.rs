//! A client that sends one request after the other, and keeps its connection as long as Envoy does.

use std::net::SocketAddr;

use anyhow::Result;
use ipp_testharness::client::{Request, Response, h1, h2};
use ipp_testharness::upstream::Protocol::{self, H1, H2};
use ipp_testharness::wait::within;

/// The client.
pub(crate) struct Kept {
    address: SocketAddr,
    protocol: Protocol,
    one: Option<h1::Connection>,
    two: Option<h2::Connection>,
}

impl Kept {
    pub(crate) fn new(protocol: Protocol, address: SocketAddr) -> Self {
        Self { address, protocol, one: None, two: None }
    }

    /// Sends a request, on a new connection where Envoy has closed the old one.
    pub(crate) async fn exchange(&mut self, request: &Request) -> Result<Response> {
        within("an answer under load", async {
            match self.protocol {
                H1 => {
                    let mut connection = match self.one.take() {
                        Some(connection) => connection,
                        None => h1::Connection::open(self.address).await?,
                    };
                    let response = connection.exchange(request).await?;
                    if !response.headers.has_token("connection", "close") {
                        self.one = Some(connection);
                    }
                    Ok(response)
                }
                H2 => loop {
                    let mut connection = match self.two.take() {
                        Some(connection) => connection,
                        None => h2::Connection::open(self.address).await?,
                    };
                    // Refused before anything was sent: Envoy has said that it will close this connection.
                    let Ok(stream) = connection.send_request(request).await else { continue };
                    self.two = Some(connection);
                    break stream.response().await;
                },
            }
        })
        .await
    }
}
