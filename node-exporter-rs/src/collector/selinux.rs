//! `node_selinux_*`: whether `SELinux` is on and enforces its policy, from selinuxfs and `/etc/selinux/config`.
//!
//! These are the live paths of this process whatever the path flags say, as with the peer: selinuxfs is mounted once for all.

use std::path::{Path, PathBuf};

use exporter_toolkit::{Exposition, Gauge};

use super::{CollectError, Collector, Spec};
use crate::host::{number, read_text};

static ENABLED: Gauge<0> =
    Gauge::new("node_selinux_enabled", "1 where the kernel runs with an SELinux policy.", []);
static CONFIG_MODE: Gauge<0> = Gauge::new(
    "node_selinux_config_mode",
    "What SELinux is configured to do at boot: 1 to enforce its policy, 0 to report only, -1 for off.",
    [],
);
static CURRENT_MODE: Gauge<0> = Gauge::new(
    "node_selinux_current_mode",
    "What SELinux does now: 1 enforces its policy, 0 reports only.",
    [],
);

pub static SPEC: Spec = Spec {
    name: "selinux",
    enabled: true,
    about: "Whether SELinux is on and enforces, from selinuxfs and /etc/selinux/config.",
    flags: &[],
    families: &[&ENABLED, &CONFIG_MODE, &CURRENT_MODE],
    build: |_| Ok(Box::new(Selinux { folder: None, config: PathBuf::from(CONFIG) })),
};

const CONFIG: &str = "/etc/selinux/config";
const USUAL_FOLDER: &str = "/sys/fs/selinux";
/// `SELINUX_MAGIC` of linux/magic.h.
const MAGIC: u32 = 0xf97c_ff8c;

struct Selinux {
    /// Where selinuxfs is mounted, `Some(None)` for nowhere; looked for once, as it takes a boot to change.
    #[expect(clippy::option_option, reason = "not looked for and not found are two things")]
    folder: Option<Option<PathBuf>>,
    config: PathBuf,
}

impl Collector for Selinux {
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let folder = self.folder.get_or_insert_with(find);
        out.family(&ENABLED).sample((), folder.is_some());
        if let Some(folder) = folder {
            let config = read_text(&self.config).ok();
            out.family(&CONFIG_MODE).maybe((), config.map(|text| configured(&text)));
            out.family(&CURRENT_MODE).maybe((), number::<i64>(&folder.join("enforce")));
        }
        Ok(())
    }
}

/// Where selinuxfs is mounted, if a policy is loaded: until then every process is labelled `kernel`.
fn find() -> Option<PathBuf> {
    let usual = PathBuf::from(USUAL_FOLDER);
    let folder = if is_selinuxfs(&usual) {
        usual
    } else {
        let mounts = read_text(Path::new("/proc/self/mountinfo")).ok()?;
        mount_points(&mounts).map(PathBuf::from).find(|folder| is_selinuxfs(folder))?
    };
    let label = read_text(Path::new("/proc/thread-self/attr/current")).unwrap_or_default();
    (label.trim_end_matches('\0') != "kernel").then_some(folder)
}

/// One that is mounted read-only, as in containers, does not count.
fn is_selinuxfs(folder: &Path) -> bool {
    let magic = |fs: rustix::fs::StatFs| u32::try_from(fs.f_type) == Ok(MAGIC);
    let writable = |folder| {
        rustix::fs::statvfs(folder)
            .is_ok_and(|fs| !fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY))
    };
    rustix::fs::statfs(folder).is_ok_and(magic) && writable(folder)
}

fn mount_points(mountinfo: &str) -> impl Iterator<Item = &str> {
    let lines = mountinfo.lines().filter(|line| line.contains(" - selinuxfs "));
    lines.filter_map(|line| line.split(' ').nth(4))
}

/// The word behind `SELINUX=`: what is neither of the two modes is off.
fn configured(text: &str) -> i8 {
    let word = text.lines().find_map(|line| line.trim_ascii().strip_prefix("SELINUX="));
    match word.map(|word| word.trim_matches('"')) {
        Some("enforcing") => 1,
        Some("permissive") => 0,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use exporter_toolkit::Format;

    fn samples(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tree(files);
        let mut out = Exposition::new(Format::Text);
        Selinux {
            folder: Some(Some(folder.path().join("fs"))),
            config: folder.path().join("config"),
        }
        .collect(&mut out)
        .unwrap();
        let text = std::str::from_utf8(out.text()).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }

    #[test]
    fn the_mode_now_and_the_configured_one_are_told_apart() {
        assert_eq!(
            samples(&[
                ("fs/enforce", "0"),
                ("config", "# SELINUX=permissive\nSELINUX=enforcing\n")
            ]),
            ["node_selinux_enabled 1", "node_selinux_config_mode 1", "node_selinux_current_mode 0"]
        );
    }

    #[test]
    fn what_cannot_be_read_is_a_missing_sample() {
        assert_eq!(samples(&[]), ["node_selinux_enabled 1"]);
    }

    #[test]
    fn a_configuration_that_names_no_mode_is_off() {
        assert_eq!(configured("SELINUXTYPE=targeted\nSELINUX=disabled\n"), -1);
        assert_eq!(configured("SELINUX=\"permissive\"\n"), 0);
        assert_eq!(configured(""), -1);
    }

    #[test]
    fn the_mount_point_is_the_fifth_column() {
        let text = "25 23 0:22 / /sys/fs/selinux rw - selinuxfs selinuxfs rw\n\
                    26 23 0:23 / /x rw - tmpfs selinuxfs rw\n";
        assert_eq!(mount_points(text).collect::<Vec<_>>(), ["/sys/fs/selinux"]);
    }

    #[test]
    fn this_machine_has_it_or_not() {
        let (samples, result) = collect(&SPEC, tree(&[]).path(), &[]);
        assert!(result.is_ok());
        let known = crate::host::Host::default().read_proc("filesystems").unwrap();
        if !known.contains("\tselinuxfs\n") {
            assert_eq!(samples, ["node_selinux_enabled 0"]);
        }
    }
}
