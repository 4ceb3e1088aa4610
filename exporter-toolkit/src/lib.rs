//! What every agent of this workspace shares: metric families that the compiler checks, the exposition they are
//! written to, the parser of its lines, the HTTP server in front of it, options, logs and the agents' own telemetry.
//!
//! It knows nothing of hosts, clusters or Consul.

pub mod base64;
pub mod client;
pub mod crew;
pub mod exposition;
pub mod family;
pub mod files;
pub mod golden;
pub mod health;
pub mod labels;
pub mod line;
pub mod log;
pub mod memory;
pub mod merge;
pub mod name;
pub mod number;
pub mod options;
pub mod process;
pub mod shutdown;
pub mod telemetry;
pub mod web;
pub mod yaml;

pub use exposition::{Exposition, Format};
pub use family::{Counter, Described, Family, Gauge, Kind, Untyped};
pub use labels::{LabelValue, LabelValues};
pub use merge::Merger;
