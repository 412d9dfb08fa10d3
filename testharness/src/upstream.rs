//! A recording upstream: notes every request byte for byte and answers as it is told, over HTTP/1.1 or HTTP/2
//! with prior knowledge.

mod h1;
mod h2;
mod log;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;

use anyhow::{Context, Result};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::answer::Answer;

pub use log::{Log, Protocol, Recorded};

/// Decides what a request is answered with.
pub type Handler = dyn Fn(&Recorded) -> Answer + Send + Sync;

/// A server on loopback with a thread of its own, so that it lives on when the runtime of the test that
/// started it ends.
pub struct Upstream {
    name: String,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What every connection of one upstream shares.
#[derive(Clone)]
struct Server {
    name: Arc<str>,
    log: Log,
    handler: Arc<Handler>,
    connections: Arc<AtomicU64>,
}

impl Upstream {
    /// Starts one on a free port. It writes to `log`, which several upstreams may share, under its `name`.
    pub fn start(
        name: &str,
        log: &Log,
        handler: impl Fn(&Recorded) -> Answer + Send + Sync + 'static,
    ) -> Result<Self> {
        let socket = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let connections = Arc::new(AtomicU64::new(0));
        let server = Server { name: name.into(), log: log.clone(), handler: Arc::new(handler), connections };
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || {
            let accepting = async {
                let listener = TcpListener::from_std(socket)?;
                loop {
                    let (stream, _) = listener.accept().await?;
                    tokio::spawn(server.clone().serve(stream));
                }
            };
            runtime.block_on(async {
                tokio::select! {
                    outcome = accepting => {
                        let _: std::io::Result<()> = outcome;
                    }
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name(format!("upstream {name}")).spawn(run)?;
        Ok(Self { name: name.to_owned(), address, stop: Some(stop), thread: Some(thread) })
    }

    /// The name that it was started with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed already.
            let _ = thread.join();
        }
    }
}

impl Server {
    async fn serve(self, stream: TcpStream) {
        let connection = self.connections.fetch_add(1, Ordering::Relaxed);
        if let Err(error) = self.clone().speak(stream, connection).await {
            self.log.note(format!("{} connection {connection}: {error:#}", self.name));
        }
    }

    async fn speak(self, stream: TcpStream, connection: u64) -> Result<()> {
        let mut first = [0; 3];
        let seen = stream.peek(&mut first).await.context("before the first byte")?;
        match &first[..seen] {
            b"PRI" => h2::serve(self, stream, connection).await,
            _ => h1::serve(self, stream, connection).await,
        }
    }
}
