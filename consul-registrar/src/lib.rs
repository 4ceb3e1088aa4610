//! Puts every target of a cluster where Prometheus discovers it: Consul, `file_sd`, `http_sd`.

pub mod agent;
pub mod catalog;
pub mod commands;
pub mod consul;
#[cfg(test)]
mod golden;
pub mod group;
pub mod guard;
pub mod options;
pub mod own;
pub mod page;
pub mod row;
pub mod serve;
pub mod sink;
pub mod source;
pub mod target;
