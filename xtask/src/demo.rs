//! `cargo demo`: the four agents on this machine with what it has, and one page of all targets and how they are.
//!
//! The page is the demo's own: consul-registrar lists targets and leaves the asking to whom the list is for, so that one
//! that is down stays listed. Here that is a Prometheus, where there is one, and the page itself, which does what Prometheus
//! does: it reads the registrar's `http_sd` and scrapes what stands there.

mod board;
mod found;
mod host;
mod page;
mod parts;
mod report;
mod says;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::agent::START;

use crate::binary;
use board::Board;
use found::Found;
use parts::Parts;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// End after the report instead of waiting for Ctrl-C; an error where something that should be up is not
    #[arg(long)]
    once: bool,
    /// Port of 127.0.0.1 for the page [default: 10240, or any free one]
    #[arg(long)]
    port: Option<u16>,
    /// Serve the objects of this file to kube-state-rs, as kubectl prints them, instead of following a cluster
    #[arg(long, value_name = "FILE")]
    objects: Option<PathBuf>,
}

/// The page's port, beside those of the agents.
const PORT: u16 = 10240;

pub(crate) fn run(options: &Options) -> Result<()> {
    eprintln!("Building the four agents (the first time takes some minutes) ...");
    let programs = binary::agents()?;
    // From here on programs run that must end with this one.
    let end = end_is_asked_for()?;
    let found = Found::look(options.objects.as_deref());
    let mut parts = Parts::start(&programs, &found, !options.once)?;
    let board = Arc::new(Board::start(&parts)?);
    let port = match options.port {
        Some(port) => port,
        None => parts::address(PORT, !options.once)?.port(),
    };
    let site = page::serve(port, Arc::clone(&board), parts.notes().to_vec())?;
    let url = format!("http://{}/", site.address());
    wait_for_targets(&board, &end);
    print!("{}", report::text(&board, &parts, &url));
    if options.once {
        let wrong = board.wrong(parts.expected());
        ensure!(wrong.is_empty(), "not all is up: {}", wrong.join("; "));
        return Ok(());
    }
    println!("\nCtrl-C ends all of it.");
    while !end() {
        for sentence in parts.ended() {
            eprintln!("{sentence}");
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    eprintln!("Ending ...");
    Ok(())
}

/// Until all that should be there has been scraped, or no more is to be hoped for.
fn wait_for_targets(board: &Board, end: &impl Fn() -> bool) {
    let deadline = Instant::now() + START;
    while !end() && Instant::now() < deadline && !board.is_settled() {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Takes the signals that end a program, and gives what tells whether one has come. The programs that were started end with
/// their guards then.
fn end_is_asked_for() -> Result<impl Fn() -> bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (sender, receiver) = tokio::sync::watch::channel(false);
    let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let [mut interrupt, mut terminate, mut hangup] = {
        let _in_runtime = runtime.enter();
        let [a, b, c] = kinds.map(signal);
        [a?, b?, c?]
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hangup.recv() => {}
            }
        });
        sender.send_replace(true);
    })?;
    Ok(move || *receiver.borrow())
}
