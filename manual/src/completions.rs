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
            (path, text)
        })
    };
    agents.into_iter().flat_map(shells).collect()
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
