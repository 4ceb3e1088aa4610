//! YAML files that users write: what is wrong with one is told with its line, and without the lines around it, which may
//! hold secrets.
//!
//! The reader of YAML is large, and compiled anew for each type that it fills; here it is compiled once, for all.

use std::fmt;

use erased_serde::Deserializer;
use serde::de::{DeserializeOwned, Error as _};
use serde_saphyr::{Error, Options};

/// Why a text is not what was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// From 1, where it is known.
    pub line: Option<u64>,
    /// From 1, where it is known.
    pub column: Option<u64>,
    pub text: String,
}

/// `line 3: what is wrong`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// Reads a whole document, which may be JSON; an empty one is the default.
pub fn parse<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    with(text, serde_saphyr::options! { with_snippet: false })
}

/// As [`parse`], without the bounds that are meant for documents of strangers: for lists of many thousand entries.
pub fn parse_large<T: DeserializeOwned + Default>(text: &str) -> Result<T, Problem> {
    with(text, large())
}

/// All documents of a text, which may be large; empty ones are left out.
pub fn documents<T: DeserializeOwned>(text: &str) -> Result<Vec<T>, Problem> {
    serde_saphyr::from_multiple_with_options(text, large()).map_err(|error| Problem::new(&error))
}

fn large() -> Options {
    serde_saphyr::options! { with_snippet: false, budget: None }
}

fn with<T: DeserializeOwned + Default>(text: &str, options: Options) -> Result<T, Problem> {
    let mut value = None;
    read(text, options, &mut |document| {
        value = erased_serde::deserialize(document)?;
        Ok(())
    })?;
    Ok(value.unwrap_or_default())
}

type Fill<'a> = &'a mut dyn FnMut(&mut dyn Deserializer<'_>) -> Result<(), erased_serde::Error>;

fn read(text: &str, options: Options, fill: Fill<'_>) -> Result<(), Problem> {
    let read = |document: serde_saphyr::Deserializer<'_, '_>| {
        fill(&mut <dyn Deserializer<'_>>::erase(document)).map_err(Error::custom)
    };
    serde_saphyr::with_deserializer_from_str_with_options(text, options, read)
        .map_err(|error| Problem::new(&error))
}

impl Problem {
    /// What the checks behind the reader find; line 0 is none.
    pub fn at(line: u64, text: impl Into<String>) -> Self {
        Self { line: (line > 0).then_some(line), column: None, text: text.into() }
    }

    fn new(error: &Error) -> Self {
        let options = serde_saphyr::render_options! { snippets: serde_saphyr::SnippetMode::Off };
        let mut text = error.without_snippet().render_with_options(options);
        let mut place = error.location().map(|place| (place.line(), place.column()));
        // Each list and mapping around the place has written its own behind it, so the first is the one that is meant.
        while let Some((message, line, column)) = cut(&text) {
            place = Some((line, column));
            text.truncate(message.len());
        }
        Self { line: place.map(|place| place.0), column: place.map(|place| place.1), text }
    }

    /// With the key that `document` has in the line, which the reader does not name.
    pub(crate) fn with_key(mut self, document: &str) -> Self {
        let line = self.line.and_then(|line| usize::try_from(line).ok()).unwrap_or(0);
        let line = line.checked_sub(1).and_then(|above| document.lines().nth(above));
        if let Some(key) = line.and_then(key) {
            self.text = format!("{key}: {}", self.text);
        }
        self
    }
}

/// The message in front of ` at line 3, column 5`, and these two.
fn cut(text: &str) -> Option<(&str, u64, u64)> {
    let (message, place) = text.rsplit_once(" at line ")?;
    let (line, column) = place.split_once(", column ")?;
    Some((message, line.parse().ok()?, column.parse().ok()?))
}

/// The key that a line of YAML starts with.
fn key(line: &str) -> Option<&str> {
    let (key, _) = line.split_once(':')?;
    let key = key.trim_start_matches([' ', '-']);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (key.bytes().all(known) && !key.is_empty()).then_some(key)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_saphyr::Spanned;

    use super::*;

    #[derive(Debug, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Document {
        version: String,
        list: Vec<Item>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Item {
        port: Spanned<u16>,
    }

    fn wrong(text: &str) -> (Option<u64>, Option<u64>, String) {
        let Problem { line, column, text } = parse::<Document>(text).unwrap_err();
        (line, column, text)
    }

    #[test]
    fn a_document_is_read_with_its_places_and_an_empty_one_is_the_default() {
        let document: Document = parse("version: 1.20\nlist:\n- port: 80\n").unwrap();
        assert_eq!(document.version, "1.20");
        assert_eq!((document.list[0].port.value, document.list[0].port.referenced.line()), (80, 3));
        assert_eq!(parse::<Document>("# nothing\n").unwrap().version, "");
        assert_eq!(parse::<Document>("{\"version\": \"1\"}").unwrap().version, "1");
    }

    #[test]
    fn an_error_names_the_innermost_place_once() {
        let at = |line, column, text: &str| (Some(line), Some(column), text.to_owned());
        assert_eq!(wrong("list:\n- port: 80\n- port: x\n"), at(3, 9, "invalid u16"));
        let unknown = "unknown field `host`, expected one of port";
        assert_eq!(wrong("list:\n- port: 1\n  host: a\n"), at(3, 3, unknown));
        assert_eq!(wrong("list:\n- {}\n"), at(2, 3, "missing field `port`"));
        let twice =
            "duplicate mapping key: version, set DuplicateKeyPolicy in Options if acceptable";
        assert_eq!(wrong("version: a\nversion: b\n"), at(2, 1, twice));
        assert_eq!(wrong("version: *x\n"), at(1, 10, "alias references unknown anchor"));
    }

    #[test]
    fn a_large_document_needs_the_reader_without_bounds() {
        let text = format!("[{}]", "a,".repeat(300_000));
        assert!(parse::<Vec<String>>(&text).is_err());
        assert_eq!(parse_large::<Vec<String>>(&text).unwrap().len(), 300_000);
        let two = format!("{text}\n---\n# nothing\n---\n{text}\n");
        assert_eq!(documents::<Vec<String>>(&two).unwrap().len(), 2);
    }
}
