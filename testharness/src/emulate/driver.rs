//! Envoy's behaviour around its filters: several streams on one virtual clock, from the client to the upstream and back.
//!
//! What is decided here, and nowhere else: when callbacks run (`flow`), where requests go and what upstreams answer
//! (`upstream`), what clients do and get (`client`), what HTTP/1 and the connection manager make of headers and bodies
//! (`wire`), replies that are not an upstream's and every ending (`ending`), VMs that start, trap and start again (`vms`),
//! ticks and callouts (`callouts`).
//!
//! With every recording, and with thousands of random exchanges, this and Envoy 1.40 agreed on everything that a client
//! and an upstream can see, and on the metrics. What no recording shows is from `wasm-hosts.md` or Envoy's source: the
//! comment at the rule says so.

mod callouts;
mod client;
mod ending;
mod flow;
mod live;
mod upstream;
mod vms;
mod wire;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::guest::{Callback, Guest, Trap};
use super::host::{Handle, Host, Plugin, Shared, VmIndex, lock};
use crate::recording::{Callout, Exchange, Routing};
use crate::replay::engine::Observed;

use callouts::Callouts;
use live::Live;
use vms::{Attached, Machine};

/// How this Envoy is configured.
#[derive(Clone, Debug)]
pub struct Settings {
    /// When the clock starts.
    pub start: SystemTime,
    /// `allow_on_headers_stop_iteration` (section 1.1).
    pub hold_headers: bool,
    /// Bytes of a request's body that may be held: `request_body_buffer_limit` (section 1.3).
    pub request_limit: usize,
    /// Bytes of a response's body that may be held: `per_connection_buffer_limit_bytes`.
    pub response_limit: usize,
    /// The route's timeout, from the end of the request to the end of the response (section 1.5).
    pub route_timeout: Duration,
    /// `stream_idle_timeout` (section 1.5).
    pub idle_timeout: Duration,
    /// After how long a VM that trapped is replaced: FAIL_RELOAD. None: never, FAIL_CLOSED (section 7.1).
    pub reload: Option<Duration>,
    /// Where requests go.
    pub routing: Routing,
    /// What clusters answer to callouts.
    pub callouts: Vec<Callout>,
}

/// Makes a guest for a VM, the first time and after each trap.
pub type Launch = Box<dyn Fn(Handle) -> Result<Box<dyn Guest>, Trap>>;

/// A VM and the module in it.
pub struct VmSpec {
    /// Its id.
    pub id: String,
    /// Its configuration.
    pub configuration: Vec<u8>,
    /// The module.
    pub launch: Launch,
}

/// One filter of the chain.
pub struct Filter {
    /// Which of the VMs it runs in. Filters may share one (section 4.2).
    pub vm: VmIndex,
    /// Its plugin.
    pub plugin: Plugin,
}

/// What became of one exchange.
#[derive(Clone, Debug)]
pub struct Ended {
    /// What was seen from outside.
    pub observed: Observed,
    /// What ran in the guests, in order.
    pub callbacks: Vec<(VmIndex, Callback)>,
    /// `%RESPONSE_CODE_DETAILS%`.
    pub details: String,
    /// `%RESPONSE_FLAGS%` as bits (section 6.3).
    pub flags: u64,
}

/// What happens at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    /// A client sends a request's headers.
    Start(usize),
    /// A client sends the piece of this number, or what comes after the last one.
    Piece(usize, usize),
    /// An upstream takes the step of this number of its answer.
    Answer(usize, usize),
    /// A callout is answered.
    Callout(u32),
}

/// A proxy with its filters, before, in or after one run.
pub struct Proxy {
    host: Shared,
    settings: Settings,
    machines: Vec<Machine>,
    filters: Vec<Attached>,
    agenda: BTreeMap<(SystemTime, u64), Event>,
    entries: u64,
    callouts: Callouts,
    streams: Vec<Live>,
    /// What went wrong outside of any stream; told with the next one that ends.
    stray: live::Faults,
}

impl Settings {
    /// As the harness configures a real Envoy, with these routes.
    pub fn new(start: SystemTime, routing: Routing, callouts: Vec<Callout>) -> Self {
        Self {
            start,
            hold_headers: true,
            request_limit: 9 << 20,
            response_limit: 1 << 20,
            route_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(300),
            reload: Some(Duration::from_secs(1)),
            routing,
            callouts,
        }
    }
}

impl Proxy {
    /// Starts the VMs and configures the filters.
    ///
    /// # Errors
    /// What a filter logged when it refused its configuration, or why a VM did not start: Envoy would refuse this
    /// configuration and keep the one before (section 4.3).
    pub fn start(settings: Settings, vms: Vec<VmSpec>, filters: Vec<Filter>) -> Result<Self, String> {
        let mut host = Host::new(settings.start);
        let polled = settings.callouts.iter().map(|callout| &callout.cluster);
        host.clusters = settings.routing.clusters.iter().chain(polled).cloned().collect();
        let mut proxy = Self {
            host: Shared::new(host.into()),
            callouts: Callouts::new(&settings.callouts),
            settings,
            machines: Vec::new(),
            filters: Vec::new(),
            agenda: BTreeMap::new(),
            entries: 0,
            streams: Vec::new(),
            stray: live::Faults::default(),
        };
        proxy.attach(vms, filters)?;
        Ok(proxy)
    }

    /// The state behind it.
    pub fn host(&self) -> &Shared {
        &self.host
    }

    /// Runs exchanges and gives what became of each, in their order.
    pub fn run(&mut self, exchanges: &[Exchange]) -> Vec<Ended> {
        self.agenda.clear();
        self.streams = exchanges.iter().map(Live::new).collect();
        let start = self.now();
        for (index, exchange) in exchanges.iter().enumerate() {
            if let Some(at) = exchange.at {
                self.plan(start + at, Event::Start(index));
            }
        }
        if let Some(first) = self.streams.first_mut().filter(|first| !first.started) {
            first.started = true;
            self.plan_now(Event::Start(0));
        }
        while !self.streams.iter().all(|stream| stream.ended.is_some()) {
            self.deliver_wakes();
            self.send_callouts();
            if !self.step() {
                break;
            }
        }
        self.streams.iter_mut().filter_map(|stream| stream.ended.take()).collect()
    }

    /// Does what comes next; false if nothing ever will.
    fn step(&mut self) -> bool {
        let planned = self.agenda.keys().next().copied();
        let tick = self.next_tick();
        let deadline = self.next_deadline();
        let soonest = [planned.map(|(at, _)| at), tick.map(|(at, _)| at), deadline.map(|(at, _)| at)];
        let Some(soonest) = soonest.into_iter().flatten().min() else { return false };
        self.advance(soonest);
        let now = self.now();
        // What came first stands first: what is planned, then timers.
        if let Some(key) = planned.filter(|(at, _)| *at <= now) {
            if let Some(event) = self.agenda.remove(&key) {
                self.happen(event);
            }
        } else if let Some((_, filter)) = tick.filter(|(at, _)| *at <= now) {
            self.tick(filter);
        } else if let Some((_, stream)) = deadline {
            self.time_out(stream);
        }
        true
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Start(stream) => self.start_request(stream),
            Event::Piece(stream, number) => self.send_piece(stream, number),
            Event::Answer(stream, step) => self.answer(stream, step),
            Event::Callout(token) => self.answer_callout(token),
        }
    }

    fn plan(&mut self, at: SystemTime, event: Event) {
        self.entries += 1;
        self.agenda.insert((at.max(self.now()), self.entries), event);
    }

    fn plan_now(&mut self, event: Event) {
        self.plan(self.now(), event);
    }

    fn now(&self) -> SystemTime {
        lock(&self.host).now
    }

    /// Time never goes back.
    fn advance(&self, to: SystemTime) {
        let mut host = lock(&self.host);
        host.now = host.now.max(to);
    }
}
