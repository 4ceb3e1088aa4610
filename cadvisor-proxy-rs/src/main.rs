//! Parse the options, find identities, serve, drain; or rewrite a file.

use std::ffi::OsString;
use std::io::{BufWriter, Write as _, stdin, stdout};
use std::process::ExitCode;

use cadvisor_proxy_rs::options::{self, BUILD, Options};
use cadvisor_proxy_rs::{offline, serve};
use exporter_toolkit::{health, log, memory, shutdown};

fn main() -> ExitCode {
    memory::share_one_heap();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("rewrite") => {
            args.remove(1);
            finish(rewrite(args))
        }
        Some(health::COMMAND) => {
            health::check("cadvisor-proxy-rs", options::PREFIX, options::OWN_PORT, args)
        }
        Some("version") => {
            let printed = writeln!(stdout(), "{BUILD}");
            finish(printed.map_err(anyhow::Error::from))
        }
        _ => run(args),
    }
}

fn run(args: Vec<OsString>) -> ExitCode {
    let given = options::parse(args).unwrap_or_else(|error| error.exit());
    if let Err(error) = log::start(&given.log, "cadvisor-proxy-rs") {
        eprintln!("cadvisor-proxy-rs: {error}");
        return ExitCode::FAILURE;
    }
    if given.check_config {
        return finish(check(&given));
    }
    match follow(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn check(given: &Options) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { serve::check(given) })?;
    writeln!(stdout(), "cadvisor-proxy-rs: the configuration is good")?;
    Ok(())
}

fn follow(given: Options) -> anyhow::Result<()> {
    tracing::info!(version = %BUILD, "Starting cadvisor-proxy-rs");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let control = shutdown::listen()?;
    runtime.block_on(serve::serve(given, &control))
}

fn rewrite(args: Vec<OsString>) -> anyhow::Result<()> {
    let given = options::parse_offline(args).unwrap_or_else(|error| error.exit());
    let out = BufWriter::with_capacity(256 * 1024, stdout().lock());
    let counts = offline::rewrite(&given, stdin().lock(), out)?;
    eprintln!("{counts}");
    Ok(())
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cadvisor-proxy-rs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
