//! YAML files that users write: what is wrong with one is told with its line, and without the lines around it, which may
//! hold secrets.

use serde::de::DeserializeOwned;

/// Why a text is not what was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Problem {
    /// From 1, where it is known.
    pub(crate) line: Option<u64>,
    pub(crate) text: String,
}

/// Reads a whole document; an empty one is the default.
pub(crate) fn parse<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    let options = serde_saphyr::options! { with_snippet: false };
    let parsed: Result<Option<T>, _> = serde_saphyr::from_str_with_options(text, options);
    parsed.map(Option::unwrap_or_default).map_err(|error| Problem::new(text, &error))
}

impl Problem {
    /// The reader names places but no keys, so the key is taken from the line.
    fn new(document: &str, error: &serde_saphyr::Error) -> Self {
        let options = serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off };
        let mut text = error.without_snippet().render_with_options(options);
        let Some(place) = error.location() else { return Self { line: None, text } };
        let suffix = format!(" at line {}, column {}", place.line(), place.column());
        if let Some(message) = text.strip_suffix(&suffix) {
            text.truncate(message.len());
        }
        let above = usize::try_from(place.line()).unwrap_or(0).saturating_sub(1);
        if let Some(key) = document.lines().nth(above).and_then(key) {
            text = format!("{key}: {text}");
        }
        Self { line: Some(place.line()), text }
    }
}

/// The key that a line of YAML starts with.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    let key = key.trim_start_matches([' ', '-']);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (key.bytes().all(known) && !key.is_empty()).then_some(key)
}
