//! `cargo xtask dist`: one packed folder for hosts without a registry, and the sums of its files. The same programs give the
//! same bytes: names are sorted, and times are the commit's.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use ring::digest::{SHA256, digest};

use crate::binary::{self, workspace};
use crate::docs::manual;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where the packed folder and SHA256SUMS are written.
    #[arg(long, value_name = "DIR", default_value = "target/dist")]
    out: PathBuf,
}

/// What is packed: by path, whether it is a program, and its bytes.
type Files = BTreeMap<String, (bool, Vec<u8>)>;

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut files = Files::new();
    for program in binary::shipped()? {
        add(&mut files, "bin", &program, true)?;
    }
    units(&mut files)?;
    for (page, text) in manual::pages()? {
        files.insert(format!("share/man/man1/{}", name(&page)), (false, text.into_bytes()));
    }
    completions(&mut files)?;
    for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
        add(&mut files, ".", &workspace().join(file), false)?;
    }
    let root =
        format!("prometheus-agents-{}-linux-{}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH);
    let packed = pack(&root, &files, age())?;
    let archive = format!("{root}.tar.gz");
    std::fs::create_dir_all(&options.out)?;
    std::fs::write(options.out.join(&archive), &packed)?;
    std::fs::write(options.out.join("SHA256SUMS"), format!("{}  {archive}\n", sum(&packed)))?;
    println!("{}", options.out.join(archive).display());
    Ok(())
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn add(files: &mut Files, folder: &str, path: &Path, program: bool) -> Result<()> {
    let place = if folder == "." { name(path) } else { format!("{folder}/{}", name(path)) };
    add_as(files, place, path, program)
}

fn add_as(files: &mut Files, place: String, path: &Path, program: bool) -> Result<()> {
    let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
    files.insert(place, (program, bytes));
    Ok(())
}

/// Units, accounts and settings, as `images/README.md` says where they go.
fn units(files: &mut Files) -> Result<()> {
    for entry in std::fs::read_dir(workspace().join("images/systemd"))? {
        let path = entry?.path();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("service" | "socket") => add(files, "lib/systemd/system", &path, false)?,
            Some("conf") => add(files, "lib/sysusers.d", &path, false)?,
            // Under the name that the units look for.
            _ => {
                let place = format!("etc/default/{}", name(&path.with_extension("")));
                add_as(files, place, &path, false)?;
            }
        }
    }
    Ok(())
}

fn completions(files: &mut Files) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    manual::write("completions", folder.path())?;
    for (shell, place) in [
        ("bash", "share/bash-completion/completions"),
        ("zsh", "share/zsh/site-functions"),
        ("fish", "share/fish/vendor_completions.d"),
    ] {
        for entry in std::fs::read_dir(folder.path().join(shell))? {
            add(files, place, &entry?.path(), false)?;
        }
    }
    Ok(())
}

/// The time of the last commit, or `$SOURCE_DATE_EPOCH`.
fn age() -> u64 {
    let given = std::env::var("SOURCE_DATE_EPOCH").ok();
    let commit = || {
        let mut git = Command::new("git");
        let output =
            git.args(["log", "-1", "--format=%ct"]).current_dir(workspace()).output().ok()?;
        String::from_utf8(output.stdout).ok()
    };
    given.or_else(commit).and_then(|seconds| seconds.trim().parse().ok()).unwrap_or(0)
}

/// The files and their sums, below one folder.
fn pack(root: &str, files: &Files, age: u64) -> Result<Vec<u8>> {
    let mut sums = String::new();
    for (path, (_, bytes)) in files {
        // Writing to a String cannot fail.
        _ = writeln!(sums, "{}  {path}", sum(bytes));
    }
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    let mut append = |path: &str, program: bool, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(if program { 0o755 } else { 0o644 });
        header.set_mtime(age);
        archive.append_data(&mut header, format!("{root}/{path}"), bytes)
    };
    for (path, (program, bytes)) in files {
        append(path, *program, bytes)?;
    }
    append("SHA256SUMS", false, sums.as_bytes())?;
    let mut gzip = archive.into_inner()?;
    gzip.flush()?;
    Ok(gzip.finish()?)
}

fn sum(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn settings_are_where_the_units_look_for_them() {
        let mut files = Files::new();
        units(&mut files).unwrap();
        let mut units = 0;
        for (place, (_, text)) in files.iter().filter(|(place, _)| place.ends_with(".service")) {
            let text = std::str::from_utf8(text).unwrap();
            let path = text.lines().find_map(|line| line.strip_prefix("EnvironmentFile=-/"));
            assert!(files.contains_key(path.unwrap()), "{place}: {path:?}");
            units += 1;
        }
        assert_eq!(units, 4);
    }

    #[test]
    fn the_same_files_give_the_same_bytes_with_their_sums_and_modes() {
        let files = Files::from([
            ("bin/a".to_owned(), (true, b"abc".to_vec())),
            ("LICENSE".to_owned(), (false, Vec::new())),
        ]);
        let packed = pack("agents", &files, 7).unwrap();
        assert_eq!(packed, pack("agents", &files, 7).unwrap());
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&packed[..]));
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let mut entry = entry.unwrap();
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let header = entry.header();
            assert_eq!(header.mtime().unwrap(), 7);
            let path = entry.path().unwrap().display().to_string();
            found.push((path, entry.header().mode().unwrap(), text));
        }
        let sums = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  LICENSE\n\
                    ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  bin/a\n";
        assert_eq!(
            found,
            [
                ("agents/LICENSE".to_owned(), 0o644, String::new()),
                ("agents/bin/a".to_owned(), 0o755, "abc".to_owned()),
                ("agents/SHA256SUMS".to_owned(), 0o644, sums.to_owned()),
            ]
        );
    }
}
