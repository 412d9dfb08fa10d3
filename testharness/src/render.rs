//! Turns a PayloadProcessorConfig, ConfigMaps and a models file into what a gateway takes: Istio's objects, an Envoy
//! bootstrap, Helm values. For those who keep the mapping of models in files, and have nothing watched.
//!
//! The configuration is loaded as the filter loads it, so that what is refused there is refused here.

mod config_maps;
mod document;
mod envoy;
mod istio;
mod models;
mod yaml;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use document::Document;
use envoy::Upstream;
use models::Models;

/// What to render, and from what.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// What comes out.
    #[arg(long = "as", value_enum, value_name = "FORM")]
    pub form: Form,
    /// The PayloadProcessorConfig. Default: the built-in one.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// ConfigMaps that map models, as `kubectl get configmaps -o yaml` prints them; those without the label
    /// `inference.llm-d.ai/ipp-managed: "true"` are passed over.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub config_map: Vec<PathBuf>,
    /// The models file of the Go service, `models.json`. Its content becomes the parameters of the configuration's
    /// `model-config-datasource`, in place of `modelsPath`; one is added where there is none.
    #[arg(long, value_name = "FILE")]
    pub models: Option<PathBuf>,
    /// Where Istio finds the module, as `cargo xtask image --push` prints it: oci://HOST/REPOSITORY@sha256:...
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The name of the objects, or the beginning of it.
    #[arg(long, default_value = "payload-processor")]
    pub name: String,
    /// The namespace of the objects, which is that of the Gateway. Default: none is written.
    #[arg(long)]
    pub namespace: Option<String>,
    /// The Gateway to attach to.
    #[arg(long, default_value = "inference-gateway")]
    pub gateway: String,
    /// Where Envoy finds the module.
    #[arg(long, value_name = "FILE", default_value = "/etc/envoy/ipp.wasm")]
    pub module: String,
    /// The port that Envoy listens on.
    #[arg(long, default_value_t = 8080)]
    pub port: u16,
    /// A base model and its server, for Envoy. Can be given more than once.
    #[arg(long, value_name = "MODEL=HOST:PORT")]
    pub route: Vec<String>,
    /// The server of everything else, for Envoy.
    #[arg(long, value_name = "HOST:PORT")]
    pub default: Option<String>,
    /// The file to write. Default: standard output.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The values of `--as`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// The pair of WasmPlugins, reader and gate
    Wasmplugin,
    /// An EnvoyFilter, for direct mode with Istio 1.28 or newer
    Envoyfilter,
    /// A bootstrap for an Envoy of one's own
    Envoy,
    /// Values for the Helm chart
    HelmValues,
}

/// What was rendered.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// YAML.
    pub text: String,
    /// What the user should know, a line each.
    pub notes: Vec<String>,
}

/// Renders, and writes the result to where the options say.
///
/// # Errors
/// As [`render`], or the result cannot be written.
pub fn run(options: &Options) -> Result<()> {
    let rendered = render(options)?;
    for note in &rendered.notes {
        eprintln!("ipp-replay: {note}");
    }
    match &options.out {
        Some(file) => {
            std::fs::write(file, rendered.text).with_context(|| format!("writing {}", file.display()))
        }
        None => {
            use std::io::Write;
            std::io::stdout().write_all(rendered.text.as_bytes()).context("writing to standard output")
        }
    }
}

/// Renders.
///
/// # Errors
/// A file cannot be read, the filter would refuse the configuration, or an option is missing that the form needs.
pub fn render(options: &Options) -> Result<Rendered> {
    let mut notes = Vec::new();
    let models = options.models.as_deref().map(Models::read).transpose()?;
    let mut document = Document::load(options.config.as_deref(), models.as_ref(), &mut notes)?;
    if !options.config_map.is_empty() {
        let maps = config_maps::read(&options.config_map, &mut notes)?;
        document.add_config_maps(&maps)?;
    }
    let text = match options.form {
        Form::Wasmplugin => istio::wasm_plugins(options, &document, url(options, &mut notes)?),
        Form::Envoyfilter => istio::envoy_filter(options, &document, url(options, &mut notes)?),
        Form::HelmValues => istio::helm_values(options, &document, url(options, &mut notes)?)?,
        Form::Envoy => {
            let default =
                options.default.as_deref().context("--default is missing: the server of everything else")?;
            let routes = options.route.iter().map(|route| envoy::route(route)).collect::<Result<Vec<_>>>()?;
            envoy::bootstrap(options, &document, &routes, &Upstream::parse(default)?)?
        }
    };
    Ok(Rendered { text, notes })
}

fn url<'a>(options: &'a Options, notes: &mut Vec<String>) -> Result<&'a str> {
    let url = options
        .url
        .as_deref()
        .context("--url is missing: where the module is, as `cargo xtask image --push` prints it")?;
    let place =
        url.strip_prefix("oci://").with_context(|| format!("--url is {url:?}, expected oci://..."))?;
    ensure!(place.contains('/'), "--url is {url:?}, expected oci://HOST/REPOSITORY@sha256:...");
    if !place.contains("@sha256:") {
        notes.push(format!("{url} names no digest: what is behind a tag can change under a running gateway"));
    }
    Ok(url)
}
