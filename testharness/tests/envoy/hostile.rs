//! What a client can send to do harm is refused with a stable code, or passes without harm.

use anyhow::Result;
use bytes::Bytes;
use ipp_testharness::bootstrap::Listener;
use ipp_testharness::client::{Request, h1};
use ipp_testharness::upstream::Protocol::{H1, H2};
use ipp_testharness::wait::within;

use crate::support::exchange::assert_routing;
use crate::support::rig::{CASE, Rig, Shared, stock, tag};
use crate::support::{CHAT, QWEN, configs};

static RIG: Shared = Shared::new();

fn listeners() -> Vec<Listener> {
    vec![
        stock("main", configs::PLAIN),
        stock("last", &configs::with(&["requestBody: {duplicateKeys: last}"])),
    ]
}

async fn run(test: impl AsyncFnOnce(&Rig) -> Result<()>) {
    RIG.run(listeners, test).await;
}

/// Over both protocols, with a length and in chunks.
async fn refused(rig: &Rig, body: impl Into<Bytes>, code: &str) -> Result<()> {
    let request = Request::post(CHAT, body);
    for protocol in [H1, H2] {
        rig.ask(protocol, "main", request.clone()).await?.refused(400, code);
        rig.ask(protocol, "main", request.clone().chunked(&[3])).await?.refused(400, code);
    }
    Ok(())
}

#[tokio::test]
async fn header_bytes_that_are_not_utf8() {
    run(async |rig| {
        for protocol in [H1, H2] {
            for value in [&b"\xff"[..], b"a\x80b", b"\xc3\x28 \xf0\x28\x8c\xbc", b"caf\xe9"] {
                let request = Request::post(CHAT, r#"{"model":"sql-lora"}"#).header("x-name", value);
                let request = request.header("user-agent", value).header("x-gateway-model-name", value);
                let exchange = rig.ask(protocol, "main", request).await?;
                let arrived = exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
                assert_eq!(arrived.headers.bytes("x-name"), Some(value));
                let request =
                    Request::get("/v1/models").header("x-name", value).header("x-gateway-model-name", value);
                rig.ask(protocol, "main", request).await?.forwarded("default-pool", None, None);
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_content_type_that_is_not_utf8() {
    run(async |rig| {
        let request = Request::new("POST", CHAT).header("content-type", b"application/json; charset=\xff");
        let request = Request {
            framing: Request::post("", "").framing,
            body: r#"{"model":"sql-lora"}"#.into(),
            ..request
        };
        rig.ask(H1, "main", request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn duplicate_keys() {
    run(async |rig| {
        refused(rig, r#"{"model":"sql-lora","model":"gpt-4"}"#, "duplicate_key").await?;
        refused(rig, r#"{"model":"sql-lora","mod\u0065l":"gpt-4"}"#, "duplicate_key").await?;
        refused(rig, r#"{"model":"sql-lora","a":1,"\u0061":2}"#, "duplicate_key").await
    })
    .await;
}

#[tokio::test]
async fn the_last_of_duplicate_keys_counts_when_so_configured() {
    run(async |rig| {
        for text in
            [r#"{"model":"gpt-4","model":"sql-lora"}"#, r#"{"model":"gpt-4","mod\u0065l":"sql-lora"}"#]
        {
            let exchange = rig.ask(H1, "last", Request::post(CHAT, text)).await?;
            exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn invalid_utf8() {
    run(async |rig| {
        refused(rig, &b"{\"model\":\"sql-lora\xff\"}"[..], "invalid_utf8").await?;
        refused(rig, &b"{\"model\":\"sql-lora\",\"x\":\"\xc3\x28\"}"[..], "invalid_utf8").await?;
        refused(rig, &b"{\"model\":\"sql-lora\",\"x\":\"\xed\xa0\x80\"}"[..], "invalid_utf8").await?;
        refused(rig, &b"{\"model\":\"sql-lora\",\"x\":\"\xc0\xaf\"}"[..], "invalid_utf8").await?;
        refused(rig, &b"{\"mod\xe9l\":\"sql-lora\"}"[..], "invalid_utf8").await
    })
    .await;
}

#[tokio::test]
async fn a_hundred_thousand_nested_brackets() {
    run(async |rig| {
        let (open, close) = ("[".repeat(100_000), "]".repeat(100_000));
        refused(rig, format!(r#"{{"model":"sql-lora","x":{open}{close}}}"#), "nesting_too_deep").await?;
        refused(rig, format!(r#"{{"model":"sql-lora","x":{open}"#), "nesting_too_deep").await?;
        let (open, close) = (r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
        refused(rig, format!(r#"{{"model":"sql-lora","x":{open}1{close}}}"#), "nesting_too_deep").await
    })
    .await;
}

#[tokio::test]
async fn an_empty_body() {
    run(async |rig| {
        for protocol in [H1, H2] {
            rig.ask(protocol, "main", Request::post(CHAT, "").chunked(&[]))
                .await?
                .refused(400, "invalid_json");
        }
        refused(rig, " ", "invalid_json").await?;
        refused(rig, "\r\n\t ", "invalid_json").await
    })
    .await;
}

/// The trailers are all that comes, and so the only sign that the body has ended.
#[tokio::test]
async fn trailers_without_a_body() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let request = Request::post(CHAT, "").trailer("x-checksum", "1");
            rig.ask(protocol, "main", request).await?.refused(400, "invalid_json");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_truncated_body() {
    run(async |rig| {
        let whole = r#"{"model":"sql-lora","n":[1,2.5e1,{"a":null}],"t":true}"#;
        for end in 1..whole.len() {
            let exchange = rig.ask(H1, "main", Request::post(CHAT, &whole.as_bytes()[..end])).await?;
            exchange.refused(400, "invalid_json");
        }
        rig.ask(H1, "main", Request::post(CHAT, whole)).await?.forwarded(
            "qwen-pool",
            Some("sql-lora"),
            Some(QWEN),
        );
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn what_is_not_one_json_object() {
    run(async |rig| {
        let texts = [
            "[]",
            "null",
            "true",
            "1",
            r#""model""#,
            r#"[{"model":"sql-lora"}]"#,
            r#"{"model":"sql-lora"}{}"#,
            r#"{"model":"sql-lora"} x"#,
            r#"{"model":"sql-lora",}"#,
            r#"{model:"sql-lora"}"#,
            r#"{'model':'sql-lora'}"#,
            r#"{"model":"sql-lora" "a":1}"#,
            r#"{"model":sql-lora}"#,
            r#"{"model":"sql-lora","n":01}"#,
            r#"{"model":"sql-lora","n":1.}"#,
            r#"{"model":"sql-lora","n":NaN}"#,
            r#"{"model":"sql-lora","n":+1}"#,
            r#"{"model":"sql-lora","x":"\x"}"#,
            "{\"model\":\"sql-lora\",\"x\":\"\n\"}",
            r#"{"model":"sql\u00zz"}"#,
            "\u{feff}{\"model\":\"sql-lora\"}",
            "{\"model\":\"sql-lora\"}\0",
            "model=sql-lora",
        ];
        for text in texts {
            rig.ask(H1, "main", Request::post(CHAT, text)).await?.refused(400, "invalid_json");
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_model_that_is_a_list_or_an_object() {
    run(async |rig| {
        for value in [r#"["sql-lora"]"#, r#"{"name":"sql-lora"}"#, "[]", "{}"] {
            refused(rig, format!(r#"{{"model":{value}}}"#), "invalid_model").await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_model_that_cannot_be_a_header() {
    run(async |rig| {
        for value in [r"a\r\nx-evil: 1", r"a\nb", r"a\u0000b", r"\u007f", r"a\tb\u0001"] {
            refused(rig, format!(r#"{{"model":"{value}"}}"#), "invalid_header_value").await?;
        }
        refused(rig, format!(r#"{{"model":"{}"}}"#, "x".repeat(8193)), "invalid_header_value").await?;
        let longest = "x".repeat(8192);
        let exchange =
            rig.ask(H1, "main", Request::post(CHAT, format!(r#"{{"model":"{longest}"}}"#))).await?;
        exchange.forwarded("default-pool", Some(&longest), Some(""));
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn many_and_long_keys() {
    run(async |rig| {
        let keys = |count| (0..count).map(|number| format!(r#""key{number}":{number},"#)).collect::<String>();
        let request = Request::post(CHAT, format!(r#"{{{}"model":"sql-lora"}}"#, keys(4095)));
        rig.ask(H1, "main", request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        for count in [4096, 100_000] {
            refused(rig, format!(r#"{{{}"model":"sql-lora"}}"#, keys(count)), "body_out_of_bounds").await?;
        }
        for length in [4097, 1_000_000] {
            let key = "k".repeat(length);
            refused(rig, format!(r#"{{"{key}":1,"model":"sql-lora"}}"#), "body_out_of_bounds").await?;
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn long_strings_and_many_escapes_do_no_harm() {
    run(async |rig| {
        let escapes = r#"\"\\\u0000\ud83d\ude00"#.repeat(100_000);
        for text in [
            format!(r#"{{"prompt":"{escapes}","model":"sql-lora"}}"#),
            format!(r#"{{"model":"sql-lora","a":[{}0]}}"#, "0,".repeat(500_000)),
            format!(r#"{{"model":"sql-lora","a":[{}{{}}]}}"#, "{},[],".repeat(200_000)),
        ] {
            for protocol in [H1, H2] {
                let exchange = rig.ask(protocol, "main", Request::post(CHAT, text.clone())).await?;
                exchange.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
            }
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn as_many_and_as_long_headers_as_envoy_takes() {
    run(async |rig| {
        for protocol in [H1, H2] {
            let mut request = Request::post(CHAT, r#"{"model":"sql-lora"}"#);
            for number in 0..90 {
                request = request.header(format!("x-many-{number}"), "v".repeat(500));
            }
            rig.ask(protocol, "main", request).await?.forwarded("qwen-pool", Some("sql-lora"), Some(QWEN));
        }
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_path_that_is_not_utf8() {
    run(async |rig| {
        let (case, request) = tag(Request::post("/v1/PATH", r#"{"model":"sql-lora"}"#));
        let wire = request.wire();
        let at = wire.windows(4).position(|window| window == b"PATH").unwrap_or_default();
        let wire = [&wire[..at], b"\xff\xc3\x28", &wire[at + 4..]].concat();
        let mut connection = h1::Connection::open(rig.address("main")).await?;
        connection.send(&wire).await?;
        let response = within("the answer", connection.response("POST")).await?;
        // Whether Envoy takes such a path is Envoy's business.
        match response.status {
            200 => assert_routing(&rig.log.with(CASE, &case)[0], Some("sql-lora"), Some(QWEN)),
            other => assert_eq!(other, 400),
        }
        Ok(())
    })
    .await;
}
