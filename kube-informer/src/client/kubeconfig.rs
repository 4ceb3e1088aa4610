//! The file of `--kubeconfig`. What is wrong with it is told by its line, without the line itself, which may hold a token.

use std::path::Path;

use exporter_toolkit::{files, yaml};
use kube::config::Kubeconfig;

/// With certificates and keys inside, of many clusters.
const LIMIT: u64 = 16 << 20;

/// Reads a whole file. Paths in it are relative to its folder, as for kubectl. The error is for people.
pub(super) fn read(file: &Path) -> Result<Kubeconfig, String> {
    let text = files::read(file, LIMIT).map_err(|error| format!("cannot be read: {error}"))?;
    let mut kubeconfig: Kubeconfig = yaml::parse(&text).map_err(|problem| problem.to_string())?;
    let folder = file.parent().unwrap_or(Path::new(""));
    for path in paths(&mut kubeconfig).filter(|path| !path.is_empty()) {
        if let Some(whole) = folder.join(&path).to_str() {
            whole.clone_into(path);
        }
    }
    Ok(kubeconfig)
}

/// All that name files. A command without a slash is looked for on the path.
fn paths(kubeconfig: &mut Kubeconfig) -> impl Iterator<Item = &mut String> {
    let clusters = kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut());
    let users = kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut());
    let of_users = users.flat_map(|user| {
        let command = user.exec.as_mut().and_then(|exec| exec.command.as_mut());
        let command = command.filter(|command| command.contains('/'));
        let files = [&mut user.client_certificate, &mut user.client_key, &mut user.token_file];
        files.into_iter().flatten().chain(command)
    });
    clusters.filter_map(|cluster| cluster.certificate_authority.as_mut()).chain(of_users)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> (tempfile::TempDir, Result<Kubeconfig, String>) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::write(&file, text).unwrap();
        let read = read(&file);
        (folder, read)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_commands_only_with_a_slash() {
        let (folder, read) = written(
            "clusters: [{name: c, cluster: {certificate-authority: pki/ca.crt}}]\n\
             users:\n\
             - {name: a, user: {client-certificate: a.crt, client-key: /etc/a.key, tokenFile: ../token}}\n\
             - {name: b, user: {exec: {command: ./plugin}}}\n\
             - {name: c, user: {exec: {command: plugin}, client-key: ''}}\n",
        );
        let mut kubeconfig = read.unwrap();
        let found: Vec<String> = paths(&mut kubeconfig).map(|path| path.clone()).collect();
        let below = |path: &str| folder.path().join(path).display().to_string();
        let expected = [
            below("pki/ca.crt"),
            below("a.crt"),
            "/etc/a.key".to_owned(),
            below("../token"),
            below("./plugin"),
            String::new(),
        ];
        assert_eq!(found, expected);
        let command = kubeconfig.auth_infos[2].auth_info.as_ref().unwrap().exec.as_ref();
        assert_eq!(command.unwrap().command.as_deref(), Some("plugin"));
    }

    #[test]
    fn a_mistake_is_told_by_its_line_and_without_the_secret_beside_it() {
        let text = "users:\n- name: a\n  user:\n    token: sesame\n    client-key-data: [oops]\n";
        assert_eq!(written(text).1.unwrap_err(), "line 5: expected string scalar");
        let error = written("users: sesame\n").1.unwrap_err();
        assert!(error.starts_with("line 1: ") && !error.contains("sesame"), "{error}");
    }

    #[test]
    fn an_empty_file_names_nothing_and_a_long_one_is_refused() {
        assert!(written("").1.unwrap().clusters.is_empty());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        std::fs::File::create(&file).unwrap().set_len(LIMIT + 1).unwrap();
        assert!(read(&file).unwrap_err().contains("longer than"), "{}", file.display());
    }
}
