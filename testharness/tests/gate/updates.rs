//! The configuration of the reader, of the gate, or of both is replaced under load and while a request is held. For a
//! moment the two may have different ones, and each its old one and its new one side by side.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Result, ensure};
use ipp_testharness::client::{Request, h1, h2};
use ipp_testharness::envoy::Update;
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use crate::config_update::{Bench, Home, Way, load};
use crate::pairs::{VARIANTS, stock};
use crate::support::rig::tag;
use crate::support::{CHAT, QWEN};

/// Whose configuration is the new one: the reader's, the gate's.
const PARTS: [[bool; 2]; 3] = [[true, false], [false, true], [true, true]];

fn configs(new: [bool; 2], home: Home, before: Home) -> Vec<String> {
    new.map(|new| if new { home.config() } else { before.config() }).into()
}

async fn update(bench: &Bench, configs: &[String]) -> Result<()> {
    let configs: Vec<&str> = configs.iter().map(String::as_str).collect();
    ensure!(bench.update_each(&configs).await? == Update::Accepted);
    Ok(())
}

async fn start(way: Way, variant: usize) -> Result<Bench> {
    let variant = VARIANTS[variant];
    let mut listener = variant.listener(stock(&Home::Qwen.config()));
    "main".clone_into(&mut listener.name);
    Bench::start_with(way, listener).await
}

async fn under_load(way: Way, variant: usize) -> Result<()> {
    let bench = start(way, variant).await?;
    let (stop, served) = (AtomicBool::new(false), AtomicU64::new(0));
    let [a, b, c] = [H1, H2, H2].map(|protocol| load(&bench.rig, protocol, &stop, &served));
    let updates = async {
        let mut homes = [Home::Qwen; 2];
        for new in PARTS.into_iter().cycle().take(12) {
            for (home, _) in homes.iter_mut().zip(new).filter(|(_, new)| *new) {
                *home = if *home == Home::Qwen { Home::Llama } else { Home::Qwen };
            }
            update(&bench, &homes.map(Home::config)).await?;
            // The reader decides, whatever the gate's own configuration would.
            bench.serves(homes[0]).await?;
            let before = served.load(Ordering::Relaxed);
            let enough = async || Ok((served.load(Ordering::Relaxed) >= before + 10).then_some(()));
            until("requests under the new configuration", enough).await?;
        }
        stop.store(true, Ordering::Relaxed);
        Ok(())
    };
    tokio::try_join!(a, b, c, updates)?;
    bench.rig.assert_healthy().await;
    Ok(())
}

#[tokio::test]
async fn through_the_listener_under_load_no_request_fails() -> Result<()> {
    under_load(Way::Listener, 0).await?;
    under_load(Way::Listener, 1).await
}

#[tokio::test]
async fn through_the_filters_under_load_no_request_fails() -> Result<()> {
    under_load(Way::Filter, 0).await?;
    under_load(Way::Filter, 1).await
}

/// A request that is held when a configuration changes is held, decided and let go by the ones that it began with.
#[tokio::test]
async fn a_request_that_is_held_meanwhile_ends_as_it_began() -> Result<()> {
    for way in [Way::Listener, Way::Filter] {
        for variant in 0..VARIANTS.len() {
            let bench = start(way, variant).await?;
            let request = || tag(Request::post(CHAT, r#"{"model":"sql-lora","messages":[]}"#)).1;
            let mut before = Home::Qwen;
            for (turn, new) in PARTS.into_iter().enumerate() {
                let (one, two) = (request(), request());
                let mut first = h1::Connection::open(bench.rig.address("main")).await?;
                first.send(&one.wire()[..one.head().len() + 12]).await?;
                let mut second = h2::Connection::open(bench.rig.address("main")).await?;
                let mut stream = second.open_stream(&two, false).await?;
                stream.body.send_data(two.body.slice(..5), false)?;
                bench.rig.active("main").await?;
                // Only the last one changes what becomes of a request: it is as it was when they began.
                let home = if turn == 2 { Home::Llama } else { Home::Qwen };
                let mut changed = configs(new, home, before);
                for (config, new) in changed.iter_mut().zip(new) {
                    if new {
                        config.push_str(&format!("proxyWasm: {{seed: {turn}}}\n"));
                    }
                }
                update(&bench, &changed).await?;
                bench.serves(home).await?;
                before = home;
                first.send(&one.body[12..]).await?;
                stream.body.send_data(two.body.slice(5..), true)?;
                let responses = async { tokio::try_join!(first.response("POST"), stream.response()) };
                let (response, other) = within("the answers", responses).await?;
                bench.rig.seen(one, response).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
                bench.rig.seen(two, other).forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
            }
            bench.rig.assert_healthy().await;
        }
    }
    Ok(())
}
