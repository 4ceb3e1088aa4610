//! A bearer token in a file, which another hand renews: projected tokens of Kubernetes live for an hour.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use http::HeaderValue;

use super::ClientError;
use crate::files::{Files, Watch};

/// The token of a file, read again when the file changes.
pub(crate) struct TokenFile {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    header: HeaderValue,
    watch: Watch,
}

impl TokenFile {
    pub(crate) fn open(path: PathBuf) -> Result<Self, ClientError> {
        let (header, watch) = read(&path);
        Ok(Self { path, state: Mutex::new(State { header: header?, watch }) })
    }

    /// What the `Authorization` header says now.
    pub(crate) fn header(&self) -> HeaderValue {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.watch.has_changed() {
            self.read_again(&mut state);
        }
        state.header.clone()
    }

    /// Another token than `refused`, where the file has one by now.
    pub(crate) fn other_than(&self, refused: &HeaderValue) -> Option<HeaderValue> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.read_again(&mut state);
        (state.header != *refused).then(|| state.header.clone())
    }

    /// A file that cannot be read leaves the token as it was: it may be good for a while.
    fn read_again(&self, state: &mut State) {
        let (header, watch) = read(&self.path);
        state.watch = watch;
        match header {
            Ok(header) => state.header = header,
            Err(error) => tracing::warn!(%error, "token not read again, the old one stays"),
        }
    }
}

fn read(path: &Path) -> (Result<HeaderValue, ClientError>, Watch) {
    let mut files = Files::default();
    let header = files.text(path).map_err(ClientError::from).and_then(|text| {
        let wrong = |problem| ClientError::Content { path: path.to_owned(), problem };
        let token = text.trim();
        if token.is_empty() {
            return Err(wrong("there is no token in it".to_owned()));
        }
        let mut header = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| {
            wrong("what is in it is no token: one line of letters and digits is".to_owned())
        })?;
        header.set_sensitive(true);
        Ok(header)
    });
    (header, files.watch())
}
