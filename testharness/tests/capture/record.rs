//! The `record` command: what passes is recorded as it was, whole, without secrets and without a delay.

use std::time::Duration;

use anyhow::{Context, Result};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::capture::Kind;
use ipp_testharness::client::h1::Connection;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::modelsim::{Model, Serving};
use ipp_testharness::recording::{Framing, Outcome};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::{until, within};

use crate::support::{Folder, options, outcomes, recorder};

const CHAT: &str = "/v1/chat/completions";
const BODY: &str = r#"{"model":"base","messages":[{"role":"user","content":"What is a café?"}]}"#;
const STREAM: &str = r#"{"model":"lora","stream":true,"messages":[]}"#;

fn server(log: &Log) -> Result<Upstream> {
    Serving::new("server", vec![Model::new("base", &["lora"])]).start(log)
}

#[tokio::test]
async fn a_post_and_a_stream_become_recordings() -> Result<()> {
    let (log, out) = (Log::new(), Folder::new()?);
    let server = server(&log)?;
    let mut recorder = recorder(server.address(), &out).await?;
    let post = Request::post(CHAT, BODY).header("accept-encoding", "gzip").header("x-mine", "1");
    let whole = fetch(H1, recorder.address(), &post).await?;
    let stream = fetch(H1, recorder.address(), &Request::post(CHAT, STREAM).chunked(&[5, 9])).await?;
    let outcomes = outcomes(&mut recorder).await?;
    assert!(outcomes.iter().all(|outcome| outcome.kind == Kind::Recorded), "{outcomes:?}");

    let names = ["post-v1-chat-completions-base-0001.yaml", "post-v1-chat-completions-lora-0002.yaml"];
    assert_eq!(out.files()?, names.map(|name| out.path().join(name)));
    let first = out.exchange(names[0])?;
    assert_eq!((first.request.method.as_str(), first.request.path.as_str()), ("POST", CHAT));
    assert_eq!(first.request.body, BODY);
    assert_eq!(first.request.framing(), Framing::Length);
    let sent: Vec<_> = first.request.headers.iter().map(|(name, _)| String::from_utf8_lossy(name)).collect();
    assert_eq!(sent, ["content-type", "x-mine"]);
    assert_eq!(first.upstream.body(), whole.body);
    assert_eq!(first.upstream.headers.get("x-served-by").as_deref(), Some("server"));
    assert!(first.expect.is_some_and(|expect| expect.outcome == Some(Outcome::Forwarded)));

    let second = out.exchange(names[1])?;
    assert_eq!(second.request.body, STREAM);
    assert_eq!(second.request.framing(), Framing::Chunked);
    assert!(second.upstream.pieces.len() > 4);
    assert_eq!(second.upstream.body(), stream.body);
    Ok(())
}

/// Nothing that only the recorder needs reaches the server, and answers are not packed.
#[tokio::test]
async fn the_server_sees_what_it_would_see() -> Result<()> {
    let (log, out) = (Log::new(), Folder::new()?);
    let server = server(&log)?;
    let recorder = recorder(server.address(), &out).await?;
    let request =
        Request::post(CHAT, BODY).header("accept-encoding", "gzip").header("x-ipp-record-id", "mine");
    fetch(H1, recorder.address(), &request).await?;
    let seen = log.all().pop().context("the server saw nothing")?;
    let names: Vec<_> =
        seen.headers.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    assert_eq!(names, ["host", "content-type", "content-length", "x-forwarded-proto"]);
    assert_eq!(seen.headers.get("host"), Some(server.address().to_string()));
    Ok(())
}

#[tokio::test]
async fn a_stream_is_not_delayed() -> Result<()> {
    let (log, out, gate) = (Log::new(), Folder::new()?, Gate::new());
    let held = gate.clone();
    let server = Upstream::start("server", &log, move |_| {
        let event = |text: &str| Step::Send(format!("data: {text}\n\n").into_bytes().into());
        let answer = Answer::status(200).header("content-type", "text/event-stream").then(event("first"));
        answer.then(Step::Hold(held.clone())).then(event("last"))
    })?;
    let mut recorder = recorder(server.address(), &out).await?;
    let mut connection = Connection::open(recorder.address()).await?;
    connection.send_request(&Request::post(CHAT, STREAM)).await?;
    let mut incoming = connection.incoming("POST").await?;
    let first = within("the first event", connection.piece(&mut incoming)).await?;
    assert_eq!(first.as_deref(), Some(&b"data: first\n\n"[..]));
    assert!(recorder.collect()?.is_empty());
    gate.open();
    let last = within("the last event", connection.piece(&mut incoming)).await?;
    assert_eq!(last.as_deref(), Some(&b"data: last\n\n"[..]));
    assert_eq!(connection.piece(&mut incoming).await?, None);
    // While the recorder runs, not only when it ends.
    let outcomes = until("the recording", || {
        let collected = recorder.collect();
        async { collected.map(|outcomes| (!outcomes.is_empty()).then_some(outcomes)) }
    });
    assert_eq!(outcomes.await?[0].kind, Kind::Recorded);
    assert_eq!(out.exchange("post-v1-chat-completions-lora-0001.yaml")?.upstream.pieces.len(), 2);
    Ok(())
}

#[tokio::test]
async fn secrets_stay_out() -> Result<()> {
    let (log, out) = (Log::new(), Folder::new()?);
    let server = server(&log)?;
    let mut options = options(server.address(), &out);
    options.keep_header = vec!["X-Api-Key".to_owned()];
    let mut recorder = ipp_testharness::capture::Recorder::start(&options).await?;
    let path = format!("{CHAT}?api_key=S3CRET-query");
    let request = Request::post(&path, BODY).header("authorization", "Bearer S3CRET-header");
    fetch(H1, recorder.address(), &request.header("x-api-key", "kept").header("cookie", "a=S3CRET-cookie"))
        .await?;
    let outcomes = outcomes(&mut recorder).await?;
    assert_eq!(outcomes[0].request, format!("POST {CHAT}?api_key=<redacted>"));
    let text = std::fs::read_to_string(out.path().join("post-v1-chat-completions-base-0001.yaml"))?;
    assert!(!text.contains("S3CRET") && text.contains("[x-api-key, kept]"), "{text}");
    // The server is not affected by any of it.
    assert_eq!(log.all()[0].path, path);
    Ok(())
}

/// Everything that HTTP can carry comes back as it was.
#[tokio::test]
async fn bodies_are_exact() -> Result<()> {
    let (log, out) = (Log::new(), Folder::new()?);
    let bytes: Vec<u8> = (0..3 << 20).map(|at| (at % 251) as u8).collect();
    let answer = bytes.clone();
    let server = Upstream::start("server", &log, move |request| match request.path.as_str() {
        "/bytes" => Answer::body(200, "application/octet-stream", answer.clone()).split_at(&[1, 70_000]),
        _ => Answer::status(204),
    })?;
    let mut recorder = recorder(server.address(), &out).await?;
    let post = Request::post("/bytes", bytes.clone());
    assert_eq!(fetch(H1, recorder.address(), &post).await?.body, bytes);
    assert_eq!(fetch(H2, recorder.address(), &post).await?.body, bytes);
    fetch(H1, recorder.address(), &Request::post("/trailers", "hello").trailer("x-late", "1")).await?;
    fetch(H1, recorder.address(), &Request::new("HEAD", "/nothing")).await?;
    let outcomes = outcomes(&mut recorder).await?;
    assert!(outcomes.iter().all(|outcome| outcome.kind == Kind::Recorded), "{outcomes:?}");
    for name in ["post-bytes-0001.yaml", "post-bytes-0002.yaml"] {
        let exchange = out.exchange(name)?;
        assert!(exchange.request.body == bytes && exchange.upstream.body() == bytes, "{name}");
    }
    let trailers = out.exchange("post-trailers-0003.yaml")?;
    assert_eq!(trailers.request.trailers.get("x-late").as_deref(), Some("1"));
    assert_eq!(trailers.upstream.status, 204);
    assert_eq!(out.exchange("head-nothing-0004.yaml")?.request.method, "HEAD");
    Ok(())
}

#[tokio::test]
async fn what_is_not_whole_is_not_recorded() -> Result<()> {
    let (log, out, gate) = (Log::new(), Folder::new()?, Gate::new());
    let held = gate.clone();
    let server = Upstream::start("server", &log, move |request| {
        let begun = Answer::status(200).then(Step::Send("begun".into()));
        match request.path.as_str() {
            "/resets" => begun.then(Step::Sleep(Duration::from_millis(50))).then(Step::Reset),
            _ => begun.then(Step::Hold(held.clone())),
        }
    })?;
    let mut recorder = recorder(server.address(), &out).await?;
    fetch(H1, recorder.address(), &Request::post("/resets", BODY)).await?;
    let mut connection = Connection::open(recorder.address()).await?;
    connection.send_request(&Request::post("/leaves", BODY)).await?;
    let mut incoming = connection.incoming("POST").await?;
    within("the first piece", connection.piece(&mut incoming)).await?;
    connection.abort()?;
    let outcomes = outcomes(&mut recorder).await?;
    gate.open();
    assert!(outcomes.iter().all(|outcome| outcome.kind == Kind::Skipped), "{outcomes:?}");
    let whys: Vec<_> = outcomes.iter().map(ToString::to_string).collect();
    assert!(
        whys[0].starts_with("POST /resets: not recorded, the server did not answer it whole: upstream reset"),
        "{whys:?}"
    );
    assert_eq!(whys[1], "POST /leaves: not recorded, the client went away before it had all of the answer");
    assert!(out.files()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said() -> Result<()> {
    let out = Folder::new()?;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut recorder = recorder(nobody, &out).await?;
    assert_eq!(fetch(H1, recorder.address(), &Request::post(CHAT, BODY)).await?.status, 503);
    let outcomes = outcomes(&mut recorder).await?;
    assert!(
        outcomes[0].what.contains("the server did not answer it whole") && outcomes[0].what.contains("(UF"),
        "{outcomes:?}"
    );
    Ok(())
}

#[tokio::test]
async fn numbers_go_on_where_an_earlier_run_has_ended() -> Result<()> {
    let (log, out) = (Log::new(), Folder::new()?);
    let server = server(&log)?;
    for _ in 0..2 {
        let mut recorder = recorder(server.address(), &out).await?;
        fetch(H1, recorder.address(), &Request::post(CHAT, BODY)).await?;
        outcomes(&mut recorder).await?;
    }
    let names = ["post-v1-chat-completions-base-0001.yaml", "post-v1-chat-completions-base-0002.yaml"];
    assert_eq!(out.files()?, names.map(|name| out.path().join(name)));
    Ok(())
}

#[tokio::test]
async fn an_address_that_is_taken_is_said() -> Result<()> {
    let (taken, out) = (std::net::TcpListener::bind("127.0.0.1:0")?, Folder::new()?);
    let mut options = options(taken.local_addr()?, &out);
    options.listen = taken.local_addr()?;
    let Err(error) = ipp_testharness::capture::Recorder::start(&options).await else { panic!("it started") };
    assert!(format!("{error:#}").starts_with(&format!("--listen {}: ", options.listen)), "{error:#}");
    Ok(())
}
