//! What one configuration does of the work: all of it, or a reader's or a gate's part. The one place that knows which.

use crate::active::Active;
use crate::apply;
use crate::gate::{Gate, GateStream};
use crate::host::Refused;
use crate::message::Decision;
use crate::reader::{Reader, Way};
use crate::stream::Stream;
use crate::watch::{Fate, Watch};
use ipp_pipeline::{Forward, Pipeline, Role};
use proxy_wasm::traits::HttpContext;
use proxy_wasm::types::Action;
use std::rc::Rc;
use std::time::Duration;

/// The role of a configuration with what its streams share.
pub(crate) enum Duty {
    Direct(Rc<Watch>),
    Reader(Rc<Reader>),
    Gate(Rc<Gate>),
}

impl Duty {
    /// The role that a configuration says, for the root context of that id.
    pub(crate) fn new(active: Rc<Active>, root: u32) -> Result<Self, Refused> {
        Ok(match active.pipeline.options().role {
            Role::Direct => Self::Direct(Rc::new(Watch::new(active, root))),
            Role::Reader => Self::Reader(Rc::new(Reader::new(active))),
            Role::Gate => Self::Gate(Rc::new(Gate::new(active, root)?)),
        })
    }

    /// A stream with the context of that id.
    pub(crate) fn stream(&self, context: u32) -> Box<dyn HttpContext> {
        match self {
            Self::Direct(watch) => {
                let outlet = Outlet::Here { watch: Rc::clone(watch), context };
                Box::new(Stream::new(Rc::clone(watch.active()), outlet))
            }
            Self::Reader(reader) => {
                let outlet = Outlet::Gate(Way::new(Rc::clone(reader)));
                Box::new(Stream::new(Rc::clone(reader.active()), outlet))
            }
            Self::Gate(gate) => Box::new(GateStream::new(Rc::clone(gate), context)),
        }
    }

    /// Whether requests are decided about here.
    pub(crate) fn runs_plugins(&self) -> bool {
        !matches!(self, Self::Gate(_))
    }

    /// How often it wants to be told of the time.
    pub(crate) fn tick_period(&self) -> Option<Duration> {
        match self {
            Self::Direct(watch) => watch.period(),
            Self::Reader(_) => None,
            Self::Gate(gate) => Some(gate.period()),
        }
    }

    pub(crate) fn tick(&self) {
        match self {
            Self::Direct(watch) => watch.tick(),
            Self::Reader(_) => {}
            Self::Gate(gate) => gate.tick(),
        }
    }

    pub(crate) fn queue_ready(&self, queue: u32) {
        if let Self::Gate(gate) = self {
            gate.queue_ready(queue);
        }
    }
}

/// Where the decision about a stream goes. What reads the body does not know which it is.
pub(crate) enum Outlet {
    /// To the request, which is held here.
    Here { watch: Rc<Watch>, context: u32 },
    /// To the gate that holds it.
    Gate(Way),
}

impl Outlet {
    /// The request is held until its body was read.
    pub(crate) fn hold(&self) -> Result<Action, Refused> {
        match self {
            Self::Here { watch, context } => {
                watch.hold(*context);
                Ok(Action::Pause)
            }
            Self::Gate(way) => way.mark(true).map(|()| Action::Continue),
        }
    }

    /// The request goes on at once.
    pub(crate) fn pass(&self) {
        if let Self::Gate(way) = self {
            // Without a mark the gate lets it pass as well, if not without a word.
            way.mark(false).ok();
        }
    }

    /// Something of the body is there, or all of it was.
    pub(crate) fn body_came(&self) -> Fate {
        match self {
            Self::Here { watch, context } => watch.body_came(*context),
            Self::Gate(_) => Fate::Held,
        }
    }

    /// The stream ended while it was held.
    pub(crate) fn ended(&self) -> Fate {
        match self {
            Self::Here { watch, context } => watch.forget(*context),
            Self::Gate(_) => Fate::Held,
        }
    }

    /// Applies a decision. `start` is as much of the body's start as is at hand.
    pub(crate) fn forward(
        &mut self,
        pipeline: &Pipeline,
        forward: &Forward,
        start: &[u8],
    ) -> Result<(), Refused> {
        match self {
            Self::Here { .. } => apply::forward(pipeline, forward, start),
            Self::Gate(way) => {
                apply::body(&forward.body, start)?;
                way.send(&apply::for_a_gate(pipeline, forward))
            }
        }
    }

    /// Lets a request that was held go on as it is.
    pub(crate) fn release(&mut self) -> Result<(), Refused> {
        match self {
            Self::Here { .. } => Ok(()),
            Self::Gate(way) => way.send(&Decision::default()),
        }
    }

    /// The response to a request that went on is there.
    pub(crate) fn responded(&mut self) {
        if let Self::Gate(way) = self {
            way.responded();
        }
    }
}
