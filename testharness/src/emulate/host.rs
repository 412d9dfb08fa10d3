//! The state that host calls act on, whatever kind of guest makes them: VMs with their contexts, and what they share.
//!
//! Section numbers in comments are those of `wasm-hosts.md`; `fn` names are Envoy's and proxy-wasm-cpp-host's.

mod body;
mod buffers;
mod callouts;
mod contexts;
mod headers;
mod log;
mod maps;
mod metrics;
mod pairs;
mod properties;
mod reply;
mod shared;
mod status;
mod stream;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

pub use body::{Body, Shown};
pub use callouts::{Callout, CalloutResponse};
pub use contexts::{After, Context, Plugin, Seen, Vm};
pub use headers::{Field, HeaderMap};
pub use log::{Level, Line};
pub use metrics::{Metric, Metrics};
pub use pairs::{from_guest, to_guest};
pub use reply::Reply;
pub use shared::Wake;
pub use status::{Answer, Status};
pub use stream::{Facts, Stream};

/// Which VM.
pub type VmIndex = usize;

/// Which stream.
pub type StreamIndex = usize;

/// Everything on the host's side.
#[derive(Debug)]
pub struct Host {
    /// The VMs.
    pub vms: Vec<Vm>,
    /// The streams that are open.
    pub streams: BTreeMap<StreamIndex, Stream>,
    /// The metrics of the process. They outlive VMs (section 4.5: "Values survive new root contexts and FAIL_RELOAD").
    pub metrics: Metrics,
    /// Lines that were logged and nobody has taken yet.
    pub lines: Vec<Line>,
    /// The time. It only passes when somebody lets it pass.
    pub now: SystemTime,
    /// When the time began.
    pub began: SystemTime,
    /// Where callouts can go.
    pub clusters: Vec<String>,
    /// Callouts that were made and nobody has taken yet.
    pub callouts: VecDeque<Callout>,
    /// Wakes of queues that nobody has delivered yet.
    pub wakes: VecDeque<Wake>,
    data: shared::SharedData,
    queues: shared::Queues,
    last_token: u32,
}

/// A host that guests and whoever drives them share.
pub type Shared = Arc<Mutex<Host>>;

impl Host {
    /// An empty one at this time.
    pub fn new(now: SystemTime) -> Self {
        let (vms, lines, clusters) = Default::default();
        let (callouts, wakes, metrics, streams) = Default::default();
        let (data, queues, last_token) = Default::default();
        let began = now;
        Self { vms, streams, metrics, lines, now, began, clusters, callouts, wakes, data, queues, last_token }
    }

    /// The calls of one VM.
    pub fn calls(&mut self, vm: VmIndex) -> Calls<'_> {
        Calls { host: self, vm }
    }

    /// Nanoseconds since the Unix epoch.
    pub fn now_ns(&self) -> u64 {
        nanoseconds(self.now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
    }

    /// Nanoseconds since the time began: the monotonic clock.
    pub fn elapsed_ns(&self) -> u64 {
        nanoseconds(self.now.duration_since(self.began).unwrap_or_default())
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A VM's way to its host.
#[derive(Clone, Debug)]
pub struct Handle {
    host: Shared,
    vm: VmIndex,
}

impl Handle {
    /// The way of that VM to that host.
    pub fn new(host: &Shared, vm: VmIndex) -> Self {
        Self { host: Arc::clone(host), vm }
    }

    /// Makes host calls. Must not be nested.
    pub fn with<T>(&self, work: impl FnOnce(&mut Calls<'_>) -> T) -> T {
        work(&mut lock(&self.host).calls(self.vm))
    }
}

/// The host, for as long as the guard lives. Whoever holds it must not call a guest.
pub fn lock(host: &Shared) -> MutexGuard<'_, Host> {
    host.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The host calls, made by one VM. What they mean depends on the context that runs in it.
pub struct Calls<'h> {
    host: &'h mut Host,
    vm: VmIndex,
}

impl Calls<'_> {
    /// The host behind it.
    pub fn host(&mut self) -> &mut Host {
        self.host
    }

    /// `proxy_get_current_time_nanoseconds`.
    pub fn now(&self) -> u64 {
        self.host.now_ns()
    }

    /// The monotonic clock.
    pub fn elapsed(&self) -> u64 {
        self.host.elapsed_ns()
    }

    /// `proxy_define_metric`.
    pub fn define_metric(&mut self, kind: u32, name: &[u8]) -> Answer<u32> {
        self.host.metrics.define(&mut self.host.vms[self.vm].metrics, kind, name)
    }

    /// `proxy_increment_metric`.
    pub fn increment_metric(&mut self, id: u32, by: i64) -> Answer<()> {
        self.host.metrics.increment(&self.host.vms[self.vm].metrics, id, by)
    }

    /// `proxy_record_metric`.
    pub fn record_metric(&mut self, id: u32, value: u64) -> Answer<()> {
        self.host.metrics.record(&self.host.vms[self.vm].metrics, id, value)
    }

    /// `proxy_get_metric`.
    pub fn get_metric(&mut self, id: u32) -> Answer<u64> {
        self.host.metrics.get(&self.host.vms[self.vm].metrics, id)
    }

    /// `proxy_get_shared_data`.
    pub fn get_shared_data(&mut self, key: &[u8]) -> Answer<(Vec<u8>, u32)> {
        self.host.data.get(&self.host.vms[self.vm].id, key)
    }

    /// `proxy_set_shared_data`.
    pub fn set_shared_data(&mut self, key: &[u8], value: &[u8], cas: u32) -> Answer<()> {
        self.host.data.set(&self.host.vms[self.vm].id, key, value, cas)
    }

    /// `proxy_register_shared_queue`. A stream's context registers for its root: only that has `on_queue_ready`.
    pub fn register_queue(&mut self, name: &[u8]) -> Answer<u32> {
        let root = self.context().root;
        Ok(self.host.queues.register(&self.host.vms[self.vm].id, name, self.vm, root))
    }

    /// `proxy_resolve_shared_queue`.
    pub fn resolve_queue(&mut self, vm_id: &[u8], name: &[u8]) -> Answer<u32> {
        self.host.queues.resolve(&String::from_utf8_lossy(vm_id), name)
    }

    /// `proxy_dequeue_shared_queue`. The token alone is enough: tokens are the process's (gate-mode.md, section 1).
    pub fn dequeue(&mut self, queue: u32) -> Answer<Vec<u8>> {
        self.host.queues.dequeue(queue)
    }

    /// `proxy_enqueue_shared_queue`.
    pub fn enqueue(&mut self, queue: u32, item: &[u8]) -> Answer<()> {
        let wake = self.host.queues.enqueue(queue, item)?;
        self.host.wakes.push_back(wake);
        Ok(())
    }
}
