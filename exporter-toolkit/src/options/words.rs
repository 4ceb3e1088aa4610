//! The words that an agent's command line may begin with, told once for `--help`, man pages and shell completions.

use std::fmt::Write as _;

use clap::Command;

/// A word such as `check`, what the agent does then, and the flags that may follow.
#[derive(Clone, Copy, Debug)]
pub struct Word {
    pub name: &'static str,
    pub about: &'static str,
    /// Adds the flags: [`super::prepared`] of the options that the word takes.
    pub flags: fn(Command) -> Command,
}

impl Word {
    pub const fn new(
        name: &'static str,
        about: &'static str,
        flags: fn(Command) -> Command,
    ) -> Self {
        Self { name, about, flags }
    }

    /// For a word that no flag follows.
    pub const fn alone(name: &'static str, about: &'static str) -> Self {
        Self { name, about, flags: std::convert::identity }
    }
}

/// Tells the words where `--help` tells what the program is for: clap's own subcommands could follow flags, ours cannot.
pub fn with_words(command: Command, words: &[Word]) -> Command {
    let mut text = command.get_about().map(ToString::to_string).unwrap_or_default();
    let width = words.iter().map(|word| word.name.len()).max().unwrap_or_default();
    text.push_str("\n\nCommands, as the first word:\n");
    for Word { name, about, .. } in words {
        // Writing to a String cannot fail.
        _ = writeln!(text, "  {name:width$}  {about}");
    }
    let usage = format!("{0} [FLAGS]\n       {0} COMMAND [FLAGS]", command.get_name());
    command.about(text.trim_end().to_owned()).override_usage(usage)
}

/// The command with its words as subcommands, for documents; it is not what parses.
pub fn described(command: Command, words: &[Word]) -> Command {
    let subcommands = words.iter().map(|word| {
        (word.flags)(Command::new(word.name).about(word.about).disable_version_flag(true))
    });
    command.subcommands(subcommands.collect::<Vec<_>>()).disable_help_subcommand(true)
}
