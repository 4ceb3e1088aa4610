//! JSON (RFC 8259), as far as test data needs it that stands in for the kernel: `--collector.qdisc.fixtures` and
//! `--collector.wifi.fixtures`.

use std::path::Path;

use crate::collector::CollectError;
use crate::host::read_text;

/// Deeper than any of the test data.
const DEEPEST: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// `null`, `true` and `false`, which none of the test data uses.
    Word,
    Number(f64),
    Text(String),
    List(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Json {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self, CollectError> {
        let text = read_text(path)?;
        Self::parse(&text).ok_or_else(|| CollectError::parse(path, "JSON expected", &text))
    }

    /// `None` where it is malformed or nested too deep.
    pub fn parse(text: &str) -> Option<Self> {
        let mut reader = Reader { rest: text };
        let value = reader.value(0)?;
        reader.blanks();
        reader.rest.is_empty().then_some(value)
    }

    /// The items of a list.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(items) => items,
            _ => &[],
        }
    }

    /// A member of an object by its name, in whatever case: Go reads it so.
    pub fn get(&self, name: &str) -> Option<&Self> {
        let Self::Map(members) = self else { return None };
        members.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self, name: &str) -> Option<f64> {
        match self.get(name)? {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn blanks(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\r', '\n']);
    }

    /// Takes the character after any blanks, where it is this one.
    fn take(&mut self, wanted: char) -> Option<()> {
        self.blanks();
        self.rest = self.rest.strip_prefix(wanted)?;
        Some(())
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        self.blanks();
        if depth > DEEPEST {
            return None;
        }
        match self.rest.chars().next()? {
            '[' => self.list(depth),
            '{' => self.map(depth),
            '"' => self.string().map(Json::Text),
            'a'..='z' => {
                let word = self.while_in(|c| c.is_ascii_lowercase());
                ["null", "true", "false"].contains(&word).then_some(Json::Word)
            }
            _ => self.while_in(|c| "+-.0123456789eE".contains(c)).parse().ok().map(Json::Number),
        }
    }

    fn while_in(&mut self, wanted: impl Fn(char) -> bool) -> &str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }

    fn list(&mut self, depth: usize) -> Option<Json> {
        let mut items = Vec::new();
        self.take('[')?;
        if self.take(']').is_some() {
            return Some(Json::List(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take(',').is_none() {
                self.take(']')?;
                return Some(Json::List(items));
            }
        }
    }

    fn map(&mut self, depth: usize) -> Option<Json> {
        let mut members = Vec::new();
        self.take('{')?;
        if self.take('}').is_some() {
            return Some(Json::Map(members));
        }
        loop {
            let name = self.string()?;
            self.take(':')?;
            members.push((name, self.value(depth + 1)?));
            if self.take(',').is_none() {
                self.take('}')?;
                return Some(Json::Map(members));
            }
        }
    }

    fn string(&mut self) -> Option<String> {
        self.take('"')?;
        let mut text = String::new();
        loop {
            text.push_str(self.while_in(|c| c != '"' && c != '\\'));
            if self.rest.starts_with('"') {
                self.take('"')?;
                return Some(text);
            }
            text.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let mut characters = self.rest.chars();
        characters.next().filter(|c| *c == '\\')?;
        let escaped = match characters.next()? {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let (digits, rest) = characters.as_str().split_at_checked(4)?;
                self.rest = rest;
                // A half of a pair stands for nothing by itself.
                return u32::from_str_radix(digits, 16)
                    .ok()
                    .map(|code| char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            other => other,
        };
        self.rest = characters.as_str();
        Some(escaped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn objects_lists_texts_and_numbers_are_read() {
        let json = Json::parse(
            " [{\"Name\": \"w\\\"l\\u0061n\\n\", \"rate\": -1.5e2, \"on\": true}, [], {}]\n",
        )
        .unwrap();
        let first = &json.items()[0];
        assert_eq!((first.text("name"), first.number("rate")), (Some("w\"lan\n"), Some(-150.0)));
        assert_eq!((first.text("rate"), first.number("other")), (None, None));
        assert_eq!(json.items().len(), 3);
    }

    #[test]
    fn what_is_malformed_or_too_deep_is_refused() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        for text in ["", "{", "[1,]", "{\"a\"}", "{\"a\":}", "\"a", "\"\\", "[1] 2", "nul", &deep] {
            assert_eq!(Json::parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in r#"[\[\]{}",:a\\u0-9 ]{0,40}"#) {
            let _json = Json::parse(&text);
        }
    }
}
