//! What this binary was built from and with.

use std::env::consts;
use std::fmt;

const UNKNOWN: &str = "unknown";

/// The build of an agent. The compiler and the platform are those of the toolkit, which is built with it.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    agent: &'static str,
    version: &'static str,
}

impl Build {
    /// `agent` starts the names of its families (`node_exporter`); `version` is `env!("CARGO_PKG_VERSION")` there.
    pub const fn new(agent: &'static str, version: &'static str) -> Self {
        Self { agent, version }
    }

    pub const fn agent(&self) -> &'static str {
        self.agent
    }

    pub const fn version(&self) -> &'static str {
        self.version
    }

    /// The commit that a release was built from, or `unknown`.
    pub fn revision() -> &'static str {
        option_env!("TOOLKIT_REVISION").unwrap_or(UNKNOWN)
    }

    pub fn branch() -> &'static str {
        option_env!("TOOLKIT_BRANCH").unwrap_or(UNKNOWN)
    }

    /// The labels of `<agent>_build_info`, by the names that the peers gave them, sorted.
    pub(super) fn labels(&self) -> [(&'static str, String); 7] {
        [
            ("branch", Self::branch().to_owned()),
            ("goarch", go_arch(consts::ARCH).to_owned()),
            ("goos", go_os(consts::OS).to_owned()),
            ("goversion", format!("rustc{}", compiler())),
            ("revision", Self::revision().to_owned()),
            ("tags", UNKNOWN.to_owned()),
            ("version", self.version.to_owned()),
        ]
    }
}

/// What `--version` prints after the agent's name.
impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (branch: {}, revision: {}, rustc: {}, platform: {}/{})",
            self.version,
            Self::branch(),
            Self::revision(),
            compiler(),
            go_os(consts::OS),
            go_arch(consts::ARCH)
        )
    }
}

fn compiler() -> &'static str {
    option_env!("TOOLKIT_RUSTC").unwrap_or(UNKNOWN)
}

/// Dashboards and container platforms name architectures as Go does.
fn go_arch(arch: &'static str) -> &'static str {
    match arch {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        other => other,
    }
}

fn go_os(os: &'static str) -> &'static str {
    match os {
        "macos" => "darwin",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_have_gos_names() {
        let arch = ["x86_64", "aarch64", "riscv64", "x86"].map(go_arch);
        assert_eq!(arch, ["amd64", "arm64", "riscv64", "386"]);
        assert_eq!([go_os("linux"), go_os("macos")], ["linux", "darwin"]);
    }

    #[test]
    fn the_version_names_the_compiler_and_the_platform() {
        let text = Build::new("demo", "1.2.3").to_string();
        assert!(text.starts_with("1.2.3 (branch: "), "{text}");
        assert!(text.contains(", rustc: 1.") && text.contains(", platform: "), "{text}");
    }
}
