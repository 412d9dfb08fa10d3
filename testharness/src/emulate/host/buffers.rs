//! Host calls on bodies and configurations.

use super::body::read;
use super::{Answer, Body, Calls, Status};

impl Calls<'_> {
    fn body(&mut self, buffer: u32) -> Option<&mut Body> {
        let sees = &mut self.context().sees;
        match buffer {
            0 => Some(&mut sees.request),
            1 => Some(&mut sees.response),
            _ => None,
        }
    }

    /// `proxy_get_buffer_bytes`. A body that cannot be seen now reads as empty; a configuration outside of
    /// `on_configure` and an answer outside of its callback are not found (`Context::getBuffer`).
    pub fn get_buffer(&mut self, buffer: u32, start: usize, length: usize) -> Answer<Vec<u8>> {
        if start.checked_add(length).is_none() {
            return Err(Status::BadArgument);
        }
        match buffer {
            0 | 1 => Ok(self.body(buffer).map(|body| body.read(start, length)).unwrap_or_default()),
            // TCP and gRPC: this host has neither.
            2 | 3 | 5 | 8 => Ok(Vec::new()),
            4 => match &self.root().1.answer {
                Some(answer) => Ok(read(&answer.body, start, length)),
                None => Err(Status::NotFound),
            },
            6 => Ok(read(&self.vm().configuration, start, length)),
            7 => match self.context() {
                context if context.configuring => Ok(read(&context.plugin.configuration, start, length)),
                _ => Err(Status::NotFound),
            },
            _ => Err(Status::BadArgument),
        }
    }

    /// `proxy_get_buffer_status`: how many bytes there are.
    pub fn get_buffer_size(&mut self, buffer: u32) -> Answer<u32> {
        let bytes = self.get_buffer(buffer, 0, usize::MAX)?;
        Ok(u32::try_from(bytes.len()).unwrap_or(u32::MAX))
    }

    /// `proxy_set_buffer_bytes`. Only bodies can be written.
    pub fn set_buffer(&mut self, buffer: u32, start: usize, length: usize, bytes: &[u8]) -> Answer<()> {
        match self.body(buffer) {
            Some(body) => body.write(start, length, bytes),
            None => Err(Status::BadArgument),
        }
    }
}
