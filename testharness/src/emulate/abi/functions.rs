//! Each host function: arguments out of the guest's memory, the call, results into it.
#![expect(missing_docs, reason = "they are the functions of the ABI, under its names")]
#![expect(clippy::too_many_arguments, reason = "the ABI has so many")]

use super::{Answer, Memory, Reply, from_guest, give, host, length, read, write, write_word};

pub fn proxy_log(guest: &mut impl Memory, level: u32, text: u64, text_size: u64) -> Answer<()> {
    let text = read(guest, text, text_size)?;
    host(guest, |calls| calls.log(level, &text))
}

/// Everything is logged.
pub fn proxy_get_log_level(guest: &mut impl Memory, level: u64) -> Answer<()> {
    write(guest, level, &0_u32.to_le_bytes())
}

pub fn proxy_get_current_time_nanoseconds(guest: &mut impl Memory, time: u64) -> Answer<()> {
    let now = host(guest, |calls| calls.now());
    write(guest, time, &now.to_le_bytes())
}

pub fn proxy_set_tick_period_milliseconds(guest: &mut impl Memory, period: u32) -> Answer<()> {
    host(guest, |calls| calls.set_tick_period(period))
}

pub fn proxy_get_buffer_bytes(
    guest: &mut impl Memory,
    buffer: u32,
    start: u64,
    count: u64,
    data: u64,
    size: u64,
) -> Answer<()> {
    let bytes = host(guest, |calls| calls.get_buffer(buffer, length(start), length(count)))?;
    give(guest, &bytes, data, size)
}

pub fn proxy_set_buffer_bytes(
    guest: &mut impl Memory,
    buffer: u32,
    start: u64,
    count: u64,
    data: u64,
    size: u64,
) -> Answer<()> {
    let bytes = read(guest, data, size)?;
    host(guest, |calls| calls.set_buffer(buffer, length(start), length(count), &bytes))
}

pub fn proxy_get_buffer_status<M: Memory>(guest: &mut M, buffer: u32, size: u64, flags: u64) -> Answer<()> {
    let bytes = host(guest, |calls| calls.get_buffer_size(buffer))?;
    write_word(guest, size, u64::from(bytes))?;
    write(guest, flags, &0_u32.to_le_bytes())
}

pub fn proxy_get_header_map_pairs(guest: &mut impl Memory, map: u32, data: u64, size: u64) -> Answer<()> {
    let pairs = host(guest, |calls| calls.get_headers(map))?;
    give(guest, &pairs, data, size)
}

pub fn proxy_set_header_map_pairs(guest: &mut impl Memory, map: u32, data: u64, size: u64) -> Answer<()> {
    let pairs = from_guest(&read(guest, data, size)?);
    host(guest, |calls| calls.set_headers(map, pairs))
}

pub fn proxy_get_header_map_size(guest: &mut impl Memory, map: u32, size: u64) -> Answer<()> {
    let bytes = host(guest, |calls| calls.get_headers_size(map))?;
    write_word(guest, size, u64::from(bytes))
}

pub fn proxy_get_header_map_value(
    guest: &mut impl Memory,
    map: u32,
    key: u64,
    key_size: u64,
    data: u64,
    size: u64,
) -> Answer<()> {
    let key = read(guest, key, key_size)?;
    let value = host(guest, |calls| calls.get_header(map, &key))?;
    give(guest, &value, data, size)
}

pub fn proxy_remove_header_map_value(
    guest: &mut impl Memory,
    map: u32,
    key: u64,
    key_size: u64,
) -> Answer<()> {
    let key = read(guest, key, key_size)?;
    host(guest, |calls| calls.remove_header(map, &key))
}

pub fn proxy_replace_header_map_value(
    guest: &mut impl Memory,
    map: u32,
    key: u64,
    key_size: u64,
    value: u64,
    value_size: u64,
) -> Answer<()> {
    let (key, value) = (read(guest, key, key_size)?, read(guest, value, value_size)?);
    host(guest, |calls| calls.replace_header(map, &key, &value))
}

pub fn proxy_add_header_map_value(
    guest: &mut impl Memory,
    map: u32,
    key: u64,
    key_size: u64,
    value: u64,
    value_size: u64,
) -> Answer<()> {
    let (key, value) = (read(guest, key, key_size)?, read(guest, value, value_size)?);
    host(guest, |calls| calls.add_header(map, &key, &value))
}

pub fn proxy_get_property(
    guest: &mut impl Memory,
    path: u64,
    path_size: u64,
    data: u64,
    size: u64,
) -> Answer<()> {
    let path = read(guest, path, path_size)?;
    let value = host(guest, |calls| calls.get_property(&path))?;
    give(guest, &value, data, size)
}

pub fn proxy_set_property(
    guest: &mut impl Memory,
    path: u64,
    path_size: u64,
    value: u64,
    value_size: u64,
) -> Answer<()> {
    let (path, value) = (read(guest, path, path_size)?, read(guest, value, value_size)?);
    host(guest, |calls| calls.set_property(&path, &value))
}

pub fn proxy_get_shared_data(
    guest: &mut impl Memory,
    key: u64,
    key_size: u64,
    data: u64,
    size: u64,
    cas: u64,
) -> Answer<()> {
    let key = read(guest, key, key_size)?;
    let (value, number) = host(guest, |calls| calls.get_shared_data(&key))?;
    give(guest, &value, data, size)?;
    write(guest, cas, &number.to_le_bytes())
}

pub fn proxy_set_shared_data(
    guest: &mut impl Memory,
    key: u64,
    key_size: u64,
    value: u64,
    value_size: u64,
    cas: u32,
) -> Answer<()> {
    let (key, value) = (read(guest, key, key_size)?, read(guest, value, value_size)?);
    host(guest, |calls| calls.set_shared_data(&key, &value, cas))
}

pub fn proxy_register_shared_queue(
    guest: &mut impl Memory,
    name: u64,
    name_size: u64,
    queue: u64,
) -> Answer<()> {
    let name = read(guest, name, name_size)?;
    let token = host(guest, |calls| calls.register_queue(&name))?;
    write(guest, queue, &token.to_le_bytes())
}

pub fn proxy_resolve_shared_queue(
    guest: &mut impl Memory,
    vm: u64,
    vm_size: u64,
    name: u64,
    name_size: u64,
    queue: u64,
) -> Answer<()> {
    let (vm, name) = (read(guest, vm, vm_size)?, read(guest, name, name_size)?);
    let token = host(guest, |calls| calls.resolve_queue(&vm, &name))?;
    write(guest, queue, &token.to_le_bytes())
}

pub fn proxy_dequeue_shared_queue(guest: &mut impl Memory, queue: u32, data: u64, size: u64) -> Answer<()> {
    let item = host(guest, |calls| calls.dequeue(queue))?;
    give(guest, &item, data, size)
}

pub fn proxy_enqueue_shared_queue(
    guest: &mut impl Memory,
    queue: u32,
    value: u64,
    value_size: u64,
) -> Answer<()> {
    let value = read(guest, value, value_size)?;
    host(guest, |calls| calls.enqueue(queue, &value))
}

pub fn proxy_continue_stream(guest: &mut impl Memory, stream: u32) -> Answer<()> {
    host(guest, |calls| calls.continue_stream(stream))
}

pub fn proxy_close_stream(guest: &mut impl Memory, stream: u32) -> Answer<()> {
    host(guest, |calls| calls.close_stream(stream))
}

pub fn proxy_send_local_response(
    guest: &mut impl Memory,
    status: u32,
    details: u64,
    details_size: u64,
    body: u64,
    body_size: u64,
    headers: u64,
    headers_size: u64,
    grpc_status: i32,
) -> Answer<()> {
    let details = read(guest, details, details_size)?;
    let body = read(guest, body, body_size)?;
    let headers = from_guest(&read(guest, headers, headers_size)?);
    let reply = Reply::new(status, &details, headers, body, grpc_status);
    host(guest, |calls| calls.send_local_response(reply))
}

pub fn proxy_http_call(
    guest: &mut impl Memory,
    cluster: u64,
    cluster_size: u64,
    headers: u64,
    headers_size: u64,
    body: u64,
    body_size: u64,
    trailers: u64,
    trailers_size: u64,
    timeout: u32,
    token: u64,
) -> Answer<()> {
    let cluster = read(guest, cluster, cluster_size)?;
    let headers = from_guest(&read(guest, headers, headers_size)?);
    let body = read(guest, body, body_size)?;
    let trailers = from_guest(&read(guest, trailers, trailers_size)?);
    // The place for the token has to be good before anything is sent.
    write(guest, token, &0_u32.to_le_bytes())?;
    let made = host(guest, |calls| calls.http_call(&cluster, headers, body, trailers, timeout))?;
    write(guest, token, &made.to_le_bytes())
}

pub fn proxy_get_status(guest: &mut impl Memory, code: u64, data: u64, size: u64) -> Answer<()> {
    write(guest, code, &0_u32.to_le_bytes())?;
    give(guest, &[], data, size)
}

pub fn proxy_set_effective_context(guest: &mut impl Memory, context: u32) -> Answer<()> {
    host(guest, |calls| calls.set_effective_context(context))
}

pub fn proxy_call_foreign_function(
    guest: &mut impl Memory,
    name: u64,
    name_size: u64,
    _: u64,
    _: u64,
    data: u64,
    size: u64,
) -> Answer<()> {
    let name = read(guest, name, name_size)?;
    let result = host(guest, |calls| calls.call_foreign_function(&name))?;
    give(guest, &result, data, size)
}

pub fn proxy_done(guest: &mut impl Memory) -> Answer<()> {
    host(guest, |calls| calls.done())
}

pub fn proxy_define_metric(
    guest: &mut impl Memory,
    kind: u32,
    name: u64,
    name_size: u64,
    id: u64,
) -> Answer<()> {
    let name = read(guest, name, name_size)?;
    let made = host(guest, |calls| calls.define_metric(kind, &name))?;
    write(guest, id, &made.to_le_bytes())
}

pub fn proxy_get_metric(guest: &mut impl Memory, id: u32, value: u64) -> Answer<()> {
    let known = host(guest, |calls| calls.get_metric(id))?;
    write(guest, value, &known.to_le_bytes())
}

pub fn proxy_record_metric(guest: &mut impl Memory, id: u32, value: u64) -> Answer<()> {
    host(guest, |calls| calls.record_metric(id, value))
}

pub fn proxy_increment_metric(guest: &mut impl Memory, id: u32, by: i64) -> Answer<()> {
    host(guest, |calls| calls.increment_metric(id, by))
}
