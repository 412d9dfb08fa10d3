//! The host functions of gRPC, which no cluster of this host speaks.
#![expect(missing_docs, reason = "they are the functions of the ABI, under its names")]
#![expect(clippy::too_many_arguments, reason = "the ABI has so many")]

use super::{Answer, Memory, Status};

/// No cluster of this host speaks gRPC.
pub fn proxy_grpc_call(
    _: &mut impl Memory,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u32,
    _: u64,
) -> Answer<()> {
    Err(Status::ParseFailure)
}

/// As for a call.
pub fn proxy_grpc_stream(
    _: &mut impl Memory,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
    _: u64,
) -> Answer<()> {
    Err(Status::ParseFailure)
}

pub fn proxy_grpc_send(_: &mut impl Memory, _: u32, _: u64, _: u64, _: u32) -> Answer<()> {
    Err(Status::BadArgument)
}

pub fn proxy_grpc_cancel(_: &mut impl Memory, _: u32) -> Answer<()> {
    Err(Status::BadArgument)
}

pub fn proxy_grpc_close(_: &mut impl Memory, _: u32) -> Answer<()> {
    Err(Status::BadArgument)
}
