//! The command `ipp-demo`, as `cargo xtask up` starts it.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use ipp_testharness::artifacts;
use ipp_testharness::client::{Request, fetch};
use ipp_testharness::upstream::Protocol::H1;
use ipp_testharness::wait::within;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

use crate::support::{CHAT, LLAMA, QWEN};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipp-demo"));
    command.arg("--module").arg(artifacts::module()).arg("--envoy").arg(artifacts::envoy()).args(arguments);
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// The demonstrations of these tests run side by side, so that only one of them can have the default port.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn output(arguments: &[&str]) -> Result<Output> {
    within("ipp-demo to end", async { Ok(command(arguments).output().await?) }).await
}

/// A file of this test run, gone when it is dropped.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new(name: &str, contents: &str) -> Result<Self> {
        let path = std::env::temp_dir().join(format!("ipp-demo-{}-{name}", std::process::id()));
        std::fs::write(&path, contents)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[tokio::test]
async fn once_shows_every_sample_as_expected() -> Result<()> {
    let output = output(&["--once"]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("all 12 requests came out as expected"), "{text}");
    let row = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("base model ")[1..6], [LLAMA, LLAMA, LLAMA, "llama-pool", "200"]);
    assert_eq!(row("adapter ")[1..6], ["sql-lora", "sql-lora", QWEN, "qwen-pool", "200"]);
    assert_eq!(row("unknown model")[1..6], ["gpt-4", "gpt-4", "\"\"", "default-pool", "404"]);
    assert_eq!(row("no model")[1..6], ["-", "-", "-", "default-pool", "400"]);
    assert_eq!(row("5 MB body")[1..6], ["qwen-summarizer", "qwen-summarizer", QWEN, "qwen-pool", "200"]);
    assert_eq!(row("spoofed headers")[1..6], ["food-review-1", "food-review-1", LLAMA, "llama-pool", "200"]);
    assert_eq!(row("broken JSON")[1..6], ["-", "-", "-", "-", "400"]);
    Ok(())
}

/// The worked example of model selection.
#[tokio::test]
async fn a_configuration_of_ones_own_chooses_models() -> Result<()> {
    let port = free_port()?.to_string();
    let example = artifacts::workspace().join("examples/cost-and-load.yaml");
    let example = example.to_str().context("the path of the example")?;
    let output = output(&["--once", "--port", &port, "--config", example]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let row = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    // Named: the model. Not named: the cheapest. Unknown: nobody.
    assert!(row("base model ").contains("llama-pool"), "{text}");
    assert!(row("no model").contains("qwen-pool"), "{text}");
    assert!(row("unknown model").contains("404"), "{text}");
    Ok(())
}

/// The exit code means something: with a port that is taken, a configuration that is refused, or nonsense, it
/// is not 0.
#[tokio::test]
async fn what_cannot_be_done_is_said() -> Result<()> {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = taken.local_addr()?.port().to_string();
    let free = free_port()?.to_string();
    let bad = Scratch::new("bad.yaml", "kind: Nothing")?;
    let bad = bad.0.to_str().context("the path of the scratch file")?;
    let cases: [(&[&str], i32, String); 5] = [
        (&["--once", "--port", &port], 1, format!("port {port} is taken")),
        (&["--once", "--port", "0"], 2, "--port 0: not a port".to_owned()),
        (
            &["--once", "--port", &free, "--config", "/does/not/exist"],
            1,
            "reading /does/not/exist".to_owned(),
        ),
        (&["--once", "--port", &free, "--config", bad], 1, "PayloadProcessorConfig".to_owned()),
        (&["--twice"], 2, "unknown argument \"--twice\"".to_owned()),
    ];
    for (arguments, code, message) in cases {
        let output = output(arguments).await?;
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(&message), "{arguments:?}: {text}");
    }
    Ok(())
}

#[tokio::test]
async fn another_configuration_takes_the_place_of_the_shipped_one() -> Result<()> {
    let config = crate::support::configs::PLAIN.replace("X-Gateway-Model-Name", "X-Other");
    let file = Scratch::new("other.yaml", &config)?;
    let path = file.0.to_str().context("the path of the scratch file")?;
    let output = output(&["--once", "--port", &free_port()?.to_string(), "--config", path]).await?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let row = text.lines().find(|line| line.starts_with("adapter ")).unwrap_or_default();
    let cells: Vec<_> = row.split_whitespace().collect();
    assert_eq!(cells[..5], ["adapter", "sql-lora", "-", QWEN, "qwen-pool"]);
    Ok(())
}

#[tokio::test]
async fn it_serves_until_it_is_interrupted_and_leaves_nothing() -> Result<()> {
    for signal in ["-INT", "-TERM"] {
        let port = free_port()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut child = command(&["--port", &port.to_string()]).stdout(Stdio::piped()).spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        let mut text = String::new();
        within("the invitation", async {
            while !text.contains("Ctrl-C stops") {
                text.push_str(&lines.next_line().await?.context("it ended")?);
                text.push('\n');
            }
            Ok(())
        })
        .await?;
        assert!(text.contains(&format!("curl -i http://{address}/v1/chat/completions")), "{text}");
        let body = json!({"model": "qwen-summarizer", "messages": [{"role": "user", "content": "Hello"}]});
        let response = fetch(H1, address, &Request::post(CHAT, body.to_string())).await?;
        assert_eq!((response.status, response.header("x-served-by").as_deref()), (200, Some("qwen-pool")));
        let models = fetch(H1, address, &Request::get("/v1/models")).await?;
        assert_eq!(models.json()["object"], "list");

        let pid = child.id().context("it has ended")?.to_string();
        let killed = Command::new("kill").args([signal, &pid]).status().await?;
        assert!(killed.success());
        let status = within("ipp-demo to end", async { Ok(child.wait().await?) }).await?;
        assert!(status.success(), "{status}");
        assert!(TcpListener::bind(address).is_ok(), "something still listens on {address}");
    }
    Ok(())
}
