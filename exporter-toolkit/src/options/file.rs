//! `--config.file`: flags from a YAML file, under the names that they have on the command line.
//!
//! ```yaml
//! web.listen-address: [":9100", "[::1]:9101"]     # a repeatable flag takes a list
//! collector.cpu.info: true                        # a switch is true or false
//! collector.arp.device-exclude: ^veth
//! ```

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::Setting;
use crate::{files, yaml};

/// The flag that names the file, and the one that asks for a check; neither can stand in the file.
pub(super) const FLAG: &str = "config.file";
pub(super) const CHECK: &str = "check-config";

/// The flag, which every command has.
pub(super) fn flag() -> Arg {
    Arg::new(FLAG)
        .long(FLAG)
        .value_name("FILE")
        .help("YAML file with flags under their names; the command line and the environment win over it")
        .help_heading("Configuration")
}

/// The file that the command line names, else the environment.
pub(super) fn named(args: &[OsString], from_environment: Option<OsString>) -> Option<PathBuf> {
    let mut found = None;
    let mut args = args.iter().skip(1).take_while(|arg| *arg != "--");
    while let Some(arg) = args.next() {
        let Some(rest) = arg.to_str().and_then(|arg| arg.strip_prefix("--config.file")) else {
            continue;
        };
        if let Some(path) = rest.strip_prefix('=') {
            found = Some(OsString::from(path));
        } else if rest.is_empty() {
            found = args.next().cloned();
        }
    }
    found.or(from_environment).filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// What the file says about flags that neither the command line nor the environment gives.
pub(super) fn settings(
    command: &mut Command,
    path: &Path,
    known: impl Fn(&Arg) -> bool,
) -> Result<Vec<Setting>, clap::Error> {
    let text = files::read(path, super::FILE_LIMIT).map_err(|problem| {
        let message = format!("cannot read --config.file '{}': {problem}", path.display());
        command.error(ErrorKind::Io, message)
    })?;
    let place = |line: Option<u64>| match line {
        Some(line) => format!("{}:{line}", path.display()),
        None => path.display().to_string(),
    };
    let entries = yaml::parse::<Entries>(&text).map_err(|problem| {
        let problem = problem.with_key(&text);
        let message = format!("{}: {}", place(problem.line), problem.text);
        command.error(ErrorKind::InvalidValue, message)
    })?;
    let mut settings = Vec::new();
    for (name, value) in entries.0 {
        let origin = place(Some(name.referenced.line()));
        match setting(command, &name.value, value, &origin, &known) {
            Ok(setting) => settings.extend(setting),
            Err(problem) => {
                let message = format!("{origin}: {}: {problem}", name.value);
                return Err(command.error(ErrorKind::InvalidValue, message));
            }
        }
    }
    Ok(settings)
}

/// `None` for a flag that is given elsewhere.
fn setting(
    command: &Command,
    name: &str,
    value: Value,
    origin: &str,
    known: &impl Fn(&Arg) -> bool,
) -> Result<Option<Setting>, String> {
    if name == FLAG || name == CHECK {
        return Err("cannot stand in the file itself".to_owned());
    }
    let find =
        |name: &str| command.get_arguments().find(|arg| super::longs(arg).any(|long| long == name));
    let Some(arg) = find(name) else {
        return Err(match name.strip_prefix("no-").filter(|rest| find(rest).is_some()) {
            Some(rest) => format!("write '{rest}: false'"),
            None => "there is no such flag; --help shows all".to_owned(),
        });
    };
    let values = match (arg.get_action(), value) {
        (ArgAction::Set | ArgAction::Append, Value::One(value)) => vec![value],
        (ArgAction::Append, Value::Many(values)) => values,
        (ArgAction::Set, Value::Many(_)) => return Err("takes one value, not a list".to_owned()),
        _ => return Err("cannot be set by a file".to_owned()),
    };
    if known(arg) {
        return Ok(None);
    }
    let long = arg.get_long().unwrap_or(name).to_owned();
    let args = values.iter().map(|value| super::assignment(&long, OsStr::new(value))).collect();
    Ok(Some(Setting { origin: origin.to_owned(), long, args }))
}

/// The keys of the document and what stands with them.
#[derive(Default)]
struct Entries(Vec<(Spanned<String>, Value)>);

enum Value {
    One(String),
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("flags and their values: NAME: VALUE")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(Map)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(Value::One(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::One(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            match value {
                Value::One(value) => values.push(value),
                Value::Many(_) => return Err(de::Error::custom("a list in a list")),
            }
        }
        Ok(Value::Many(values))
    }
}
