//! The only file that talks to the host: proxy-wasm ABI 0.2.1, with bytes instead of strings.
//!
//! The SDK's own wrappers panic on a status they do not expect and on header bytes that are not UTF-8, and a
//! panic takes the worker's VM down. Here every status comes back as a value.

use crate::pairs::Pairs;
use proxy_wasm::hostcalls;
use std::time::Duration;

/// The host refused a call; the number is the ABI's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refused(pub(crate) u32);

type Result<T> = std::result::Result<T, Refused>;

/// Which headers are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Map {
    Request = 0,
    RequestTrailers = 1,
    Response = 2,
    CalloutResponse = 6,
}

/// Which bytes are meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Buffer {
    RequestBody = 0,
    ResponseBody = 1,
    CalloutResponseBody = 4,
    PluginConfiguration = 7,
}

/// What kind a metric is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub(crate) enum Kind {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

#[cfg_attr(target_arch = "wasm32", link(wasm_import_module = "env"))]
unsafe extern "C" {
    fn proxy_get_header_map_pairs(map: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_replace_header_map_value(
        map: u32,
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_remove_header_map_value(map: u32, key: *const u8, key_size: usize) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        length: usize,
        data: *mut *mut u8,
        size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(buffer: u32, start: usize, length: usize, data: *const u8, size: usize) -> u32;
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_get_metric(id: u32, value: *mut u64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_get_header_map_size(map: u32, size: *mut usize) -> u32;
    fn proxy_get_property(path: *const u8, path_size: usize, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_property(path: *const u8, path_size: usize, value: *const u8, value_size: usize) -> u32;
    fn proxy_register_shared_queue(name: *const u8, name_size: usize, queue: *mut u32) -> u32;
    fn proxy_enqueue_shared_queue(queue: u32, value: *const u8, value_size: usize) -> u32;
    fn proxy_dequeue_shared_queue(queue: u32, data: *mut *mut u8, size: *mut usize) -> u32;
    fn proxy_set_effective_context(context: u32) -> u32;
    fn proxy_continue_stream(stream: u32) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        data: *mut *mut u8,
        size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        cas: u32,
    ) -> u32;
}

fn check(status: u32) -> Result<()> {
    if status == 0 { Ok(()) } else { Err(Refused(status)) }
}

/// Takes over a buffer that the host filled, if it gave one.
fn owned(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() {
        return Vec::new();
    }
    // SAFETY: the host writes results into memory that it got from the SDK's `proxy_on_memory_allocate`, a boxed
    // slice of exactly this size from this allocator, and gives it away.
    unsafe { Vec::from_raw_parts(data, size, size) }
}

/// All headers of a message, pseudo-headers included. One call costs as much as reading two headers by name.
pub(crate) fn headers(map: Map) -> Result<Pairs> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are to locals that outlive the call.
    check(unsafe { proxy_get_header_map_pairs(map as u32, &mut data, &mut size) })?;
    Ok(Pairs::new(owned(data, size)))
}

/// Sets a header to one value, whatever it had.
pub(crate) fn set_header(map: Map, name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: both slices outlive the call, which copies them.
    check(unsafe {
        proxy_replace_header_map_value(map as u32, name.as_ptr(), name.len(), value.as_ptr(), value.len())
    })
}

/// Removes all values of a header.
pub(crate) fn remove_header(map: Map, name: &str) -> Result<()> {
    // SAFETY: the slice outlives the call.
    check(unsafe { proxy_remove_header_map_value(map as u32, name.as_ptr(), name.len()) })
}

/// Copies bytes of a buffer, as many as there are from `start` on but at most `length`.
pub(crate) fn read(buffer: Buffer, start: usize, length: usize) -> Result<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are to locals that outlive the call.
    check(unsafe { proxy_get_buffer_bytes(buffer as u32, start, length, &mut data, &mut size) })?;
    Ok(owned(data, size))
}

/// Replaces the first `length` bytes of a buffer. Envoy refuses to replace bytes further in.
pub(crate) fn replace_start(buffer: Buffer, length: usize, bytes: &[u8]) -> Result<()> {
    // SAFETY: the slice outlives the call, which copies it.
    check(unsafe { proxy_set_buffer_bytes(buffer as u32, 0, length, bytes.as_ptr(), bytes.len()) })
}

/// Answers the client. `details` is what an access log shows as `%RESPONSE_CODE_DETAILS%`.
pub(crate) fn reply(status: u16, details: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<()> {
    let headers = Pairs::encode(headers);
    // SAFETY: all slices outlive the call, which copies them. -1 is "no gRPC status".
    check(unsafe {
        proxy_send_local_response(
            u32::from(status),
            details.as_ptr(),
            details.len(),
            body.as_ptr(),
            body.len(),
            headers.as_ptr(),
            headers.len(),
            -1,
        )
    })
}

/// Makes a metric. Each call makes a new id that is never freed, even for a name that has one.
pub(crate) fn define_metric(kind: Kind, name: &str) -> Result<u32> {
    let mut id = 0;
    // SAFETY: the slice and the local outlive the call.
    check(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
    Ok(id)
}

/// Adds to a counter.
pub(crate) fn add(metric: u32, by: u64) -> Result<()> {
    shift(metric, i64::try_from(by).unwrap_or(i64::MAX))
}

/// Adds to a gauge, or takes from it: one atomic operation for all workers.
pub(crate) fn shift(metric: u32, by: i64) -> Result<()> {
    // SAFETY: no memory is shared.
    check(unsafe { proxy_increment_metric(metric, by) })
}

/// The value of a counter or gauge, over all workers.
pub(crate) fn metric(metric: u32) -> Result<u64> {
    let mut value = 0;
    // SAFETY: the pointer is to a local that outlives the call.
    check(unsafe { proxy_get_metric(metric, &mut value) })?;
    Ok(value)
}

/// Records a value in a histogram, or sets a gauge.
pub(crate) fn record(metric: u32, value: u64) -> Result<()> {
    // SAFETY: no memory is shared.
    check(unsafe { proxy_record_metric(metric, value) })
}

/// How many bytes the names and values of a message's headers are.
pub(crate) fn headers_size(map: Map) -> Result<usize> {
    let mut size = 0;
    // SAFETY: the pointer is to a local that outlives the call.
    check(unsafe { proxy_get_header_map_size(map as u32, &mut size) })?;
    Ok(size)
}

/// A property of the stream, the names of whose path are separated by zeros; `None` if there is none.
pub(crate) fn property(path: &str) -> Option<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: the slice and both locals outlive the call.
    check(unsafe { proxy_get_property(path.as_ptr(), path.len(), &mut data, &mut size) }).ok()?;
    Some(owned(data, size))
}

/// Keeps a value with the stream, under a name by which every later filter of it can read it. No client can.
pub(crate) fn set_property(name: &str, value: &[u8]) -> Result<()> {
    // SAFETY: both slices outlive the call, which copies them.
    check(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
}

/// Makes a queue of that name whose items come to this root context, on this thread. The token is good in the whole
/// process.
pub(crate) fn register_queue(name: &str) -> Result<u32> {
    let mut queue = 0;
    // SAFETY: the slice and the local outlive the call.
    check(unsafe { proxy_register_shared_queue(name.as_ptr(), name.len(), &mut queue) })?;
    Ok(queue)
}

/// Puts an item into a queue; its root context hears of it later, on its own thread.
pub(crate) fn enqueue(queue: u32, item: &[u8]) -> Result<()> {
    // SAFETY: the slice outlives the call, which copies it.
    check(unsafe { proxy_enqueue_shared_queue(queue, item.as_ptr(), item.len()) })
}

/// The next item of a queue, if there is one.
pub(crate) fn dequeue(queue: u32) -> Option<Vec<u8>> {
    let (mut data, mut size) = (std::ptr::null_mut(), 0);
    // SAFETY: both pointers are to locals that outlive the call.
    check(unsafe { proxy_dequeue_shared_queue(queue, &mut data, &mut size) }).ok()?;
    Some(owned(data, size))
}

/// Makes the calls that follow in this callback be about that context. Refused if it is gone.
pub(crate) fn act_for(context: u32) -> Result<()> {
    // SAFETY: no memory is shared.
    check(unsafe { proxy_set_effective_context(context) })
}

/// Lets a request go on that was held, after the callback that runs. Its headers cannot be edited any more.
pub(crate) fn continue_request() -> Result<()> {
    // SAFETY: no memory is shared; 0 is the request.
    check(unsafe { proxy_continue_stream(0) })
}

/// Nanoseconds since the Unix epoch; 0 if the host has no clock.
pub(crate) fn now_ns() -> u64 {
    let mut time = 0;
    // SAFETY: the pointer is to a local that outlives the call.
    let status = unsafe { proxy_get_current_time_nanoseconds(&mut time) };
    if status == 0 { time } else { 0 }
}

/// Sets the time between this root context's ticks; zero stops them.
pub(crate) fn set_tick_period(period: Duration) -> Result<()> {
    let period = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
    // SAFETY: no memory is shared.
    check(unsafe { proxy_set_tick_period_milliseconds(period) })
}

/// A number for [`write_shared`] that no value has: only a value that is not there yet is written. The host compares
/// the number of a value that exists, and does not look at it where there is none.
pub(crate) const NOT_THERE: u32 = u32::MAX;

/// A value that all VMs with this VM's id share, and the number of its state.
pub(crate) fn shared(key: &str) -> Result<(Vec<u8>, u32)> {
    let (mut data, mut size, mut cas) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: the slice and the locals outlive the call.
    check(unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &mut data, &mut size, &mut cas) })?;
    Ok((owned(data, size), cas))
}

/// Writes such a value, if its state has that number; 0 stands for any.
pub(crate) fn write_shared(key: &str, value: &[u8], cas: u32) -> Result<()> {
    // SAFETY: both slices outlive the call, which copies them.
    check(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
}

/// Sends a request without a body to a cluster, and gives the number that its answer will have. The answer comes to
/// the root context.
pub(crate) fn call(cluster: &str, headers: Vec<(&str, &str)>, timeout: Duration) -> Result<u32> {
    // By the SDK, which would panic on an answer to a call that it does not know. Envoy gives no other status than
    // those that it expects here.
    hostcalls::dispatch_http_call(cluster, headers, None, Vec::new(), timeout)
        .map_err(|status| Refused(status as u32))
}
