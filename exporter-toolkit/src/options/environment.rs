//! The environment as a second command line.

use std::ffi::{OsStr, OsString};

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, Command};

use super::Setting;

/// The environment variable of a long flag: the prefix, then the name in upper case, with `_` for what is neither letter
/// nor digit. `web.listen-address` of `NODE_EXPORTER` is `NODE_EXPORTER_WEB_LISTEN_ADDRESS`.
///
/// A variable that is empty counts as unset. A repeatable flag takes a list: one value a line where the variable holds
/// a newline, else separated by commas. A switch takes `true`, `false`, `yes`, `no`, `1`, `0`.
pub fn variable(prefix: &str, long: &str) -> String {
    let name =
        long.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
    prefix.chars().chain(['_']).chain(name).collect()
}

/// What the environment says about flags that the command line does not give.
pub(super) fn settings(
    command: &Command,
    prefix: &str,
    args: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Vec<Setting> {
    let absent = command.get_arguments().filter(|arg| !super::is_given(arg, args));
    absent.filter_map(|arg| setting(arg, prefix, environment)).collect()
}

fn setting(
    arg: &Arg,
    prefix: &str,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Option<Setting> {
    let long = arg.get_long()?;
    let variable = variable(prefix, long);
    let value =
        environment(&variable).filter(|v| !v.is_empty() && !is_service_link(&variable, v))?;
    let args = match arg.get_action() {
        ArgAction::Append => list(&value).map(|v| super::assignment(long, v)).collect(),
        ArgAction::Set => vec![super::assignment(long, &value)],
        _ => return None,
    };
    let origin = format!("the environment variable {variable}");
    Some(Setting { origin, long: long.to_owned(), args })
}

/// Kubernetes sets `NAME_PORT=tcp://10.0.0.1:80` in every container for a Service NAME: not a setting of ours.
fn is_service_link(variable: &str, value: &OsStr) -> bool {
    variable.ends_with("_PORT") && value.to_str().is_some_and(|value| value.contains("://"))
}

fn list(value: &OsStr) -> impl Iterator<Item = &OsStr> {
    let separator = if value.as_encoded_bytes().contains(&b'\n') { '\n' } else { ',' };
    let (text, other) = match value.to_str() {
        Some(text) => (text, None),
        None => ("", Some(value)),
    };
    let items = text.split(separator).map(str::trim).filter(|item| !item.is_empty());
    items.map(OsStr::new).chain(other)
}

/// Says where a wrong value comes from that is not on the command line.
pub(super) fn explain(mut error: clap::Error, settings: &[Setting]) -> clap::Error {
    let found = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) => settings.iter().find(|s| names(flag, &s.long)),
        _ => None,
    };
    if let Some(setting) = found {
        let tip = format!("the value comes from {}", setting.origin);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    }
    error
}

/// clap shows a flag as `--name <VALUE>` or `--name[=<VALUE>]`.
fn names(shown: &str, long: &str) -> bool {
    shown.strip_prefix("--").and_then(|shown| shown.split([' ', '[', '=']).next()) == Some(long)
}
