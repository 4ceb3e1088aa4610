//! Puts every target of a cluster where Prometheus discovers it: Consul, `file_sd`, `http_sd`.

pub mod source;
pub mod target;
