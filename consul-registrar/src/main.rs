//! Parse the options, follow the sources, keep the sinks as they are; or show, once, what would be done.

use std::ffi::OsString;
use std::io::{Write as _, stdout};
use std::process::ExitCode;

use clap::ValueEnum as _;
use consul_registrar::commands;
use consul_registrar::options::{BUILD, Options, PREFIX, WORDS, command};
use consul_registrar::serve::{PORT, serve};
use consul_registrar::source::Mode;
use exporter_toolkit::{health, log, memory, shutdown};

fn main() -> ExitCode {
    memory::share_one_heap();
    memory::map_large();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let word = args.get(1).and_then(|arg| arg.to_str()).unwrap_or_default().to_owned();
    if word == health::COMMAND {
        return health::check("consul-registrar", PREFIX, PORT, args);
    }
    let mode = Mode::from_str(&word, false).ok();
    if WORDS.iter().any(|known| known.name == word) {
        args.remove(1);
    }
    if word == "version" {
        return finish(writeln!(stdout(), "{BUILD}").map_err(anyhow::Error::from));
    }
    let parsed = exporter_toolkit::options::parse::<Options>(command(), PREFIX, args);
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
