//! Kubernetes object state for Prometheus: a drop-in for kube-state-metrics.
//!
//! A resource is a table of families ([`resource`]); an object is rendered once, when it changes ([`rendered`]), and kept
//! as compressed blocks ([`store`]) that a scrape sends as they are ([`agent`]).

pub mod custom;
pub mod family;
pub mod object;
pub mod options;
pub mod quantity;
pub mod rendered;
pub mod resource;
pub mod selection;
pub mod store;
