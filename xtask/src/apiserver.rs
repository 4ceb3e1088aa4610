//! `cargo xtask apiserver`: the generated API server of `e2e` as a process of its own, so that a benchmark counts none of
//! its work, and for trying things out with `kubectl`.

use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;
use e2e::ApiServer;
use e2e::apiserver::{Settings, Streaming};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[arg(long, default_value_t = 1000)]
    pods: usize,
    /// Port of 127.0.0.1 [default: any free one]
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// What becomes of streaming lists
    #[arg(long, value_enum, default_value = "served")]
    streaming: Lists,
    /// Seconds between two bookmarks
    #[arg(long, default_value_t = 60)]
    bookmarks: u64,
    /// UIDs and container ids that count up, instead of random ones as a real cluster's
    #[arg(long)]
    counted_ids: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Lists {
    /// As Kubernetes does since 1.32
    Served,
    /// With 422, as while the feature gate is off
    Refused,
    /// As servers before 1.27, which knew no such parameter
    Ignored,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let server = ApiServer::start(Settings {
        pods: options.pods,
        port: options.port,
        streaming: match options.streaming {
            Lists::Served => Streaming::Served,
            Lists::Refused => Streaming::Refused,
            Lists::Ignored => Streaming::Ignored,
        },
        bookmarks: Duration::from_secs(options.bookmarks),
        counted_ids: options.counted_ids,
    })?;
    println!("http://{}", server.address());
    loop {
        std::thread::park();
    }
}
