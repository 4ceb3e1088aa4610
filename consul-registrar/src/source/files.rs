//! `static`: targets in YAML and JSON files, in the format of `file_sd` and in a richer one.

mod notice;
mod parse;
mod watch;

use std::path::Path;
use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep, sleep_until};

use super::Running;
use crate::target::{Publisher, Subscription, source};
use notice::Notice;
use watch::Files;

/// How often the files are looked at, a `stat` each, where the kernel does not tell of changes.
const EVERY: Duration = Duration::from_secs(1);
/// The same where it does: what a link leads to, or another host has written, comes without a word.
const SELDOM: Duration = Duration::from_secs(10);
/// Changes that come together are one look.
const GATHER: Duration = Duration::from_millis(20);
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
    let (folders, told) = files.folders();
    let notice = Notice::of(folders);
    let mut confirmed = Instant::now();
    loop {
        // What changes from now on is told, what changed before is seen.
        let every = if notice.watch() && told { SELDOM } else { EVERY };
        if files.look() {
            tell(&files, &publisher);
            confirmed = Instant::now();
        } else if confirmed.elapsed() >= CONFIRM {
            confirmed = Instant::now();
            if files.problem().is_none() {
                publisher.confirm();
            }
        }
        let next = Instant::now() + if files.is_settled() { every } else { EVERY };
        tokio::select! {
            () = publisher.closed() => return,
            () = notice.next() => sleep(GATHER).await,
            () = sleep_until(next) => {}
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

/// What a file finds whose text this is.
#[cfg(test)]
pub(crate) fn found(name: &str, text: &str) -> Vec<super::kubernetes::Found> {
    parse::parse(Path::new(name), text, "").unwrap()
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"))
}
