//! gzip from upstream, unpacked a piece at a time, however much a small body unpacks to.

use flate2::{Decompress, FlushDecompress, Status};

/// Unpacks members of gzip, one after another (RFC 1952, section 2.2).
pub(super) struct Unpacking {
    state: Decompress,
    /// Inside of a member.
    open: bool,
    ended: bool,
}

/// A window of 32 KiB, which is what gzip has.
const WINDOW_BITS: u8 = 15;

impl Unpacking {
    pub(super) fn new() -> Self {
        Self { state: Decompress::new_gzip(WINDOW_BITS), open: false, ended: false }
    }

    /// Unpacks from `input` until `out`'s room is full; answers how much was taken.
    pub(super) fn unpack(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<usize, &'static str> {
        if self.ended {
            self.state = Decompress::new_gzip(WINDOW_BITS);
            self.ended = false;
        }
        let before = self.state.total_in();
        let status = self.state.decompress_vec(input, out, FlushDecompress::None);
        let taken = usize::try_from(self.state.total_in() - before).unwrap_or(input.len());
        match status.map_err(|_| "upstream's gzip is broken")? {
            Status::StreamEnd => (self.ended, self.open) = (true, false),
            Status::BufError if taken == 0 && out.len() < out.capacity() => {
                return Err("upstream's gzip is broken");
            }
            Status::Ok | Status::BufError => self.open = true,
        }
        Ok(taken)
    }

    /// Whether the last member is whole.
    pub(super) fn is_whole(&self) -> bool {
        !self.open
    }
}
