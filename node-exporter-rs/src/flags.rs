//! The collectors' own command line flags: declared beside their collector, checked at start, read when it is built.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::time::Duration;

use crate::pattern::Pattern;

/// What can be a flag's value.
pub trait FlagValue: Sized {
    /// True for flags that need no value: `--x` and `--no-x`.
    const SWITCH: bool = false;
    /// What `--help` shows in the value's place.
    const WORD: &str = "TEXT";

    /// Reads the value; the error says what was expected.
    fn read(text: &str) -> Result<Self, String>;
}

impl FlagValue for bool {
    const SWITCH: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected true or false".to_owned())
    }
}

impl FlagValue for String {
    fn read(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl FlagValue for usize {
    const WORD: &str = "N";

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| "expected a whole number".to_owned())
    }
}

impl FlagValue for Pattern {
    const WORD: &str = "REGEX";

    fn read(text: &str) -> Result<Self, String> {
        Self::new(text)
    }
}

/// `None` for the empty text: no pattern.
impl FlagValue for Option<Pattern> {
    const WORD: &str = Pattern::WORD;

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { Pattern::read(text).map(Some) }
    }
}

/// Go's spelling: `5s`, `1m30s`, `500ms`.
impl FlagValue for Duration {
    const WORD: &str = "DURATION";

    fn read(text: &str) -> Result<Self, String> {
        exporter_toolkit::options::duration(text).map_err(|error| error.to_string())
    }
}

/// A flag of a collector.
#[derive(Debug)]
pub struct Flag<T> {
    name: &'static str,
    default: &'static str,
    help: &'static str,
    hidden: bool,
    repeats: bool,
    word: Option<&'static str>,
    value: PhantomData<fn() -> T>,
}

impl<T> Flag<T> {
    /// `name` without dashes, `default` as it would be typed.
    pub const fn new(name: &'static str, default: &'static str, help: &'static str) -> Self {
        Self { name, default, help, hidden: false, repeats: false, word: None, value: PhantomData }
    }

    /// Accepted but not shown by `--help`: names that the peer retired.
    #[must_use]
    pub const fn hidden(mut self) -> Self {
        self.hidden = true;
        self
    }

    /// What `--help` shows in the value's place, where its type does not tell: `FILE`, `DIR`.
    #[must_use]
    pub const fn takes(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    /// May be given several times; read with [`Flags::all`].
    #[must_use]
    pub const fn repeats(mut self) -> Self {
        self.repeats = true;
        self
    }
}

/// A flag, whatever its type.
pub trait AnyFlag: Sync {
    fn name(&self) -> &'static str;
    fn default(&self) -> &'static str;
    fn help(&self) -> &'static str;
    fn hidden(&self) -> bool;
    fn repeats(&self) -> bool;
    fn switch(&self) -> bool;
    fn word(&self) -> &'static str;
    /// Says what is wrong with a value.
    fn check(&self, text: &str) -> Result<(), String>;
}

impl<T: FlagValue> AnyFlag for Flag<T> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn default(&self) -> &'static str {
        self.default
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn hidden(&self) -> bool {
        self.hidden
    }

    fn repeats(&self) -> bool {
        self.repeats
    }

    fn switch(&self) -> bool {
        T::SWITCH
    }

    fn word(&self) -> &'static str {
        self.word.unwrap_or(T::WORD)
    }

    fn check(&self, text: &str) -> Result<(), String> {
        T::read(text).map(drop)
    }
}

/// A flag's value that its collector cannot work with.
#[derive(Debug, thiserror::Error)]
pub enum FlagError {
    #[error("--{flag}={value}: {problem}")]
    Value { flag: &'static str, value: String, problem: String },
    #[error("--{one} and --{other} exclude each other: give one of them")]
    Exclusive { one: &'static str, other: &'static str },
}

/// The flags as given; what is not given has its default.
#[derive(Clone, Debug, Default)]
pub struct Flags(BTreeMap<String, Vec<String>>);

impl Flags {
    /// Takes a flag's values as typed. Call once per occurrence.
    pub fn set(&mut self, name: &str, value: &str) {
        self.0.entry(name.to_owned()).or_default().push(value.to_owned());
    }

    /// For tests: flags as typed, without dashes.
    pub fn of(given: &[(&str, &str)]) -> Self {
        let mut flags = Self::default();
        for (name, value) in given {
            flags.set(name, value);
        }
        flags
    }

    /// True where the flag was given.
    pub fn given<T>(&self, flag: &Flag<T>) -> bool {
        self.0.contains_key(flag.name)
    }

    /// The value; of several the last.
    pub fn get<T: FlagValue>(&self, flag: &Flag<T>) -> Result<T, FlagError> {
        let text =
            self.0.get(flag.name).and_then(|v| v.last()).map_or(flag.default, String::as_str);
        read(flag, text)
    }

    /// All values of a flag that repeats; its default where none is given and the default is not empty.
    pub fn all<T: FlagValue>(&self, flag: &Flag<T>) -> Result<Vec<T>, FlagError> {
        match self.0.get(flag.name) {
            Some(values) => values.iter().map(|text| read(flag, text)).collect(),
            None if flag.default.is_empty() => Ok(Vec::new()),
            None => Ok(vec![read(flag, flag.default)?]),
        }
    }

    /// Refuses that both flags are given.
    pub fn exclusive<A, B>(&self, one: &Flag<A>, other: &Flag<B>) -> Result<(), FlagError> {
        if self.given(one) && self.given(other) {
            return Err(FlagError::Exclusive { one: one.name, other: other.name });
        }
        Ok(())
    }
}

fn read<T: FlagValue>(flag: &Flag<T>, text: &str) -> Result<T, FlagError> {
    T::read(text).map_err(|problem| FlagError::Value {
        flag: flag.name,
        value: text.to_owned(),
        problem,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    static DEVICES: Flag<Option<Pattern>> = Flag::new("devices", "^lo$", "Devices.");
    static OTHERS: Flag<Option<Pattern>> = Flag::new("others", "", "Others.");

    #[test]
    fn a_flag_that_is_not_given_has_its_default() {
        let flags = Flags::of(&[("others", "x")]);
        assert!(flags.get(&DEVICES).unwrap().unwrap().is_match("lo"));
        assert!(flags.get(&OTHERS).unwrap().unwrap().is_match("axb"));
        assert!(Flags::default().get(&OTHERS).unwrap().is_none());
    }

    #[test]
    fn a_wrong_value_names_its_flag() {
        let error = Flags::of(&[("devices", "(")]).get(&DEVICES).unwrap_err();
        assert!(error.to_string().starts_with("--devices=(: not a regular expression"), "{error}");
    }

    #[test]
    fn two_flags_that_exclude_each_other_are_both_named() {
        let flags = Flags::of(&[("devices", "a"), ("others", "b")]);
        let error = flags.exclusive(&DEVICES, &OTHERS).unwrap_err();
        assert_eq!(
            error.to_string(),
            "--devices and --others exclude each other: give one of them"
        );
    }
}
