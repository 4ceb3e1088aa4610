//! `node_os_*`: the distribution, from `/etc/os-release` or `/usr/lib/os-release` below `--path.rootfs` (os-release(5)).

mod release;

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use exporter_toolkit::{Exposition, Gauge};

use self::release::{LABELS, Release};
use super::{CollectError, Collector, Spec};
use crate::host::read_text;

static INFO: Gauge<12> = Gauge::new(
    "node_os_info",
    "Always 1: the distribution's names, versions and variant, as its os-release file tells them.",
    LABELS,
);
static VERSION: Gauge<3> = Gauge::new(
    "node_os_version",
    "The distribution's version as a number: major, and minor as a decimal fraction.",
    ["id", "id_like", "name"],
);
static SUPPORT_END: Gauge<0> = Gauge::new(
    "node_os_support_end_timestamp_seconds",
    "When the distribution's support for this version ends, in seconds since the epoch.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "os",
    enabled: true,
    about: "The distribution and its version, from /etc/os-release.",
    flags: &[],
    families: &[&INFO, &VERSION, &SUPPORT_END],
    build: |setup| {
        let files = ["/etc/os-release", "/usr/lib/os-release"].map(|path| setup.host.root(path));
        Ok(Box::new(Os { files, read: None }))
    },
};

struct Os {
    files: [PathBuf; 2],
    /// What was read, and from which version of which file.
    read: Option<(Version, Release)>,
}

/// The file's place in the list, inode, length and time: another version differs in one of them.
type Version = (usize, u64, u64, i64, i64);

impl Collector for Os {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let release = self.release()?;
        out.family(&INFO).sample(&release.values, 1_u8);
        let labels = (release.get("id"), release.get("id_like"), release.get("name"));
        out.family(&VERSION).maybe(labels, release.version());
        out.family(&SUPPORT_END).maybe((), release.support_end);
        Ok(())
    }
}

impl Os {
    /// Reads the first of the files that is there, unless it is the version that was read before.
    fn release(&mut self) -> Result<&Release, CollectError> {
        let found = self.files.iter().enumerate().find_map(|(place, path)| {
            let file = std::fs::metadata(path).ok()?;
            let version = (place, file.ino(), file.len(), file.mtime(), file.mtime_nsec());
            Some((version, path))
        });
        let Some((version, path)) = found else {
            return Err(CollectError::NoData("neither etc/os-release nor usr/lib/os-release"));
        };
        let release = match self.read.take() {
            Some((known, release)) if known == version => release,
            _ => Release::parse(&read_text(path)?),
        };
        Ok(&self.read.insert((version, release)).1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::Setup;
    use crate::collector::testing::{collect, tree};
    use crate::host::Host;
    use exporter_toolkit::Format;

    #[test]
    fn the_file_in_etc_comes_first() {
        let folder = tree(&[("usr/lib/os-release", "ID=lib\nVERSION_ID=2\n")]);
        let version = || collect(&SPEC, folder.path(), &[]).0[1].clone();
        assert_eq!(version(), "node_os_version{id=\"lib\",id_like=\"\",name=\"\"} 2");
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        std::fs::write(folder.path().join("etc/os-release"), "ID=etc\nVERSION_ID=3.1\n").unwrap();
        assert_eq!(version(), "node_os_version{id=\"etc\",id_like=\"\",name=\"\"} 3.1");
    }

    #[test]
    fn an_upgrade_is_seen_without_a_restart() {
        let folder = tree(&[("etc/os-release", "ID=x\nVERSION_ID=1\n")]);
        let setup = Setup { host: Host::below(folder.path()), ..Setup::default() };
        let mut collector = (SPEC.build)(&setup).unwrap();
        let mut version = || {
            let mut out = Exposition::new(Format::Text);
            collector.collect(&mut out).unwrap();
            String::from_utf8(out.text().to_vec()).unwrap().trim_end().chars().last()
        };
        assert_eq!(version(), Some('1'));
        assert_eq!(version(), Some('1'));
        let new = folder.path().join("etc/new");
        std::fs::write(&new, "ID=x\nVERSION_ID=2\n").unwrap();
        std::fs::rename(&new, folder.path().join("etc/os-release")).unwrap();
        assert_eq!(version(), Some('2'));
    }

    #[test]
    fn a_host_without_the_file_has_no_data() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(samples.is_empty());
        assert!(result.unwrap_err().is_no_data());
    }
}
