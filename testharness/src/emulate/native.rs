//! A guest that is linked into this process: the filter with its glue, called through the SDK's exported functions.
//!
//! The SDK keeps its contexts in thread-local variables, so each VM is a thread. A panic in the filter is caught at the
//! edge to the SDK ([`guard`]) and told as a trap; the thread then ends, and nothing that its contexts still do while
//! they are dropped reaches the host: of a VM that trapped nothing is ever cleaned up.

mod guard;
mod imports;

use std::cell::{Cell, RefCell};
use std::sync::Once;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use guard::Guarded;
use ipp_pipeline::plugin::Registry;

use super::guest::{Callback, Guest, Side, Trap};
use super::host::Handle;

/// How long a call may take before it counts as an endless loop.
const PATIENCE: Duration = Duration::from_secs(20);

/// The filter in a thread of its own.
pub struct Native {
    calls: Sender<Callback>,
    answers: Receiver<Result<u32, Trap>>,
    trap: Option<Trap>,
}

/// What a guest's thread knows of the outside.
struct Outside {
    handle: Handle,
    answers: Sender<Result<u32, Trap>>,
}

thread_local! {
    /// Only in a guest's thread.
    static OUTSIDE: RefCell<Option<Outside>> = const { RefCell::new(None) };
    /// A context of the filter runs, behind its guard.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
    /// A host call runs. A panic now is the host's own.
    static IN_HOST: Cell<bool> = const { Cell::new(false) };
    /// The message of the panic that is under way.
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
    /// The message of one that was caught.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl Native {
    /// Starts a VM with the plugin types of that registry in it.
    ///
    /// # Errors
    /// The guest did not start, or there is no thread for it.
    pub fn start(handle: Handle, registry: fn() -> Registry) -> Result<Self, Trap> {
        let (calls, to_do) = channel();
        let (answered, answers) = channel();
        let outside = Outside { handle, answers: answered };
        let thread = std::thread::Builder::new().name("guest".to_owned());
        let run = move || {
            OUTSIDE.set(Some(outside));
            initialize(registry);
            answer(Ok(0));
            for callback in to_do {
                let result = invoke(callback);
                if let Some(panic) = CAUGHT.take() {
                    answer(Err(Trap(format!("Function: {} failed: it {panic}", callback.export()))));
                    break;
                }
                answer(Ok(result));
            }
            OUTSIDE.set(None);
        };
        thread.spawn(run).map_err(|error| Trap(format!("no thread for the guest: {error}")))?;
        let mut guest = Self { calls, answers, trap: None };
        guest.wait("_initialize")?;
        Ok(guest)
    }

    fn wait(&mut self, what: &str) -> Result<u32, Trap> {
        let answer = match self.answers.recv_timeout(PATIENCE) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => Err(Trap(format!("{what} did not return in {PATIENCE:?}"))),
            Err(RecvTimeoutError::Disconnected) => Err(Trap(format!("{what}: the guest's thread is gone"))),
        };
        self.trap = answer.as_ref().err().cloned();
        answer
    }
}

impl Guest for Native {
    fn call(&mut self, callback: Callback) -> Result<u32, Trap> {
        if let Some(trap) = &self.trap {
            return Err(trap.clone());
        }
        // Should the thread be gone, waiting says so.
        self.calls.send(callback).ok();
        self.wait(callback.export())
    }
}

/// What `_initialize` does in the module, with a guard around what it registers. The first time this also puts the
/// host's panic hook in the place of the SDK's, which the SDK sets once for the process.
fn initialize(registry: fn() -> Registry) {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = std::panic::take_hook();
        ipp_proxy::start(registry);
        drop(std::panic::take_hook());
        std::panic::set_hook(Box::new(move |panic| {
            if !GUARDED.get() || IN_HOST.get() {
                return others(panic);
            }
            let message = panic.to_string();
            // As the SDK's hook would.
            OUTSIDE.with_borrow(|outside| {
                let log = |outside: &Outside| outside.handle.with(|calls| calls.log(5, message.as_bytes()));
                outside.as_ref().map(log)
            });
            MESSAGE.set(message);
        }));
    });
    ipp_proxy::start(registry);
    ipp_proxy::proxy_wasm::set_root_context(|id| Box::new(Guarded::new(ipp_proxy::root(id))));
}

/// Tells the hook whether panics are caught, and gives what it was told before.
fn guarded(yes: bool) -> bool {
    GUARDED.replace(yes)
}

/// Puts down a panic that was caught.
fn caught() {
    CAUGHT.with_borrow_mut(|known| {
        known.get_or_insert_with(|| MESSAGE.take());
    });
}

fn answer(answer: Result<u32, Trap>) {
    OUTSIDE.with_borrow(|outside| {
        if let Some(outside) = outside {
            // Nobody waits any more when the run is over.
            outside.answers.send(answer).ok();
        }
    });
}

/// What the SDK exports. Its actions are numbers and its sizes this machine's.
mod exports {
    unsafe extern "C" {
        pub(super) safe fn proxy_on_context_create(context: u32, root: u32);
        pub(super) safe fn proxy_on_vm_start(root: u32, size: usize) -> bool;
        pub(super) safe fn proxy_on_configure(root: u32, size: usize) -> bool;
        pub(super) safe fn proxy_on_tick(root: u32);
        pub(super) safe fn proxy_on_queue_ready(root: u32, queue: u32);
        pub(super) safe fn proxy_on_http_call_response(
            root: u32,
            token: u32,
            headers: usize,
            body: usize,
            trailers: usize,
        );
        pub(super) safe fn proxy_on_request_headers(context: u32, count: usize, end: bool) -> u32;
        pub(super) safe fn proxy_on_request_body(context: u32, size: usize, end: bool) -> u32;
        pub(super) safe fn proxy_on_request_trailers(context: u32, count: usize) -> u32;
        pub(super) safe fn proxy_on_response_headers(context: u32, count: usize, end: bool) -> u32;
        pub(super) safe fn proxy_on_response_body(context: u32, size: usize, end: bool) -> u32;
        pub(super) safe fn proxy_on_response_trailers(context: u32, count: usize) -> u32;
        pub(super) safe fn proxy_on_log(context: u32);
        pub(super) safe fn proxy_on_done(context: u32) -> bool;
        pub(super) safe fn proxy_on_delete(context: u32);
    }
}

fn invoke(callback: Callback) -> u32 {
    let size = |number: u32| number as usize;
    match callback {
        Callback::Create { context, root } => {
            exports::proxy_on_context_create(context, root);
            0
        }
        Callback::VmStart { root, size: bytes } => u32::from(exports::proxy_on_vm_start(root, size(bytes))),
        Callback::Configure { root, size: bytes } => {
            u32::from(exports::proxy_on_configure(root, size(bytes)))
        }
        Callback::Tick { root } => {
            exports::proxy_on_tick(root);
            0
        }
        Callback::QueueReady { root, queue } => {
            exports::proxy_on_queue_ready(root, queue);
            0
        }
        Callback::HttpCallResponse { root, token, headers, body, trailers } => {
            exports::proxy_on_http_call_response(root, token, size(headers), size(body), size(trailers));
            0
        }
        Callback::Headers { context, of, count, end } => match of {
            Side::Request => exports::proxy_on_request_headers(context, size(count), end),
            Side::Response => exports::proxy_on_response_headers(context, size(count), end),
        },
        Callback::Body { context, of, size: bytes, end } => match of {
            Side::Request => exports::proxy_on_request_body(context, size(bytes), end),
            Side::Response => exports::proxy_on_response_body(context, size(bytes), end),
        },
        Callback::Trailers { context, of, count } => match of {
            Side::Request => exports::proxy_on_request_trailers(context, size(count)),
            Side::Response => exports::proxy_on_response_trailers(context, size(count)),
        },
        Callback::Log { context } => {
            exports::proxy_on_log(context);
            0
        }
        Callback::Done { context } => u32::from(exports::proxy_on_done(context)),
        Callback::Delete { context } => {
            exports::proxy_on_delete(context);
            0
        }
    }
}
