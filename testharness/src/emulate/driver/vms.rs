//! VMs: they start, run callbacks, trap, and start again.

use std::time::SystemTime;

use super::live::{Faults, Place, Stage};
use super::{Filter, Launch, Proxy, VmSpec};
use crate::emulate::guest::{Callback, Guest};
use crate::emulate::host::{After, Handle, Level, Plugin, Vm, VmIndex, lock};

/// A VM's place, which a new VM takes after a trap.
pub(super) struct Machine {
    id: String,
    configuration: Vec<u8>,
    launch: Launch,
    guest: Option<Box<dyn Guest>>,
    /// How many VMs were in this place before.
    pub(super) generation: u32,
    failed: Option<SystemTime>,
}

/// A filter of the chain with its root context.
pub(super) struct Attached {
    pub(super) vm: VmIndex,
    pub(super) root: u32,
    plugin: Plugin,
    /// The period of its ticks and when the next one is due.
    pub(super) tick: Option<(u32, SystemTime)>,
}

/// What a callback answered and asked for.
pub(super) struct Called {
    pub(super) answer: u32,
    pub(super) stopped: bool,
    pub(super) after: Vec<(u32, After)>,
}

impl Proxy {
    pub(super) fn attach(&mut self, vms: Vec<VmSpec>, filters: Vec<Filter>) -> Result<(), String> {
        for VmSpec { id, configuration, launch } in vms {
            self.machines.push(Machine {
                id,
                configuration,
                launch,
                guest: None,
                generation: 0,
                failed: None,
            });
            lock(&self.host).vms.push(Vm::default());
        }
        for Filter { vm, plugin } in filters {
            self.filters.push(Attached { vm, root: 0, plugin, tick: None });
        }
        for vm in 0..self.machines.len() {
            self.boot(vm)?;
        }
        Ok(())
    }

    /// A new VM, and in it a root context for each filter that runs there. Per root: `on_context_create`, `on_vm_start`,
    /// `on_configure` (sections 4.1, 4.2). There is no canary and one worker.
    fn boot(&mut self, vm: VmIndex) -> Result<(), String> {
        let machine = &mut self.machines[vm];
        machine.failed = None;
        machine.generation += 1;
        lock(&self.host).vms[vm] = Vm::new(&machine.id, &machine.configuration);
        let guest = (machine.launch)(Handle::new(&self.host, vm)).map_err(|trap| trap.0)?;
        machine.guest = Some(guest);
        for filter in 0..self.filters.len() {
            if self.filters[filter].vm == vm {
                self.configure(filter)?;
            }
        }
        Ok(())
    }

    fn configure(&mut self, filter: usize) -> Result<(), String> {
        let Attached { vm, plugin, .. } = &self.filters[filter];
        let (vm, plugin) = (*vm, plugin.clone());
        let size = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let configuration = size(&plugin.configuration);
        let vm_configuration = size(&self.machines[vm].configuration);
        let root = lock(&self.host).vms[vm].add(None, None, plugin);
        self.filters[filter].root = root;
        self.filters[filter].tick = None;
        let mut told = Faults::default();
        let mut yes = true;
        for callback in [
            Callback::Create { context: root, root: 0 },
            Callback::VmStart { root, size: vm_configuration },
            Callback::Configure { root, size: configuration },
        ] {
            self.configuring(vm, root, matches!(callback, Callback::Configure { .. }));
            let called = self.call(vm, callback, None);
            self.configuring(vm, root, false);
            told.append(&mut self.stray);
            yes &= match called {
                Some(called) => !callback.answers() || called.answer != 0,
                None => false,
            };
            if !yes {
                let why = told.traps.iter().chain(&told.errors).cloned().collect::<Vec<_>>();
                return Err(why.join("\n"));
            }
        }
        self.stray = told;
        Ok(())
    }

    fn configuring(&self, vm: VmIndex, root: u32, yes: bool) {
        if let Some(context) = lock(&self.host).vms[vm].contexts.get_mut(&root) {
            context.configuring = yes;
        }
    }

    /// Before a new stream: a VM that trapped is replaced when its time has come (section 7.1, FAIL_RELOAD).
    pub(super) fn revive(&mut self) {
        let now = self.now();
        for vm in 0..self.machines.len() {
            let (failed, backoff) = (self.machines[vm].failed, self.settings.reload);
            let due = failed.zip(backoff).is_some_and(|(failed, backoff)| failed + backoff <= now);
            if due && let Err(why) = self.boot(vm) {
                self.machines[vm].failed = Some(now);
                self.stray.traps.push(why);
            }
        }
    }

    /// Whether callbacks reach that VM.
    pub(super) fn runs(&self, vm: VmIndex) -> bool {
        self.machines[vm].failed.is_none() && self.machines[vm].guest.is_some()
    }

    /// Whether callbacks of that stage reach the VM that knows it.
    pub(super) fn reaches(&self, stage: &Stage) -> bool {
        self.runs(stage.vm) && self.machines[stage.vm].generation == stage.generation
    }

    /// Runs a callback; nothing if the VM has trapped, before or now. What it logs and how it traps is told with the
    /// stream.
    pub(super) fn call(&mut self, vm: VmIndex, callback: Callback, stream: Option<usize>) -> Option<Called> {
        if !self.runs(vm) {
            return None;
        }
        lock(&self.host).vms[vm].enter(callback.context());
        let answer = self.machines[vm].guest.as_mut()?.call(callback);
        let mut host = lock(&self.host);
        let (stopped, after) = host.vms[vm].leave();
        let lines = std::mem::take(&mut host.lines);
        let now = host.now;
        drop(host);
        if let Some(live) = stream.and_then(|stream| self.streams.get_mut(stream)) {
            live.callbacks.push((vm, callback));
        }
        for line in lines {
            let faults = self.faults(line.stream.or(stream));
            match line.level {
                // The SDK logs panics so, and nothing else.
                Level::Critical => faults.traps.push(line.text),
                Level::Error => faults.errors.push(line.text),
                _ => {}
            }
        }
        match answer {
            Ok(answer) => Some(Called { answer, stopped, after }),
            Err(trap) => {
                self.machines[vm].failed = Some(now);
                self.machines[vm].guest = None;
                self.faults(stream).traps.push(trap.0);
                None
            }
        }
    }

    /// Runs a callback of a root context.
    pub(super) fn call_root(&mut self, vm: VmIndex, callback: Callback) {
        if let Some(called) = self.call(vm, callback, None) {
            self.settle(vm, called.after);
        }
    }

    /// Does what a callback asked for, now that it has returned.
    pub(super) fn settle(&mut self, vm: VmIndex, after: Vec<(u32, After)>) {
        for (context, asked) in after {
            let stream = lock(&self.host).vms[vm].contexts.get(&context).and_then(|known| known.stream);
            let Some(stream) = stream else { continue };
            match asked {
                After::Reply(reply) => self.reply(stream, &reply),
                After::Close => self.cut(stream, "wasm_close_stream", 0),
                After::Continue(side) => {
                    if let Some(number) = self.streams[stream].number_of(vm, context, side) {
                        self.resume(Place { stream, of: side, number });
                    }
                }
            }
        }
    }

    /// Where faults are told: with their stream as long as it is there.
    pub(super) fn faults(&mut self, stream: Option<usize>) -> &mut Faults {
        match stream.and_then(|stream| self.streams.get_mut(stream)) {
            Some(live) if live.ended.is_none() => &mut live.faults,
            _ => &mut self.stray,
        }
    }

    /// The tick that is due next, and whose.
    pub(super) fn next_tick(&mut self) -> Option<(SystemTime, usize)> {
        let now = self.now();
        let mut next: Option<(SystemTime, usize)> = None;
        for (number, filter) in self.filters.iter_mut().enumerate() {
            let host = lock(&self.host);
            let period = host.vms[filter.vm].contexts.get(&filter.root).map_or(0, |root| root.period);
            filter.tick = match filter.tick {
                _ if period == 0 => None,
                Some((known, due)) if known == period => Some((known, due)),
                _ => Some((period, now + std::time::Duration::from_millis(period.into()))),
            };
            if let Some((_, due)) = filter.tick
                && next.is_none_or(|(at, _)| due < at)
            {
                next = Some((due, number));
            }
        }
        next
    }

    /// Ticks, and arms the timer again afterwards (section 5).
    pub(super) fn tick(&mut self, filter: usize) {
        let Attached { vm, root, .. } = self.filters[filter];
        self.filters[filter].tick = None;
        self.call_root(vm, Callback::Tick { root });
        if !self.runs(vm) {
            // A VM that is gone does not tick.
            if let Some(context) = lock(&self.host).vms[vm].contexts.get_mut(&root) {
                context.period = 0;
            }
        }
    }

    /// Tells consumers of what is in their queues.
    pub(super) fn deliver_wakes(&mut self) {
        loop {
            let wake = lock(&self.host).wakes.pop_front();
            let Some(wake) = wake else { return };
            self.call_root(wake.vm, Callback::QueueReady { root: wake.root, queue: wake.queue });
        }
    }
}
