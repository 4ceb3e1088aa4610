//! The agent's log: one line an event, in the peers' logfmt or as JSON, to standard error or to rotated files.
//!
//! Nothing here waits or fails while the agent runs: a line that cannot be written is lost and counted.

mod file;
mod format;

use std::io;
use std::panic::PanicHookInfo;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use tracing::Subscriber;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::options::size;
pub use file::lost_lines;
use file::{Limits, RotatingFile, Stderr};
use format::EventFormat;

/// What is logged, how and where to.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogOptions {
    /// Log what is at least this severe.
    #[arg(long = "log.level", value_enum, default_value_t, value_name = "LEVEL")]
    pub level: Level,
    /// Form of a line.
    #[arg(long = "log.format", value_enum, default_value_t, value_name = "FORMAT")]
    pub format: Format,
    /// Log to a file in this folder instead of standard error.
    #[arg(long = "log.path", value_name = "DIR")]
    pub path: Option<PathBuf>,
    /// Start a new file in --log.path when one reaches this size.
    #[arg(long = "log.max-size", value_name = "SIZE", default_value = "10MiB", value_parser = size)]
    pub max_size: u64,
    /// Keep this many files in --log.path, the current one included.
    #[arg(
        long = "log.max-files",
        value_name = "COUNT",
        default_value_t = 5,
        value_parser = clap::value_parser!(u16).range(1..=1000)
    )]
    pub max_files: u16,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Format {
    #[default]
    Logfmt,
    Json,
}

/// Why the log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("--log.path: cannot write {}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("the log was started before")]
    Started,
}

impl From<Level> for LevelFilter {
    fn from(level: Level) -> Self {
        match level {
            Level::Debug => Self::DEBUG,
            Level::Info => Self::INFO,
            Level::Warn => Self::WARN,
            Level::Error => Self::ERROR,
        }
    }
}

/// Starts the log of the whole process; panics become lines of it. `agent` names the file in `--log.path`.
pub fn start(options: &LogOptions, agent: &str) -> Result<(), LogError> {
    let set = |subscriber| {
        tracing::subscriber::set_global_default(subscriber).map_err(|_| LogError::Started)
    };
    match &options.path {
        None => set(subscriber(options, Stderr))?,
        Some(folder) => set(subscriber(options, open(options, folder, agent)?))?,
    }
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn open(options: &LogOptions, folder: &Path, agent: &str) -> Result<RotatingFile, LogError> {
    let path = folder.join(format!("{agent}.log"));
    let limits = Limits { size: options.max_size, files: options.max_files };
    RotatingFile::open(path.clone(), limits).map_err(|source| LogError::File { path, source })
}

fn subscriber<W>(options: &LogOptions, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    Box::new(
        tracing_subscriber::fmt()
            .with_max_level(LevelFilter::from(options.level))
            // What a failed write would print about itself has nowhere to go.
            .log_internal_errors(false)
            .with_ansi(false)
            .event_format(EventFormat(options.format))
            .with_writer(writer)
            .finish(),
    )
}

fn log_panic(info: &PanicHookInfo<'_>) {
    let place = info.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or_default();
    tracing::error!(place, thread, "panic: {}", info.payload_as_str().unwrap_or("no message"));
}

#[cfg(test)]
mod tests;
