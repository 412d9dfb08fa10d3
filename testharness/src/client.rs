//! Clients that send exactly what they are told: raw HTTP/1 in exact pieces, and HTTP/2 frame by frame.

pub mod h1;
pub mod h2;
mod request;

use std::net::SocketAddr;

use anyhow::Result;
use bytes::Bytes;
use serde_json::Value;

use crate::message::Headers;
use crate::upstream::Protocol;
use crate::wait::within;

pub use request::{Framing, Request};

/// An answer as the client received it.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields.
    pub headers: Headers,
    /// The body as far as it came.
    pub body: Bytes,
    /// The trailers.
    pub trailers: Headers,
    /// The statuses of interim answers (100 Continue) before it.
    pub interim: Vec<u16>,
    /// Why the answer broke off, when it did.
    pub broken: Option<String>,
}

impl Response {
    /// The first value of the field `name` as text.
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Sends one request on a connection of its own and waits for the whole answer.
pub async fn fetch(protocol: Protocol, address: SocketAddr, request: &Request) -> Result<Response> {
    let what = format!("the answer to {} {}", request.method, request.path);
    within(&what, async {
        match protocol {
            Protocol::H1 => h1::Connection::open(address).await?.exchange(request).await,
            Protocol::H2 => h2::Connection::open(address).await?.exchange(request).await,
        }
    })
    .await
}
