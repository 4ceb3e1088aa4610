//! Parse the options, follow the sources, keep the sinks as they are; or show, once, what would be done.

use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

use clap::{Command, ValueEnum as _};
use consul_registrar::commands;
use consul_registrar::options::{BUILD, Options, PREFIX};
use consul_registrar::serve::{PORT, serve};
use consul_registrar::source::Mode;
use exporter_toolkit::{health, log, memory, shutdown};

const ABOUT: &str = "\
Puts every target of a cluster into Consul, file_sd and http_sd, so that Prometheus discovers it.

Commands: self, kubernetes, docker, static or run (with --source) keep the sinks as the sources are; plan shows what would
change, targets what is shown, check whether Consul can be used, rebalance gives new groups and
purge deletes the rows of --owner (both only show them with --dry-run); rbac prints the rights in a cluster that --rules
need; healthcheck asks the agent that runs; version.";

fn main() -> ExitCode {
    memory::share_one_heap();
    memory::map_large();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let word = args.get(1).and_then(|arg| arg.to_str()).unwrap_or_default().to_owned();
    if word == health::COMMAND {
        return health::check("consul-registrar", PREFIX, PORT, args);
    }
    let mode = Mode::from_str(&word, false).ok();
    let commands = ["run", "plan", "targets", "check", "rebalance", "purge", "rbac", "version"];
    if mode.is_some() || commands.contains(&word.as_str()) {
        args.remove(1);
    }
    if word == "version" {
        return finish(writeln!(stdout(), "{BUILD}").map_err(anyhow::Error::from));
    }
    let command = Command::new("consul-registrar").about(ABOUT);
    let parsed = exporter_toolkit::options::parse::<Options>(command, PREFIX, args);
    let (mut options, _) = parsed.unwrap_or_else(|error| error.exit());
    options.modes.extend(mode);
    finish(run(&word, options))
}

fn run(word: &str, options: Options) -> anyhow::Result<()> {
    log::start(&options.log, "consul-registrar")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(2)
        .build()?;
    let dry = options.rows.dry_run;
    runtime.block_on(async {
        match word {
            _ if options.check_config => commands::check_config(&options),
            "rbac" => commands::rights(&options),
            "plan" => commands::plan(&options, false).await,
            "targets" => commands::targets(&options).await,
            "check" => commands::check(&options).await,
            "rebalance" => commands::rebalance(&options, !dry).await,
            "purge" => commands::purge(&options, !dry).await,
            _ if dry => commands::plan(&options, false).await,
            _ if options.rows.once => commands::plan(&options, true).await,
            _ => {
                tracing::info!(version = %BUILD, "Starting consul-registrar");
                let control = shutdown::listen()?;
                serve(options, &control).await
            }
        }
    })
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("consul-registrar: {error:#}");
            ExitCode::FAILURE
        }
    }
}
