//! The images, as `images/build` makes them.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::agent;
use e2e::docker::docker;

pub(crate) const AGENTS: [&str; 4] =
    ["node-exporter-rs", "kube-state-rs", "cadvisor-proxy-rs", "consul-registrar"];

/// Before the names of this run's images.
pub(crate) const PREFIX: &str = "e2e-system/";

fn program(agent: &str) -> PathBuf {
    let path = match agent {
        "node-exporter-rs" => agent::node_exporter_rs(),
        "kube-state-rs" => agent::kube_state_rs(),
        "cadvisor-proxy-rs" => agent::cadvisor_proxy_rs(),
        _ => agent::consul_registrar(),
    };
    path.unwrap()
}

/// All four, and a Prometheus where there is one. They go with their guard.
#[derive(Debug)]
pub(crate) struct Images {
    /// The tag of all of them.
    pub(crate) tag: String,
    names: Vec<String>,
}

impl Images {
    pub(crate) fn build(prometheus: &Path) -> Self {
        let mut images = Self { tag: std::process::id().to_string(), names: Vec::new() };
        let programs = tempfile::tempdir().unwrap();
        for agent in AGENTS {
            let (from, copy) = (program(agent), programs.path().join(agent));
            std::fs::copy(&from, &copy).unwrap();
            // What was built for development is mostly notes for a debugger; what is shipped stays as it is.
            if !libraries(&from).is_empty() {
                _ = Command::new("strip").arg(copy).status();
            }
        }
        let build = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/build");
        let output = Command::new(build)
            .env("BINARIES", format!("{}/", programs.path().display()))
            .env("PREFIX", PREFIX)
            .env("VERSION", &images.tag)
            .output()
            .unwrap();
        // What was built for development may be larger than an image should be; the images are there all the same.
        let (printed, said) =
            (output.stdout.lines().count(), String::from_utf8_lossy(&output.stderr));
        assert_eq!(printed, AGENTS.len(), "images/build: {said}");
        for agent in AGENTS {
            images.names.push(images.name(agent));
            images.complete(agent, &program(agent), "");
        }
        // As in the overlay, but for the tag.
        let name = images.name("prometheus");
        images.names.push(name);
        let copy = "COPY prometheus /prometheus\nENTRYPOINT [\"/prometheus\"]\n";
        images.complete("prometheus", prometheus, copy);
        images
    }

    pub(crate) fn name(&self, of: &str) -> String {
        format!("{PREFIX}{of}:{}", self.tag)
    }

    /// A program that was built for development needs libraries, which a shipped one does not.
    fn complete(&self, of: &str, program: &Path, copy: &str) {
        let libraries = libraries(program);
        if libraries.is_empty() && copy.is_empty() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root");
        std::fs::create_dir(&root).unwrap();
        for library in libraries {
            let to = root.join(library.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(&library, to).unwrap();
        }
        let name = self.name(of);
        let base = if copy.is_empty() { name.as_str() } else { "scratch" };
        if !copy.is_empty() {
            std::fs::copy(program, folder.path().join(of)).unwrap();
        }
        let text = format!("FROM {base}\nCOPY root /\n{copy}");
        std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
        docker(&["build", "--quiet", "--tag", &name, &folder.path().display().to_string()]);
    }
}

impl Drop for Images {
    fn drop(&mut self) {
        for name in &self.names {
            // A pod that has just ended may hold it still.
            let removed = Command::new("docker").args(["rmi", "--force", name]).output();
            if !removed.is_ok_and(|output| output.status.success()) {
                eprintln!("{name} stays");
            }
        }
    }
}

fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.split_ascii_whitespace().filter(|word| word.starts_with('/'));
    paths.map(str::to_owned).collect()
}
