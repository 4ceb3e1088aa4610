//! Container metrics for Prometheus, filtered, repaired and labelled as they stream by.

pub mod identity;
