//! Puts every target of a cluster where Prometheus discovers it: Consul, `file_sd`, `http_sd`.

pub mod catalog;
pub mod group;
pub mod guard;
pub mod row;
pub mod sink;
pub mod target;
