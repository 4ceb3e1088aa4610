//! One cgroup as its files are read: where it is, and what its end looks like.

use super::hierarchy::{Controller, Hierarchies, Tree, bit};
use super::kept::{Access, Kept, Trouble};

/// The cgroup went while it was read: what was read of it before is not told either.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Gone;

/// A cgroup's place.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    pub(super) hierarchies: &'a Hierarchies,
    /// A bit for each tree that has it.
    pub(super) bits: u32,
    pub(super) path: &'a [u8],
}

impl<'a> At<'a> {
    /// The controller's tree, where the cgroup is in it.
    pub(super) fn tree(&self, controller: Controller) -> Option<&'a Tree> {
        self.present(self.hierarchies.of(controller)?)
    }

    /// The tree whose `cgroup.procs` tells its processes.
    pub(super) fn processes(&self) -> Option<&'a Tree> {
        let trees = self.hierarchies.trees();
        self.hierarchies
            .processes()
            .and_then(|tree| self.present(tree))
            .or_else(|| trees.iter().find_map(|tree| self.present(tree)))
    }

    /// When it was made, as far as the kernel remembers: the earliest time of its folders, in seconds since 1970.
    pub(super) fn made(&self) -> Option<u64> {
        let trees = self.hierarchies.trees().iter().filter_map(|tree| self.present(tree));
        let time = |tree: &Tree| {
            let path = [&tree.root.path, self.path].concat();
            u64::try_from(rustix::fs::stat(path).ok()?.st_mtime).ok()
        };
        trees.filter_map(time).min()
    }

    fn present(&self, tree: &'a Tree) -> Option<&'a Tree> {
        let trees = self.hierarchies.trees();
        let number = trees.iter().position(|one| std::ptr::eq(one, tree))?;
        (self.bits & bit(number) != 0).then_some(tree)
    }

    /// A file's text; `None` where the kernel has none or gives none.
    pub(super) fn read<'s>(
        &self,
        access: &'s mut Access,
        kept: &mut Kept,
        tree: &Tree,
        name: &str,
    ) -> Result<Option<&'s [u8]>, Gone> {
        match access.read(kept, &tree.root, self.path, name) {
            Ok(text) => Ok(Some(text)),
            Err(Trouble::Gone) if !tree.aside => Err(Gone),
            Err(Trouble::Gone | Trouble::Absent | Trouble::Refused) => Ok(None),
        }
    }

    /// A file that is one number.
    pub(super) fn number(
        &self,
        access: &mut Access,
        kept: &mut Kept,
        tree: &Tree,
        name: &str,
    ) -> Result<Option<u64>, Gone> {
        Ok(self.read(access, kept, tree, name)?.and_then(super::parse::number))
    }
}
