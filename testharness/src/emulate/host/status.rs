//! What a host call answers.

/// Why a host call did not do what was asked. The numbers are the ABI's (proxy-wasm-cpp-host: `WasmResult`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// There is none.
    NotFound = 1,
    /// It cannot be done with these arguments, or not now.
    BadArgument = 2,
    /// The bytes mean nothing.
    ParseFailure = 4,
    /// The memory is not the guest's.
    InvalidMemoryAccess = 6,
    /// The queue is empty.
    Empty = 7,
    /// Somebody else has written in between.
    CasMismatch = 8,
    /// The host is at fault, or the call is not allowed.
    InternalFailure = 10,
    /// Not made.
    Unimplemented = 12,
}

/// The outcome of a host call.
pub type Answer<T> = Result<T, Status>;
