//! Which containers are of which pods, for identity: no more than the tree and the first process of each.

use super::hierarchy::{Hierarchies, HierarchyError};
use super::kept::{Access, Kept, Root};
use super::machine::Paths;
use super::process::first;
use super::tree::folders_below;
use crate::identity::Cgroup;

/// A node runs some hundred.
const MOST: usize = 16_384;

/// Pod, container and a process, of each container of a pod that runs.
pub fn containers(paths: &Paths) -> Result<Vec<(String, String, u32)>, HierarchyError> {
    let hierarchies = Hierarchies::find(&paths.cgroup)?;
    let mut access = Access::new(0);
    let Some(tree) = hierarchies.processes() else { return Ok(Vec::new()) };
    let all = folders_below(&tree.root, MOST);
    Ok(all.iter().filter_map(|path| container(&mut access, &tree.root, path)).collect())
}

fn container(access: &mut Access, root: &Root, path: &[u8]) -> Option<(String, String, u32)> {
    let cgroup = Cgroup::of(path);
    if cgroup.monitor || cgroup.nested {
        return None;
    }
    let (uid, id) = (cgroup.pod?, cgroup.container?);
    let text = access.read(&mut Kept::Closed, root, path, "cgroup.procs").ok()?;
    let name = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((name(uid.as_bytes()), name(id), first(text)?))
}
