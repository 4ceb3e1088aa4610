//! Targets for Prometheus without Consul: the JSON of `file_sd` and `http_sd`, and the files.

pub mod file;
pub mod text;
