//! Tests of several processes share servers: they take turns.
#![expect(clippy::unwrap_used, reason = "support of tests: what fails is to be seen")]

use std::fs::File;

use crate::servers;

/// A server is one test's alone for as long as this lives, or until its process ends.
#[derive(Debug)]
pub(crate) struct Turn(#[expect(dead_code, reason = "it is locked")] File);

impl Turn {
    /// Waits until no other test, of this process or another, has what is called so in the testbed.
    pub(crate) fn take(name: &str) -> Self {
        let folder = servers::testbed().join("run");
        std::fs::create_dir_all(&folder).unwrap();
        let file = File::create(folder.join(format!("{name}.turn"))).unwrap();
        file.lock().unwrap();
        Self(file)
    }
}
