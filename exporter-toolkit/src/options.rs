//! Command lines that the peers' users can keep: what kingpin accepts, parsed by clap.
//!
//! An agent declares its options as clap structs (and, where flags are only known at run time, as a list of
//! [`clap::Arg`]) and hands them to [`parse`], which adds what clap does not do by itself:
//!
//! - every boolean flag is a switch: `--name`, `--no-name`, `--name=false`;
//! - the last of several values of one flag wins, unless the flag is repeatable;
//! - a value that starts with `-` is written `--name=-x`;
//! - `@FILE` stands for the arguments in that file, one a line;
//! - every long flag has an environment variable, see [`variable`];
//! - `--config.file` names a YAML file with flags; the command line wins over the environment, which wins over the file;
//! - `--check-config` checks all of that and starts nothing.

mod environment;
mod file;
mod help;
pub mod labels;
mod quantity;
mod words;

use std::any::TypeId;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::builder::{BoolishValueParser, Resettable};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, ArgMatches, Args, Command};

use crate::files;

pub use environment::variable;
pub use labels::LabelOptions;
pub use quantity::{QuantityError, duration, size};
pub use words::{Word, described, with_words};

/// A file named by `@FILE` holds this many bytes at most.
const FILE_LIMIT: u64 = 64 * 1024;

/// Parses `args`, the first of which is the program's name, and the environment.
///
/// `O` is what the agent declares; arguments that `command` already has are found in the [`ArgMatches`]. A flag given
/// on the command line wins over its environment variable, also where it is repeatable. The error of `--help` and
/// `--version` is their text; [`clap::Error::exit`] prints it and ends with the right code.
pub fn parse<O: Args>(
    command: Command,
    prefix: &str,
    args: impl IntoIterator<Item = OsString>,
) -> Result<(O, ArgMatches), clap::Error> {
    parse_with(command, prefix, args, &|name| std::env::var_os(name))
}

fn parse_with<O: Args>(
    command: Command,
    prefix: &str,
    args: impl IntoIterator<Item = OsString>,
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<(O, ArgMatches), clap::Error> {
    let mut command = prepared::<O>(command);
    let mut args = expand_files(&mut command, args)?;
    negations(&command, &mut args);
    let settings = settings(&mut command, prefix, &args, environment)?;
    let given = settings.iter().flat_map(|setting| setting.args.iter().cloned());
    let at = args.len().min(1);
    args.splice(at..at, given);
    let checks = command.get_arguments().any(|arg| arg.get_id() == CHECKED_HERE);
    let parsed = command.try_get_matches_from_mut(&args).and_then(|matches| {
        let options = O::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
        Ok((options, matches))
    });
    match parsed {
        Ok((_, matches)) if checks && matches.get_flag(CHECKED_HERE) => Err(help::good(command)),
        Ok(parsed) => Ok(parsed),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => Err(help::error(command, prefix)),
        Err(error) => Err(environment::explain(error, &settings)),
    }
}

/// A flag that something else than the command line sets.
#[derive(Debug)]
struct Setting {
    /// A variable, or a file and its line.
    origin: String,
    long: String,
    args: Vec<OsString>,
}

/// What the environment and the file say about flags that the command line does not give; the environment comes first.
fn settings(
    command: &mut Command,
    prefix: &str,
    args: &[OsString],
    environment: &dyn Fn(&str) -> Option<OsString>,
) -> Result<Vec<Setting>, clap::Error> {
    let mut settings = environment::settings(command, prefix, args, environment);
    let named = file::named(args, environment(&variable(prefix, file::FLAG)));
    if let Some(path) = named {
        let elsewhere = |arg: &Arg| {
            is_given(arg, args) || settings.iter().any(|known| longs(arg).any(|l| l == known.long))
        };
        let from_file = file::settings(command, &path, elsewhere)?;
        settings.extend(from_file);
    }
    Ok(settings)
}

/// The id of `--check-config` where the toolkit answers it: by what [`parse`] can see. An agent that knows more to check
/// declares the flag itself.
const CHECKED_HERE: &str = "toolkit.check-config";

/// The command with the options `O`, as [`parse`] understands it.
pub fn prepared<O: Args>(command: Command) -> Command {
    // clap takes the doc comment of the options for what the whole command is about.
    let about = command.get_about().cloned().map_or(Resettable::Reset, Resettable::Value);
    let command = O::augment_args(command).about(about).long_about(Resettable::Reset);
    let checked_there = command.get_arguments().any(|arg| arg.get_long() == Some(file::CHECK));
    let check = (!checked_there).then(|| {
        let help = "Check the command line, the environment and --config.file, and start nothing";
        Arg::new(CHECKED_HERE).long(file::CHECK).help(help).help_heading("Configuration")
    });
    command
        .arg(file::flag())
        .args(check.map(|arg| arg.action(ArgAction::SetTrue)))
        .args_override_self(true)
        .mut_args(|arg| if is_switch(&arg) { as_switch(arg) } else { arg })
}

/// What `--help` shows: the flags of a [`prepared`] command under their headings.
pub fn help(command: &Command, prefix: &str) -> String {
    help::render(command.clone(), prefix).to_string()
}

/// The command with its flags as a reader types them, such as `--[no-]name`; subcommands too.
pub fn readable(command: Command) -> Command {
    command.mut_args(help::shown).mut_subcommands(readable)
}

/// The command with its flags as a shell completes them: `--name` and `--no-name`; subcommands too.
pub fn completable(command: Command) -> Command {
    command
        .mut_args(|arg| match arg.get_long().map(|long| format!("no-{long}")) {
            Some(negated) if is_switch(&arg) => help::bare(arg).visible_alias(negated),
            _ => arg,
        })
        .mut_subcommands(completable)
}

/// A boolean flag: `--NAME`, `--no-NAME`, `--NAME=true`.
pub fn switch(name: &'static str, default: bool, help: &'static str) -> Arg {
    let default = if default { "true" } else { "false" };
    as_switch(Arg::new(name).long(name).help(help).default_value(default))
}

fn is_switch(arg: &Arg) -> bool {
    let boolean = match arg.get_action() {
        ArgAction::SetTrue => true,
        ArgAction::Set => arg.get_value_parser().type_id() == TypeId::of::<bool>(),
        _ => false,
    };
    boolean && arg.get_long().is_some()
}

fn as_switch(arg: Arg) -> Arg {
    let arg = match arg.get_action() {
        ArgAction::SetTrue if arg.get_default_values().is_empty() => arg.default_value("false"),
        _ => arg,
    };
    arg.action(ArgAction::Set)
        .value_parser(BoolishValueParser::new())
        .value_name("BOOL")
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
}

/// Replaces `@FILE` by the lines of the file; empty lines and those that start with `#` are left out.
fn expand_files(
    command: &mut Command,
    args: impl IntoIterator<Item = OsString>,
) -> Result<Vec<OsString>, clap::Error> {
    let mut expanded = Vec::new();
    for (i, arg) in args.into_iter().enumerate() {
        match arg.to_str().and_then(|arg| arg.strip_prefix('@')) {
            Some(path) if i > 0 => {
                let text = files::read(Path::new(path), FILE_LIMIT).map_err(|problem| {
                    let message = format!("cannot read the arguments in '{path}': {problem}");
                    command.error(ErrorKind::Io, message)
                })?;
                let lines = text.lines().map(str::trim);
                let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
                expanded.extend(lines.map(OsString::from));
            }
            _ => expanded.push(arg),
        }
    }
    Ok(expanded)
}

/// Rewrites `--no-NAME` to `--NAME=false` where NAME is a switch.
fn negations(command: &Command, args: &mut [OsString]) {
    let find = |name: &str| command.get_arguments().find(|arg| longs(arg).any(|l| l == name));
    for arg in args.iter_mut().skip(1).take_while(|arg| *arg != "--") {
        let Some(name) = arg.to_str().and_then(|arg| arg.strip_prefix("--no-")) else { continue };
        if find(&format!("no-{name}")).is_none() && find(name).is_some_and(is_switch) {
            *arg = OsString::from(format!("--{name}=false"));
        }
    }
}

/// The long names of a flag: its own, and its aliases.
fn longs(arg: &Arg) -> impl Iterator<Item = &str> {
    arg.get_long().into_iter().chain(arg.get_all_aliases().unwrap_or_default())
}

/// True where the command line sets the flag.
fn is_given(arg: &Arg, args: &[OsString]) -> bool {
    args.iter().skip(1).take_while(|given| *given != "--").filter_map(|given| given.to_str()).any(
        |given| {
            given.strip_prefix("--").is_some_and(|given| {
                let name = given.split_once('=').map_or(given, |(name, _)| name);
                longs(arg).any(|long| long == name)
            })
        },
    )
}

/// `--name=value` as one argument, whatever bytes the value holds.
fn assignment(name: &str, value: &OsStr) -> OsString {
    let mut arg = OsString::from(format!("--{name}="));
    arg.push(value);
    arg
}

#[cfg(test)]
mod tests;
