//! Where the controllers are: one tree of cgroup v2, a tree for each in v1, or both beside each other (hybrid).

use std::fs;
use std::path::{Path, PathBuf};

use super::kept::Root;
use super::parse::words;

/// What of a cgroup is read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Controller {
    Cpu,
    Cpuacct,
    Memory,
    Io,
    Pids,
    /// `*.pressure`, which every cgroup of v2 has, whatever controllers it has.
    Pressure,
}

impl Controller {
    const ALL: [Self; 6] =
        [Self::Cpu, Self::Cpuacct, Self::Memory, Self::Io, Self::Pids, Self::Pressure];

    /// As v1 and v2 call it.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Cpu => ("cpu", "cpu"),
            // v2 has its times in `cpu.stat`, with or without the controller.
            Self::Cpuacct => ("cpuacct", ""),
            Self::Memory => ("memory", "memory"),
            Self::Io => ("blkio", "io"),
            Self::Pids => ("pids", "pids"),
            Self::Pressure => ("", ""),
        }
    }
}

/// The tree of one controller.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) root: Root,
    pub(super) v2: bool,
    /// Pressure is all that is taken from it: the v2 tree beside those of v1. It has cgroups of all units, and those that
    /// kubelets and runtimes of v1 left behind, so one that no other tree has is not told of.
    pub(super) aside: bool,
}

/// Why there is nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum HierarchyError {
    #[error("--path.cgroup {}: {source}", folder.display())]
    Read { folder: PathBuf, source: std::io::Error },
    #[error(
        "--path.cgroup {}: neither cgroup v2 (no cgroup.controllers) nor a controller of v1 is there: mount the host's /sys/fs/cgroup",
        folder.display()
    )]
    Empty { folder: PathBuf },
}

/// All trees of a host.
#[derive(Clone, Debug)]
pub(super) struct Hierarchies {
    trees: Vec<Tree>,
    /// For each of [`Controller::ALL`] the number of its tree.
    by_controller: [Option<usize>; Controller::ALL.len()],
}

impl Hierarchies {
    /// Looks below the folder in which the host mounts its cgroups, `/sys/fs/cgroup`.
    pub(super) fn find(folder: &Path) -> Result<Self, HierarchyError> {
        let mut found = Self { trees: Vec::new(), by_controller: [None; Controller::ALL.len()] };
        if folder.join("cgroup.controllers").exists() {
            found.add(folder, true, |_| true);
            return Ok(found);
        }
        let wrong = |source| HierarchyError::Read { folder: folder.to_owned(), source };
        let entries = fs::read_dir(folder).map_err(wrong)?.filter_map(Result::ok);
        // `cpu` and `cpuacct` may be links to `cpu,cpuacct`, which is listed itself.
        let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
        let mut names: Vec<String> =
            folders.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort_unstable_by_key(|name| (name.len(), name.clone()));
        for name in names {
            let path = folder.join(&name);
            if path.join("cgroup.controllers").exists() {
                let text = super::machine::text(&path.join("cgroup.controllers"));
                let text = text.unwrap_or_default();
                let has = |name: &str| {
                    name.is_empty() || words(&text).any(|word| word == name.as_bytes())
                };
                found.add(&path, true, has);
            } else if path.is_dir() {
                found.add(&path, false, |wanted| name.split(',').any(|part| part == wanted));
            }
        }
        // A hybrid's v2 tree without controllers tells of pressure and nothing else.
        if found.trees.iter().all(|tree| tree.v2) {
            return Err(HierarchyError::Empty { folder: folder.to_owned() });
        }
        Ok(found)
    }

    fn add(&mut self, path: &Path, v2: bool, has: impl Fn(&str) -> bool) {
        let whole = self.trees.is_empty() && v2 && has("any");
        let (mut used, mut aside) = (false, true);
        for (slot, controller) in self.by_controller.iter_mut().zip(Controller::ALL) {
            let (v1_name, v2_name) = controller.names();
            let name = if v2 { v2_name } else { v1_name };
            // Of a hybrid's v2 tree the times are those of v1.
            let fits = if v2 {
                whole || (controller != Controller::Cpuacct && has(name))
            } else {
                !name.is_empty() && has(name)
            };
            if fits && slot.is_none() {
                *slot = Some(self.trees.len());
                used = true;
                aside &= controller == Controller::Pressure;
            }
        }
        if used {
            self.trees.push(Tree { root: Root::new(path), v2, aside });
        }
    }

    pub(super) fn of(&self, controller: Controller) -> Option<&Tree> {
        let at = Controller::ALL.iter().position(|one| *one == controller)?;
        self.trees.get((*self.by_controller.get(at)?)?)
    }

    /// Every tree once.
    pub(super) fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// A bit for each tree that fits.
    pub(super) fn bits(&self, fits: impl Fn(&Tree) -> bool) -> u32 {
        let trees = self.trees.iter().enumerate().filter(|(_, tree)| fits(tree));
        trees.fold(0, |bits, (number, _)| bits | bit(number))
    }

    /// The tree whose `cgroup.procs` tells a cgroup's processes.
    pub(super) fn processes(&self) -> Option<&Tree> {
        let order = [Controller::Pids, Controller::Cpu, Controller::Memory, Controller::Pressure];
        order.into_iter().find_map(|controller| self.of(controller))
    }

    /// For the log: `cgroup v2`, `cgroup v1`, `cgroup v1 and v2`.
    pub(super) fn version(&self) -> &'static str {
        match (self.trees.iter().any(|tree| tree.v2), self.trees.iter().any(|tree| !tree.v2)) {
            (true, true) => "cgroup v1 and v2",
            (true, false) => "cgroup v2",
            _ => "cgroup v1",
        }
    }
}

/// Of a set of trees.
pub(super) fn bit(number: usize) -> u32 {
    1 << (number % 32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let (name, text) = file.split_once('=').unwrap_or((file, ""));
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    fn tree(found: &Hierarchies, controller: Controller) -> Option<(String, bool)> {
        let tree = found.of(controller)?;
        let path = String::from_utf8(tree.root.path.clone()).unwrap();
        Some((path.rsplit('/').next().unwrap().to_owned(), tree.v2))
    }

    #[test]
    fn one_tree_of_version_two_has_all() {
        let folder = folder(&["cgroup.controllers=cpu memory", "system.slice/cgroup.procs"]);
        let found = Hierarchies::find(folder.path()).unwrap();
        assert_eq!((found.trees().len(), found.version()), (1, "cgroup v2"));
        for controller in Controller::ALL {
            assert!(tree(&found, controller).unwrap().1);
        }
    }

    #[test]
    fn controllers_of_version_one_may_share_a_tree() {
        let folder = folder(&["cpu,cpuacct/tasks", "memory/tasks", "systemd/tasks", "pids/tasks"]);
        for link in ["cpu", "cpuacct"] {
            std::os::unix::fs::symlink("cpu,cpuacct", folder.path().join(link)).unwrap();
        }
        let found = Hierarchies::find(folder.path()).unwrap();
        assert_eq!(tree(&found, Controller::Cpu), tree(&found, Controller::Cpuacct));
        assert_eq!(tree(&found, Controller::Cpu), Some(("cpu,cpuacct".to_owned(), false)));
        assert_eq!(tree(&found, Controller::Io), None);
        assert_eq!((found.trees().len(), found.version()), (3, "cgroup v1"));
    }

    #[test]
    fn a_hybrid_takes_from_version_two_what_version_one_lacks() {
        let folder = folder(&[
            "cpuacct/tasks",
            "cpu/tasks",
            "memory/tasks",
            "unified/cgroup.controllers=pids io",
        ]);
        let found = Hierarchies::find(folder.path()).unwrap();
        assert_eq!(tree(&found, Controller::Pids), Some(("unified".to_owned(), true)));
        assert_eq!(tree(&found, Controller::Pressure), Some(("unified".to_owned(), true)));
        assert_eq!(tree(&found, Controller::Cpuacct), Some(("cpuacct".to_owned(), false)));
        assert_eq!(found.version(), "cgroup v1 and v2");
        assert!(found.trees().iter().all(|tree| !tree.aside));
    }

    #[test]
    fn a_hybrids_version_two_without_controllers_stands_aside() {
        let found =
            Hierarchies::find(folder(&["memory/tasks", "unified/cgroup.controllers="]).path());
        let aside: Vec<bool> = found.unwrap().trees().iter().map(|tree| tree.aside).collect();
        assert_eq!(aside, [false, true]);
    }

    #[test]
    fn a_folder_without_cgroups_says_what_is_missing() {
        let folder = folder(&["unified/cgroup.controllers="]);
        let error = Hierarchies::find(folder.path()).unwrap_err().to_string();
        assert!(error.contains("mount the host's"), "{error}");
        let error = Hierarchies::find(Path::new("/nowhere/cgroup")).unwrap_err();
        assert!(matches!(error, HierarchyError::Read { .. }));
    }
}
