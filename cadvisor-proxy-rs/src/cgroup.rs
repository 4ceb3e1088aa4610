//! `--source=cgroup`: containers' metrics from the kernel's own files, read when a scrape asks, with cAdvisor's names.
//!
//! [`Reader`] finds the cgroups and reads their files into a [`Snapshot`]; [`Written`] makes text of it, which goes the
//! way of any body from there on. Parsing is functions of bytes; what is a family and where it comes from is a table.

mod at;
mod cpu;
mod disk;
mod families;
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
mod pressure;
mod process;
mod reader;
mod snapshot;
mod spec;
mod tree;
mod write;

pub use hierarchy::HierarchyError;
pub use machine::Paths;
pub use options::{CgroupOptions, Enabled, Extra, Metrics};
pub use reader::{Reader, Totals};
pub use snapshot::Snapshot;
pub use write::Written;
