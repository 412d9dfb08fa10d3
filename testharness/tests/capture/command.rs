//! The commands of `ipp-replay` that make recordings, as a user runs them.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::artifacts;
use ipp_testharness::client::Request;
use ipp_testharness::client::h1::Connection;
use ipp_testharness::upstream::{Log, Upstream};
use ipp_testharness::wait::within;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::Folder;

const BODY: &str = r#"{"model":"base","stream":true,"messages":[]}"#;
const NAME: &str = "post-v1-chat-completions-base-0001.yaml";

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipp-replay"));
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn output(arguments: &[&str]) -> Result<Output> {
    within("ipp-replay to end", async { Ok(command(arguments).output().await?) }).await
}

/// A Ctrl-C in the middle of a stream: the client gets all of it, it is recorded, and nothing is left behind.
#[tokio::test]
async fn record_waits_for_what_is_under_way() -> Result<()> {
    let (log, out, gate) = (Log::new(), Folder::new()?, Gate::new());
    let held = gate.clone();
    let server = Upstream::start("server", &log, move |_| {
        let begun = Answer::status(200)
            .header("content-type", "text/event-stream")
            .then(Step::Send("data: a\n\n".into()));
        begun.then(Step::Hold(held.clone())).then(Step::Send("data: [DONE]\n\n".into()))
    })?;
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let (listen, upstream) = (port.to_string(), format!("http://{}", server.address()));
    let folder = out.path().display().to_string();
    let envoy = artifacts::envoy().display().to_string();
    let arguments =
        ["record", "--listen", &listen, "--upstream", &upstream, "--out", &folder, "--envoy", &envoy];
    let mut child = command(&arguments).stdout(Stdio::piped()).process_group(0).spawn()?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let first = within("the first line", async { lines.next_line().await?.context("it ended") }).await?;
    assert_eq!(
        first,
        format!("recording what passes from http://127.0.0.1:{port} to {upstream} in {folder}; Ctrl-C stops")
    );

    let mut connection = Connection::open((Ipv4Addr::LOCALHOST, port).into()).await?;
    connection.send_request(&Request::post("/v1/chat/completions", BODY)).await?;
    let mut incoming = connection.incoming("POST").await?;
    within("the first event", connection.piece(&mut incoming)).await?;
    // To the whole group, as a terminal sends it.
    let pid = child.id().context("it has ended")?;
    Command::new("kill").args(["-INT", "--", &format!("-{pid}")]).status().await?;
    let mut text = String::new();
    within("it to stop", async {
        while !text.contains("stopping") {
            text.push_str(&lines.next_line().await?.context("it ended")?);
        }
        Ok(())
    })
    .await?;
    gate.open();
    let last = within("the last event", connection.piece(&mut incoming)).await?;
    assert_eq!(last.as_deref(), Some(&b"data: [DONE]\n\n"[..]));
    within("the rest", async {
        while let Some(line) = lines.next_line().await? {
            text.push_str(&line);
        }
        Ok(())
    })
    .await?;
    let status = within("ipp-replay to end", async { Ok(child.wait().await?) }).await?;
    assert!(
        status.success() && text.contains(NAME) && text.ends_with("1 recorded, 0 not, 0 failed"),
        "{status} {text}"
    );
    assert_eq!(out.exchange(NAME)?.upstream.pieces.len(), 2);
    let left = std::fs::read_dir(std::env::temp_dir())?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let left: Vec<_> = left.filter(|name| name.contains(&format!("-{pid}-"))).collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn import_writes_what_it_can_and_says_what_it_cannot() -> Result<()> {
    let out = Folder::new()?;
    let folder = out.path().display().to_string();
    let capture = artifacts::workspace().join("testharness/tests/native_import/fixtures/browser.har");
    let output = output(&["import", "har", &capture.display().to_string(), "--out", &folder]).await?;
    let (said, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    assert_eq!(output.status.code(), Some(1), "{said}{errors}");
    assert!(said.ends_with("6 written, 3 broken; 2 other requests left out, --all takes them\n"), "{said}");
    assert!(errors.contains("browser.har: entry 11: the request has no url\n"), "{errors}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_done_is_said() -> Result<()> {
    let out = Folder::new()?;
    let folder = out.path().display().to_string();
    let record = ["record", "--upstream", "http://127.0.0.1:1", "--out", &folder];
    for (arguments, message) in [
        (
            ["import", "har", "x.har", "--config", "/not/there"].as_slice(),
            "the configuration: /not/there: No such file",
        ),
        (&["import", "tap"], "the following required arguments were not provided"),
        (
            &[&record[..], &["--listen", "nowhere"]].concat(),
            "expected an address and a port, such as 127.0.0.1:8080",
        ),
        (&["record", "--listen", "8080", "--upstream", "http://a/v1"], "requests keep their own paths"),
        (
            &[&record[..], &["--listen", "0", "--envoy", "/not/there"]].concat(),
            "--envoy PATH says where it is",
        ),
    ] {
        let mut arguments = arguments.to_vec();
        if arguments.first() == Some(&"import") && arguments.len() > 2 {
            arguments.extend(["--out", &folder]);
        }
        let output = output(&arguments).await?;
        let errors = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
        assert!(errors.contains(message), "{arguments:?}: {errors}");
    }
    Ok(())
}
