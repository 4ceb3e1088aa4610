//! `consul-registrar` against a real Consul: the invariants, one by one.

mod consul;
mod invariants;
