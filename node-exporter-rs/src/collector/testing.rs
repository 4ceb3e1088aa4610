//! What the collectors' tests share: a collector run once on a small tree.

use std::path::Path;

use exporter_toolkit::{Exposition, Format};

use super::{CollectError, Setup, Spec};
use crate::flags::Flags;
use crate::host::Host;

/// A folder with these files, given as paths (`proc/…`, `sys/…`) and contents.
pub(crate) fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

/// Runs the collector once on the tree below `folder`; gives its samples without headers, and its verdict.
pub(crate) fn collect(
    spec: &Spec,
    folder: &Path,
    flags: &[(&str, &str)],
) -> (Vec<String>, Result<(), CollectError>) {
    let setup = Setup { host: Host::below(folder), flags: Flags::of(flags) };
    let mut out = Exposition::new(Format::Text);
    let result = (spec.build)(&setup).unwrap().collect(&mut out);
    let text = std::str::from_utf8(out.text()).unwrap();
    (text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect(), result)
}
