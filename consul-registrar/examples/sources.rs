//! What the sources find, without Consul: `sources MODE… [FLAGS]`, such as
//! `sources kubernetes --rules rules.yaml --kubeconfig FILE`. Each change is told with the milliseconds since the start.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::Write as _;
use std::time::Instant;

use clap::{Args, Command, ValueEnum as _};
use consul_registrar::source::{Mode, SourceOptions};
use consul_registrar::target::Subscription;
use exporter_toolkit::log::{self, LogOptions};

#[derive(Args, Clone, Debug)]
struct Options {
    #[command(flatten)]
    sources: SourceOptions,
    #[command(flatten)]
    log: LogOptions,
}

fn main() -> anyhow::Result<()> {
    let args: Vec<OsString> = std::env::args_os().collect();
    let is_mode = |arg: &&OsString| arg.to_str().is_some_and(|text| !text.starts_with('-'));
    let modes: Vec<OsString> = args.iter().skip(1).take_while(is_mode).cloned().collect();
    let rest = args.iter().take(1).chain(args.iter().skip(1 + modes.len())).cloned();
    let (options, _) =
        exporter_toolkit::options::parse::<Options>(Command::new("sources"), "REGISTRAR", rest)
            .unwrap_or_else(|error| error.exit());
    log::start(&options.log, "sources")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut tasks = tokio::task::JoinSet::new();
        for mode in modes {
            let mode = mode.to_string_lossy().into_owned();
            let mode = Mode::from_str(&mode, false).map_err(anyhow::Error::msg)?;
            let (subscription, running) = options.sources.start(mode)?;
            tasks.spawn(running);
            tasks.spawn(show(subscription));
        }
        while tasks.join_next().await.is_some() {}
        Ok(())
    })
}

async fn show(mut subscription: Subscription) {
    let begun = Instant::now();
    let mut known = BTreeSet::new();
    loop {
        let state = subscription.state.borrow_and_update().clone();
        let at = begun.elapsed().as_millis();
        let snapshot = state.snapshot.unwrap_or_default();
        let now: BTreeSet<String> =
            snapshot.targets.iter().map(|target| target.key.to_string()).collect();
        let mut text = format!(
            "{at} {}: {} targets, {} held back; {}\n",
            subscription.name,
            now.len(),
            snapshot.held.len(),
            state.unsynced.as_deref().unwrap_or("synced"),
        );
        text.extend(now.difference(&known).take(40).map(|key| format!("  + {key}\n")));
        text.extend(known.difference(&now).take(40).map(|key| format!("  - {key}\n")));
        let held = snapshot.held.iter().take(10);
        text.extend(
            held.map(|held| format!("  ? {} {}: {}\n", held.service, held.origin, held.reason)),
        );
        if std::io::stdout().write_all(text.as_bytes()).is_err() {
            return;
        }
        known = now;
        if subscription.state.changed().await.is_err() {
            return;
        }
    }
}
