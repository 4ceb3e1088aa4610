//! The file of `--rules` while the agent runs.

use std::path::PathBuf;
use std::time::Duration;

use exporter_toolkit::files::{Files, Watch};
use tokio::time::{MissedTickBehavior, interval};

use super::rules::{Rules, RulesError};

/// How often the file is looked at: a `stat`.
const LOOK: Duration = Duration::from_secs(5);

/// The rules, and the file that they come from.
pub(super) struct RulesFile {
    /// `None` for the shipped rules, which never change.
    path: Option<PathBuf>,
    text: String,
    watch: Watch,
}

impl RulesFile {
    pub(super) fn open(path: Option<PathBuf>) -> Result<(Rules, Self), RulesError> {
        let mut file = Self { path, text: String::new(), watch: Files::default().watch() };
        // Its stamp is taken before it is read: what changes meanwhile has changed.
        file.look();
        Ok((file.rules()?, file))
    }

    fn rules(&self) -> Result<Rules, RulesError> {
        self.path.as_deref().map_or_else(Rules::shipped, Rules::load)
    }

    /// Answers whether the text is another one.
    fn look(&mut self) -> bool {
        let Some(path) = &self.path else { return false };
        let mut files = Files::default();
        let text = files.text(path).unwrap_or_default();
        self.watch = files.watch();
        std::mem::replace(&mut self.text, text) != self.text
    }

    /// Waits for other rules. What is wrong with a file is said once, and the rules of before stay.
    pub(super) async fn next(&mut self) -> Rules {
        let mut every = interval(LOOK);
        every.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            every.tick().await;
            if !self.watch.has_changed() || !self.look() {
                continue;
            }
            match self.rules() {
                Ok(rules) => {
                    tracing::info!(file = ?self.path, "rules read again");
                    return rules;
                }
                Err(error) => tracing::warn!(%error, "rules not read again, those of before stay"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;
    use crate::source::kubernetes::SHIPPED;

    #[tokio::test(start_paused = true)]
    async fn other_rules_are_taken_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rules.yaml");
        let write = |text: &str| {
            std::fs::write(folder.path().join("new"), text).unwrap();
            std::fs::rename(folder.path().join("new"), &path).unwrap();
        };
        write(SHIPPED);
        let (_, mut file) = RulesFile::open(Some(path.clone())).unwrap();
        let minute = Duration::from_mins(1);
        // The same text in a new file, a broken one, none, and the first one again.
        for text in [SHIPPED, "rules: 7\n"] {
            write(text);
            assert!(timeout(minute, file.next()).await.is_err(), "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        assert!(timeout(minute, file.next()).await.is_err());
        write(SHIPPED);
        assert!(timeout(minute, file.next()).await.is_ok());
        let (_, mut shipped) = RulesFile::open(None).unwrap();
        assert!(timeout(minute, shipped.next()).await.is_err());
        assert!(RulesFile::open(Some("/nonexistent/rules.yaml".into())).is_err());
    }
}
