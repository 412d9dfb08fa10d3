//! The documents tell the truth: their configurations load or are refused as they say, their lists are complete, and
//! the code that they show is code that is tested.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    reason = "a test fails by panicking"
)]

mod support;

#[path = "../../../examples/custom-plugin/src/model_alias.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a part of another crate")]
mod model_alias;

#[path = "../../../examples/custom-plugin/src/alias_to_header.rs"]
#[allow(unreachable_pub, reason = "it is a part of another crate")]
mod alias_to_header;

use ipp_pipeline::config::{BuildInfo, load};
use ipp_pipeline::{Entered, Env, MetricId, MetricKind, Progress, Shared, stock};

use ipp_pipeline::config::DEFAULT_CONFIG;
use ipp_pipeline::payload::{MAX_DEPTH, MAX_KEY_BYTES, MAX_MEMBERS, MAX_VALUE_BYTES};
use ipp_pipeline::plugin::Registry;
use ipp_pipeline::{DEFAULT_MAX_BYTES, Pipeline, source};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::{METRICS_OF_RESPONSES, pipeline, refused};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A fenced block, with the HTML comment before it.
#[derive(Debug)]
struct Block {
    place: String,
    mark: String,
    language: String,
    text: String,
}

impl Block {
    /// Whether it is a document, and no part of one.
    fn is_document(&self) -> bool {
        let first = self.text.lines().find(|line| !line.starts_with('#')).unwrap_or_default();
        let start = if self.language == "json" { "{\"apiVersion\"" } else { "apiVersion:" };
        ["yaml", "json"].contains(&self.language.as_str()) && first.starts_with(start)
    }
}

fn blocks_of(path: &str) -> Vec<Block> {
    let text = read(path);
    let mut blocks = Vec::new();
    let mut mark = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let content = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
            blocks.push(Block {
                place: format!("{path}:{}", number + 1),
                mark: std::mem::take(&mut mark),
                language: language.to_owned(),
                text: content.map(|line| format!("{line}\n")).collect(),
            });
        } else if let Some(comment) = line.strip_prefix("<!-- ") {
            mark = comment.trim_end_matches("-->").trim().to_owned();
        } else if !line.is_empty() {
            mark.clear();
        }
    }
    blocks
}

fn all_blocks() -> Vec<Block> {
    let docs = fs::read_dir(root().join("docs")).unwrap();
    let mut pages: Vec<String> =
        docs.map(|entry| format!("docs/{}", entry.unwrap().file_name().to_str().unwrap())).collect();
    pages.retain(|page| page.ends_with(".md"));
    pages.sort();
    pages.extend(["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(str::to_owned));
    pages.iter().flat_map(|page| blocks_of(page)).collect()
}

/// The stock types and those of `examples/custom-plugin`.
fn custom() -> Registry {
    stock().with(model_alias::TYPE).with(alias_to_header::TYPE)
}

#[test]
fn configurations_load_or_are_refused_as_the_page_says() {
    let (mut good, mut bad) = (0, 0);
    let blocks = all_blocks();
    for (at, block) in blocks.iter().enumerate().filter(|(_, block)| block.is_document()) {
        let place = &block.place;
        match block.mark.as_str() {
            "refused" => {
                let shown = &blocks[at + 1];
                assert_eq!(shown.language, "text", "{place}: the errors have to follow");
                assert_eq!(refused(&block.text, &stock()).to_string(), shown.text.trim_end(), "{place}");
                bad += 1;
            }
            mark => {
                let registry = if mark == "custom-plugin" { custom() } else { stock() };
                load(&block.text, &registry, support::INFO)
                    .unwrap_or_else(|errors| panic!("{place}: {errors}"));
                good += 1;
            }
        }
    }
    assert!(good >= 4 && bad >= 1, "{good} {bad}");
}

#[test]
fn the_built_in_configuration_is_shown_as_it_is() {
    assert!(read("docs/configuration.md").contains(&format!("```yaml\n{DEFAULT_CONFIG}```")));
}

/// The filter that the README offers to paste. `testharness` runs it in Envoy.
#[test]
fn the_filter_of_the_readme() {
    let blocks = blocks_of("README.md");
    let [filter] = blocks.iter().filter(|block| block.mark == "test: envoy-filter").collect::<Vec<_>>()[..]
    else {
        panic!("README.md has to have one block marked <!-- test: envoy-filter -->")
    };
    let sum = DEFAULT_MAX_BYTES + (1 << 20);
    for line in ["allow_on_headers_stop_iteration: true", &format!("request_body_buffer_limit: {sum}")] {
        assert!(filter.text.contains(line), "{line}");
    }
    let (_, value) = filter.text.split_once("value: |\n").unwrap();
    let indent = value.len() - value.trim_start().len();
    let inside = |line: &&str| line.trim().is_empty() || line.len() - line.trim_start().len() >= indent;
    let config: String = value
        .lines()
        .take_while(inside)
        .map(|line| format!("{}\n", line.get(indent..).unwrap_or_default()))
        .collect();
    assert!(config.contains("\nprofiles:"), "{config}");
    pipeline(&config);
}

/// Blocks that say from which file they are: each of their paragraphs stands there.
#[test]
fn shown_code_is_the_code() {
    let mut found = 0;
    for block in all_blocks() {
        let Some(file) = block.mark.strip_prefix("from: ") else { continue };
        let source = read(file);
        for paragraph in block.text.split("\n\n") {
            assert!(source.contains(paragraph.trim_end()), "{}: not in {file}:\n{paragraph}", block.place);
        }
        found += 1;
    }
    assert!(found >= 5, "{found}");
}

/// The names that the loader accepts in a section, from what it says about one that it does not know.
fn known_fields(section: &str) -> Vec<String> {
    let errors = refused(&format!("{DEFAULT_CONFIG}{section}\n"), &stock()).to_string();
    let (_, names) = errors.split_once("expected one of ").unwrap();
    let names = names.lines().next().unwrap().split(';').next().unwrap();
    names.split(", ").map(str::to_owned).collect()
}

/// The first cells of a page's tables whose header row begins with `head`, without their code marks.
fn first_cells(page: &str, head: &str) -> BTreeSet<String> {
    let mut cells = BTreeSet::new();
    let mut inside = false;
    for line in page.lines() {
        inside = line.starts_with(head) || inside && line.starts_with('|');
        if inside && !line.starts_with(head) && !line.starts_with("|---") {
            let cell = line.split('|').nth(1).unwrap_or_default().trim();
            cells.insert(cell.trim_matches('`').to_owned());
        }
    }
    cells
}

#[test]
fn the_options_table_has_every_option_and_no_other() {
    let page = read("docs/configuration.md");
    let mut options = BTreeSet::new();
    for name in known_fields("proxyWasm: {unknown-field: 1}") {
        if ["requestBody", "responseBody", "responses", "attribution"].contains(&name.as_str()) {
            let inner = known_fields(&format!("proxyWasm: {{{name}: {{unknown-field: 1}}}}"));
            options.extend(inner.iter().map(|inner| format!("{name}.{inner}")));
        } else {
            options.insert(name);
        }
    }
    assert_eq!(first_cells(&page, "| option |"), options);
    assert!(page.contains(&format!("| {DEFAULT_MAX_BYTES} |")));
    for section in known_fields("unknown-field: 1") {
        assert!(page.contains(&format!("\n{section}:")), "no document on the page has {section}");
    }
}

/// The built-in configuration with a source, which has metrics and a code of its own.
fn with_a_source() -> Pipeline {
    let source = "- type: base-model-to-header\n  parameters: {source: {cluster: kube-api}}\n";
    pipeline(&DEFAULT_CONFIG.replace("- type: base-model-to-header\n", source))
}

#[test]
fn the_table_of_a_source_has_every_key_and_no_other() {
    let keys: BTreeSet<String> = source::KEYS.map(str::to_owned).into();
    let page = read("docs/configuration.md");
    assert_eq!(first_cells(&page, "| key |"), keys);
    let seconds =
        [source::DEFAULT_INTERVAL, source::DEFAULT_TIMEOUT].map(|time| format!("| `{}s` |", time.as_secs()));
    for default in seconds.iter().chain([&format!("| {} |", source::DEFAULT_SOURCE_BYTES)]) {
        assert!(page.contains(default), "{default}");
    }
}

/// The code behind the label of a metric, or whatever else it has.
fn label<'a>(name: &'a str, label: &str) -> Option<&'a str> {
    let (_, rest) = name.split_once(&format!("{label}=.="))?;
    rest.split_once(";.;").map(|(value, _)| value)
}

#[test]
fn the_table_of_errors_has_every_code_and_no_other() {
    let pipeline = with_a_source();
    let names = pipeline.metrics().all().iter().map(|metric| metric.name.as_str());
    let codes: BTreeSet<String> = names
        .filter(|name| name.ends_with(";.;ipp_rejections_total"))
        .filter_map(|name| label(name, "code").map(str::to_owned))
        .collect();
    assert!(codes.len() > 5, "{codes:?}");
    assert_eq!(first_cells(&read("docs/errors.md"), "| code |"), codes);
}

#[test]
fn the_tables_of_metrics_have_every_name_label_and_outcome() {
    let pipelines = [with_a_source(), pipeline(METRICS_OF_RESPONSES)];
    let metrics = || pipelines.iter().flat_map(|pipeline| pipeline.metrics().all());
    let page = read("docs/metrics.md");
    let tags = "- {tag_name: ";
    let (mut names, mut labels) = (BTreeSet::new(), BTreeSet::new());
    let mut outcomes = BTreeSet::new();
    for metric in metrics() {
        let mut parts: Vec<&str> = metric.name.split(";.;").collect();
        names.insert(parts.pop().unwrap().to_owned());
        labels.extend(parts.iter().map(|part| part.split_once("=.=").unwrap().0.to_owned()));
        outcomes.extend(label(&metric.name, "outcome").map(str::to_owned));
    }
    assert_eq!(first_cells(&page, "| name |"), names);
    assert_eq!(first_cells(&page, "| `outcome` |"), outcomes);
    let of = |metric: &str, name: &str| -> BTreeSet<String> {
        let all = metrics().filter(|known| known.name.ends_with(metric));
        all.filter_map(|metric| label(&metric.name, name).map(str::to_owned)).collect()
    };
    assert_eq!(first_cells(&page, "| `reason` |"), of("ipp_source_fetch_failures_total", "reason"));
    let responses = read("docs/responses.md");
    assert_eq!(first_cells(&responses, "| `result` |"), of("ipp_responses_total", "result"));
    assert_eq!(first_cells(&responses, "| `reason` |"), of("ipp_usage_unobserved_total", "reason"));
    let tagged = page.split(tags).skip(1).map(|rest| rest.split(',').next().unwrap().to_owned());
    assert_eq!(tagged.collect::<BTreeSet<_>>(), labels);
    // The shipped bootstrap may know more labels than the default configuration has.
    let shipped = read("envoy/multi-pool.yaml");
    for name in labels {
        assert!(shipped.contains(&format!("{tags}{name},")), "envoy/multi-pool.yaml has no tag for {name}");
    }
}

#[test]
fn limits_are_those_of_the_code() {
    let page = read("docs/limits.md");
    let rows = [
        ("| the body |", DEFAULT_MAX_BYTES),
        ("| a value that becomes a header |", MAX_VALUE_BYTES as u64),
        ("| nesting of the JSON |", MAX_DEPTH as u64),
        ("| members of the top-level object |", MAX_MEMBERS as u64),
        ("| a top-level key |", MAX_KEY_BYTES as u64),
    ];
    for (row, limit) in rows {
        let line = page.lines().find(|line| line.starts_with(row)).unwrap_or_else(|| panic!("no {row}"));
        let bound = line.split('|').nth(2).unwrap();
        assert!(bound.contains(&limit.to_string()), "{row} {limit}: {bound}");
    }
    let sum = DEFAULT_MAX_BYTES + (1 << 20);
    assert!(page.contains(&format!("{sum}            =   {DEFAULT_MAX_BYTES}  +            1048576")));
    for file in [
        "envoy/multi-pool.yaml",
        "envoy/minimal.yaml",
        "envoy/gate.yaml",
        "envoy/live-models.yaml",
        "envoy/model-selection.yaml",
    ] {
        assert!(read(file).contains(&format!("request_body_buffer_limit: {sum}\n")), "{file}");
    }
}

#[test]
fn the_table_of_test_tiers_has_every_tier_in_its_order() {
    let source = read("xtask/src/check/tier.rs");
    let (_, names) = source.split_once("pub fn name(self)").unwrap();
    let (names, _) = names.split_once("pub fn description").unwrap();
    let tiers: Vec<&str> = names.split('"').skip(1).step_by(2).collect();
    let page = read("CONTRIBUTING.md");
    let rows: Vec<usize> = tiers.iter().filter_map(|tier| page.find(&format!("\n| `{tier}` |"))).collect();
    assert!(rows.len() == tiers.len() && rows.is_sorted(), "{tiers:?} {rows:?}");
    assert_eq!(first_cells(&page, "| tier |").len(), tiers.len());
}

fn rust_files(folder: &str, found: &mut Vec<String>) {
    let mut entries: Vec<_> =
        fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            rust_files(&path, found);
        } else if path.ends_with(".rs") {
            found.push(path);
        }
    }
}

/// What ARCHITECTURE.md says is absent, and the files that are the exception.
#[test]
fn what_has_to_be_absent_is_absent() {
    let mut files = Vec::new();
    for folder in ["selector/src", "filter/pipeline/src", "filter/proxy/src", "filter/module/src"] {
        rust_files(folder, &mut files);
    }
    assert!(files.len() > 40, "{files:?}");
    let rules: [(&str, &[&str]); 8] = [
        ("serde_yaml", &["filter/pipeline/src/config/document.rs"]),
        ("serde_json::Value", &[]),
        ("unsafe ", &["filter/proxy/src/host.rs"]),
        ("extern \"C\"", &["filter/proxy/src/host.rs"]),
        ("thread_local!", &["filter/proxy/src/active.rs", "filter/proxy/src/root.rs"]),
        ("static mut", &[]),
        ("SystemTime::", &[]),
        ("Instant::", &[]),
    ];
    for file in &files {
        let text = read(file);
        // Tests may do as they like.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if file.ends_with("/tests.rs") {
            continue;
        }
        for (word, exceptions) in rules {
            assert!(!code.contains(word) || exceptions.contains(&file.as_str()), "{file} has {word:?}");
        }
        let pure = file.starts_with("selector/") || file.starts_with("filter/pipeline/");
        assert!(!(pure && code.contains("proxy_wasm")), "{file} names proxy_wasm");
    }
}

/// A world without time, chance or figures.
struct Still;

impl Env for Still {
    fn now_ns(&mut self) -> u64 {
        0
    }
    fn random(&mut self) -> u64 {
        0
    }
    fn add(&mut self, _: MetricId, _: u64) {}
    fn record(&mut self, _: MetricId, _: u64) {}
    fn shift(&mut self, _: &[(MetricId, i64)]) {}
    fn gauge(&mut self, _: MetricId) -> u64 {
        0
    }
    fn counter(&mut self, _: MetricId) -> u64 {
        0
    }
    fn define(&mut self, _: MetricKind, _: &str) -> MetricId {
        panic!("the plugin here has no source")
    }
    fn shared(&mut self, _: &str) -> Shared {
        Shared::default()
    }
    fn write_shared(&mut self, _: &str, _: &[u8], _: &Shared) -> bool {
        true
    }
}

const CONFIG: &str = "
apiVersion: llm-d.ai/v1alpha1
kind: PayloadProcessorConfig
plugins:
- type: model-alias
  parameters: {aliases: {gpt-4: llama}}
profiles:
- name: default
  plugins: {request: [{pluginRef: model-alias}]}
";

#[test]
fn an_alias_is_replaced() {
    let info = BuildInfo { commit: "none", build_ref: "test" };
    let pipeline = load(CONFIG, &stock().with(model_alias::TYPE), info).unwrap();
    let headers = [(":method", "POST"), (":path", "/v1/chat/completions")];
    let headers = headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let (_, Entered::Hold(mut held)) = pipeline.enter(headers, false) else { panic!("it is not held") };
    assert_eq!(pipeline.feed(&mut held, br#"{"model":"gpt-4","n":1}"#), Progress::More);
    let forward = pipeline.decide(held, &mut Still).unwrap();
    assert_eq!((forward.body[0].range.clone(), &forward.body[0].bytes[..]), (9..16, &br#""llama""#[..]));
}
