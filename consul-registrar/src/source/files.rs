//! `static`: targets in YAML and JSON files, in the format of `file_sd` and in a richer one.

mod parse;
mod watch;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::time::interval;

use super::Running;
use crate::target::{Publisher, Subscription, source};
use watch::Files;

/// How often the files are looked at: a `stat` each.
const EVERY: Duration = Duration::from_secs(1);
/// What has not changed is vouched for this often.
const CONFIRM: Duration = Duration::from_secs(20);

/// Where the files are.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Mode static")]
pub struct FileOptions {
    /// Files with targets (YAML or JSON), such as '/etc/registrar/*.yaml'. They are read again when they change.
    #[arg(long, value_name = "GLOB")]
    pub file: Vec<String>,
}

/// Why mode `static` cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("mode static needs --file")]
    None,
    #[error("--file '{pattern}'")]
    Pattern { pattern: String, source: glob::PatternError },
}

impl FileOptions {
    /// `service` is that of targets that name none. Fails where a pattern is wrong; files that are missing or broken are
    /// waited for.
    pub fn start(&self, service: &str) -> Result<(Subscription, Running), FileError> {
        if self.file.is_empty() {
            return Err(FileError::None);
        }
        for pattern in &self.file {
            glob::Pattern::new(pattern)
                .map_err(|source| FileError::Pattern { pattern: pattern.clone(), source })?;
        }
        let (publisher, subscription) = source(format!("static {}", self.file.join(" ")));
        let files = Files::new(self.file.clone(), service.to_owned());
        Ok((subscription, Box::pin(run(files, publisher))))
    }
}

async fn run(mut files: Files, publisher: Publisher) {
    let mut every = interval(EVERY);
    let mut quiet = Duration::ZERO;
    loop {
        tokio::select! {
            () = publisher.closed() => return,
            _ = every.tick() => {}
        }
        quiet += EVERY;
        if files.look() {
            tell(&files, &publisher);
            quiet = Duration::ZERO;
        } else if quiet >= CONFIRM {
            quiet = Duration::ZERO;
            if files.problem().is_none() {
                publisher.confirm();
            }
        }
    }
}

/// What is known is told even where a file is broken: the others go on.
fn tell(files: &Files, publisher: &Publisher) {
    if files.is_known() {
        publisher.publish_found(files.all());
    }
    if let Some(problem) = files.problem() {
        publisher.unsynced(problem);
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
