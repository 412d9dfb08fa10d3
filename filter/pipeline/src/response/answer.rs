//! The way of one response: what is done with its headers, with each chunk, with its end.

use super::events::{Events, Piece};
use super::watch::{Body, Watch, is_encoded};
use crate::env::Env;
use crate::head::Head;
use crate::metrics::MetricId;
use crate::observation::{Finished, Outcome, Shown};
use crate::payload::Members;
use crate::pipeline::{Installed, Pipeline, ResponseChain, Routed};
use crate::plugin::{
    Fate, FullResponse, HeaderEdit, Response, ResponseEventsPlugin, StreamEvent, Unreadable,
};
use crate::reject::Rejection;

/// How many events of a stream are timed: looking at the clock takes longer than what is timed.
const TIMED_EVENTS: u32 = 8;

/// A response on its way.
#[derive(Debug)]
pub struct Answer {
    way: Way,
    status: Option<u16>,
    /// Whether it is a stream of events that can be read.
    streamed: bool,
    /// Nothing where nothing is observed.
    watch: Option<Watch>,
    first_content_ns: Option<u64>,
    /// Its end was seen.
    ended: bool,
}

/// What is done with the body.
#[derive(Debug)]
enum Way {
    /// It passes.
    Pass,
    /// It passes by whole events.
    Events { events: Box<Events>, wanted: Vec<bool>, removed: bool, to_time: u32 },
    /// It is held until it is complete.
    Hold,
}

/// What is to be done with a response after its headers.
#[derive(Debug)]
pub struct Answered {
    /// Headers to set or remove.
    pub headers: Vec<HeaderEdit>,
    /// The body may change: its content-length cannot stay.
    pub unframe: bool,
    /// Hold the headers, and the body that follows.
    pub hold: bool,
    /// Send this in place of the response.
    pub reject: Option<Rejection>,
    /// The response from here on.
    pub answer: Answer,
}

/// What a response's body needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Nothing: not to be told of it, even, apart from its end.
    End,
    /// To be told that some of it came.
    Time,
    /// Its bytes, chunk by chunk.
    Bytes,
    /// To be held until it is complete.
    Whole,
}

/// A held response that goes on.
#[derive(Debug)]
pub struct Whole {
    /// Headers to set or remove.
    pub headers: Vec<HeaderEdit>,
    /// The body in its place, if it changed.
    pub body: Option<Vec<u8>>,
}

impl Answer {
    /// What is to be done with the next chunk.
    pub fn needs(&self) -> Need {
        match (&self.way, &self.watch) {
            (Way::Hold, _) => Need::Whole,
            (Way::Events { .. }, _) => Need::Bytes,
            (Way::Pass, Some(watch)) if watch.reads() => Need::Bytes,
            (Way::Pass, Some(_)) if self.first_content_ns.is_none() => Need::Time,
            (Way::Pass, _) => Need::End,
        }
    }

    /// The end of the response was seen.
    pub fn end(&mut self) {
        self.ended = true;
    }

    fn observe(&mut self, chunk: &[u8], env: &mut dyn Env) {
        let Some(watch) = &mut self.watch else { return };
        watch.feed(chunk);
        if self.first_content_ns.is_none() && watch.content() {
            self.first_content_ns = Some(env.now_ns());
        }
    }
}

impl Pipeline {
    /// Whether the response to a request is of any interest; its headers need not be read otherwise.
    pub fn follows(&self, routed: &Routed) -> bool {
        self.accounts(routed) || self.chains(routed).any(|chain| !chain.is_empty())
    }

    /// The profile's plugins, then the post-processors.
    fn chains(&self, routed: &Routed) -> impl Iterator<Item = &ResponseChain> {
        let profile = routed.profile.and_then(|index| self.parts.profiles.get(index));
        profile.map(|profile| &profile.response).into_iter().chain([&self.parts.post])
    }

    /// Looks at a response's headers. Local replies pass here, too; only the end tells them apart.
    pub fn respond<'h>(
        &self,
        routed: &Routed,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        end_of_stream: bool,
        env: &mut dyn Env,
    ) -> Answered {
        let mut head = Head::default();
        let (mut content_type, mut encoding) = (None, None);
        for (name, value) in headers {
            match name {
                b"content-type" => content_type = Some(value),
                // Each line of it counts: the last one may say `identity`.
                b"content-encoding" if !is_encoded(encoding) => encoding = Some(value),
                _ => {}
            }
            head.take(&self.response_headers, name, value);
        }
        let body = Body::of(content_type, encoding);
        let mut response = Response::new(&head, &routed.state);
        timed(self.chains(routed).flat_map(|chain| &chain.headers), Some(env), |plugin| {
            plugin.process(&mut response)
        });

        let status = response.status();
        let (mut way, mut reject) = (Way::Pass, None);
        if !end_of_stream && routed.profile.is_some() {
            let mut bodies = self.chains(routed).flat_map(|chain| &chain.bodies).peekable();
            if bodies.peek().is_some() {
                if body == Body::Json {
                    way = Way::Hold;
                } else {
                    reject = self.unreadable(routed, env).err();
                }
            } else if body == Body::Events {
                let wanted: Vec<bool> =
                    self.event_plugins(routed).map(|installed| installed.plugin.wants(&response)).collect();
                if wanted.contains(&true) {
                    way =
                        Way::Events { events: Box::default(), wanted, removed: false, to_time: TIMED_EVENTS };
                }
            }
        }
        let streamed = body == Body::Events;
        let watch = self
            .accounts(routed)
            .then(|| if self.counts_tokens(routed) { Watch::new(body) } else { Watch::for_time(body) });
        Answered {
            headers: response.finish(),
            unframe: matches!(way, Way::Events { .. }),
            hold: matches!(way, Way::Hold),
            reject,
            answer: Answer { way, status, streamed, watch, first_content_ns: None, ended: end_of_stream },
        }
    }

    fn event_plugins(&self, routed: &Routed) -> impl Iterator<Item = &Installed<dyn ResponseEventsPlugin>> {
        self.chains(routed).flat_map(|chain| &chain.events)
    }

    /// A response cannot be read whole: it passes, unless a plugin is a guard.
    ///
    /// # Errors
    /// The rejection that takes its place.
    pub fn unreadable(&self, routed: &Routed, env: &mut dyn Env) -> Result<(), Rejection> {
        for plugin in self.chains(routed).flat_map(|chain| &chain.bodies) {
            match plugin.unreadable {
                Unreadable::Skip => env.add(plugin.skipped, 1),
                Unreadable::Reject => {
                    return Err(Rejection::new(
                        502,
                        "response_unreadable",
                        "the model server's response cannot be checked: it is streamed, encoded, no JSON object, or too \
                         large",
                    ));
                }
            }
        }
        Ok(())
    }

    /// Some of a body came whose bytes nobody reads.
    pub fn arrived(&self, answer: &mut Answer, env: &mut dyn Env) {
        answer.observe(&[], env);
    }

    /// Reads the next chunk of a body. Something else to send in its place, if it is not to pass as it is.
    pub fn pass(
        &self,
        routed: &Routed,
        answer: &mut Answer,
        chunk: &[u8],
        end_of_stream: bool,
        env: &mut dyn Env,
    ) -> Option<Vec<u8>> {
        if !chunk.is_empty() {
            answer.observe(chunk, env);
        }
        answer.ended |= end_of_stream;
        let Way::Events { events, wanted, removed, to_time } = &mut answer.way else { return None };
        let held_before = events.held() > 0;
        let mut changed = false;
        let mut out = Vec::with_capacity(chunk.len());
        let plugins: Vec<_> = self
            .event_plugins(routed)
            .zip(wanted.iter())
            .filter_map(|(installed, wanted)| wanted.then_some(installed))
            .collect();
        let mut sink = |piece: Piece<'_>| match piece {
            Piece::Event(event) => {
                *removed = false;
                let mut bytes = Some(std::borrow::Cow::Borrowed(event.bytes()));
                let world: Option<&mut dyn Env> = if *to_time > 0 { Some(&mut *env) } else { None };
                *to_time = to_time.saturating_sub(1);
                timed(plugins.iter().copied(), world, |plugin| {
                    let Some(now) = &bytes else { return };
                    let mut event = StreamEvent::new(super::Event::new(now), &routed.state);
                    plugin.process(&mut event);
                    match event.fate() {
                        Fate::Kept => {}
                        Fate::Removed => (bytes, *removed, changed) = (None, true, true),
                        Fate::Replaced(new) => {
                            bytes = Some(std::borrow::Cow::Owned(new));
                            changed = true;
                        }
                    }
                });
                out.extend_from_slice(bytes.as_deref().unwrap_or_default());
            }
            // It goes where the event before went.
            Piece::LineFeed if *removed => changed = true,
            Piece::LineFeed => out.push(b'\n'),
            Piece::Part(bytes) | Piece::Rest(bytes) => out.extend_from_slice(bytes),
        };
        events.feed(chunk, &mut sink);
        if end_of_stream {
            events.finish(&mut sink);
        }
        (changed || held_before || events.held() > 0).then_some(out)
    }

    /// A held response is complete.
    ///
    /// # Errors
    /// The rejection that takes its place.
    pub fn whole<'h>(
        &self,
        routed: &Routed,
        answer: &mut Answer,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
        body: &[u8],
        env: &mut dyn Env,
    ) -> Result<Whole, Rejection> {
        answer.way = Way::Pass;
        answer.ended = true;
        answer.observe(body, env);
        let nothing = || Whole { headers: Vec::new(), body: None };
        let mut members = Members::new(&self.response_wanted);
        let readable = u64::try_from(body.len()).unwrap_or(u64::MAX) <= self.options.response_max_bytes
            && members.feed(&self.response_wanted, body).and_then(|()| members.finish()).is_ok();
        if !readable {
            return self.unreadable(routed, env).map(|()| nothing());
        }
        let mut head = Head::default();
        for (name, value) in headers {
            head.take(&self.response_headers, name, value);
        }
        let mut full = FullResponse::new(Response::new(&head, &routed.state), &members, body);
        let mut result = Ok(());
        let plugins = self.chains(routed).flat_map(|chain| &chain.bodies).map(|plugin| &plugin.installed);
        timed(plugins, Some(env), |plugin| {
            if result.is_ok() {
                result = plugin.process(&mut full);
            }
        });
        result?;
        let (headers, body) = full.finish();
        Ok(Whole { headers, body })
    }

    /// Whether a held response is too large to go on being held, by the bytes that are there.
    pub fn outgrew(&self, size: usize) -> bool {
        u64::try_from(size).unwrap_or(u64::MAX) > self.options.response_max_bytes
    }

    /// A held response is not held any more.
    pub fn let_go(&self, answer: &mut Answer) {
        answer.way = Way::Pass;
    }

    /// Whether something is accounted for, or learned, when the request has ended.
    pub fn accounts(&self, routed: &Routed) -> bool {
        routed.account.is_some() || self.learns(routed)
    }

    /// Whether somebody wants to know the tokens of a request that is accounted for, or what else stands in its response.
    fn counts_tokens(&self, routed: &Routed) -> bool {
        routed.account.is_some() && self.options.responses.tokens || self.learns_of_bodies(routed)
    }

    /// A request has ended, however it did: accounts for it, and lets the figures of its model learn from it. Nothing if
    /// it is not observed, or was accounted for.
    ///
    /// `details` are Envoy's response code details: they tell a model server's response from a local reply, and a
    /// client that left from a model server that did.
    pub fn account_for(
        &self,
        routed: &mut Routed,
        answer: Option<Answer>,
        details: &[u8],
        env: &mut dyn Env,
    ) -> Option<Finished> {
        let account = routed.account.take();
        let client_left = details.starts_with(b"downstream") || details.starts_with(b"http2.remote");
        let Some(Answer { watch, status, streamed, first_content_ns, ended, .. }) = answer else {
            let outcome = if client_left { Outcome::Aborted } else { Outcome::Unanswered };
            let shown = Shown::default();
            self.learn(routed, outcome, &shown, false, details, env);
            return Some(self.observation.as_ref()?.end(*account?, outcome, shown, env));
        };
        let seen = watch.map(Watch::finish);
        let failed =
            status.is_none_or(|status| status >= 400) || seen.as_ref().is_some_and(|seen| seen.reading.error);
        let outcome = match ended {
            true if details != b"via_upstream" => Outcome::Unanswered,
            true if failed => Outcome::Error,
            true => Outcome::Ok,
            false if client_left => Outcome::Aborted,
            false => Outcome::Reset,
        };
        let status = status.filter(|_| outcome != Outcome::Unanswered);
        let shown = Shown { status, seen, first_content_ns };
        self.learn(routed, outcome, &shown, streamed, details, env);
        Some(self.observation.as_ref()?.end(*account?, outcome, shown, env))
    }

    /// The name of a profile by its index.
    pub fn profile_name(&self, index: usize) -> &str {
        self.parts.names.get(index).map_or("", String::as_str)
    }
}

/// Runs plugins one after another, and times them if there is a world. One reading of the clock serves as the end of
/// one and the start of the next.
fn timed<'p, T: ?Sized + 'p>(
    plugins: impl Iterator<Item = &'p Installed<T>>,
    mut env: Option<&mut dyn Env>,
    mut run: impl FnMut(&T),
) {
    let mut clock = None;
    for installed in plugins {
        let Some(env) = env.as_deref_mut() else {
            run(&installed.plugin);
            continue;
        };
        let start = clock.unwrap_or_else(|| env.now_ns());
        run(&installed.plugin);
        let now = env.now_ns();
        let duration: MetricId = installed.duration;
        env.record(duration, now.saturating_sub(start));
        clock = Some(now);
    }
}
