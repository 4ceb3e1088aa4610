//! Parse the options, connect, follow, serve, drain; or render files.

use std::ffi::OsString;
use std::io::{BufWriter, Write as _, stdout};
use std::process::ExitCode;

use exporter_toolkit::{health, log, memory, shutdown};
use kube_state_rs::filter::{self, Filters};
use kube_state_rs::options::{self, BUILD, Options, PREFIX, TableOptions, command_of};
use kube_state_rs::render::{RenderOptions, render};
use kube_state_rs::resource::{AnyResource, RESOURCES, find};
use kube_state_rs::serve::{check, serve};
use kube_state_rs::{settings, tables};

fn main() -> ExitCode {
    memory::share_one_heap();
    memory::map_large();
    let mut args: Vec<OsString> = std::env::args_os().collect();
    match args.get(1).and_then(|arg| arg.to_str()) {
        Some("render") => {
            args.remove(1);
            finish(render_files(args))
        }
        Some("families") => {
            args.remove(1);
            finish(print_families(args))
        }
        Some("rbac") => {
            args.remove(1);
            finish(print_roles(args))
        }
        Some(health::COMMAND) => health::check("kube-state-rs", PREFIX, options::PORT, args),
        Some("version") => {
            let printed = writeln!(stdout(), "{BUILD}");
            finish(printed.map_err(anyhow::Error::from))
        }
        _ => run(args),
    }
}

fn run(args: Vec<OsString>) -> ExitCode {
    let given = options::parse(args).unwrap_or_else(|error| error.exit());
    if let Err(error) = log::start(&given.log, "kube-state-rs") {
        eprintln!("kube-state-rs: {error}");
        return ExitCode::FAILURE;
    }
    if given.check_config {
        let good = "kube-state-rs: the configuration is good";
        return finish(check(&given).and_then(|()| Ok(writeln!(stdout(), "{good}")?)));
    }
    match follow(given) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn follow(given: Options) -> anyhow::Result<()> {
    tracing::info!(version = %BUILD, "Starting kube-state-rs");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .build()?;
    let control = shutdown::listen()?;
    runtime.block_on(serve(given, &control))
}

fn render_files(args: Vec<OsString>) -> anyhow::Result<()> {
    let command = command_of("render");
    let (given, _) = exporter_toolkit::options::parse::<RenderOptions>(command, PREFIX, args)
        .unwrap_or_else(|error| error.exit());
    let filters = Filters::new(&given.objects, &given.metrics, false)?;
    let mut out = BufWriter::new(stdout().lock());
    let report = render(&given.files, &filters.built_ins(), &mut out)?;
    for problem in &report.left_out {
        eprintln!("{problem}");
    }
    anyhow::ensure!(report.left_out.is_empty(), "{} objects are left out", report.left_out.len());
    Ok(())
}

fn table_options(word: &'static str, args: Vec<OsString>) -> anyhow::Result<Tables> {
    let command = command_of(word);
    let (given, _) = exporter_toolkit::options::parse::<TableOptions>(command, PREFIX, args)
        .unwrap_or_else(|error| error.exit());
    let names = filter::resources(&given.objects.resources)?;
    Ok(Tables {
        resources: names.iter().filter_map(|name| find(name)).collect(),
        namespaces: settings::names(&given.objects.namespaces),
        custom: settings::names(&given.custom),
    })
}

struct Tables {
    resources: Vec<&'static dyn AnyResource>,
    namespaces: Vec<String>,
    custom: Vec<String>,
}

fn print_families(args: Vec<OsString>) -> anyhow::Result<()> {
    let all = args.len() == 1;
    let tables = table_options("families", args)?;
    let resources = if all { RESOURCES } else { &tables.resources };
    Ok(stdout().write_all(tables::families(resources).as_bytes())?)
}

fn print_roles(args: Vec<OsString>) -> anyhow::Result<()> {
    let Tables { resources, namespaces, custom } = table_options("rbac", args)?;
    let roles = tables::rbac(&resources, &namespaces, &custom);
    Ok(stdout().write_all(roles.as_bytes())?)
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kube-state-rs: {error:#}");
            ExitCode::FAILURE
        }
    }
}
