//! Runs recordings on engines, several at a time, and hands them on in order.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError, mpsc};
use std::time::Instant;

use crate::recording::{EngineKind, Recording};

use super::engine::{Engine, EngineError, Ran, Role};
use super::outcome::Finished;

/// What to run, and how.
pub struct Plan<'a> {
    /// The recordings, in the order of the report.
    pub recordings: &'a [Recording],
    /// The engines that were asked for, in the order of the report.
    pub engines: &'a [Box<dyn Engine>],
    /// How the module is attached.
    pub role: Role,
    /// Start nothing more after a failure.
    pub fail_fast: bool,
}

/// Runs them all. `handle` gets every recording in order; it is called as soon as those before it are done.
pub fn run<'a>(plan: &Plan<'a>, mut handle: impl FnMut(Finished<'a>)) {
    let slots: Vec<Slots> = plan.engines.iter().map(|engine| Slots::new(engine.parallel())).collect();
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let workers = slots.iter().map(|slots| slots.total).sum::<usize>().clamp(1, plan.recordings.len().max(1));
    let (done, finished) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            let (done, slots, next, stop) = (done.clone(), &slots, &next, &stop);
            scope.spawn(move || {
                while let Some((at, recording)) = take(plan.recordings, next) {
                    let mut result = Finished::new(recording);
                    match stop.load(Ordering::Relaxed) {
                        true => result.skip("all", "not run, because of --fail-fast"),
                        false => run_one(plan, slots, &mut result),
                    }
                    if plan.fail_fast && result.failed() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    if done.send((at, result)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(done);
        let mut waiting = BTreeMap::new();
        let mut due = 0;
        for (at, result) in finished {
            waiting.insert(at, result);
            while let Some(result) = waiting.remove(&due) {
                handle(result);
                due += 1;
            }
        }
    });
}

fn take<'a>(recordings: &'a [Recording], next: &AtomicUsize) -> Option<(usize, &'a Recording)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    recordings.get(at).map(|recording| (at, recording))
}

fn run_one(plan: &Plan<'_>, slots: &[Slots], result: &mut Finished<'_>) {
    let recording = result.recording;
    for (engine, slots) in plan.engines.iter().zip(slots) {
        let kind = engine.kind();
        if !recording.engines.contains(&kind) {
            let runs_on: Vec<_> = recording.engines.iter().map(|kind: &EngineKind| kind.name()).collect();
            result.skip(kind.name(), &format!("the recording runs on {} only", runs_on.join(" and ")));
            continue;
        }
        slots.take();
        let start = Instant::now();
        let ran = on_its_own_thread(engine.as_ref(), recording, plan.role);
        let took = start.elapsed();
        slots.give_back();
        result.judge(kind, ran, took);
    }
    result.agree();
}

/// What an engine keeps for a thread, as the SDK does inside of the native one, ends with the recording.
fn on_its_own_thread(engine: &dyn Engine, recording: &Recording, role: Role) -> Result<Ran, EngineError> {
    let run = || {
        std::panic::catch_unwind(AssertUnwindSafe(|| engine.run(recording, role)))
            .unwrap_or_else(|panic| Err(EngineError(format!("it panicked: {}", text(panic.as_ref())))))
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name(recording.name.replace('\0', " "));
        match thread.spawn_scoped(scope, run) {
            Ok(thread) => thread.join().unwrap_or_else(|_| Err(EngineError("its thread died".to_owned()))),
            Err(error) => Err(EngineError(format!("no thread for it: {error}"))),
        }
    })
}

fn text(panic: &(dyn std::any::Any + Send)) -> &str {
    let owned = panic.downcast_ref::<String>().map(String::as_str);
    owned.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a message")
}

/// How many recordings an engine can still take.
struct Slots {
    total: usize,
    free: Mutex<usize>,
    freed: Condvar,
}

impl Slots {
    fn new(total: usize) -> Self {
        let total = total.max(1);
        Self { total, free: Mutex::new(total), freed: Condvar::new() }
    }

    fn take(&self) {
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let mut free = self.freed.wait_while(free, |free| *free == 0).unwrap_or_else(PoisonError::into_inner);
        *free -= 1;
    }

    fn give_back(&self) {
        *self.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.freed.notify_one();
    }
}
