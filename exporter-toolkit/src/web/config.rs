//! `--web.config.file`: TLS, basic auth, response headers and a rate limit, read again when a file changes.

mod file;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};
use tokio_rustls::TlsAcceptor;

use super::auth::Login;
use super::limits::Rate;
use super::stats::Stats;
use super::tls;
use crate::files::{FileError, Files, Watch};
use crate::yaml;

pub(crate) use file::{ClientAuth, File, Secret, Tls};

/// What is wrong with the configuration: where, and what.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError {
    /// The file that is wrong: the configuration or a certificate that it names.
    pub file: PathBuf,
    /// From 1, where it is known.
    pub line: Option<u64>,
    pub problem: String,
    #[source]
    pub source: Option<io::Error>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {} (--web.config.file)", self.problem)
    }
}

impl ConfigError {
    pub(crate) fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: None, problem: problem.into(), source: None }
    }

    fn yaml(file: &Path, problem: yaml::Problem) -> Self {
        Self { line: problem.line, ..Self::new(file, problem.text) }
    }
}

impl From<FileError> for ConfigError {
    fn from(error: FileError) -> Self {
        let problem = format!("cannot be read: {}", error.source);
        Self { source: Some(error.source), ..Self::new(&error.path, problem) }
    }
}

/// What is in force: everything that stands between a client and the agent.
#[derive(Default)]
pub(crate) struct Secured {
    pub(crate) tls: Option<TlsAcceptor>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) login: Option<Login>,
    pub(crate) rate: Option<Arc<Rate>>,
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tls, login) = (self.tls.is_some(), self.login.is_some());
        f.debug_struct("Secured").field("tls", &tls).field("login", &login).finish_non_exhaustive()
    }
}

impl Secured {
    fn load(file: &Path, files: &mut Files) -> Result<Self, ConfigError> {
        let text = files.text(file)?;
        let parsed = parse(file, &text)?;
        let base = file.parent().unwrap_or(Path::new(""));
        let tls = parsed.tls_server_config.filter(Tls::is_given);
        let rate = parsed.rate_limit.filter(|rate| !rate.interval.is_zero());
        if rate.is_some_and(|rate| rate.burst == 0) {
            tracing::warn!(file = %file.display(), "rate_limit with a burst of 0 refuses every request");
        }
        Ok(Self {
            tls: tls.map(|tls| tls::acceptor(&tls, file, base, files)).transpose()?,
            headers: parsed
                .http_server_config
                .map_or_else(Vec::new, |http| http.headers.into_pairs()),
            login: Login::new(parsed.basic_auth_users.0),
            rate: rate.map(|rate| Arc::new(Rate::new(rate.interval, rate.burst, Instant::now()))),
        })
    }

    /// What a reload may not do, because a file that is half written would open the door.
    fn may_follow(self, old: &Self, file: &Path) -> Result<Self, ConfigError> {
        if self.tls.is_some() != old.tls.is_some() {
            let problem = "tls_server_config came or went: switching TLS on or off takes a restart";
            return Err(ConfigError::new(file, problem));
        }
        if self.login.is_none() && old.login.is_some() {
            let problem = "basic_auth_users is gone: switching authentication off takes a restart";
            return Err(ConfigError::new(file, problem));
        }
        let same = |rate: &&Arc<Rate>| self.rate.as_ref().is_some_and(|new| new.is_like(rate));
        let kept = old.rate.as_ref().filter(same);
        Ok(Self { rate: kept.cloned().or(self.rate), ..self })
    }
}

/// An empty file is an empty configuration, as for the peer.
fn parse(file: &Path, text: &str) -> Result<File, ConfigError> {
    yaml::parse(text).map_err(|problem| ConfigError::yaml(file, problem.with_key(text)))
}

/// Holds what is in force and looks for changes when it is asked.
#[derive(Debug)]
pub(crate) struct Keeper {
    file: Option<PathBuf>,
    recheck: Duration,
    counts: Arc<Stats>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    current: Arc<Secured>,
    checked: Instant,
    watch: Watch,
}

impl Keeper {
    /// Without a file nothing is secured. A file that is wrong is an error.
    pub(crate) fn open(
        file: Option<PathBuf>,
        recheck: Duration,
        counts: Arc<Stats>,
    ) -> Result<Self, ConfigError> {
        let mut files = Files::default();
        let current = match &file {
            Some(file) => Secured::load(file, &mut files)?,
            None => Secured::default(),
        };
        let state = Mutex::new(State {
            current: Arc::new(current),
            checked: Instant::now(),
            watch: files.watch(),
        });
        Ok(Self { file, recheck, counts, state })
    }

    /// What is in force now. At most once per `recheck` it looks whether a file has changed.
    pub(crate) fn current(&self) -> Arc<Secured> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file
            && state.checked.elapsed() >= self.recheck
        {
            state.checked = Instant::now();
            if state.watch.has_changed() {
                self.read_again(file, &mut state);
            }
        }
        Arc::clone(&state.current)
    }

    /// Reads the files whether they have changed or not.
    pub(crate) fn reload(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &self.file {
            self.read_again(file, &mut state);
        }
    }

    fn read_again(&self, file: &Path, state: &mut State) {
        let mut files = Files::default();
        let loaded = Secured::load(file, &mut files);
        state.watch = files.watch();
        match loaded.and_then(|new| new.may_follow(&state.current, file)) {
            Ok(new) => {
                state.current = Arc::new(new);
                self.counts.reloads.one();
                tracing::info!(file = %file.display(), "web configuration read again");
            }
            Err(error) => {
                self.counts.reload_errors.one();
                tracing::error!(%error, "web configuration not changed, the old one stays in force");
            }
        }
    }
}

#[cfg(test)]
mod tests;
