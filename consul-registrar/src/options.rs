//! The command line.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use clap::builder::ValueParser;
use clap::{Args, Command, ValueEnum};
use exporter_toolkit::client::{Client, ClientError, ClientSettings, Target, TlsSettings};
use exporter_toolkit::health;
use exporter_toolkit::log::LogOptions;
use exporter_toolkit::options::{Word, prepared, with_words};
use exporter_toolkit::telemetry::Build;
use exporter_toolkit::web::WebOptions;

use crate::consul::client::{Consul, Scope};
use crate::group::Grouping;
use crate::guard::Guard;
use crate::row::Identity;
use crate::sink::file::{FileError, FileSink};
use crate::source::{Mode, SourceOptions};

/// Environment variables of flags start with this.
pub const PREFIX: &str = "REGISTRAR";

/// What `consul_registrar_build_info` and `version` say.
pub const BUILD: Build = Build::new("consul_registrar", env!("CARGO_PKG_VERSION"));

const fn word(name: &'static str, about: &'static str) -> Word {
    Word::new(name, about, prepared::<Options>)
}

/// What the command line may begin with.
pub const WORDS: &[Word] = &[
    word(
        "self",
        "Keeps this host's own ip:port where Prometheus finds it (DaemonSet, sidecar, systemd)",
    ),
    word("kubernetes", "Keeps a cluster's nodes, pods and services there"),
    word("docker", "Keeps this host's containers there"),
    word("static", "Keeps the targets of files there"),
    word("run", "Keeps those of all that --source names"),
    word("plan", "Shows what would change, and changes nothing"),
    word("targets", "Lists the targets as they would be shown"),
    word("check", "Tells whether Consul and the cluster can be used, and which rights are missing"),
    word("rebalance", "Gives the nodes new groups; only shows it with --dry-run"),
    word("purge", "Deletes all rows of --owner; only shows it with --dry-run"),
    word("rbac", "Prints the rights in a cluster that --rules need, and no more"),
    health::WORD,
    Word::alone("version", "Prints the version"),
];

const EXAMPLES: &str = "\
Examples:
  consul-registrar kubernetes --cluster-name=eu1 --consul=http://127.0.0.1:8500 --token-file=/run/secrets/consul
  consul-registrar self --cluster-name=eu1 --consul=http://127.0.0.1:8500 --service=node-exporter --port=9100
  consul-registrar static --cluster-name=eu1 --file=targets.yaml --sink='file=/etc/prometheus/sd/{group}.json'
  consul-registrar plan --source=kubernetes --cluster-name=eu1 --consul=http://127.0.0.1:8500";

/// The command without the options that [`Options`] declares.
pub fn command() -> Command {
    let command = Command::new("consul-registrar").version(BUILD.to_string()).about(
        "Puts every target of a cluster into Consul, file_sd and http_sd, so that Prometheus discovers it.",
    );
    with_words(command, WORDS).after_help(EXAMPLES)
}

/// All that can be set.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where targets come from; may be repeated. The subcommands self, kubernetes, docker and static say it, too.
    #[arg(long = "source", value_enum, value_name = "MODE")]
    pub modes: Vec<Mode>,
    #[command(flatten)]
    pub sources: SourceOptions,
    #[command(flatten)]
    pub rows: RowOptions,
    #[command(flatten)]
    pub groups: GroupOptions,
    #[command(flatten)]
    pub sinks: SinkOptions,
    #[command(flatten)]
    pub consul: ConsulOptions,
    #[command(flatten)]
    pub web: WebOptions,
    #[command(flatten)]
    pub log: LogOptions,
    /// Check the command line, the environment and every file that they name, and start nothing.
    #[arg(long = "check-config", help_heading = "Configuration")]
    pub check_config: bool,
}

/// What is the same on all rows.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Rows")]
pub struct RowOptions {
    /// Name of the cluster: the label `cluster_name` of every target.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub cluster_name: String,
    /// Who owns the rows: only rows of this owner are ever changed or deleted. Without it the cluster's name.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub owner: String,
    /// Label for every target; may be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = ValueParser::new(pair))]
    pub meta: Vec<(String, String)>,
    /// Tag for every target; may be repeated.
    #[arg(long, value_name = "TAG")]
    pub tag: Vec<String>,
    /// Share of the rows that may go within a minute. A larger one waits until complete lists agree for 60 s; 1 is all.
    #[arg(long, value_name = "SHARE", default_value_t = 0.2)]
    pub max_delete_ratio: f64,
    /// What becomes of the rows when the agent ends.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "keep")]
    pub on_exit: OnExit,
    /// Show what would be written, write nothing and end.
    #[arg(long)]
    pub dry_run: bool,
    /// Make everything as it should be once, and end.
    #[arg(long)]
    pub once: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnExit {
    Keep,
    Deregister,
}

/// How nodes come to groups.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Groups")]
pub struct GroupOptions {
    /// How a node comes to its group: sticky, rendezvous, hash or none.
    #[arg(long, value_enum, value_name = "HOW", default_value = "sticky")]
    pub group_by: GroupBy,
    /// Targets in a group (sticky).
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub group_size: usize,
    /// Number of groups (rendezvous, hash).
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub groups: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum GroupBy {
    Sticky,
    Rendezvous,
    Hash,
    None,
}

/// Where rows go.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Sinks")]
pub struct SinkOptions {
    /// Where targets are shown: consul, file=PATH (.json, .yml or .yaml; {group} in it makes one file a group), http (always
    /// on: /targets). Without it consul where --consul is given.
    #[arg(long = "sink", value_name = "SINK")]
    pub sinks: Vec<Sink>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    Consul,
    Http,
    File(PathBuf),
}

impl FromStr for Sink {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            None if text == "consul" => Ok(Self::Consul),
            None if text == "http" => Ok(Self::Http),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(path.into())),
            _ => Err("a sink is consul, http or file=PATH".to_owned()),
        }
    }
}

const CONSUL_HELP: &str = "\
Addresses with commas between: http://host:8500, https://host:8501, unix:/run/consul.sock. The next one is asked when one fails";

/// How Consul is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Consul")]
pub struct ConsulOptions {
    #[arg(long, value_name = "URLS", default_value = "", help = CONSUL_HELP)]
    pub consul: String,
    /// File with the ACL token; it is read again when it changes.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// File with the CA of Consul's certificate (PEM).
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// File with a client certificate (PEM), and its key in --key-file.
    #[arg(long, value_name = "FILE")]
    pub cert_file: Option<PathBuf>,
    /// File with the key of --cert-file (PEM).
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
    /// Name that Consul's certificate carries, where it is not that of its address.
    #[arg(long, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Datacenter of the node that carries the rows.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub datacenter: String,
    /// Namespace (Consul Enterprise).
    #[arg(long, value_name = "NAME", default_value = "")]
    pub namespace: String,
    /// Admin partition (Consul Enterprise).
    #[arg(long, value_name = "NAME", default_value = "")]
    pub partition: String,
    /// Synthetic node that carries the rows. Without it registrar.OWNER, with .HOST behind it for self and docker.
    #[arg(long = "consul.node", value_name = "NAME", default_value = "")]
    pub node: String,
}

/// Options that contradict each other or name what is not there.
#[derive(Debug, thiserror::Error)]
pub enum OptionsError {
    #[error("--cluster-name is missing: it tells the targets of this cluster from those of others")]
    NoCluster,
    #[error("no source: give a subcommand (self, kubernetes, docker, static) or --source")]
    NoSource,
    #[error("--{flag}={value}: letters, digits, '-', '_' and '.' are taken, at most 128")]
    Name { flag: &'static str, value: String },
    #[error("--max-delete-ratio={0} is not between 0 and 1")]
    Ratio(f64),
    #[error("--group-size and --groups must be at least 1")]
    Groups,
    #[error("--sink=consul needs --consul")]
    NoConsul,
    #[error("--consul: {0}")]
    Client(#[from] ClientError),
    #[error(transparent)]
    File(#[from] FileError),
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a label is written KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

fn name(flag: &'static str, value: &str) -> Result<(), OptionsError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if !value.is_empty() && value.len() <= 128 && value.bytes().all(good) {
        return Ok(());
    }
    Err(OptionsError::Name { flag, value: value.to_owned() })
}

impl Options {
    pub fn owner(&self) -> &str {
        if self.rows.owner.is_empty() { &self.rows.cluster_name } else { &self.rows.owner }
    }

    pub fn identity(&self) -> Result<Arc<Identity>, OptionsError> {
        let rows = &self.rows;
        if rows.cluster_name.is_empty() {
            return Err(OptionsError::NoCluster);
        }
        name("cluster-name", &rows.cluster_name)?;
        name("owner", self.owner())?;
        Ok(Arc::new(Identity::new(&rows.cluster_name, self.owner(), &rows.meta, &rows.tag)))
    }

    pub fn guard(&self) -> Result<Guard, OptionsError> {
        let ratio = self.rows.max_delete_ratio;
        if !(0.0..=1.0).contains(&ratio) {
            return Err(OptionsError::Ratio(ratio));
        }
        Ok(Guard::new(ratio))
    }

    pub fn grouping(&self) -> Result<Grouping, OptionsError> {
        let GroupOptions { group_by, group_size: size, groups } = self.groups;
        if size == 0 || groups == 0 {
            return Err(OptionsError::Groups);
        }
        Ok(match group_by {
            GroupBy::Sticky if self.is_of_host() => Grouping::Hash { groups },
            GroupBy::Sticky => Grouping::Sticky { size },
            GroupBy::Rendezvous => Grouping::Rendezvous { groups },
            GroupBy::Hash => Grouping::Hash { groups },
            GroupBy::None => Grouping::None,
        })
    }

    /// Whether there is an agent on each host, each with a node of its own in Consul.
    pub fn is_of_host(&self) -> bool {
        self.modes.iter().any(|mode| matches!(mode, Mode::Own | Mode::Docker))
    }

    pub fn node(&self) -> String {
        if !self.consul.node.is_empty() {
            return self.consul.node.clone();
        }
        let owner = self.owner();
        if self.is_of_host() {
            return format!("registrar.{owner}.{}", self.sources.address.node());
        }
        format!("registrar.{owner}")
    }

    /// The client, where Consul is a sink.
    pub fn consul(&self) -> Result<Option<Arc<Consul>>, OptionsError> {
        let given = &self.consul;
        let wanted = self.sinks.sinks.is_empty() || self.sinks.sinks.contains(&Sink::Consul);
        if given.consul.is_empty() && self.sinks.sinks.contains(&Sink::Consul) {
            return Err(OptionsError::NoConsul);
        }
        if given.consul.is_empty() || !wanted {
            return Ok(None);
        }
        let settings = ClientSettings {
            tls: TlsSettings {
                ca_file: given.ca_file.clone(),
                cert_file: given.cert_file.clone(),
                key_file: given.key_file.clone(),
                server_name: given.tls_server_name.clone(),
                ..TlsSettings::default()
            },
            token_file: given.token_file.clone(),
            connect: Duration::from_secs(2),
            // One more is for the blocking query.
            connections: 3,
            ..ClientSettings::default()
        };
        let addresses = given.consul.split(',').map(str::trim).filter(|text| !text.is_empty());
        let targets: Vec<Target> = addresses.map(str::parse).collect::<Result<_, ClientError>>()?;
        let clients = |settings: &ClientSettings| -> Result<Vec<Client>, ClientError> {
            targets.iter().map(|target| Client::new(target.clone(), settings.clone())).collect()
        };
        let servers = clients(&settings)?;
        let watched =
            clients(&ClientSettings { connections: 1, idle: Duration::ZERO, ..settings })?;
        if servers.is_empty() {
            return Err(OptionsError::NoConsul);
        }
        let scope = Scope {
            datacenter: given.datacenter.clone(),
            namespace: given.namespace.clone(),
            partition: given.partition.clone(),
        };
        Ok(Some(Arc::new(Consul::new(servers, watched, scope, self.node()))))
    }

    pub fn files(&self) -> Result<Vec<FileSink>, OptionsError> {
        let path = |sink: &Sink| match sink {
            Sink::File(path) => Some(path.clone()),
            _ => None,
        };
        let paths = self.sinks.sinks.iter().filter_map(path);
        Ok(paths.map(|path| FileSink::new(Path::new(&path))).collect::<Result<_, _>>()?)
    }

    /// Many agents that lost one Consul return over half a minute; the one of a cluster returns at once.
    pub fn longest_pause(&self) -> Duration {
        Duration::from_secs(if self.is_of_host() { 40 } else { 5 })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::source::kubernetes::SHIPPED;

    fn parsed(args: &[&str]) -> Options {
        let args = ["consul-registrar"].iter().chain(args).map(OsString::from);
        let command = Command::new("consul-registrar");
        exporter_toolkit::options::parse::<Options>(command, PREFIX, args).unwrap().0
    }

    #[test]
    fn no_flag_is_given_twice() {
        let command = Command::new("consul-registrar");
        exporter_toolkit::options::prepared::<Options>(command).debug_assert();
    }

    #[test]
    fn an_agent_of_a_host_has_a_node_of_its_own_and_groups_by_hash() {
        let cluster = parsed(&["--source=static", "--cluster-name=c"]);
        assert_eq!(cluster.node(), "registrar.c");
        assert_eq!(cluster.grouping().unwrap(), Grouping::Sticky { size: 500 });
        let host = parsed(&["--source=self", "--cluster-name=c", "--node-name=h"]);
        assert_eq!(host.node(), "registrar.c.h");
        assert_eq!(host.grouping().unwrap(), Grouping::Hash { groups: 16 });
    }

    #[tokio::test]
    async fn a_check_reads_every_file_that_the_start_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (rules, token) = (file("rules.yaml", SHIPPED), file("token", "abc\n"));
        let (wrong, empty) = (file("wrong.yaml", "rules: 7\n"), file("empty", ""));
        let check = |rules: &str, token: &str, more: &[&str]| {
            let given = [format!("--rules={rules}"), format!("--token-file={token}")];
            let mut args =
                vec!["--source=kubernetes", "--cluster-name=c", "--consul=http://127.0.0.1:1"];
            args.extend(given.iter().map(String::as_str));
            args.extend(more);
            crate::commands::check_config(&parsed(&args)).map_err(|error| format!("{error:#}"))
        };
        assert_eq!(check(&rules, &token, &[]), Ok(()));
        for (rules, token, more, named) in [
            ("/nonexistent/rules.yaml", &*token, None, "/nonexistent/rules.yaml"),
            (&*wrong, &*token, None, "wrong.yaml"),
            (&*rules, "/nonexistent/token", None, "/nonexistent/token"),
            (&*rules, &*empty, None, "no token"),
            (
                &*rules,
                &*token,
                Some("--web.config.file=/nonexistent/web.yml"),
                "/nonexistent/web.yml",
            ),
        ] {
            let error = check(rules, token, more.as_slice()).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn without_consul_the_other_sinks_are_left() {
        let options = parsed(&["--cluster-name=c", "--sink=file=a.json", "--sink=http"]);
        assert!(options.consul().unwrap().is_none());
        assert_eq!(options.files().unwrap().len(), 1);
        let missing = parsed(&["--cluster-name=c", "--sink=consul"]);
        assert!(matches!(missing.consul(), Err(OptionsError::NoConsul)));
        assert!(matches!(parsed(&[]).identity(), Err(OptionsError::NoCluster)));
    }
}
