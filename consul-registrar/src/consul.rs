//! Consul: one synthetic node is ours, read by one blocking query and written by transactions of at most 64 operations.

pub mod apply;
pub mod client;
pub mod follow;
pub mod mirror;
pub mod wire;
