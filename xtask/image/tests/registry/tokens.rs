//! A token server, as ghcr.io and Docker Hub have one: it takes a password and signs what its owner may do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use crate::rig::{Folder, PASSWORD, USER};

pub(crate) const SERVICE: &str = "ipp test";
pub(crate) const ISSUER: &str = "tokens";

/// It serves until the tests end.
pub(crate) struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// The key is `token.key` in the folder, the certificate that the registry trusts `token.crt`.
    pub(crate) fn start(folder: &Folder) -> Self {
        folder.certificate("token");
        let (key, certificate) = (folder.path("token.key"), folder.path("token.crt"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let head = head(&stream);
                let line = head.lines().next().unwrap_or_default().to_owned();
                log.lock().expect("the log").push(line);
                answer(stream, &head, &key, &certificate);
            }
        });
        Self { port, asked }
    }

    pub(crate) fn realm(&self) -> String {
        format!("http://127.0.0.1:{}/token", self.port)
    }

    /// The first lines of all requests.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("the log").clone()
    }
}

fn head(mut stream: &TcpStream) -> String {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") && matches!(stream.read(&mut byte), Ok(1)) {
        bytes.push(byte[0]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn answer(mut stream: TcpStream, head: &str, key: &PathBuf, certificate: &PathBuf) {
    let login = format!("basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
    let known = head.lines().any(|line| {
        line.split_once(": ").is_some_and(|(name, value)| {
            name.eq_ignore_ascii_case("authorization") && value.eq_ignore_ascii_case(&login)
        })
    });
    let (status, body) = if known {
        ("200 OK", json!({"token": token(key, certificate)}).to_string())
    } else {
        ("401 Unauthorized", json!({"details": "incorrect username or password"}).to_string())
    };
    let length = body.len();
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
}

fn token(key: &PathBuf, certificate: &PathBuf) -> String {
    let pem = std::fs::read_to_string(certificate).expect("the certificate");
    let der: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let header = json!({"alg": "RS256", "typ": "JWT", "x5c": [der]});
    let claims = json!({
        "iss": ISSUER, "sub": USER, "aud": SERVICE, "jti": "1", "iat": now, "nbf": now - 10, "exp": now + 300,
        "access": [{"type": "repository", "name": "me/ipp", "actions": ["pull", "push"]}],
    });
    let encode = |text: String| URL_SAFE_NO_PAD.encode(text);
    let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let mut openssl = Command::new("openssl");
    openssl.args(["dgst", "-sha256", "-sign"]).arg(key).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = openssl.spawn().expect("openssl starts");
    child.stdin.take().expect("its input").write_all(signed.as_bytes()).expect("written");
    let signature = child.wait_with_output().expect("a signature").stdout;
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}
