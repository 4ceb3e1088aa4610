//! Flags of the peer's logger and of its Go runtime, and flags that version 2 dropped: accepted and ignored.

use std::ffi::OsString;

use clap::{Arg, ArgAction};

/// Those that take a value.
const VALUES: &[&str] = &[
    "alsologtostderrthreshold",
    "auto-gomemlimit-ratio",
    "log_backtrace_at",
    "log_dir",
    "log_file",
    "log_file_max_size",
    "server-idle-timeout",
    "server-read-header-timeout",
    "server-read-timeout",
    "server-write-timeout",
    "stderrthreshold",
    "v",
    "vmodule",
];

/// Those that are switches.
const SWITCHES: &[&str] = &[
    "add_dir_header",
    "alsologtostderr",
    "auto-gomemlimit",
    "disable-node-non-generic-resource-metrics",
    "disable-pod-non-generic-resource-metrics",
    "legacy_stderr_threshold_behavior",
    "logtostderr",
    "one_output",
    "skip_headers",
    "skip_log_headers",
];

/// The flags that are accepted and mean nothing here.
pub(super) fn ignored() -> impl Iterator<Item = Arg> {
    let arg = |name: &'static str| Arg::new(name).long(name).hide(true);
    let values = VALUES.iter().map(move |name| arg(name).allow_hyphen_values(true));
    let switches = SWITCHES
        .iter()
        .map(move |name| exporter_toolkit::options::switch(name, false, "").hide(true));
    let verbosity = Arg::new("verbosity").short('v').hide(true).action(ArgAction::Append);
    values.chain(switches).chain([verbosity])
}

/// Go takes one dash for two: `-port=8080`, `-logtostderr`. One dash and one letter stay.
pub(super) fn long(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let double = |arg: OsString| match arg.to_str() {
        Some(text) if is_long(text) => OsString::from(format!("-{text}")),
        _ => arg,
    };
    args.into_iter().map(double).collect()
}

/// `-v5` is the short flag with its value.
fn is_long(text: &str) -> bool {
    let name = text.strip_prefix('-').unwrap_or_default();
    let name = name.split('=').next().unwrap_or_default();
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_lowercase())
        && !name
            .strip_prefix('v')
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}
