//! What VMs share: values with compare-and-swap, and queues.

use std::collections::{BTreeMap, VecDeque};

use super::VmIndex;
use super::status::{Answer, Status};

/// Values by VM id and key. VMs with the same id share them, whatever code they run (section 4.4).
#[derive(Debug, Default)]
pub(super) struct SharedData {
    values: BTreeMap<(String, Vec<u8>), (Vec<u8>, u32)>,
    last_cas: u32,
}

impl SharedData {
    pub(super) fn get(&self, vm_id: &str, key: &[u8]) -> Answer<(Vec<u8>, u32)> {
        self.values.get(&(vm_id.to_owned(), key.to_vec())).cloned().ok_or(Status::NotFound)
    }

    /// Section 4.4: "cas=0 always overwrites; a *missing* key ignores cas, so two creators both win".
    pub(super) fn set(&mut self, vm_id: &str, key: &[u8], value: &[u8], cas: u32) -> Answer<()> {
        let place = (vm_id.to_owned(), key.to_vec());
        if self.values.get(&place).is_some_and(|(_, known)| cas != 0 && cas != *known) {
            return Err(Status::CasMismatch);
        }
        // 0 is no valid number: it means "whatever there is".
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.values.insert(place, (value.to_vec(), self.last_cas));
        Ok(())
    }
}

/// Queues by token. Tokens are the whole process's, names a VM id's.
#[derive(Debug, Default)]
pub(super) struct Queues {
    tokens: BTreeMap<(String, Vec<u8>), u32>,
    queues: BTreeMap<u32, Queue>,
}

#[derive(Debug)]
struct Queue {
    consumer: (VmIndex, u32),
    items: VecDeque<Vec<u8>>,
}

/// Something is in a queue, and its consumer has to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wake {
    /// The consumer's VM.
    pub vm: VmIndex,
    /// The consumer's root context.
    pub root: u32,
    /// The queue's token.
    pub queue: u32,
}

impl Queues {
    /// Section 4.4: "registering again moves the callback to the last registrant"; what is in the queue stays.
    pub(super) fn register(&mut self, vm_id: &str, name: &[u8], vm: VmIndex, root: u32) -> u32 {
        let free = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX).saturating_add(1);
        let token = *self.tokens.entry((vm_id.to_owned(), name.to_vec())).or_insert(free);
        let consumer = (vm, root);
        let queue = self.queues.entry(token).or_insert_with(|| Queue { consumer, items: VecDeque::new() });
        queue.consumer = consumer;
        token
    }

    pub(super) fn resolve(&self, vm_id: &str, name: &[u8]) -> Answer<u32> {
        self.tokens.get(&(vm_id.to_owned(), name.to_vec())).copied().ok_or(Status::NotFound)
    }

    pub(super) fn dequeue(&mut self, token: u32) -> Answer<Vec<u8>> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.pop_front().ok_or(Status::Empty)
    }

    /// The consumer is told on its own thread, after the callback that did this (`SharedQueue::enqueue` posts).
    pub(super) fn enqueue(&mut self, token: u32, item: &[u8]) -> Answer<Wake> {
        let queue = self.queues.get_mut(&token).ok_or(Status::NotFound)?;
        queue.items.push_back(item.to_vec());
        let (vm, root) = queue.consumer;
        Ok(Wake { vm, root, queue: token })
    }
}
