//! A kernel file that several collectors want: read once a scrape for all of them.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Instant;

use super::{KeptFile, Text};
use crate::collector::CollectError;

/// Shared by its readers in an `Arc`: [`super::Host::stat`].
#[derive(Debug)]
pub struct SharedFile(RwLock<Shared>);

#[derive(Debug)]
struct Shared {
    file: KeptFile,
    /// The scrape it was read for.
    round: Option<Instant>,
}

/// The file as it was read, which is not read again before the last of these is dropped.
#[derive(Debug)]
pub struct Reading<'a>(RwLockReadGuard<'a, Shared>);

impl SharedFile {
    pub(super) fn new(file: KeptFile) -> Self {
        Self(RwLock::new(Shared { file, round: None }))
    }

    /// The file as it is now; a second collector of one scrape gets what the first has read. The scrape is known by its
    /// deadline; without one the file is read anew.
    ///
    /// The second one waits for the first to read, not to work with what it has read. A failure is not shared: the
    /// second one then tries itself.
    pub fn read(&self, round: Option<Instant>) -> Result<Reading<'_>, CollectError> {
        let shared = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if shared.is_of(round) {
            return Ok(Reading(shared));
        }
        drop(shared);
        let mut shared = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !shared.is_of(round) {
            shared.round = None;
            shared.file.read()?;
            shared.round = round;
        }
        Ok(Reading(RwLockWriteGuard::downgrade(shared)))
    }
}

impl Shared {
    fn is_of(&self, round: Option<Instant>) -> bool {
        round.is_some() && self.round == round
    }
}

impl Reading<'_> {
    /// The file as text; bytes that are not UTF-8 are an error that names the file.
    pub fn text(&self) -> Result<Text<'_>, CollectError> {
        self.0.file.text()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::collector::testing::tree;
    use crate::host::Host;

    #[test]
    fn the_second_of_a_scrape_gets_what_the_first_has_read() {
        let folder = tree(&[("proc/stat", "one")]);
        let file = Host::below(folder.path()).stat();
        let now = Instant::now();
        let told = |round| file.read(round).unwrap().text().unwrap().as_str().to_owned();
        assert_eq!(told(Some(now)), "one");
        std::fs::write(folder.path().join("proc/stat"), "two").unwrap();
        assert_eq!(told(Some(now)), "one");
        assert_eq!(told(Some(now + Duration::from_secs(1))), "two");
        for content in ["three", "four"] {
            std::fs::write(folder.path().join("proc/stat"), content).unwrap();
            assert_eq!(told(None), content);
        }
    }

    #[test]
    fn a_failure_is_not_shared() {
        let folder = tree(&[("proc/other", "")]);
        let file = Host::below(folder.path()).stat();
        let now = Some(Instant::now());
        assert!(file.read(now).unwrap_err().is_no_data());
        std::fs::write(folder.path().join("proc/stat"), "there").unwrap();
        assert_eq!(file.read(now).unwrap().text().unwrap().as_str(), "there");
    }

    #[test]
    fn nobody_waits_for_another_to_be_done_with_what_it_has_read() {
        let folder = tree(&[("proc/stat", "one")]);
        let file = Host::below(folder.path()).stat();
        let now = Some(Instant::now());
        let first = file.read(now).unwrap();
        assert!(file.0.try_read().is_ok_and(|shared| shared.is_of(now)));
        assert!(file.0.try_write().is_err());
        drop(first);
        assert!(file.0.try_write().is_ok());
    }
}
