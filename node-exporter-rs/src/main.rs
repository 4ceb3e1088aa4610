//! Parse the options, build the collectors, serve, drain.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use exporter_toolkit::telemetry::Telemetry;
use exporter_toolkit::web::Server;
use exporter_toolkit::{health, log, memory, shutdown};
use node_exporter_rs::agent::Agent;
use node_exporter_rs::check::{self, Look};
use node_exporter_rs::options::{self, BUILD, Given, PREFIX};
use node_exporter_rs::scrape::Scraper;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The port that Prometheus' wiki gives to the peer.
const PORT: u16 = 9100;

fn main() -> ExitCode {
    memory::share_one_heap();
    let args: Vec<OsString> = std::env::args_os().collect();
    if args.get(1).is_some_and(|word| word == health::COMMAND) {
        return health::check("node-exporter-rs", PREFIX, PORT, args);
    }
    let given = options::parse(args).unwrap_or_else(|error| error.exit());
    if given.options.command.is_some() || given.options.check_config {
        return only_check(&given).unwrap_or_else(|error| {
            eprintln!("node-exporter-rs: {error:#}");
            ExitCode::FAILURE
        });
    }
    if let Err(error) = log::start(&given.options.log, "node-exporter-rs") {
        eprintln!("node-exporter-rs: {error}");
        return ExitCode::FAILURE;
    }
    match run(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// What starts no server: `check`, and `--check-config`.
fn only_check(given: &Given) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    if given.options.command.is_some() {
        raise_file_limit();
        let good = check::run(given, &mut out)?;
        return Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    Server::check(&given.options.web)?;
    Scraper::new(&given.enabled, &given.setup(), &given.labels)?;
    writeln!(out, "node-exporter-rs: the configuration is good")?;
    Ok(ExitCode::SUCCESS)
}

fn run(given: Given) -> anyhow::Result<()> {
    tracing::info!(version = %BUILD, "Starting node-exporter-rs");
    raise_file_limit();
    let setup = given.setup();
    for finding in Look::at(&setup.host).findings(given.runs("diskstats")) {
        finding.log();
    }
    let scraper = Scraper::new(&given.enabled, &setup, &given.labels)?;
    let names: Vec<_> = given.enabled.iter().map(|spec| spec.name).collect();
    tracing::info!(count = names.len(), names = names.join(","), "Collectors that run");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .build()?;
    let control = shutdown::listen()?;
    runtime.block_on(serve(given, scraper, &control))
}

async fn serve(given: Given, scraper: Scraper, control: &shutdown::Control) -> anyhow::Result<()> {
    let path = given.options.web.telemetry_path.clone();
    let server = Server::bind(given.options.web, &format!(":{PORT}"))?;
    let mut telemetry = Telemetry::new(BUILD)
        .with_http(server.stats())
        .with_exporter_metrics(!given.options.disable_exporter_metrics);
    scraper.counts().register(telemetry.registry_mut());
    let (reload, mut reloads) = (server.reload(), control.reload());
    tokio::spawn(async move {
        loop {
            reloads.requested().await;
            reload.request();
        }
    });
    // The command line and the patterns are read: what that took is free.
    memory::give_back_now_and_later();
    let stop = control.shutdown();
    server
        .serve(Arc::new(Agent::new(scraper, telemetry, &given.labels, &path)), async move {
            stop.requested().await;
        })
        .await?;
    Ok(())
}

/// Raises the soft limit of open files to the hard one: the collectors keep some files open, and each client is one.
fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
