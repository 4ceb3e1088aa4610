//! The command line: the peer's flags, those of the toolkit, and those that each collector declares beside its code.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, value_parser};
use exporter_toolkit::health;
use exporter_toolkit::log::LogOptions;
use exporter_toolkit::name::LabelName;
use exporter_toolkit::options::{LabelOptions, Word, prepared, with_words};
use exporter_toolkit::telemetry::Build;
use exporter_toolkit::web::WebOptions;

use crate::collector::{self, COLLECTORS, Setup, Spec};
use crate::flags::{AnyFlag, Flags};
use crate::host::{Host, KEPT_FILES};

/// Environment variables of flags start with this.
pub const PREFIX: &str = "NODE_EXPORTER";

/// What `node_exporter_build_info` and `--version` say.
pub const BUILD: Build = Build::new("node_exporter", env!("CARGO_PKG_VERSION"));

/// What is not a collector's own.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    pub host: HostOptions,
    #[command(flatten)]
    pub web: WebOptions,
    #[command(flatten)]
    pub log: LogOptions,
    #[command(flatten)]
    pub labels: LabelOptions,

    /// `check`, or nothing.
    #[arg(value_name = "check", value_parser = ["check"], hide = true)]
    pub command: Option<String>,

    /// Check the command line, the environment, --config.file and --web.config.file, and start nothing.
    #[arg(long = "check-config", help_heading = "Configuration")]
    pub check_config: bool,

    /// Leave out the metrics about the exporter itself (process_*, promhttp_*).
    #[arg(long = "web.disable-exporter-metrics", help_heading = "Web")]
    pub disable_exporter_metrics: bool,

    /// Run only the collectors that are named on the command line.
    #[arg(long = "collector.disable-defaults", help_heading = "Collectors")]
    pub disable_defaults: bool,

    /// Accepted for the peer's sake: collectors take turns on one thread, and on a second only past one that hangs.
    #[arg(long = "runtime.gomaxprocs", hide = true, default_value_t = 1)]
    pub gomaxprocs: usize,

    #[command(flatten)]
    pub collectors: CollectorFlags,
}

/// Where the host's file trees are mounted.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Host")]
pub struct HostOptions {
    /// Where the host's /proc is mounted: /host/proc in a container.
    #[arg(long = "path.procfs", value_name = "DIR", default_value = "/proc")]
    pub procfs: PathBuf,
    /// Where the host's /sys is mounted: /host/sys in a container.
    #[arg(long = "path.sysfs", value_name = "DIR", default_value = "/sys")]
    pub sysfs: PathBuf,
    /// Where the host's root is mounted: /host/root in a container. It is taken off the mountpoint labels.
    #[arg(long = "path.rootfs", value_name = "DIR", default_value = "/")]
    pub rootfs: PathBuf,
    /// Where the host's udev data is mounted: /host/root/run/udev/data in a container.
    #[arg(long = "path.udev.data", value_name = "DIR", default_value = "/run/udev/data")]
    pub udev_data: PathBuf,
    /// How many files of /proc and /sys may stay open from one scrape to the next, which makes reading them cheaper; never
    /// more than half of what the process may open. A host with N network interfaces has use for some 6 N.
    #[arg(long = "host.kept-files", value_name = "FILES", default_value_t = KEPT_FILES)]
    pub kept_files: usize,
}

/// The command line, read.
#[derive(Debug)]
pub struct Given {
    pub options: Options,
    pub flags: Flags,
    /// The collectors that run, in the order of their names.
    pub enabled: Vec<&'static Spec>,
    /// Of every sample.
    pub labels: Vec<(LabelName, String)>,
}

impl Given {
    /// True where the collector of that name runs.
    pub fn runs(&self, name: &str) -> bool {
        self.enabled.iter().any(|spec| spec.name == name)
    }

    /// What the collectors are built from.
    pub fn setup(&self) -> Setup {
        let paths = self.options.host.clone();
        let host = Host::new(paths.procfs, paths.sysfs, paths.rootfs, paths.udev_data);
        let host = host.keeping_at_most(paths.kept_files);
        Setup { host, flags: self.flags.clone() }
    }
}

/// Reads the command line and the environment; the error prints itself, and is `--help`'s text too.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Given, clap::Error> {
    let (options, matches) = exporter_toolkit::options::parse::<Options>(command(), PREFIX, args)?;
    let mut flags = Flags::default();
    for flag in collector::flags() {
        take(flag, &matches, &mut flags);
    }
    let runs = |spec: &&&Spec| runs(spec, options.disable_defaults, &matches);
    let enabled: Vec<&Spec> = COLLECTORS.iter().filter(runs).copied().collect();
    // A family that two collectors can give is given by one, which asks whether the other runs.
    let disabled = |spec: &&&Spec| !enabled.iter().any(|one| one.name == spec.name);
    for spec in COLLECTORS.iter().filter(disabled).filter(|spec| spec.switch().is_none()) {
        flags.set(&switch_name(spec), "false");
    }
    let labels = options
        .labels
        .resolve()
        .map_err(|problem| command().error(clap::error::ErrorKind::ValueValidation, problem))?;
    Ok(Given { options, flags, enabled, labels })
}

/// What the command line may begin with.
pub const WORDS: &[Word] = &[
    Word::new(
        "check",
        "Tells what is wrong with the way it sees this host, and which collectors give nothing",
        prepared::<Options>,
    ),
    health::WORD,
];

const EXAMPLES: &str = "\
Examples:
  node-exporter-rs --web.listen-address=127.0.0.1:9100 --collector.textfile.directory=/var/lib/node-exporter
  node-exporter-rs --collector.disable-defaults --collector.cpu --collector.meminfo
  node-exporter-rs --collector.network.device-exclude='^(veth|cali|lxc)' --label=cluster_name=eu1
  node-exporter-rs check --path.procfs=/host/proc --path.sysfs=/host/sys --path.rootfs=/host/root";

/// The command without the options that [`Options`] declares.
pub fn command() -> Command {
    let command = Command::new("node-exporter-rs").version(BUILD.to_string()).about(
        "Host metrics from /proc and /sys for Prometheus. A drop-in for node_exporter: same metrics, same flags.",
    );
    with_words(command, WORDS).after_help(EXAMPLES)
}

/// The flags of the collectors, which their tables declare. Their values are in the matches.
#[derive(Clone, Debug, Default)]
pub struct CollectorFlags;

impl FromArgMatches for CollectorFlags {
    fn from_arg_matches(_matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self)
    }

    fn update_from_arg_matches(&mut self, _matches: &ArgMatches) -> Result<(), clap::Error> {
        Ok(())
    }
}

impl Args for CollectorFlags {
    fn augment_args(command: Command) -> Command {
        let switched = COLLECTORS.iter().filter(|spec| spec.switch().is_none());
        let collectors = switched.map(|spec| switch(spec));
        command.args(collectors.chain(collector::flags().map(argument)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

fn switch(spec: &Spec) -> Arg {
    let name = switch_name(spec);
    Arg::new(name.clone())
        .long(name)
        .help(spec.about)
        .help_heading("Collectors")
        .value_parser(value_parser!(bool))
        .action(ArgAction::Set)
        .default_value(if spec.enabled { "true" } else { "false" })
}

fn switch_name(spec: &Spec) -> String {
    format!("collector.{}", spec.name)
}

fn argument(flag: &'static dyn AnyFlag) -> Arg {
    let arg = Arg::new(flag.name())
        .long(flag.name())
        .help(flag.help())
        .help_heading("Options of collectors")
        .hide(flag.hidden())
        .value_name(flag.word())
        .action(if flag.repeats() { ArgAction::Append } else { ArgAction::Set });
    let arg = if flag.default().is_empty() { arg } else { arg.default_value(flag.default()) };
    if flag.switch() {
        return arg.value_parser(value_parser!(bool));
    }
    arg.allow_hyphen_values(true)
        .value_parser(move |text: &str| flag.check(text).map(|()| text.to_owned()))
}

/// Takes over what was given; the defaults are the flag's own.
fn take(flag: &dyn AnyFlag, matches: &ArgMatches, flags: &mut Flags) {
    if !given(matches, flag.name()) {
        return;
    }
    if flag.switch() {
        let on = matches.get_one::<bool>(flag.name()).copied().unwrap_or_default();
        return flags.set(flag.name(), if on { "true" } else { "false" });
    }
    for value in matches.get_many::<String>(flag.name()).into_iter().flatten() {
        flags.set(flag.name(), value);
    }
}

fn given(matches: &ArgMatches, name: &str) -> bool {
    matches.value_source(name).is_some_and(|source| source != ValueSource::DefaultValue)
}

fn runs(spec: &Spec, disable_defaults: bool, matches: &ArgMatches) -> bool {
    let name = switch_name(spec);
    if disable_defaults && !given(matches, &name) {
        return false;
    }
    if spec.switch().is_some() {
        return given(matches, &name);
    }
    matches.get_one::<bool>(&name).copied().unwrap_or(spec.enabled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(args: &[&str]) -> Result<Given, String> {
        let args = std::iter::once("node-exporter-rs").chain(args.iter().copied());
        parse(args.map(OsString::from)).map_err(|error| error.to_string())
    }

    fn enabled(args: &[&str]) -> Vec<&'static str> {
        given(args).unwrap().enabled.iter().map(|spec| spec.name).collect()
    }

    #[test]
    fn without_flags_the_defaults_run() {
        let defaults: Vec<_> =
            COLLECTORS.iter().filter(|spec| spec.enabled).map(|spec| spec.name).collect();
        assert_eq!(enabled(&[]), defaults);
    }

    #[test]
    fn collectors_are_switched_as_the_peers_are() {
        let without = enabled(&["--no-collector.cpu"]);
        assert!(!without.contains(&"cpu") && without.contains(&"stat"));
        let only =
            enabled(&["--collector.disable-defaults", "--collector.cpu", "--collector.stat"]);
        assert_eq!(only, ["cpu", "stat"]);
    }

    #[test]
    fn a_collector_whose_flag_names_a_file_runs_where_that_is_given() {
        assert!(!enabled(&[]).contains(&"process-groups"));
        let groups = "--collector.process-groups=groups.yml";
        assert!(enabled(&[groups]).contains(&"process-groups"));
        assert_eq!(enabled(&["--collector.disable-defaults", groups]), ["process-groups"]);
    }

    #[test]
    fn an_unknown_collector_is_named_in_the_error() {
        let error = given(&["--collector.loadvag"]).unwrap_err();
        assert!(error.contains("--collector.loadvag"), "{error}");
        assert!(error.contains("--collector.loadavg"), "{error}");
    }
}
