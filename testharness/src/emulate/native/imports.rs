//! The host functions that the SDK and the filter import, defined in this process.

use super::{IN_HOST, OUTSIDE};
use crate::emulate::abi::{self, Memory};
use crate::emulate::host::{Answer, Handle, Status};

/// Addresses and sizes have this machine's width.
type Word = u64;

const _: () = assert!(size_of::<usize>() == size_of::<Word>(), "the native host needs a 64-bit machine");

unsafe extern "C" {
    /// Where memory for results comes from, as in the module. The guest frees it with its own allocator.
    fn proxy_on_memory_allocate(size: usize) -> *mut u8;
}

/// The guest in this thread. Its memory is this process's.
struct Here(Handle);

impl Memory for Here {
    const WORD: usize = size_of::<Word>();

    fn handle(&self) -> &Handle {
        &self.0
    }

    fn read(&mut self, at: u64, size: u64) -> Option<Vec<u8>> {
        if size == 0 {
            return Some(Vec::new());
        }
        let at = std::ptr::with_exposed_provenance::<u8>(usize::try_from(at).ok()?);
        // SAFETY: the address and the size come from the SDK or the filter, which pass slices that outlive the call.
        Some(unsafe { std::slice::from_raw_parts(at, usize::try_from(size).ok()?) }.to_vec())
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> bool {
        let Ok(at) = usize::try_from(at) else { return false };
        let at = std::ptr::with_exposed_provenance_mut::<u8>(at);
        // SAFETY: the address is that of a local variable which the SDK or the filter passes for a result of this
        // size, or it is what `allocate` gave for this many bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len()) };
        true
    }

    fn allocate(&mut self, size: u64) -> Option<u64> {
        let size = usize::try_from(size).ok()?;
        // SAFETY: the function only allocates.
        let at = unsafe { proxy_on_memory_allocate(size) };
        Some(at.expose_provenance() as u64)
    }
}

/// Makes a host call for the guest in this thread. In any other thread there is no host, and nobody to tell: the SDK's
/// logger, which is the process's, comes by here.
fn enter(call: impl FnOnce(&mut Here) -> Answer<()>) -> u32 {
    let handle = OUTSIDE.try_with(|outside| outside.borrow().as_ref().map(|known| known.handle.clone()));
    let Ok(Some(handle)) = handle else { return 0 };
    IN_HOST.set(true);
    let status = abi::number(call(&mut Here(handle)));
    IN_HOST.set(false);
    known(status)
}

/// The SDK takes the number for its own enumeration, in which some of the host's are missing. None of them comes up
/// here, but one that did would be undefined behaviour.
fn known(status: u32) -> u32 {
    if matches!(status, 0..=4 | 7 | 8 | 10) { status } else { Status::InternalFailure as u32 }
}

macro_rules! define {
    ($($name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {$(
        // SAFETY: nothing else in the process has this name: the SDK and the filter only declare it, with arguments
        // of these widths.
        #[unsafe(no_mangle)]
        extern "C" fn $name($($argument: $type),*) -> u32 {
            enter(|guest| abi::$name(guest, $($argument),*))
        }
    )*};
}

abi::imports!(define);
