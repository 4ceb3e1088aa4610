//! Tells the crate which compiler builds it, and from which revision.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(version) = rustc_version() {
        println!("cargo:rustc-env=TOOLKIT_RUSTC={version}");
    }
    let release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    // A development build does not start anew after every commit.
    if release && let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        // Cargo builds again and again where a file that it watches does not exist.
        if Path::new(&log).exists() {
            println!("cargo:rerun-if-changed={log}");
        }
    }
    tell("BUILD_REVISION", "TOOLKIT_REVISION", release, &["rev-parse", "--short=12", "HEAD"]);
    tell("BUILD_BRANCH", "TOOLKIT_BRANCH", release, &["rev-parse", "--abbrev-ref", "HEAD"]);
}

/// Passes on what the builder's environment says, or else git.
fn tell(variable: &str, name: &str, ask_git: bool, question: &[&str]) {
    println!("cargo:rerun-if-env-changed={variable}");
    let told = env::var(variable).ok().filter(|value| !value.trim().is_empty());
    let answer = told.or_else(|| if ask_git { git(question) } else { None });
    if let Some(answer) = answer.as_deref().and_then(|answer| answer.lines().next()) {
        println!("cargo:rustc-env={name}={}", answer.trim());
    }
}

/// `1.95.0` of `rustc 1.95.0 (59807616e 2026-04-14)`.
fn rustc_version() -> Option<String> {
    let line = output(Command::new(env::var_os("RUSTC")?).arg("-V"))?;
    line.split_whitespace().nth(1).map(str::to_owned)
}

fn git(question: &[&str]) -> Option<String> {
    output(Command::new("git").args(question))
}

/// What a command that succeeds prints; it need not exist.
fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}
