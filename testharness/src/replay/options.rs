//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::recording::EngineKind;
use crate::{capture, import, render};

use super::engine::Role;

/// Where recordings are looked for unless other places are named.
pub const DEFAULT_PATH: &str = "testharness/recordings";

/// Replays recorded requests and answers through the payload processor and compares what comes out.
#[derive(Clone, Debug, Parser)]
#[command(name = "ipp-replay", version, args_conflicts_with_subcommands = true)]
pub struct Options {
    /// What to do in place of a replay.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What to replay.
    #[command(flatten)]
    pub replay: Replay,
}

/// What makes something.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Command {
    /// Makes recordings of what other tools have captured
    #[command(subcommand)]
    Import(Import),
    /// Makes recordings of what passes from clients to a model server
    Record(capture::Options),
    /// Makes what a gateway takes of a configuration and ConfigMaps: Istio's objects, an Envoy bootstrap, Helm values
    Render(render::Options),
}

/// What can be imported.
#[derive(Clone, Debug, clap::Subcommand)]
pub enum Import {
    /// HAR files, as browsers and proxies save them
    Har(import::Options),
    /// What Envoy's HTTP tap filter writes with the format JSON_BODY_AS_BYTES
    Tap(import::Options),
}

/// The options of a replay.
#[derive(Clone, Debug, clap::Args)]
pub struct Replay {
    /// Recordings, or folders of them
    #[arg(default_value = DEFAULT_PATH)]
    pub paths: Vec<PathBuf>,
    /// What runs them; default: wasm if there is a --module, else native
    #[arg(long, value_enum)]
    pub engine: Option<Choice>,
    /// How the module is attached; the results are the same
    #[arg(long, value_enum, default_value = "direct")]
    pub role: RoleName,
    /// The compiled module, for wasm and envoy
    #[arg(long, value_name = "FILE")]
    pub module: Option<PathBuf>,
    /// A configuration in place of those of the recordings, except where one must be refused
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Write a report that CI systems read
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// Write a report as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write what comes out as the new expectation
    #[arg(long)]
    pub update: bool,
    /// Only recordings whose path or name contains this
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Start nothing more after a failure
    #[arg(long)]
    pub fail_fast: bool,
}

/// The values of `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Choice {
    /// The filter linked into this process
    Native,
    /// The compiled module in a proxy-wasm host
    Wasm,
    /// The compiled module in a real Envoy
    Envoy,
    /// All three, and a difference between them is a failure
    All,
}

/// The values of `--role`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RoleName {
    /// Once
    Direct,
    /// Twice, as reader and as gate
    Gate,
}

impl Replay {
    /// The engines that are asked for.
    pub fn engines(&self) -> Vec<EngineKind> {
        match (self.engine, &self.module) {
            (Some(Choice::All), _) => EngineKind::ALL.to_vec(),
            (Some(Choice::Envoy), _) => vec![EngineKind::Envoy],
            (Some(Choice::Wasm), _) | (None, Some(_)) => vec![EngineKind::Wasm],
            (Some(Choice::Native), _) | (None, None) => vec![EngineKind::Native],
        }
    }
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Self {
        match name {
            RoleName::Direct => Self::Direct,
            RoleName::Gate => Self::Gate,
        }
    }
}
