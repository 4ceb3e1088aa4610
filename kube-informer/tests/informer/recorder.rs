//! A handler that writes down what it is told, a line each.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kube_informer::{Broken, Handler, Object, Problem, Resource, Status};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What was told, in order: `begin pods.v1`, `apply a@1`, `listed`, `delete a@2`, `broken a`, `following`, ….
#[derive(Clone, Default)]
pub(crate) struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    changed: Arc<Notify>,
}

impl Log {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Those lines that start so.
    pub(crate) fn starting(&self, prefix: &str) -> Vec<String> {
        self.lines().into_iter().filter(|line| line.starts_with(prefix)).collect()
    }

    fn add(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.changed.notify_one();
    }

    /// Waits until `enough` holds; a test that waits for ever shows what was told.
    pub(crate) async fn until(&self, enough: impl Fn(&[String]) -> bool) {
        let wait = async {
            while !enough(&self.lines()) {
                self.changed.notified().await;
            }
        };
        let told = timeout(Duration::from_mins(1), wait).await;
        assert!(told.is_ok(), "never told; up to now:\n{}", self.lines().join("\n"));
    }
}

pub(crate) struct Recorder {
    log: Log,
    /// The objects' whole texts are written down, too.
    texts: bool,
}

impl Recorder {
    pub(crate) fn new(log: &Log) -> Self {
        Self { log: log.clone(), texts: false }
    }

    pub(crate) fn of_texts(log: &Log) -> Self {
        Self { log: log.clone(), texts: true }
    }
}

impl Handler for Recorder {
    async fn begin(&mut self, resource: &Resource) {
        self.log.add(format!("begin {}", resource.gvr));
    }

    async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
        serde_json::from_str::<serde::de::IgnoredAny>(object.raw)?;
        self.log.add(format!("apply {}@{}", object.name, object.resource_version));
        if self.texts {
            self.log.add(object.raw.to_owned());
        }
        Ok(())
    }

    async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
        self.log.add(format!("delete {}@{}", object.name, object.resource_version));
        Ok(())
    }

    async fn listed(&mut self) {
        self.log.add("listed".to_owned());
    }

    fn broken(&mut self, object: &Broken<'_>) {
        self.log.add(format!("broken {}", object.name.unwrap_or("?")));
    }

    fn status(&mut self, status: &Status) {
        self.log.add(status.to_string());
        if let Status::Failing { retry_in, .. } = status
            && *retry_in >= Duration::from_secs(1)
        {
            self.log.add(format!("retry in {retry_in:?}"));
        }
    }
}
