//! One configuration of the filter: compiled when Envoy hands it over, shared by the streams that it serves.

use crate::active::Active;
use crate::fetch::Poller;
use crate::host::{self, Buffer};
use crate::role::Duty;
use crate::tick::Ticker;
use ipp_pipeline::config::{self, BuildInfo};
use ipp_pipeline::plugin::Registry;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::ContextType;
use std::cell::Cell;
use std::rc::Rc;

const INFO: BuildInfo = BuildInfo {
    commit: match option_env!("IPP_COMMIT") {
        Some(commit) => commit,
        None => "unknown",
    },
    build_ref: env!("CARGO_PKG_VERSION"),
};

thread_local! {
    /// Set once, when the VM starts: the plugin types are the module's, not a configuration's.
    static REGISTRY: Cell<fn() -> Registry> = const { Cell::new(Registry::new) };
}

pub(crate) fn set_registry(registry: fn() -> Registry) {
    REGISTRY.set(registry);
}

/// The root context. After an update the old and the new one live side by side in one VM until the old one's
/// last stream has ended, so everything that belongs to a configuration is in here.
pub(crate) struct Root {
    id: u32,
    duty: Option<Duty>,
    poller: Option<Poller>,
    ticker: Ticker,
}

impl Root {
    pub(crate) fn new(id: u32) -> Self {
        Self { id, duty: None, poller: None, ticker: Ticker::default() }
    }

    /// Sees to it that the next tick comes when it is needed.
    fn arm(&mut self) {
        let duty = self.duty.as_ref().and_then(Duty::tick_period);
        self.ticker.arm([duty, self.poller.as_ref().map(Poller::period)]);
    }
}

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, _: usize) {
        if let Some(poller) = &mut self.poller {
            poller.answer(token, headers, body);
        }
    }
}

impl RootContext for Root {
    /// False makes Envoy refuse the configuration and keep the one it has.
    fn on_configure(&mut self, size: usize) -> bool {
        // The host refuses to read an empty configuration.
        let bytes = match size {
            0 => Ok(Vec::new()),
            _ => host::read(Buffer::PluginConfiguration, 0, size),
        };
        let text = match bytes.map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(error)) => {
                log::error!(
                    "configuration refused: it is not text ({error}); the filter's `configuration` has to be a \
                     google.protobuf.StringValue"
                );
                return false;
            }
            Err(refused) => {
                log::error!("configuration refused: the host does not hand it over (status {})", refused.0);
                return false;
            }
        };
        match config::load(&text, &REGISTRY.get()(), INFO) {
            Ok(pipeline) => {
                let active = Rc::new(Active::new(pipeline));
                match Duty::new(Rc::clone(&active), self.id) {
                    Ok(duty) => {
                        // A gate runs no plugin, so that nothing needs its sources.
                        self.poller = duty.runs_plugins().then(|| Poller::new(&active)).flatten();
                        self.duty = Some(duty);
                        self.arm();
                        true
                    }
                    Err(refused) => {
                        log::error!("configuration refused: the host gives no queue (status {})", refused.0);
                        false
                    }
                }
            }
            Err(errors) => {
                log::error!("configuration refused: {errors}");
                false
            }
        }
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        Some(self.duty.as_ref()?.stream(context))
    }

    fn on_tick(&mut self) {
        if let Some(duty) = &self.duty {
            duty.tick();
        }
        if let Some(poller) = &mut self.poller {
            poller.tick();
        }
        self.arm();
    }

    fn on_queue_ready(&mut self, queue: u32) {
        if let Some(duty) = &self.duty {
            duty.queue_ready(queue);
        }
    }
}
