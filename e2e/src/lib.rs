//! What the end-to-end tests and `xtask` share: starting servers, asking them, reading their answers.

pub mod adapter;
pub mod agent;
pub mod apiserver;
pub mod browser;
pub mod cgroups;
pub mod cluster;
pub mod consul;
pub mod dashboards;
pub mod docker;
pub mod exposition;
pub mod http;
pub mod process;
pub mod promtool;
pub mod sample;
pub mod scraper;
pub mod servers;
pub mod site;
pub mod storage;
pub mod tally;
mod turn;

pub use agent::Agent;
pub use apiserver::ApiServer;
pub use browser::Browser;
pub use consul::Consul;
pub use docker::Image;
pub use exposition::Scrape;
pub use process::{Server, cargo, free_port, wait_until};
pub use storage::Storage;
pub use tally::Tally;
