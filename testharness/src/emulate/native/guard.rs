//! Contexts that catch the panics of the filter's, before these reach the SDK.
//!
//! The SDK's functions are `extern "C"`: a panic that reached one would abort the process. So each context of the filter
//! stands behind one of these. After a panic the guest is over; what is returned here only gets the SDK to its end.

use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use ipp_proxy::proxy_wasm::traits::{Context, HttpContext, RootContext};
use ipp_proxy::proxy_wasm::types::{Action, ContextType};

use super::{caught, guarded};

/// A context of the filter. It is dropped under guard, too: the filter counts in its destructors.
pub(super) struct Guarded<T: ?Sized>(ManuallyDrop<Box<T>>);

impl<T: ?Sized> Guarded<T> {
    pub(super) fn new(context: Box<T>) -> Self {
        Self(ManuallyDrop::new(context))
    }

    fn run<R>(&mut self, otherwise: R, work: impl FnOnce(&mut T) -> R) -> R {
        catch(|| work(&mut self.0)).unwrap_or(otherwise)
    }
}

fn catch<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before = guarded(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    guarded(before);
    if result.is_err() {
        caught();
    }
    result.ok()
}

impl<T: ?Sized> Drop for Guarded<T> {
    fn drop(&mut self) {
        // SAFETY: nothing touches the context after this.
        let context = unsafe { ManuallyDrop::take(&mut self.0) };
        catch(|| drop(context));
    }
}

impl<T: Context + ?Sized> Context for Guarded<T> {
    fn on_http_call_response(&mut self, token: u32, headers: usize, body: usize, trailers: usize) {
        self.run((), |own| own.on_http_call_response(token, headers, body, trailers));
    }

    fn on_foreign_function(&mut self, function: u32, size: usize) {
        self.run((), |own| own.on_foreign_function(function, size));
    }

    fn on_done(&mut self) -> bool {
        self.run(true, |own| own.on_done())
    }
}

impl RootContext for Guarded<dyn RootContext> {
    fn on_vm_start(&mut self, size: usize) -> bool {
        self.run(false, |own| own.on_vm_start(size))
    }

    fn on_configure(&mut self, size: usize) -> bool {
        self.run(false, |own| own.on_configure(size))
    }

    fn on_tick(&mut self) {
        self.run((), |own| own.on_tick());
    }

    fn on_queue_ready(&mut self, queue: u32) {
        self.run((), |own| own.on_queue_ready(queue));
    }

    fn on_log(&mut self) {
        self.run((), |own| own.on_log());
    }

    fn create_http_context(&self, context: u32) -> Option<Box<dyn HttpContext>> {
        let made = catch(|| self.0.create_http_context(context));
        // The SDK panics where there is none.
        let made = made.flatten().unwrap_or_else(|| Box::new(Nobody));
        Some(Box::new(Guarded::new(made)))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}

impl HttpContext for Guarded<dyn HttpContext> {
    fn on_http_request_headers(&mut self, count: usize, end: bool) -> Action {
        self.run(Action::Pause, |own| own.on_http_request_headers(count, end))
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        self.run(Action::Pause, |own| own.on_http_request_body(size, end))
    }

    fn on_http_request_trailers(&mut self, count: usize) -> Action {
        self.run(Action::Pause, |own| own.on_http_request_trailers(count))
    }

    fn on_http_response_headers(&mut self, count: usize, end: bool) -> Action {
        self.run(Action::Pause, |own| own.on_http_response_headers(count, end))
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        self.run(Action::Pause, |own| own.on_http_response_body(size, end))
    }

    fn on_http_response_trailers(&mut self, count: usize) -> Action {
        self.run(Action::Pause, |own| own.on_http_response_trailers(count))
    }

    fn on_log(&mut self) {
        self.run((), |own| own.on_log());
    }
}

/// Stands in where the filter made no context.
struct Nobody;

impl Context for Nobody {}
impl HttpContext for Nobody {}
