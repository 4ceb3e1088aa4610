//! Completions for bash, zsh and fish, under the names by which the shells find them.

use clap_complete::{Shell, generate};
use exporter_toolkit::options::{completable, described};

use crate::Agent;

/// Path and text of each file.
pub(crate) fn files(agents: impl IntoIterator<Item = Agent>) -> Vec<(String, Vec<u8>)> {
    let shells = |agent: Agent| {
        let name = agent.command.get_name().to_owned();
        let command = completable(described(agent.command, agent.words));
        let shells = [
            (Shell::Bash, format!("bash/{name}")),
            (Shell::Zsh, format!("zsh/_{name}")),
            (Shell::Fish, format!("fish/{name}.fish")),
        ];
        shells.map(|(shell, path)| {
            let mut text = Vec::new();
            generate(shell, &mut command.clone(), &name, &mut text);
            if shell == Shell::Fish {
                text = for_fish(&command, &name, text);
            }
            (path, text)
        })
    };
    agents.into_iter().flat_map(shells).collect()
}

/// The rules as they are generated, with other functions before them: fish's argparse, which the generated ones ask whether
/// there is a word already, takes no flag with a dot in its name.
fn for_fish(command: &clap::Command, name: &str, generated: Vec<u8>) -> Vec<u8> {
    const RULE: &str = "\ncomplete ";
    let generated = String::from_utf8_lossy(&generated);
    let rules = generated.split_once(RULE).map_or("", |(_, rules)| rules);
    let words: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    let (prefix, words) = (format!("__fish_{}", name.replace('-', "_")), words.join(" "));
    let functions = format!(
        "function {prefix}_word
    for word in (commandline -opc)[2..]
        if contains -- $word {words}
            echo $word
            return
        end
    end
    return 1
end

function {prefix}_needs_command
    not {prefix}_word >/dev/null
end

function {prefix}_using_subcommand
    contains -- ({prefix}_word) $argv
end
"
    );
    (functions + RULE + rules).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_every_agents_words_and_flags_and_the_negations_of_switches() {
        let files = files(crate::agents());
        assert_eq!(files.len(), 12);
        for (path, text) in files {
            let text = String::from_utf8(text).unwrap();
            for part in ["healthcheck", "web.systemd-socket", "no-web.systemd-socket"] {
                assert!(text.contains(part), "{path} lacks {part}");
            }
            assert!(!text.contains("old-name"), "{path}");
        }
    }

    /// What it would offer, where it is installed.
    #[test]
    fn fish_offers_words_and_the_flags_of_a_word() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        let files = files(crate::agents());
        let (_, text) =
            files.iter().find(|(path, _)| path == "fish/node-exporter-rs.fish").unwrap();
        std::fs::write(&file, text).unwrap();
        let offered = |line: &str| {
            let script = format!("source {}; complete -C '{line}'", file.display());
            let run = std::process::Command::new("fish").args(["-c", &script]).output().ok()?;
            let text = String::from_utf8(run.stdout).unwrap();
            Some(
                text.lines().filter_map(|line| Some(line.split('\t').next()?.to_owned())).collect(),
            )
        };
        let Some(words): Option<Vec<String>> = offered("node-exporter-rs ch") else { return };
        assert_eq!(words, ["check"]);
        let flags: Vec<String> = offered("node-exporter-rs --web.max-r").unwrap();
        assert_eq!(flags, ["--web.max-requests"]);
        let flags: Vec<String> = offered("node-exporter-rs --path.procfs=/x --path.sy").unwrap();
        assert_eq!(flags, ["--path.sysfs"]);
    }

    /// A shell that is not installed says nothing.
    #[test]
    fn shells_read_their_files() {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files(crate::agents()) {
            let file = folder.path().join(path.replace('/', "-"));
            std::fs::write(&file, text).unwrap();
            let (shell, _) = path.split_once('/').unwrap();
            let run = std::process::Command::new(shell).arg("-n").arg(&file).output();
            if let Ok(output) = run {
                let problem = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success() && problem.is_empty(), "{path}: {problem}");
            }
        }
    }
}
