//! The host functions of ABI 0.2.1 over a guest's memory, once for every kind of guest.

pub mod wasi;

use super::host::{Answer, Calls, Handle, Reply, Status, from_guest};

/// A guest's side of a host call: its memory, and the VM that it is.
pub trait Memory {
    /// Bytes of an address or a size.
    const WORD: usize;

    /// The VM's way to the host.
    fn handle(&self) -> &Handle;

    /// Bytes of the guest; none if they are not all its own.
    fn read(&mut self, at: u64, size: u64) -> Option<Vec<u8>>;

    /// Writes bytes; false if the place is not the guest's.
    fn write(&mut self, at: u64, bytes: &[u8]) -> bool;

    /// Memory that the guest gives for a result, which it then owns.
    fn allocate(&mut self, size: u64) -> Option<u64>;
}

/// All host functions, for a macro that makes something of each. Those that the SDK and the filter import, and a few
/// more of the ABI. A `Word` is an address or a size.
macro_rules! imports {
    ($each:ident) => {
        $each! {
            proxy_log(level: u32, text: Word, text_size: Word);
            proxy_get_log_level(level: Word);
            proxy_get_current_time_nanoseconds(time: Word);
            proxy_set_tick_period_milliseconds(period: u32);
            proxy_get_buffer_bytes(buffer: u32, start: Word, length: Word, data: Word, size: Word);
            proxy_set_buffer_bytes(buffer: u32, start: Word, length: Word, data: Word, size: Word);
            proxy_get_buffer_status(buffer: u32, length: Word, flags: Word);
            proxy_get_header_map_pairs(map: u32, data: Word, size: Word);
            proxy_set_header_map_pairs(map: u32, data: Word, size: Word);
            proxy_get_header_map_size(map: u32, size: Word);
            proxy_get_header_map_value(map: u32, key: Word, key_size: Word, data: Word, size: Word);
            proxy_remove_header_map_value(map: u32, key: Word, key_size: Word);
            proxy_replace_header_map_value(map: u32, key: Word, key_size: Word, value: Word, value_size: Word);
            proxy_add_header_map_value(map: u32, key: Word, key_size: Word, value: Word, value_size: Word);
            proxy_get_property(path: Word, path_size: Word, data: Word, size: Word);
            proxy_set_property(path: Word, path_size: Word, value: Word, value_size: Word);
            proxy_get_shared_data(key: Word, key_size: Word, data: Word, size: Word, cas: Word);
            proxy_set_shared_data(key: Word, key_size: Word, value: Word, value_size: Word, cas: u32);
            proxy_register_shared_queue(name: Word, name_size: Word, queue: Word);
            proxy_resolve_shared_queue(vm: Word, vm_size: Word, name: Word, name_size: Word, queue: Word);
            proxy_dequeue_shared_queue(queue: u32, data: Word, size: Word);
            proxy_enqueue_shared_queue(queue: u32, value: Word, value_size: Word);
            proxy_continue_stream(stream: u32);
            proxy_close_stream(stream: u32);
            proxy_send_local_response(
                status: u32, details: Word, details_size: Word, body: Word, body_size: Word,
                headers: Word, headers_size: Word, grpc_status: i32
            );
            proxy_http_call(
                cluster: Word, cluster_size: Word, headers: Word, headers_size: Word, body: Word, body_size: Word,
                trailers: Word, trailers_size: Word, timeout: u32, token: Word
            );
            proxy_grpc_call(
                service: Word, service_size: Word, name: Word, name_size: Word, method: Word, method_size: Word,
                metadata: Word, metadata_size: Word, message: Word, message_size: Word, timeout: u32, token: Word
            );
            proxy_grpc_stream(
                service: Word, service_size: Word, name: Word, name_size: Word, method: Word, method_size: Word,
                metadata: Word, metadata_size: Word, token: Word
            );
            proxy_grpc_send(token: u32, message: Word, message_size: Word, end: u32);
            proxy_grpc_cancel(token: u32);
            proxy_grpc_close(token: u32);
            proxy_get_status(code: Word, data: Word, size: Word);
            proxy_set_effective_context(context: u32);
            proxy_call_foreign_function(
                name: Word, name_size: Word, arguments: Word, arguments_size: Word, data: Word, size: Word
            );
            proxy_done();
            proxy_define_metric(kind: u32, name: Word, name_size: Word, id: Word);
            proxy_get_metric(id: u32, value: Word);
            proxy_record_metric(id: u32, value: u64);
            proxy_increment_metric(id: u32, by: i64);
        }
    };
}
pub(super) use imports;

/// The number that a guest gets.
pub fn number(answer: Answer<()>) -> u32 {
    answer.map_or_else(|status| status as u32, |()| 0)
}

fn host<T>(guest: &impl Memory, work: impl FnOnce(&mut Calls<'_>) -> T) -> T {
    guest.handle().with(work)
}

fn read(guest: &mut impl Memory, at: u64, size: u64) -> Answer<Vec<u8>> {
    guest.read(at, size).ok_or(Status::InvalidMemoryAccess)
}

fn write(guest: &mut impl Memory, at: u64, bytes: &[u8]) -> Answer<()> {
    if guest.write(at, bytes) { Ok(()) } else { Err(Status::InvalidMemoryAccess) }
}

/// An address or a size in the guest's width.
fn write_word<M: Memory>(guest: &mut M, at: u64, word: u64) -> Answer<()> {
    write(guest, at, &word.to_le_bytes()[..M::WORD])
}

/// Gives bytes to the guest, in memory of its own. Of no bytes it gets a null pointer (`copyToPointerSize`).
fn give(guest: &mut impl Memory, bytes: &[u8], data: u64, size: u64) -> Answer<()> {
    let length = bytes.len() as u64;
    let at = match length {
        0 => 0,
        _ => guest.allocate(length).ok_or(Status::InvalidMemoryAccess)?,
    };
    if length > 0 {
        write(guest, at, bytes)?;
    }
    write_word(guest, data, at)?;
    write_word(guest, size, length)
}

/// A position or length that fits into nothing is beyond every end.
fn length(word: u64) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}

mod functions;
mod grpc;
pub use functions::*;
pub use grpc::*;
