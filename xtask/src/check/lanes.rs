//! Runs parts of tiers beside each other, since most of their time is waiting, and those that need a quiet machine alone.

use std::collections::VecDeque;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::counted::Sink;
use super::counts::Counts;
use super::tier::Tier;
use crate::stop::Result;

type Work<'a> = Box<dyn FnOnce(&Sink, &mut Counts) -> Result<()> + Send + 'a>;

/// A piece of a tier that depends on no other.
pub struct Part<'a> {
    tier: Tier,
    title: String,
    /// About how many seconds it takes: the longest begin first. It judges nothing.
    weight: u32,
    alone: bool,
    work: Work<'a>,
}

impl<'a> Part<'a> {
    pub fn new(
        tier: Tier,
        title: impl Into<String>,
        weight: u32,
        work: impl FnOnce(&Sink, &mut Counts) -> Result<()> + Send + 'a,
    ) -> Self {
        Self { tier, title: title.into(), weight, alone: false, work: Box::new(work) }
    }

    /// The tier and what of it this is.
    pub fn name(&self) -> String {
        format!("{}: {}", self.tier.name(), self.title)
    }

    /// Nothing of ours runs beside it.
    pub fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    fn run(self) -> Done {
        let name = self.name();
        let (started, sink, mut counts) = (Instant::now(), Sink::kept(), Counts::default());
        let trouble = (self.work)(&sink, &mut counts).err().map(|stop| stop.to_string());
        Done { tier: self.tier, name, counts, trouble, time: started.elapsed(), said: sink.into_bytes() }
    }
}

/// What became of a part.
pub struct Done {
    pub tier: Tier,
    pub name: String,
    pub counts: Counts,
    pub trouble: Option<String>,
    pub time: Duration,
    /// All that it said.
    pub said: Vec<u8>,
}

/// How many parts run at once: one more than there are cores, because somebody always waits, but not so many that
/// what a test waits for comes too late.
pub fn lanes() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).saturating_add(1).min(6)
}

/// Runs them all. `done` is told of each as it ends, by one thread.
pub fn run(parts: Vec<Part<'_>>, lanes: usize, mut done: impl FnMut(Done)) {
    let (alone, mut beside): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| part.alone);
    beside.sort_by_key(|part| std::cmp::Reverse(part.weight));
    let queue = Mutex::new(VecDeque::from(beside));
    std::thread::scope(|scope| {
        let (sender, receiver) = channel();
        for _ in 0..lanes {
            let (queue, sender) = (&queue, sender.clone());
            scope.spawn(move || lane(queue, &sender));
        }
        drop(sender);
        receiver.into_iter().for_each(&mut done);
    });
    alone.into_iter().map(Part::run).for_each(done);
}

fn lane<'a>(queue: &Mutex<VecDeque<Part<'a>>>, sender: &Sender<Done>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        let Some(part) = next else { return };
        // The receiver lives as long as the lanes do.
        let _ = sender.send(part.run());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::stop::Stop;

    #[test]
    fn each_part_runs_once_and_its_words_stay_its_own() {
        let parts = (0..20).map(|number| {
            Part::new(Tier::Envoy, number.to_string(), number, move |sink, counts| {
                sink.line(format!("it is {number}"));
                *counts += Counts::one(number != 7);
                if number == 8 { Err(Stop::new("eight")) } else { Ok(()) }
            })
        });
        let mut all = Vec::new();
        run(parts.collect(), 3, |done| all.push(done));
        all.sort_by_key(|done| done.name.trim_start_matches("envoy: ").parse::<u32>().expect("a number"));
        assert_eq!(all.len(), 20);
        for (number, done) in all.iter().enumerate() {
            assert_eq!(String::from_utf8_lossy(&done.said), format!("it is {number}\n"));
            assert_eq!(done.counts.failed, u64::from(number == 7));
            assert_eq!(done.trouble.is_some(), number == 8);
        }
    }

    #[test]
    fn no_more_than_the_lanes_run_at_once_and_alone_is_alone() {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let part = |alone: bool| {
            let (running, most) = (&running, &most);
            let part = Part::new(Tier::Envoy, "", 0, move |_, _| {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(now, Ordering::SeqCst);
                assert!(!alone || now == 1);
                std::thread::sleep(Duration::from_millis(10));
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            });
            if alone { part.alone() } else { part }
        };
        run((0..12).map(|number| part(number % 4 == 0)).collect(), 3, |_| {});
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }
}
