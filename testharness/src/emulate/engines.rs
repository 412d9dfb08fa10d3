//! A whole recording, run without Envoy: what the engines `native` and `wasm` have in common, and the first of them.

use ipp_pipeline::plugin::Registry;

use super::driver::{Filter, Launch, Proxy, Settings, VmSpec};
use super::guest::Guest;
use super::host::Plugin;
use super::native::Native;
use crate::recording::document::parse;
use crate::recording::{EngineKind, Plan, Recording, with_role};
use crate::replay::engine::{Engine, EngineError, Ran, Role};

/// The name and the root id of the filter, and the id of its VM, as in the Envoy of the harness.
const NAME: &str = "ipp";

/// Where the filter stops reading unless its configuration says otherwise.
const USUAL_MOST: u64 = 8 << 20;

/// What Envoy reads at most at once.
const ONE_READ: u64 = 1 << 20;

/// Runs recordings with the filter that is linked into this process.
pub struct NativeEngine {
    registry: fn() -> Registry,
}

impl NativeEngine {
    /// With the plugin types of the stock module.
    pub fn stock() -> Self {
        Self::new(ipp_pipeline::stock)
    }

    /// With these plugin types.
    pub fn new(registry: fn() -> Registry) -> Self {
        Self { registry }
    }
}

impl Engine for NativeEngine {
    fn kind(&self) -> EngineKind {
        EngineKind::Native
    }

    fn run(&self, recording: &Recording, role: Role) -> Result<Ran, EngineError> {
        let registry = self.registry;
        let launch: Launch = Box::new(move |handle| {
            Native::start(handle, registry).map(|guest| Box::new(guest) as Box<dyn Guest>)
        });
        run(recording, role, launch)
    }
}

pub(super) fn run(recording: &Recording, role: Role, launch: Launch) -> Result<Ran, EngineError> {
    let callouts = recording.callouts.clone();
    let mut settings = Settings::new(recording.start(), recording.routing.clone(), callouts);
    // What the filter itself reads at most, and one read more, so that it is the filter that refuses (section 1.4).
    let most = most_read(&recording.config.text).unwrap_or_default().max(USUAL_MOST);
    settings.request_limit = usize::try_from(most.saturating_add(ONE_READ)).unwrap_or(usize::MAX);
    let text = &recording.config.text;
    let filters = match (role, &recording.plan) {
        // What is to be refused stays as it is, so that the places in the message do.
        (Role::Direct, _) | (_, Plan::ConfigError(_)) => vec![filter(NAME, text.clone())],
        (Role::Gate, Plan::Exchanges(_)) => {
            settings.hold_headers = false;
            ["reader", "gate"].map(|role| filter(&format!("{NAME}-{role}"), with_role(text, role))).into()
        }
    };
    let vm = VmSpec { id: NAME.to_owned(), configuration: Vec::new(), launch };
    let mut proxy = match Proxy::start(settings, vec![vm], filters) {
        Ok(proxy) => proxy,
        Err(why) => return Ok(Ran::Refused(why)),
    };
    let exchanges = match &recording.plan {
        Plan::Exchanges(exchanges) => exchanges.as_slice(),
        Plan::ConfigError(_) => &[],
    };
    let ended = proxy.run(exchanges);
    if ended.len() != exchanges.len() {
        return Err(EngineError("not every exchange has ended".to_owned()));
    }
    Ok(Ran::Exchanges(ended.into_iter().map(|ended| ended.observed).collect()))
}

/// One use of the module, in the only VM.
fn filter(name: &str, configuration: String) -> Filter {
    let (name, root_id) = (name.to_owned(), name.to_owned());
    Filter { vm: 0, plugin: Plugin { name, root_id, configuration: configuration.into_bytes() } }
}

/// `proxyWasm.requestBody.maxBytes`.
fn most_read(config: &str) -> Option<u64> {
    parse(config).ok()?.get("proxyWasm")?.get("requestBody")?.get("maxBytes")?.as_integer()
}
