//! Parse the options, build the collectors, serve, drain.

use std::process::ExitCode;

use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::{log, shutdown, web};
use node_exporter_rs::agent::Agent;
use node_exporter_rs::options::{self, Given};
use node_exporter_rs::scrape::Scraper;

fn main() -> ExitCode {
    let given = match options::parse(std::env::args_os()) {
        Ok(given) => given,
        Err(error) => error.exit(),
    };
    if let Err(error) = log::start(&given.options.log, "node-exporter-rs") {
        eprintln!("node-exporter-rs: {error}");
        return ExitCode::FAILURE;
    }
    match run(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}
