//! Which configuration is in force, for the agent's own metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use exporter_toolkit::{Exposition, Gauge};
use xxhash_rust::xxh3::xxh3_64;

use crate::shard::Shard;

static HASH: Gauge<2> = Gauge::new(
    "kube_state_metrics_config_hash",
    "A number that differs when the configuration that is in force does.",
    ["type", "filename"],
);
static SUCCESSFUL: Gauge<2> = Gauge::new(
    "kube_state_metrics_last_config_reload_successful",
    "Whether the configuration could be used when it was last read.",
    ["type", "filename"],
);
static SUCCESS_TIME: Gauge<2> = Gauge::new(
    "kube_state_metrics_last_config_reload_success_timestamp_seconds",
    "When a configuration was last put in force, in seconds since 1970.",
    ["type", "filename"],
);

/// Shared by those who configure and those who tell.
#[derive(Debug, Default)]
pub struct Configured(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    shard: Shard,
    object_limit: Option<u64>,
    files: Vec<ReadFile>,
}

/// A configuration file and how reading it went.
#[derive(Clone, Debug)]
struct ReadFile {
    /// `config` or `customresourceconfig`, as the peer says it.
    kind: &'static str,
    name: String,
    hash: Option<f64>,
    successful: bool,
    at: Option<f64>,
}

impl Configured {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn shard(&self) -> Shard {
        self.state().shard
    }

    pub fn object_limit(&self) -> Option<u64> {
        self.state().object_limit
    }

    pub fn set(&self, shard: Shard, object_limit: Option<u64>) {
        let mut state = self.state();
        state.shard = shard;
        state.object_limit = object_limit;
    }

    /// Notes that a file was read; `text` is what it held where it can be used.
    pub fn read(&self, kind: &'static str, name: &str, text: Option<&[u8]>) {
        let mut state = self.state();
        let known = state.files.iter().position(|file| file.kind == kind && file.name == name);
        let place = known.unwrap_or_else(|| {
            let name = name.to_owned();
            state.files.push(ReadFile { kind, name, hash: None, successful: false, at: None });
            state.files.len() - 1
        });
        let Some(file) = state.files.get_mut(place) else { return };
        file.successful = text.is_some();
        if let Some(text) = text {
            // 48 bits, so that the number is exact as a sample's value.
            file.hash = Some((xxh3_64(text) >> 16) as f64);
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            file.at = Some(now.unwrap_or_default().as_secs_f64());
        }
    }

    pub(crate) fn write(&self, out: &mut Exposition) {
        let files = self.state().files.clone();
        let mut hash = out.family(&HASH);
        for file in &files {
            hash.maybe((file.kind, &file.name), file.hash);
        }
        let mut successful = out.family(&SUCCESSFUL);
        for file in &files {
            successful.sample((file.kind, &file.name), file.successful);
        }
        let mut time = out.family(&SUCCESS_TIME);
        for file in &files {
            time.maybe((file.kind, &file.name), file.at);
        }
    }
}
