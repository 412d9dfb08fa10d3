//! Each recording starts from nothing: metrics, VM and servers, in an Envoy that has run others before.

use ipp_testharness::artifacts;
use ipp_testharness::replay::engine::Observed;

use crate::support::{engine, run, run_with, two_pools};

const ONE: &str = r#"
- request: {json: {model: sql}}
  expect: {outcome: forwarded, cluster: qwen-pool}
  metrics:
    ipp_success_total: 1
    'ipp_requests_total{outcome="processed"}': 1
    'ipp_requests_total{outcome="aborted"}': 0
    ipp_body_bytes_count: 1
    'ipp_body_bytes_bucket{le="+Inf"}': 1
    'ipp_plugin_duration_nanoseconds_count{extension_point="request",plugin_name="body-field-to-header",plugin_type="body-field-to-header"}': 1
"#;

#[test]
fn metrics_begin_at_zero_each_time() {
    let engine = engine(&artifacts::module());
    for _ in 0..25 {
        run_with(&engine, &two_pools(ONE));
    }
}

#[test]
fn metrics_are_those_of_the_filter_with_their_labels() {
    let observed = run(&two_pools(ONE));
    let metrics = &observed[0].metrics;
    assert!(metrics.keys().all(|name| name.starts_with("ipp_")));
    let info: Vec<_> = metrics.iter().filter(|(name, _)| name.starts_with("ipp_info{")).collect();
    let [(name, 1.0)] = info.as_slice() else { panic!("{info:?}") };
    // In the order of their names, which is not that in which the filter has them.
    assert!(name.starts_with("ipp_info{build_ref=\"") && name.contains(",commit=\""), "{name}");
}

#[test]
fn other_clusters_each_time() {
    let engine = engine(&artifacts::module());
    for (cluster, others) in
        [("a", "b, qwen-pool"), ("b", "a"), ("qwen-pool", "a/b:c"), ("a/b:c", "qwen-pool")]
    {
        let text = two_pools(&format!(
            "- {{request: {{json: {{model: sql}}}}, expect: {{outcome: forwarded, cluster: {cluster:?}}}}}\n"
        ))
        .replace(
            "clusters: [llama-pool, qwen-pool]",
            &format!("clusters: [{cluster:?}, {others}]\nroutes: {{qwen-pool: {cluster:?}}}"),
        );
        run_with(&engine, &text);
    }
}

#[test]
fn clusters_that_are_polled_are_there() {
    let observed: Vec<Observed> = run(&two_pools(ONE).replace(
        "exchanges:\n",
        "callouts: {registry: [{status: 200, json: {a: 1}}, {reset: headers}], qwen-pool: [{status: 500}]}\nexchanges:\n",
    ));
    assert_eq!(observed.len(), 1);
}

#[test]
fn chance_is_the_same_each_time() {
    let seed = |seed: u64| two_pools(ONE).replacen("config:\n", &format!("seed: {seed}\nconfig:\n"), 1);
    run(&seed(1));
    run(&seed(2));
}
