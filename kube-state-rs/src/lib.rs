//! Kubernetes object state for Prometheus: a drop-in for kube-state-metrics.
//!
//! A resource is a table of families ([`resource`]); an object is rendered once, when it changes ([`rendered`]), and kept
//! as compressed blocks ([`store`]) that a scrape sends as they are ([`agent`]).

pub mod agent;
pub mod autoshard;
pub mod captain;
pub mod configured;
pub mod custom;
pub mod family;
pub mod filter;
pub mod fleet;
pub mod follow;
pub mod group;
pub mod object;
pub mod options;
pub mod own;
pub mod quantity;
pub mod reading;
pub mod render;
pub mod rendered;
pub mod resource;
pub mod selection;
pub mod serve;
pub mod settings;
pub mod shard;
pub mod store;
pub mod tables;
