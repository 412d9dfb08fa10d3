//! What a host runs: something that answers callbacks, whatever it is made of.

use std::fmt;

/// One call into a guest, with the arguments of ABI 0.2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callback {
    /// Makes a context; the root of a root context is 0.
    Create {
        /// The new context.
        context: u32,
        /// The root context that it belongs to.
        root: u32,
    },
    /// The VM has started.
    VmStart {
        /// The first root context.
        root: u32,
        /// Bytes of the VM's configuration.
        size: u32,
    },
    /// A configuration is there.
    Configure {
        /// The root context that it is for.
        root: u32,
        /// Bytes of the plugin's configuration.
        size: u32,
    },
    /// The period of a root context has passed.
    Tick {
        /// The root context.
        root: u32,
    },
    /// Something is in a shared queue.
    QueueReady {
        /// The root context that registered it last.
        root: u32,
        /// The queue's token.
        queue: u32,
    },
    /// An answer to a callout is there.
    HttpCallResponse {
        /// The root context: it owns all callouts, whichever context made them.
        root: u32,
        /// What `proxy_http_call` gave.
        token: u32,
        /// How many fields it has; none if the callout failed.
        headers: u32,
        /// Bytes of its body.
        body: u32,
        /// How many trailers it has.
        trailers: u32,
    },
    /// Headers of a request or a response.
    Headers {
        /// The stream's context.
        context: u32,
        /// Whose.
        of: Side,
        /// How many fields.
        count: u32,
        /// Nothing follows.
        end: bool,
    },
    /// A part of a body, or, while it is held, all of it so far.
    Body {
        /// The stream's context.
        context: u32,
        /// Whose.
        of: Side,
        /// How many bytes can be read.
        size: u32,
        /// Nothing follows.
        end: bool,
    },
    /// Trailers.
    Trailers {
        /// The stream's context.
        context: u32,
        /// Whose.
        of: Side,
        /// How many fields.
        count: u32,
    },
    /// The stream has ended and its access log is written.
    Log {
        /// The stream's context.
        context: u32,
    },
    /// Nothing more comes for a context.
    Done {
        /// Which one.
        context: u32,
    },
    /// The context goes.
    Delete {
        /// Which one.
        context: u32,
    },
}

/// A request or its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From the client.
    Request,
    /// To the client.
    Response,
}

/// Why a guest did not come back from a call: a trap, a panic, an endless loop. It cannot be called again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trap(pub String);

impl fmt::Display for Trap {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Trap {}

/// A module in a VM of its own.
pub trait Guest {
    /// Calls it and gives its answer: an action, a boolean, or 0 where there is none.
    ///
    /// # Errors
    /// It did not come back.
    fn call(&mut self, callback: Callback) -> Result<u32, Trap>;
}

impl Callback {
    /// The exported function behind it.
    pub fn export(self) -> &'static str {
        match self {
            Self::Create { .. } => "proxy_on_context_create",
            Self::VmStart { .. } => "proxy_on_vm_start",
            Self::Configure { .. } => "proxy_on_configure",
            Self::Tick { .. } => "proxy_on_tick",
            Self::QueueReady { .. } => "proxy_on_queue_ready",
            Self::HttpCallResponse { .. } => "proxy_on_http_call_response",
            Self::Headers { of: Side::Request, .. } => "proxy_on_request_headers",
            Self::Headers { of: Side::Response, .. } => "proxy_on_response_headers",
            Self::Body { of: Side::Request, .. } => "proxy_on_request_body",
            Self::Body { of: Side::Response, .. } => "proxy_on_response_body",
            Self::Trailers { of: Side::Request, .. } => "proxy_on_request_trailers",
            Self::Trailers { of: Side::Response, .. } => "proxy_on_response_trailers",
            Self::Log { .. } => "proxy_on_log",
            Self::Done { .. } => "proxy_on_done",
            Self::Delete { .. } => "proxy_on_delete",
        }
    }

    /// Its arguments in their order.
    pub fn arguments(self) -> Vec<u32> {
        match self {
            Self::Create { context, root } => vec![context, root],
            Self::VmStart { root, size } | Self::Configure { root, size } => vec![root, size],
            Self::Tick { root } => vec![root],
            Self::QueueReady { root, queue } => vec![root, queue],
            Self::HttpCallResponse { root, token, headers, body, trailers } => {
                vec![root, token, headers, body, trailers]
            }
            Self::Headers { context, count, end, .. } => vec![context, count, u32::from(end)],
            Self::Body { context, size, end, .. } => vec![context, size, u32::from(end)],
            Self::Trailers { context, count, .. } => vec![context, count],
            Self::Log { context } | Self::Done { context } | Self::Delete { context } => vec![context],
        }
    }

    /// Whether it answers something.
    pub fn answers(self) -> bool {
        !matches!(
            self,
            Self::Create { .. }
                | Self::Tick { .. }
                | Self::QueueReady { .. }
                | Self::HttpCallResponse { .. }
                | Self::Log { .. }
                | Self::Delete { .. }
        )
    }

    /// What counts as the answer of a guest that does not export it: yes to a question, Continue to an action.
    pub fn answer_of_none(self) -> u32 {
        u32::from(matches!(self, Self::VmStart { .. } | Self::Configure { .. } | Self::Done { .. }))
    }

    /// The context that it runs in.
    pub fn context(self) -> u32 {
        match self {
            Self::VmStart { root, .. }
            | Self::Configure { root, .. }
            | Self::Tick { root }
            | Self::QueueReady { root, .. }
            | Self::HttpCallResponse { root, .. } => root,
            Self::Create { context, .. }
            | Self::Headers { context, .. }
            | Self::Body { context, .. }
            | Self::Trailers { context, .. }
            | Self::Log { context }
            | Self::Done { context }
            | Self::Delete { context } => context,
        }
    }
}
