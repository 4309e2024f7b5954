//! Reads a stream of this format.

use crate::chat::Event;
use crate::formats::{StreamDecoder, StreamFault};

/// Reads one stream.
#[derive(Debug, Default)]
pub struct Decoder {}

impl StreamDecoder for Decoder {
    fn event(
        &mut self,
        _name: Option<&str>,
        _data: &[u8],
        _sink: &mut dyn FnMut(Event<'_>),
    ) -> Result<(), StreamFault> {
        Ok(())
    }

    fn finish(&mut self, _sink: &mut dyn FnMut(Event<'_>)) -> Result<(), StreamFault> {
        Ok(())
    }
}
