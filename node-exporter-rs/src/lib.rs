//! Host metrics from `/proc` and `/sys` for Prometheus: a drop-in for `node_exporter`.
//!
//! A collector is a file in `collector/`; it writes to its own buffer, off the reactor and under a deadline.

pub mod agent;
pub mod check;
pub mod collector;
#[cfg(target_os = "linux")]
pub mod dbus;
pub mod filter;
pub mod flags;
pub mod host;
#[cfg(target_os = "linux")]
pub mod json;
#[cfg(target_os = "linux")]
pub mod netlink;
pub mod options;
pub mod pattern;
pub mod scrape;
