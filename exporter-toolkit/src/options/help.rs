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
    command.mut_args(|arg| shown(arg, prefix)).next_line_help(true).render_help()
}

fn shown(arg: Arg, prefix: &str) -> Arg {
    let Some(long) = arg.get_long().map(str::to_owned) else { return arg };
    if !matches!(arg.get_action(), ArgAction::Set | ArgAction::SetTrue | ArgAction::Append) {
        return arg;
    }
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let help = format!("{help} [env: {}]", super::variable(prefix, &long));
    let default = arg.get_default_values().first().cloned();
    if super::is_switch(&arg) {
        let help = match default {
            Some(default) => format!("{help} [default: {}]", default.display()),
            None => help,
        };
        return arg
            .long(format!("[no-]{long}"))
            .action(ArgAction::SetTrue)
            .num_args(0)
            .default_value(Resettable::Reset)
            .default_missing_value(Resettable::Reset)
            .help(help);
    }
    let empty = default.is_some_and(|default| default.is_empty());
    arg.help(help).hide_default_value(empty)
}
