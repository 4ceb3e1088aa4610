//! A man page for each agent.

use std::fmt::Write as _;

use clap::Command;
use clap_mangen::Man;
use exporter_toolkit::options::{readable, variable};

use crate::Agent;

/// Name and text of each page.
pub(crate) fn files(agents: &[Agent]) -> Vec<(String, Vec<u8>)> {
    let page = |agent: &Agent| (format!("{}.1", agent.command.get_name()), page(agent, agents));
    agents.iter().map(page).map(|(name, text)| (name, text.into_bytes())).collect()
}

fn page(agent: &Agent, all: &[Agent]) -> String {
    let name = agent.command.get_name();
    let version = env!("CARGO_PKG_VERSION");
    // Writing to a String cannot fail, here and below.
    let mut out = format!(
        ".\\\" Made by `cargo xtask docs` from the flags: do not edit.\n\
         .TH {} 1 \"\" \"{name} {version}\" \"Prometheus agents\"\n\
         .ad l\n.nh\n",
        escaped(&name.to_uppercase())
    );
    _ = writeln!(out, ".SH NAME\n{} \\- {}", escaped(name), escaped(agent.summary));
    _ = writeln!(out, ".SH SYNOPSIS\n.B {}\n[\\fIFLAGS\\fR]\n.br", escaped(name));
    _ = writeln!(out, ".B {}\n\\fICOMMAND\\fR [\\fIFLAGS\\fR]", escaped(name));
    section(&mut out, "DESCRIPTION", &description(&agent.command));
    commands(&mut out, agent);
    out.push_str(&flags(agent.command.clone()));
    environment(&mut out, agent);
    section(&mut out, "SIGNALS", SIGNALS);
    section(
        &mut out,
        "EXIT STATUS",
        "0 after success, 1 where it cannot start or a command failed, 2 where the command line is wrong.",
    );
    examples(&mut out, &agent.command);
    let others = all.iter().map(|other| other.command.get_name()).filter(|other| *other != name);
    let others: Vec<_> = others.map(|other| format!("\\fB{}\\fR(1)", escaped(other))).collect();
    _ = writeln!(out, ".SH SEE ALSO\n{}", others.join(", "));
    out
}

const SIGNALS: &str = "\
SIGTERM and SIGINT end it after the answers that are under way. SIGHUP lets it read its files again. Under systemd it tells \
when it is ready, and takes the socket of a .socket unit with --web.systemd-socket.";

/// What the program is for, without the list of its words.
fn description(command: &Command) -> String {
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    about.split("\n\n").next().unwrap_or_default().to_owned()
}

fn section(out: &mut String, title: &str, text: &str) {
    _ = writeln!(out, ".SH \"{title}\"\n{}", escaped(text));
}

/// The words, each with the flags that it alone takes.
fn commands(out: &mut String, agent: &Agent) {
    _ = writeln!(
        out,
        ".SH COMMANDS\nThe first word may be one of these; without one, the agent runs."
    );
    for word in agent.words {
        _ = writeln!(out, ".TP\n.B {}\n{}.", escaped(word.name), escaped(word.about));
        let command = (word.flags)(Command::new(word.name)).disable_help_flag(true);
        let known = |long| agent.command.get_arguments().any(|arg| arg.get_long() == Some(long));
        let own = command.get_arguments().filter(|arg| arg.get_long().is_some_and(|l| !known(l)));
        let own: Vec<_> = own.cloned().map(|arg| arg.help_heading(None::<&str>)).collect();
        if own.is_empty() {
            continue;
        }
        let text = flags(Command::new(word.name).disable_help_flag(true).args(own));
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with(".SH")).collect();
        _ = writeln!(out, ".RS\n{}\n.RE", lines.join("\n"));
    }
}

/// The flags under their headings, as `.SH` sections.
fn flags(command: Command) -> String {
    let mut command = readable(command);
    command.build();
    let mut text = Vec::new();
    // Writing to memory cannot fail.
    _ = Man::new(command).render_options_section(&mut text);
    // Regular expressions are long: they may be broken where an alternative begins.
    String::from_utf8_lossy(&text).replace('|', "|\\:")
}

fn environment(out: &mut String, agent: &Agent) {
    let example = variable(agent.prefix, "web.listen-address");
    let text = format!(
        "Every flag can be an environment variable: {example} stands for --web.listen-address. A switch takes true or \
         false; a flag that may be repeated takes a list, with commas between. The command line wins over the \
         environment, which wins over the file of --config.file.",
    );
    section(out, "ENVIRONMENT", &text);
}

fn examples(out: &mut String, command: &Command) {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    out.push_str(".SH EXAMPLES\n.nf\n");
    for line in text.lines().skip(1) {
        _ = writeln!(out, "{}", escaped(line.strip_prefix("  ").unwrap_or(line)));
    }
    out.push_str(".fi\n");
}

/// Text as roff reads it: a hyphen that can be copied, no escape, no request.
fn escaped(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    if text.starts_with(['.', '\'']) { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_page_tells_flags_under_their_headings_words_variables_and_examples() {
        let files = files(&crate::agents());
        let (name, text) = &files[1];
        assert_eq!(name, "kube-state-rs.1");
        let text = std::str::from_utf8(text).unwrap();
        for part in [
            ".SH CLUSTER\n",
            "\\-\\-resources",
            "\\-\\-[no\\-]use\\-apiserver\\-cache",
            ".B families\n",
            "\\-\\-filename",
            "KUBE_STATE_WEB_LISTEN_ADDRESS",
            "kubectl get pods,nodes",
            "\\fBnode\\-exporter\\-rs\\fR(1)",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("enable\\-gzip\\-encoding"), "it is hidden");
    }

    #[test]
    fn what_roff_would_take_for_its_own_is_escaped() {
        assert_eq!(escaped(".x \\d --y"), "\\&.x \\ed \\-\\-y");
    }

    /// Where groff is not installed, nothing is asked.
    #[test]
    fn groff_has_nothing_to_complain_about() {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files(&crate::agents()) {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            let groff = Command::new("groff")
                .args(["-man", "-Kutf8", "-Tutf8", "-ww", "-z"])
                .arg(&file)
                .stdin(Stdio::null())
                .output();
            if let Ok(output) = groff {
                let problem = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && problem.is_empty(), "{problem}");
            }
        }
    }
}
