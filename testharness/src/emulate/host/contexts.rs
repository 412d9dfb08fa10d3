//! VMs and their contexts: which one runs, what it sees of its stream, and what happens after its call.

use std::collections::BTreeMap;

use super::metrics::MetricIds;
use super::{Answer, Body, CalloutResponse, Calls, Reply, Status, StreamIndex};
use crate::emulate::guest::Side;

/// One VM. A VM that trapped is replaced by a new one in its place.
#[derive(Debug, Default)]
pub struct Vm {
    /// Its id; VMs with the same id share data.
    pub id: String,
    /// The configuration of the VM, which is not a plugin's.
    pub configuration: Vec<u8>,
    /// Its contexts.
    pub contexts: BTreeMap<u32, Context>,
    /// The context whose callback runs.
    pub current: u32,
    /// The context that it acts for, if another one; 0 if not.
    pub effective: u32,
    /// Nothing of the stream goes on after this callback, whatever it returns (`isNextIterationStopped`).
    pub stopped: bool,
    /// What was asked for and is done after the callback, because a guest cannot be called while it runs
    /// (`addAfterVmCallAction`).
    pub after: Vec<(u32, After)>,
    pub(super) metrics: MetricIds,
    last_context: u32,
}

/// What is done after a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Lets a side of a stream go on.
    Continue(Side),
    /// Resets a stream.
    Close,
    /// Answers a request.
    Reply(Reply),
}

/// A root context or a stream's.
#[derive(Debug, Default)]
pub struct Context {
    /// The root context that it belongs to: itself if it is one.
    pub root: u32,
    /// The stream; none for a root context.
    pub stream: Option<StreamIndex>,
    /// What it sees of the stream.
    pub sees: Seen,
    /// The plugin of a root context.
    pub plugin: Plugin,
    /// It is being configured, and only then can it read the configuration (`temp_plugin_`).
    pub configuring: bool,
    /// Milliseconds between its ticks; 0 for none.
    pub period: u32,
    /// The answer to a callout, while its callback runs.
    pub answer: Option<CalloutResponse>,
}

/// One use of the module in a chain of filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugin {
    /// Its name.
    pub name: String,
    /// Its root id.
    pub root_id: String,
    /// Its configuration.
    pub configuration: Vec<u8>,
}

/// What a context sees of its stream just now (Envoy: which of the context's pointers are set).
#[derive(Debug, Default)]
pub struct Seen {
    /// From the headers callback on, but no more once that returned Continue (section 2.1) or `continue_stream` was
    /// called. One that returned Pause leaves them where they are: writes that come too late are lost.
    pub request_headers: bool,
    /// In the trailers callback and after it paused.
    pub request_trailers: bool,
    /// Like the request's.
    pub response_headers: bool,
    /// Like the request's.
    pub response_trailers: bool,
    /// The request's body.
    pub request: Body,
    /// The response's body.
    pub response: Body,
    /// The last callback said that nothing follows.
    pub end: bool,
    /// `on_log` runs, in which both sides' headers can be read again (section 6.3).
    pub logging: bool,
}

impl Seen {
    /// The body of a side.
    pub fn body(&mut self, of: Side) -> &mut Body {
        match of {
            Side::Request => &mut self.request,
            Side::Response => &mut self.response,
        }
    }

    /// Whether a side's headers can be read and written.
    pub fn headers(&mut self, of: Side) -> &mut bool {
        match of {
            Side::Request => &mut self.request_headers,
            Side::Response => &mut self.response_headers,
        }
    }

    /// Whether a side's trailers can be read and written.
    pub fn trailers(&mut self, of: Side) -> &mut bool {
        match of {
            Side::Request => &mut self.request_trailers,
            Side::Response => &mut self.response_trailers,
        }
    }
}

impl Vm {
    /// A new one.
    pub fn new(id: &str, configuration: &[u8]) -> Self {
        Self { id: id.to_owned(), configuration: configuration.to_vec(), ..Self::default() }
    }

    /// Makes a context. Ids count from 1; 0 is the VM itself.
    pub fn add(&mut self, root: Option<u32>, stream: Option<StreamIndex>, plugin: Plugin) -> u32 {
        self.last_context += 1;
        let id = self.last_context;
        let context = Context { root: root.unwrap_or(id), stream, plugin, ..Context::default() };
        self.contexts.insert(id, context);
        id
    }

    /// The context that host calls are about.
    pub fn acting(&self) -> u32 {
        match self.effective {
            0 => self.current,
            id if self.contexts.contains_key(&id) => id,
            // "The effective_context_id_ no longer exists, revert to the true context."
            _ => self.current,
        }
    }

    /// Before a callback.
    pub fn enter(&mut self, context: u32) {
        self.current = context;
        self.effective = 0;
    }

    /// After a callback: whether the stream is to stop, and what is to be done.
    pub fn leave(&mut self) -> (bool, Vec<(u32, After)>) {
        self.effective = 0;
        (std::mem::take(&mut self.stopped), std::mem::take(&mut self.after))
    }
}

impl Calls<'_> {
    pub(super) fn vm(&mut self) -> &mut Vm {
        &mut self.host.vms[self.vm]
    }

    /// The context that a call is about. A VM without contexts gets one that sees nothing.
    pub(super) fn context(&mut self) -> &mut Context {
        let vm = self.vm();
        let acting = vm.acting();
        vm.contexts.entry(acting).or_default()
    }

    /// The root of that context.
    pub(super) fn root(&mut self) -> (u32, &mut Context) {
        let id = self.context().root;
        (id, self.vm().contexts.entry(id).or_default())
    }

    /// `proxy_set_effective_context`. A context that is gone is a bad argument (gate-mode.md, section 1: "BadArgument =
    /// stream gone").
    pub fn set_effective_context(&mut self, context: u32) -> Answer<()> {
        let vm = self.vm();
        if !vm.contexts.contains_key(&context) {
            return Err(Status::BadArgument);
        }
        vm.effective = context;
        Ok(())
    }

    /// `proxy_done`. Only a context that answered "not yet" to `on_done` could end by it, and streams end anyway:
    /// `Context::onDestroy` looks at no answer.
    pub fn done(&mut self) -> Answer<()> {
        Err(Status::NotFound)
    }

    /// `proxy_set_tick_period_milliseconds`. It is the root's, whichever context asks (section 5).
    pub fn set_tick_period(&mut self, milliseconds: u32) -> Answer<()> {
        self.root().1.period = milliseconds;
        Ok(())
    }

    /// `proxy_continue_stream`. Section 2.1: "nulls headers, body and trailers pointers [envoy:continueStream]; do all
    /// writes first". The stream goes on after the callback.
    pub fn continue_stream(&mut self, stream: u32) -> Answer<()> {
        let side = match stream {
            0 => Side::Request,
            1 => Side::Response,
            2 => return Ok(()),
            3 => return Err(Status::Unimplemented),
            _ => return Err(Status::BadArgument),
        };
        let acting = self.vm().acting();
        let context = self.context();
        if context.stream.is_some() {
            // Envoy hides the request's parts on either side.
            context.sees.request_headers = false;
            context.sees.request_trailers = false;
            context.sees.request.shown = super::Shown::Nothing;
            self.vm().after.push((acting, After::Continue(side)));
        }
        Ok(())
    }

    /// `proxy_close_stream`.
    pub fn close_stream(&mut self, stream: u32) -> Answer<()> {
        if stream > 3 {
            return Err(Status::BadArgument);
        }
        let acting = self.vm().acting();
        if stream < 2 && self.context().stream.is_some() {
            self.vm().after.push((acting, After::Close));
        }
        Ok(())
    }

    /// `proxy_send_local_response`. Whatever the callback returns afterwards, nothing goes on (section 1.2). In a root
    /// context, which has no stream to answer, nothing is sent.
    pub fn send_local_response(&mut self, reply: Reply) -> Answer<()> {
        let acting = self.vm().acting();
        let has_stream = self.context().stream.is_some();
        let vm = self.vm();
        vm.stopped = true;
        if has_stream {
            vm.after.push((acting, After::Reply(reply)));
        }
        Ok(())
    }
}
