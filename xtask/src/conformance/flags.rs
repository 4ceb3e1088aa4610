//! The flags of the peer's end-to-end run, less those that the program under test does not know.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::judge::Index;

pub(super) const PATHS: &[&str] = &[
    "--path.rootfs=collector/fixtures",
    "--path.procfs=collector/fixtures/proc",
    "--path.sysfs=collector/fixtures/sys",
    "--path.udev.data=collector/fixtures/udev/data",
];

/// On by default and switched off in that run, as they read the live host.
const OFF: &[&str] = &["selinux", "filesystem", "timex", "uname"];

/// After `--collector.`; a switch that is to be off is written with its `no-`.
const OPTIONS: &[(&str, &str)] = &[
    ("cpu.info", ""),
    ("cpu.info.bugs-include", "^(cpu_meltdown|spectre_.*|mds)$"),
    ("cpu.info.flags-include", "^(aes|avx.?|constant_tsc)$"),
    ("arp.device-exclude", "nope"),
    ("no-arp.netlink", ""),
    ("bcache.priorityStats", ""),
    ("hwmon.chip-include", "(applesmc|asus_nb_wmi|coretemp|hwmon4|ieee80211|nct6779)"),
    ("netclass.ignore-invalid-speed", ""),
    ("netclass.ignored-devices", "(dmz|int)"),
    ("netdev.device-include", "lo"),
    ("qdisc.device-include", "(wlan0|eth0)"),
    ("qdisc.fixtures", "collector/fixtures/qdisc/"),
    ("stat.softirq", ""),
    ("sysctl.include-info", "kernel.seccomp.actions_avail"),
    ("sysctl.include", "fs.file-nr"),
    ("sysctl.include", "fs.file-nr:total,current,max"),
    ("sysctl.include", "kernel.threads-max"),
    ("textfile.directory", "collector/fixtures/textfile/two_metric_files/"),
    ("wifi.fixtures", "collector/fixtures/wifi"),
];

/// What follows `--collector.` in the program's help: collectors and their options.
pub(crate) fn known(program: &Path) -> Result<BTreeSet<String>> {
    let output = Command::new(program)
        .arg("--help")
        .output()
        .with_context(|| format!("{} --help", program.display()))?;
    // The peer prints its help to the error output.
    let text = [output.stdout, output.stderr].concat();
    Ok(named(&String::from_utf8_lossy(&text)))
}

fn named(help: &str) -> BTreeSet<String> {
    help.split_whitespace()
        .filter(|word| word.starts_with("--"))
        .filter_map(|word| word.split_once("collector."))
        .map(|(_, rest)| {
            let end = |c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c));
            rest.split(end).next().unwrap_or_default().to_owned()
        })
        .collect()
}

/// The command line of the run: every collector of the index on, every other one off.
pub(crate) fn of_the_run(known: &BTreeSet<String>, index: &Index) -> Vec<String> {
    let mut flags: Vec<String> = PATHS.iter().map(|&flag| flag.to_owned()).collect();
    for collector in known.iter().filter(|name| !name.contains('.')) {
        if index.has(collector) {
            flags.push(format!("--collector.{collector}"));
        } else if OFF.contains(&collector.as_str()) || collector == "systemd" {
            flags.push(format!("--no-collector.{collector}"));
        }
    }
    for (name, value) in OPTIONS {
        let (no, bare) = name.strip_prefix("no-").map_or(("", *name), |bare| ("no-", bare));
        if !known.contains(bare) {
            eprintln!("the program has no --collector.{bare}");
        } else if value.is_empty() {
            flags.push(format!("--{no}collector.{bare}"));
        } else {
            flags.push(format!("--collector.{bare}={value}"));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_read_from_either_form_of_help() {
        let help = "  --[no-]collector.arp  Arp\n --collector.arp.device-exclude=\"x\"  see --no-collector.cpu,\n collector.none";
        let expected = ["arp", "arp.device-exclude", "cpu"];
        assert_eq!(named(help), expected.map(str::to_owned).into());
    }
}
