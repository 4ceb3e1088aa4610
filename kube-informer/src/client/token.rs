//! The bearer token in a file: a projected service account token is replaced before its hour is over.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use exporter_toolkit::files;
use http::HeaderValue;

use super::ConnectError;

/// Tokens with many groups have a few KiB.
const LIMIT: u64 = 64 << 10;

pub(crate) struct Token {
    file: PathBuf,
    last: Mutex<HeaderValue>,
}

/// Tells the file, never what it holds.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Token {
    pub(crate) fn read(file: PathBuf) -> Result<Self, ConnectError> {
        match header(&file) {
            Ok(value) => Ok(Self { file, last: Mutex::new(value) }),
            Err(source) => Err(ConnectError::Token { file, source }),
        }
    }

    /// What the file holds now, or held when it could be read last: it is missing for a moment while it is replaced,
    /// and some delete it once all programs have started.
    pub(crate) fn header(&self) -> HeaderValue {
        let now = header(&self.file);
        let mut last = self.last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Ok(value) = now {
            *last = value;
        }
        last.clone()
    }
}

fn header(file: &Path) -> io::Result<HeaderValue> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", read(file)?))
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it holds no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A short file's text without the blanks around it.
pub(crate) fn read(file: &Path) -> io::Result<String> {
    match files::read(file, LIMIT)?.trim() {
        "" => Err(io::Error::new(io::ErrorKind::InvalidData, "it is empty")),
        text => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_again_for_each_request_and_kept_while_its_file_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "one\n").unwrap();
        let token = Token::read(file.clone()).unwrap();
        assert_eq!(token.header(), "Bearer one");
        std::fs::write(&file, "two").unwrap();
        assert_eq!(token.header(), "Bearer two");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(token.header(), "Bearer two");
        std::fs::write(&file, "").unwrap();
        assert_eq!(token.header(), "Bearer two");
    }

    #[test]
    fn a_token_is_never_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "sesame").unwrap();
        let token = Token::read(file).unwrap();
        assert!(!format!("{token:?} {:?}", token.header()).contains("sesame"));
    }

    #[test]
    fn a_file_without_a_token_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let error = Token::read(file.clone()).unwrap_err().to_string();
        assert!(error.contains(&file.display().to_string()), "{error}");
        std::fs::write(&file, " \n").unwrap();
        assert!(Token::read(file).is_err());
    }
}
