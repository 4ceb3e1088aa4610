//! Container metrics for Prometheus, filtered, repaired and labelled as they stream by.

pub mod cgroup;
pub mod identity;
pub mod offline;
pub mod options;
pub mod own;
pub mod proxy;
pub mod rewrite;
pub mod serve;
