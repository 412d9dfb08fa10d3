//! A server that serves so many requests at the same time and lets the others wait, in the order in which they came.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::answer::{Answer, Pause, Step};

/// How many requests a server takes at once, and how long one takes until its first token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slots {
    /// Requests that are served at the same time.
    pub count: usize,
    /// From the slot to the first token.
    pub prefill: Duration,
}

/// The slots of one server, and who waits for them.
#[derive(Debug)]
pub(super) struct Queue {
    slots: Slots,
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
}

/// One that waits. It counts until it has its slot, or has left.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Queue {
    pub(super) fn new(slots: Slots) -> Self {
        Self { slots, free: Arc::new(Semaphore::new(slots.count)), waiting: Arc::default() }
    }

    pub(super) fn running(&self) -> usize {
        self.slots.count.saturating_sub(self.free.available_permits())
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// The answer, once there is a slot for it, which it gives back with its last byte; or when nobody reads it any more,
    /// since it goes with the answer.
    pub(super) fn serve(&self, answer: Answer) -> Answer {
        let slot: Arc<Mutex<Option<OwnedSemaphorePermit>>> = Arc::default();
        let (free, waiting, taken) = (Arc::clone(&self.free), Arc::clone(&self.waiting), Arc::clone(&slot));
        let take = move || {
            waiting.fetch_add(1, Ordering::Relaxed);
            let (queued, free, taken) =
                (Waiting(Arc::clone(&waiting)), Arc::clone(&free), Arc::clone(&taken));
            async move {
                // The semaphore is never closed.
                let permit = free.acquire_owned().await.ok();
                drop(queued);
                *taken.lock().unwrap_or_else(PoisonError::into_inner) = permit;
            }
        };
        let give = move || {
            drop(slot.lock().unwrap_or_else(PoisonError::into_inner).take());
            std::future::ready(())
        };
        answer
            .first(Step::Await(Pause::new(take)))
            .first(Step::Sleep(self.slots.prefill))
            .then(Step::Await(Pause::new(give)))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Result;

    use super::*;
    use crate::wait::until;

    async fn take(steps: &[Step]) {
        for step in steps {
            if let Step::Await(pause) = step {
                pause.over().await;
            }
        }
    }

    #[tokio::test]
    async fn the_second_waits_for_the_first_and_a_slot_goes_with_its_answer() -> Result<()> {
        let queue = Arc::new(Queue::new(Slots { count: 1, prefill: Duration::ZERO }));
        let state = || (queue.running(), queue.waiting());
        let (first, second) = (queue.serve(Answer::status(200)), queue.serve(Answer::status(200)));
        assert_eq!(state(), (0, 0));
        take(&first.before).await;
        assert_eq!(state(), (1, 0));
        let waiting = tokio::spawn(async move {
            take(&second.before).await;
            second
        });
        until("the second to wait", async || Ok((state() == (1, 1)).then_some(()))).await?;
        take(&first.steps).await;
        let second = waiting.await?;
        assert_eq!(state(), (1, 0));
        // Nobody reads it to its end.
        drop(second);
        assert_eq!(state(), (0, 0));
        // One that leaves the queue is not waited for.
        take(&first.before).await;
        let third = queue.serve(Answer::status(200));
        let waiting = tokio::spawn(async move { take(&third.before).await });
        until("the third to wait", async || Ok((state() == (1, 1)).then_some(()))).await?;
        waiting.abort();
        until("the third to leave", async || Ok((state() == (1, 0)).then_some(()))).await
    }
}
