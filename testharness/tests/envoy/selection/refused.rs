//! Who may serve has enough to do: 429 or 503 with Retry-After, as long as that lasts.

use anyhow::{Context, Result, ensure};
use ipp_testharness::answer::{Answer, Gate, Step};
use ipp_testharness::client::{fetch, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::{until, within};

use super::{Selection, ask, by_label, in_flight, start};
use crate::support::rig::{CASE, Rig, stock, tag};

/// Two models that take two requests each. What is in flight goes by their names, so that each listener has its own.
fn config(models: &str, load: &str) -> String {
    Selection {
        models,
        plugins: &["type: inflight-requests-scorer", load],
        request: &["pluginRef: load-filter", "{pluginRef: inflight-requests-scorer, weight: 1}"],
        response: &[],
    }
    .config()
}

/// One request that the model server holds.
async fn held(rig: &Rig, listener: &str, model: &str, gate: &Gate) -> Result<h1::Connection> {
    let (case, request) = tag(ask(model));
    rig.script(&case, Answer::status(200).first(Step::Hold(gate.clone())));
    let mut connection = h1::Connection::open(rig.address(listener)).await?;
    connection.send_request(&request).await?;
    rig.log.arrival(CASE, &case).await?;
    Ok(connection)
}

/// What a request that has to be refused is told.
async fn refused(rig: &Rig, listener: &str, model: &str) -> Result<(u16, String, Option<String>)> {
    let mut told = Vec::new();
    for protocol in [H1, H2] {
        let (case, request) = tag(ask(model));
        let response = fetch(protocol, rig.address(listener), &request).await?;
        ensure!(rig.log.with(CASE, &case).is_empty(), "it reached a model server");
        let error = response.json()["error"].clone();
        ensure!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{}", response.text());
        let code = error["code"].as_str().context("no code")?.to_owned();
        told.push((response.status, code, response.headers.get("retry-after")));
    }
    ensure!(told[0] == told[1], "{told:?}");
    told.pop().context("there are two")
}

#[tokio::test]
async fn who_has_no_room_is_refused_with_retry_after_until_somebody_has() -> Result<()> {
    let plain = config(
        "{name: a, capacity: 2}, {name: b, capacity: 2}",
        "{type: load-filter, parameters: {maxLoad: 1}}",
    );
    let said = config(
        "{name: x}, {name: y}",
        "{type: load-filter, parameters: {maxInFlight: 2, status: 503, retryAfterSeconds: 7}}",
    );
    let rig = start(vec![stock("plain", &plain), stock("said", &said)]).await?;
    for (listener, models, status, seconds) in
        [("plain", ["a", "b"], 429, "1"), ("said", ["x", "y"], 503, "7")]
    {
        let overloaded = (status, "models_overloaded".to_owned(), Some(seconds.to_owned()));
        let (first, rest) = (Gate::new(), Gate::new());
        let mut open = vec![held(&rig, listener, models[0], &first).await?];
        open.push(held(&rig, listener, models[0], &rest).await?);
        // One is full: by its name nobody gets it, and whoever does not care gets the other one.
        ensure!(refused(&rig, listener, models[0]).await? == overloaded);
        for _ in 0..2 {
            open.push(held(&rig, listener, "auto", &rest).await?);
        }
        let counts = in_flight(&rig).await?;
        ensure!(models.iter().all(|model| counts[*model] == 2.0), "{counts:?}");
        for model in ["auto", models[0], models[1]] {
            ensure!(refused(&rig, listener, model).await? == overloaded);
        }
        let unknown = refused(&rig, listener, "nobody").await?;
        ensure!(unknown == (404, "model_not_found".to_owned(), None), "{unknown:?}");
        ensure!(in_flight(&rig).await? == counts, "a refusal counts as a request");

        // One has room again, and everybody is told so.
        first.open();
        within("an answer", open.remove(0).response("POST")).await?;
        until("room", async || Ok((in_flight(&rig).await?[models[0]] == 1.0).then_some(()))).await?;
        let exchange = rig.ask(H1, listener, ask("auto")).await?;
        ensure!(exchange.response.status == 200, "{}", exchange.response.text());
        ensure!(exchange.response.headers.get(super::CHOSEN).as_deref() == Some(models[0]));
        rest.open();
        for mut connection in open {
            within("an answer", connection.response("POST")).await?;
        }
        super::until_in_flight(&rig, 0.0).await?;
    }
    // Five models were asked for in vain on each listener, twice each.
    let attempts = by_label(&rig, "ipp_model_selector_attempt_total").await?;
    ensure!(attempts["failure"] == 20.0 && attempts["success"] == 10.0, "{attempts:?}");
    let rejected = by_label(&rig, "ipp_rejections_total").await?;
    ensure!(rejected["models_overloaded"] == 16.0 && rejected["model_not_found"] == 4.0, "{rejected:?}");
    rig.assert_healthy().await;
    Ok(())
}
