//! A guest that is a compiled module, in wasmtime. The only file that knows a wasm runtime.

pub mod engine;

use std::fmt::Display;
use std::path::{Path, PathBuf};

use wasmtime::{
    Caller, Config, Engine, Error, Func, InstancePre, Linker, Memory as Linear, Module, Result, Store,
    StoreLimits, StoreLimitsBuilder, TypedFunc, Val,
};

use super::abi::{self, Memory, wasi};
use super::guest::{Callback, Guest, Trap};
use super::host::Handle;
use crate::message::sha256_hex;

/// Addresses and sizes in WebAssembly.
type Word = u32;

/// What one call may use up, about a second of work. An endless loop would stop a worker of Envoy for good (section
/// 7.4); here it is a trap.
const FUEL: u64 = 5_000_000_000;

/// Envoy's limit: `--wasm_max_mem_pages=16384` (section 7.4).
const MOST_MEMORY: usize = 1 << 30;

/// How many compiled modules are kept; one takes some megabytes.
const MOST_KEPT: usize = 16;

/// A module, compiled and linked. Any number of VMs can be made of it.
#[derive(Clone)]
pub struct Compiled(InstancePre<State>);

/// A VM that runs it.
pub struct Wasm {
    store: Store<State>,
    functions: Vec<(&'static str, Option<Func>)>,
    instance: wasmtime::Instance,
    trap: Option<Trap>,
}

/// What host functions know of their VM.
struct State {
    handle: Handle,
    memory: Option<Linear>,
    allocate: Option<TypedFunc<u32, u32>>,
    limits: StoreLimits,
    /// `_initialize` runs, in which only `proxy_log` is allowed (section 7.5).
    starting: bool,
    /// Memory was asked for, and the guest trapped.
    failed: Option<Error>,
    chance: u64,
}

impl Compiled {
    /// Compiles a module, or takes what an earlier run left of it in the folder `cache`.
    ///
    /// # Errors
    /// It cannot be read, compiled or linked, or it is not a module of ABI 0.2.
    pub fn load(file: &Path, cache: Option<&Path>) -> Result<Self, String> {
        let told = |what: &str, error: &dyn Display| format!("{}: {what}: {error}", file.display());
        let bytes = std::fs::read(file).map_err(|error| told("reading the module", &error))?;
        let mut config = Config::new();
        config.consume_fuel(true);
        let engine = Engine::new(&config).map_err(|error| told("starting wasmtime", &error))?;
        let kept = cache.map(|folder| folder.join(format!("{}.cwasm", sha256_hex(&bytes))));
        let module = match kept.as_deref().and_then(|kept| take(&engine, kept)) {
            Some(module) => module,
            None => {
                let module = Module::new(&engine, &bytes)
                    .map_err(|error| told("compiling the module", &format!("{error:#}")))?;
                if let Some(kept) = &kept {
                    keep(&module, kept);
                }
                module
            }
        };
        let of_abi = |name: &str| module.get_export(name).is_some();
        if !["proxy_abi_version_0_2_1", "proxy_abi_version_0_2_0"].into_iter().any(of_abi) {
            return Err(told("loading the module", &"it is not of proxy-wasm ABI 0.2"));
        }
        let linked = linker(&engine).and_then(|linker| linker.instantiate_pre(&module));
        Ok(Self(linked.map_err(|error| told("linking the module", &format!("{error:#}")))?))
    }

    /// Starts a VM. `seed` is where its chance comes from.
    ///
    /// # Errors
    /// It trapped while it started.
    pub fn start(&self, handle: Handle, seed: u64) -> Result<Wasm, Trap> {
        let limits = StoreLimitsBuilder::new().memory_size(MOST_MEMORY).build();
        let (memory, allocate, failed) = (None, None, None);
        let state = State { handle, memory, allocate, limits, starting: true, failed, chance: seed };
        let mut store = Store::new(self.0.module().engine(), state);
        store.limiter(|state| &mut state.limits);
        let start = || -> Result<wasmtime::Instance> {
            store.set_fuel(FUEL)?;
            let instance = self.0.instantiate(&mut store)?;
            let memory = instance.get_memory(&mut store, "memory");
            let allocate = instance
                .get_typed_func(&mut store, "proxy_on_memory_allocate")
                .or_else(|_| instance.get_typed_func(&mut store, "malloc"));
            store.data_mut().memory = memory;
            store.data_mut().allocate = allocate.ok();
            if let Ok(initialize) = instance.get_typed_func::<(), ()>(&mut store, "_initialize") {
                initialize.call(&mut store, ())?;
            }
            Ok(instance)
        };
        let instance = { start }().map_err(|error| trap("_initialize", &error))?;
        store.data_mut().starting = false;
        Ok(Wasm { store, functions: Vec::new(), instance, trap: None })
    }
}

/// Where compiled modules are kept: `$IPP_CACHE`, else in the workspace's `target`, else with the user's caches. Never
/// in a folder that others may write to: what is there is run.
pub fn cache() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("IPP_CACHE") {
        return Some(folder.into());
    }
    let target = crate::artifacts::workspace().join("target/ipp");
    if target.is_dir() {
        return Some(target.join("cache"));
    }
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    Some(std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home)?.join("ipp"))
}

fn take(engine: &Engine, kept: &Path) -> Option<Module> {
    if !kept.is_file() {
        return None;
    }
    // SAFETY: the folder is the user's own, and only `keep` writes such files. wasmtime refuses what another version
    // or configuration of it has left, and then the module is compiled anew.
    unsafe { Module::deserialize_file(engine, kept) }.ok()
}

/// Not being able to keep it costs time only.
fn keep(module: &Module, kept: &Path) {
    let Some(folder) = kept.parent() else { return };
    let Ok(bytes) = module.serialize() else { return };
    // Others may be at it at the same time: a file is there completely or not at all.
    let part = kept.with_extension(format!("{}.part", std::process::id()));
    if std::fs::create_dir_all(folder).is_ok() && std::fs::write(&part, bytes).is_ok() {
        std::fs::rename(&part, kept).ok();
        prune(folder);
    }
}

/// Forgets the modules that were compiled longest ago.
fn prune(folder: &Path) {
    let Ok(files) = std::fs::read_dir(folder) else { return };
    let compiled = |file: &std::fs::DirEntry| file.path().extension().is_some_and(|own| own == "cwasm");
    let mut files: Vec<_> = files.filter_map(Result::ok).filter(compiled).collect();
    files.sort_by_key(|file| file.metadata().and_then(|known| known.modified()).ok());
    for file in files.iter().rev().skip(MOST_KEPT) {
        std::fs::remove_file(file.path()).ok();
    }
}

/// What happened first, then where.
fn trap(function: &str, error: &Error) -> Trap {
    Trap(format!("Function: {function} failed: {}\n{error}", error.root_cause()))
}

impl Guest for Wasm {
    fn call(&mut self, callback: Callback) -> Result<u32, Trap> {
        if let Some(trap) = &self.trap {
            return Err(trap.clone());
        }
        let name = callback.export();
        let function = match self.functions.iter().find(|(own, _)| *own == name) {
            Some((_, function)) => *function,
            None => {
                let function = self.instance.get_func(&mut self.store, name);
                self.functions.push((name, function));
                function
            }
        };
        let Some(function) = function else { return Ok(callback.answer_of_none()) };
        let arguments: Vec<Val> =
            callback.arguments().into_iter().map(|number| Val::I32(number.cast_signed())).collect();
        let mut answer = [Val::I32(0)];
        let answers = if callback.answers() { &mut answer[..] } else { &mut [] };
        let called =
            self.store.set_fuel(FUEL).and_then(|()| function.call(&mut self.store, &arguments, answers));
        match called {
            Ok(()) => Ok(answer[0].unwrap_i32().cast_unsigned()),
            Err(error) => {
                let trap = trap(name, &error);
                self.trap = Some(trap.clone());
                Err(trap)
            }
        }
    }
}

/// The guest that makes a host call.
struct In<'a, 'b>(&'a mut Caller<'b, State>);

impl Memory for In<'_, '_> {
    const WORD: usize = size_of::<Word>();

    fn handle(&self) -> &Handle {
        &self.0.data().handle
    }

    fn read(&mut self, at: u64, size: u64) -> Option<Vec<u8>> {
        let from = usize::try_from(at).ok()?;
        let to = from.checked_add(usize::try_from(size).ok()?)?;
        Some(self.0.data().memory?.data(&*self.0).get(from..to)?.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let (Some(memory), Ok(at)) = (self.0.data().memory, usize::try_from(at)) else { return false };
        memory.write(&mut *self.0, at, bytes).is_ok()
    }

    fn allocate(&mut self, size: u64) -> Option<u64> {
        let allocate = self.0.data().allocate.clone()?;
        match allocate.call(&mut *self.0, u32::try_from(size).ok()?) {
            Ok(0) => None,
            Ok(at) => Some(u64::from(at)),
            Err(error) => {
                self.0.data_mut().failed = Some(error);
                None
            }
        }
    }
}

/// Runs a host function, unless the guest may not call it now, and traps where it made the guest trap.
fn enter(
    caller: &mut Caller<'_, State>,
    name: &str,
    call: impl FnOnce(&mut In<'_, '_>) -> u32,
) -> Result<u32> {
    if caller.data().starting && name != "proxy_log" {
        return Err(Error::msg(format!("{name} is not allowed in _initialize")));
    }
    let answer = call(&mut In(caller));
    match caller.data_mut().failed.take() {
        Some(error) => Err(error),
        None => Ok(answer),
    }
}

macro_rules! define {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {
        fn proxy(linker: &mut Linker<State>) -> Result<()> {
            $(
                linker.func_wrap(
                    "env",
                    stringify!($name),
                    |mut caller: Caller<'_, State>, $($argument: $type),*| {
                        enter(&mut caller, stringify!($name), |guest| {
                            abi::number(abi::$name(guest, $($argument.into()),*))
                        })
                    },
                )?;
            )*
            Ok(())
        }
    };
}

abi::imports!(define);

fn linker(engine: &Engine) -> Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    proxy(&mut linker)?;
    for module in ["wasi_snapshot_preview1", "wasi_unstable"] {
        system(&mut linker, module)?;
    }
    Ok(linker)
}

/// The part of WASI that proxy-wasm has and Rust needs.
fn system(linker: &mut Linker<State>, module: &str) -> Result<()> {
    linker.func_wrap(
        module,
        "fd_write",
        |mut caller: Caller<'_, State>, file: u32, parts: u32, count: u32, written: u32| {
            wasi::fd_write(&mut In(&mut caller), file, parts.into(), count.into(), written.into())
        },
    )?;
    linker.func_wrap(
        module,
        "clock_time_get",
        |mut caller: Caller<'_, State>, clock: u32, _precision: u64, time: u32| {
            wasi::clock_time_get(&mut In(&mut caller), clock, time.into())
        },
    )?;
    linker.func_wrap(module, "random_get", |mut caller: Caller<'_, State>, at: u32, size: u32| {
        let mut chance = caller.data().chance;
        let status = wasi::random_get(&mut In(&mut caller), at.into(), size.into(), || next(&mut chance));
        caller.data_mut().chance = chance;
        status
    })?;
    for name in ["environ_sizes_get", "args_sizes_get"] {
        linker.func_wrap(module, name, |mut caller: Caller<'_, State>, count: u32, size: u32| {
            wasi::none(&mut In(&mut caller), count.into(), size.into())
        })?;
    }
    for name in ["environ_get", "args_get"] {
        linker.func_wrap(module, name, |_: u32, _: u32| 0_u32)?;
    }
    linker.func_wrap(module, "proc_exit", |code: u32| -> Result<()> {
        Err(Error::msg(format!("the guest ended itself with code {code}")))
    })?;
    Ok(())
}

/// Steele, Lea and Flood's SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
