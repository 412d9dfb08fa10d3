//! The few functions of WASI that Rust's standard library needs, as proxy-wasm-cpp-host has them.

use super::{Answer, Memory, Status, host, read, write, write_word};

/// The numbers of WASI's errors.
const BAD_FILE: u32 = 8;
const FAULT: u32 = 21;
const INVALID: u32 = 28;
const UNSUPPORTED: u32 = 58;

/// Most bytes of chance at once (`PROXY_WASM_HOST_WASI_RANDOM_GET_MAX_SIZE_BYTES`).
const MOST_RANDOM: u64 = 64 << 10;

fn number(answer: Answer<()>) -> u32 {
    if answer.is_ok() { 0 } else { FAULT }
}

/// Writes to stdout become log lines at info, to stderr at error; other files there are none (`writevImpl`).
pub fn fd_write(guest: &mut impl Memory, file: u32, parts: u64, count: u64, written: u64) -> u32 {
    let level = match file {
        1 => 2,
        2 => 4,
        _ => return BAD_FILE,
    };
    number(gather(guest, parts, count).and_then(|text| {
        if !text.is_empty() {
            let line = text.strip_suffix(b"\n").unwrap_or(&text);
            host(guest, |calls| calls.log(level, line))?;
        }
        write_word(guest, written, text.len() as u64)
    }))
}

fn gather<M: Memory>(guest: &mut M, parts: u64, count: u64) -> Answer<Vec<u8>> {
    let mut text = Vec::new();
    for part in 0..count {
        let part = read(guest, parts + part * 8, 8)?;
        let word = |at: usize| part.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (Some(data), Some(size)) = (word(0), word(4)) else { return Err(Status::InvalidMemoryAccess) };
        text.extend(read(guest, u64::from(data), u64::from(size))?);
    }
    Ok(text)
}

/// The clock of the wall and the one that never goes back, both the host's.
pub fn clock_time_get(guest: &mut impl Memory, clock: u32, time: u64) -> u32 {
    let now = match clock {
        0 => host(guest, |calls| calls.now()),
        1 => host(guest, |calls| calls.elapsed()),
        _ => return UNSUPPORTED,
    };
    number(write(guest, time, &now.to_le_bytes()))
}

/// Chance, which is the caller's so that a run can be repeated.
pub fn random_get(guest: &mut impl Memory, at: u64, size: u64, mut next: impl FnMut() -> u64) -> u32 {
    if size > MOST_RANDOM {
        return INVALID;
    }
    let words = size.div_ceil(8);
    let mut bytes: Vec<u8> = (0..words).flat_map(|_| next().to_le_bytes()).collect();
    bytes.truncate(usize::try_from(size).unwrap_or(usize::MAX));
    number(if bytes.is_empty() { Ok(()) } else { write(guest, at, &bytes) })
}

/// No variables, no arguments: a count of 0 and a size of 0.
pub fn none(guest: &mut impl Memory, count: u64, size: u64) -> u32 {
    number(write_word(guest, count, 0).and_then(|()| write_word(guest, size, 0)))
}
