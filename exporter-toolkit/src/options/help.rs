//! The text of `--help`: flags as they are typed, with their environment variables and defaults.

use clap::builder::{Resettable, StyledStr};
use clap::error::ErrorKind;
use clap::{Arg, ArgAction, Command};

/// The error by which clap asks to print the help.
pub(super) fn error(command: Command, prefix: &str) -> clap::Error {
    let name = command.get_name().to_owned();
    let text = render(command.clone(), prefix);
    match command.override_help(text).try_get_matches_from([name.as_str(), "--help"]) {
        Err(help) => help,
        Ok(_) => clap::Error::new(ErrorKind::DisplayHelp),
    }
}

/// The error by which clap asks to print that nothing is wrong.
pub(super) fn good(command: Command) -> clap::Error {
    let name = command.get_name().to_owned();
    let text = format!("{name}: the configuration is good\n");
    match command.override_help(text).try_get_matches_from([name.as_str(), "--help"]) {
        Err(help) => help,
        Ok(_) => clap::Error::new(ErrorKind::DisplayHelp),
    }
}

/// Renders a copy of the command whose arguments are made for reading only.
pub(super) fn render(command: Command, prefix: &str) -> StyledStr {
    let text = after(&command, prefix);
    command.mut_args(shown).after_help(text).next_line_help(true).render_help()
}

/// What is said below the flags: how else they can be set, and what the agent adds.
fn after(command: &Command, prefix: &str) -> String {
    let flags = || command.get_arguments().filter_map(Arg::get_long);
    let example = flags().find(|long| long.contains('.')).or_else(|| flags().next());
    let environment = example.map(|long| {
        format!(
            "Every flag can be an environment variable, as {} for --{long}, or a line in --config.file;\n\
             the command line wins over the environment, which wins over the file.",
            super::variable(prefix, long)
        )
    });
    let own = command.get_after_help().map(ToString::to_string);
    environment.into_iter().chain(own).collect::<Vec<_>>().join("\n\n")
}

/// A flag as it is typed: `--[no-]name` for a switch, no full stop, and no default that says nothing.
pub(super) fn shown(arg: Arg) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut help = help.strip_suffix('.').unwrap_or(&help).to_owned();
    let Some(long) = arg.get_long().map(str::to_owned) else { return arg.help(help) };
    let default = arg.get_default_values().first().cloned();
    if super::is_switch(&arg) {
        if default.is_some_and(|default| default == "true") {
            help.push_str(" [default: on]");
        }
        return bare(arg).long(format!("[no-]{long}")).help(help);
    }
    let empty = default.is_some_and(|default| default.is_empty());
    arg.help(help).hide_default_value(empty)
}

/// A switch without its value.
pub(super) fn bare(arg: Arg) -> Arg {
    arg.action(ArgAction::SetTrue)
        .num_args(0)
        .require_equals(false)
        .default_value(Resettable::Reset)
        .default_missing_value(Resettable::Reset)
}
