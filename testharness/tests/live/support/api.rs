//! An API server that answers as it was told last, and notes when it was asked.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use ipp_testharness::answer::{Answer, Pause, Step};
use ipp_testharness::upstream::{Log, Recorded, Upstream};

type Say = Box<dyn Fn(&Recorded) -> Answer + Send>;

/// The server.
pub(crate) struct Api {
    pub(crate) upstream: Upstream,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    say: Say,
    asked: Vec<(Instant, String)>,
}

impl Api {
    /// One that answers 500 to everything.
    pub(crate) fn start() -> Result<Self> {
        let say: Say = Box::new(|_| Answer::status(500));
        let inner = Arc::new(Mutex::new(Inner { say, asked: Vec::new() }));
        let shared = Arc::clone(&inner);
        let upstream = Upstream::start("kube-api", &Log::new(), move |request| {
            let mut inner = shared.lock().unwrap_or_else(PoisonError::into_inner);
            inner.asked.push((Instant::now(), request.path.clone()));
            (inner.say)(request)
        })?;
        Ok(Self { upstream, inner })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it answers so.
    pub(crate) fn says(&self, say: impl Fn(&Recorded) -> Answer + Send + 'static) {
        self.lock().say = Box::new(say);
    }

    /// From now on it answers this document.
    pub(crate) fn serves(&self, document: impl Into<String>) {
        let document = document.into();
        self.says(move |_| Answer::body(200, "application/json", document.clone()));
    }

    /// When it was asked for paths that begin so.
    pub(crate) fn asked(&self, path: &str) -> Vec<Instant> {
        let asked = self.lock();
        asked.asked.iter().filter(|(_, known)| known.starts_with(path)).map(|(at, _)| *at).collect()
    }

    /// How often it was asked.
    pub(crate) fn count(&self) -> usize {
        self.lock().asked.len()
    }
}

/// Counts answers that are under way, and the most there ever were at once.
#[derive(Clone, Default)]
pub(crate) struct Crowd(Arc<(AtomicUsize, AtomicUsize)>);

impl Crowd {
    /// The answer, after some time in which it counts.
    pub(crate) fn slow(&self, answer: Answer, time: Duration) -> Answer {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        let crowd = self.clone();
        answer.first(Step::Await(Pause::new(move || {
            let crowd = crowd.clone();
            async move {
                tokio::time::sleep(time).await;
                crowd.0.0.fetch_sub(1, Ordering::SeqCst);
            }
        })))
    }

    /// The most at once.
    pub(crate) fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}
