//! The peer's own test data, which lies outside the project: `$CONFORMANCE_DIR`, or `../shared/conformance` beside the
//! checkout.

use std::path::{Path, PathBuf};

/// The data's folder, and its host unpacked into a temporary one that is the process's current folder from now on: paths
/// appear in labels and help texts, so they are relative, as in the peer's run. Without the data it says so.
pub(crate) fn unpacked() -> Option<(PathBuf, tempfile::TempDir)> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/conformance");
    let data =
        std::env::var_os("CONFORMANCE_DIR").map_or(beside, PathBuf::from).join("node_exporter");
    let Ok(packed) = std::fs::File::open(data.join("fixtures.tar.gz")) else {
        eprintln!(
            "skipped: no conformance data; set CONFORMANCE_DIR to the folder that holds node_exporter/"
        );
        return None;
    };
    let data = data.canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(packed));
    archive.set_preserve_permissions(true);
    archive.unpack(folder.path()).unwrap();
    std::env::set_current_dir(folder.path()).unwrap();
    Some((data, folder))
}
