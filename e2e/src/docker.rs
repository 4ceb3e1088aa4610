//! Docker on this machine: images of a program, and what its command line says.
#![expect(clippy::unwrap_used, reason = "support of tests: what fails is to be seen")]

use std::path::Path;
use std::process::Command;

/// An image of one program with nothing beside it, which goes with its guard.
#[derive(Debug)]
pub struct Image(String);

impl Image {
    /// The program alone, as nobody.
    pub fn of(program: &Path) -> Self {
        Self::built(program, "scratch", "", &[], "USER 65534\n")
    }

    /// The program in `/bin` beside the testbed's tools and these files of this machine, and a folder that its user may
    /// write to.
    pub fn with_tools(program: &Path, files: &[&str], folder: &str, user: &str) -> Self {
        let more = format!("COPY --chown={user} empty {folder}\nUSER {user}\n");
        Self::built(program, "testbed/busybox:1", "bin/", files, &more)
    }

    fn built(program: &Path, base: &str, place: &str, files: &[&str], more: &str) -> Self {
        let name = program.file_name().unwrap().to_str().unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::copy(program, folder.path().join(name)).unwrap();
        let mut libraries = libraries(program);
        libraries.extend(files.iter().map(|&file| file.to_owned()));
        for library in &libraries {
            let to = folder.path().join("root").join(library.trim_start_matches('/'));
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(library, to).unwrap();
        }
        let copy = if libraries.is_empty() { "" } else { "COPY root /\n" };
        std::fs::create_dir(folder.path().join("empty")).unwrap();
        let text = format!(
            "FROM {base}\n{copy}COPY {name} /{place}{name}\n{more}ENTRYPOINT [\"/{place}{name}\"]\n"
        );
        std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
        let image = Self(format!("e2e/{name}:{}", std::process::id()));
        docker(&["build", "--quiet", "--tag", &image.0, &folder.path().display().to_string()]);
        image
    }

    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // A pod that has just ended may hold it still; a test that fails tells its own reason.
        let removed = Command::new("docker").args(["rmi", "--force", &self.0]).output();
        if !removed.is_ok_and(|output| output.status.success()) {
            eprintln!("{} stays", self.0);
        }
    }
}

/// What a program that was built for development needs beside itself; a released one needs nothing.
fn libraries(program: &Path) -> Vec<String> {
    let output = Command::new("ldd").arg(program).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let paths = text.split_ascii_whitespace().filter(|word| word.starts_with('/'));
    paths.map(str::to_owned).collect()
}

/// What docker's command line prints.
pub fn docker(args: &[&str]) -> String {
    let output = Command::new("docker").args(args).output().unwrap();
    assert!(output.status.success(), "docker {}: {output:?}", args.join(" "));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
