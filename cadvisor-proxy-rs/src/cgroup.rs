//! `--source=cgroup`: containers' metrics from the kernel's own files, read when a scrape asks, with cAdvisor's names.
//!
//! [`Reader`] finds the cgroups and reads their files into a [`Snapshot`]; [`Written`] makes text of it, which goes the
//! way of any body from there on. Parsing is functions of bytes; what is a family and where it comes from is a table.

mod at;
mod cpu;
mod disk;
mod families;
mod fill;
mod hierarchy;
mod io;
mod kept;
mod labels;
mod machine;
mod memory;
mod network;
mod options;
mod owners;
pub mod parse;
mod pods;
mod pressure;
mod process;
mod reader;
mod snapshot;
mod spec;
#[cfg(test)]
mod tests;
mod tree;
mod usage;
mod write;

pub use fill::Filler;
pub use hierarchy::HierarchyError;
pub use machine::Paths;
pub use options::{CgroupOptions, Enabled, Extra, Metrics};
pub use pods::containers;
pub use reader::{Reader, Totals};
pub use snapshot::Snapshot;
pub use usage::Usage;
pub use write::Written;

/// Any bytes as each file that is read, for the fuzzer: nothing may panic, whatever a kernel says.
#[doc(hidden)]
pub fn parse_anything(text: &[u8]) {
    cpu::fuzz(text);
    memory::fuzz(text);
    io::fuzz(text);
    network::parse(text, &mut Vec::new());
    let _numbers = (parse::number(text), parse::limit(text), parse::list_length(text));
    let _times = (process::start(text), process::open_files_limit(text), process::first(text));
    let _stall = pressure::Stall::of(text);
    disk::fuzz(text);
    usage::fuzz(text);
}
