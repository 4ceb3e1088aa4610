//! The command line: the peer's flags with its meaning, those of version 1.4 under their old names, and our own.

mod file;
mod klog;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Command};
use exporter_toolkit::health;
use exporter_toolkit::log::LogOptions;
use exporter_toolkit::options::{Word, prepared, with_words};
use exporter_toolkit::telemetry::Build;
use exporter_toolkit::web::WebOptions;

pub use file::ConfigError;

use crate::render::RenderOptions;

/// Environment variables of flags start with this.
pub const PREFIX: &str = "KUBE_STATE";

/// The peer's port for the metrics of objects, which are healthy there.
pub const PORT: u16 = 8080;

/// What `kube_state_metrics_build_info` and `version` say.
pub const BUILD: Build = Build::new("kube_state_metrics", env!("CARGO_PKG_VERSION"));

/// All that can be set.
#[derive(Args, Clone, Debug)]
pub struct Options {
    #[command(flatten)]
    pub cluster: ClusterOptions,
    #[command(flatten)]
    pub objects: ObjectOptions,
    #[command(flatten)]
    pub metrics: MetricOptions,
    #[command(flatten)]
    pub custom: CustomOptions,
    #[command(flatten)]
    pub shards: ShardOptions,
    #[command(flatten)]
    pub ports: PortOptions,
    #[command(flatten)]
    pub web: WebOptions,
    #[command(flatten)]
    pub log: LogOptions,

    /// Check the command line, the environment and the files of --config, --custom-resource-state-config-file and
    /// --web.config.file, and start nothing.
    #[arg(long = "check-config", help_heading = "Configuration")]
    pub check_config: bool,
    /// File in the peer's format (YAML) whose values replace those of the flags. It is read again when it changes.
    #[arg(long, value_name = "FILE", help_heading = "Configuration")]
    pub config: Option<PathBuf>,
    /// Start although the file of --config is missing, and read it when it comes.
    #[arg(long, help_heading = "Configuration")]
    pub continue_without_config: bool,
}

/// How the API server is reached.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Cluster")]
pub struct ClusterOptions {
    /// Kubeconfig file. Without it the pod's service account is used, with the API server that KUBERNETES_SERVICE_HOST
    /// and KUBERNETES_SERVICE_PORT name.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// URL of the API server, instead of the one in the kubeconfig or the environment.
    #[arg(long, value_name = "URL")]
    pub apiserver: Option<String>,
    /// Let the API server answer lists from its cache (resourceVersion=0), which spares etcd.
    #[arg(long)]
    pub use_apiserver_cache: bool,
    /// Objects to take of each resource at most; 0 is all. What is beyond is silently missing.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub object_limit: u64,
    /// Resources that are listed for the first time at the same time: each costs memory while it is.
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub concurrent_lists: usize,
}

/// Which objects are followed.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Objects")]
pub struct ObjectOptions {
    /// Resources to follow, by their plural names with commas between. Without it the usual 32 are.
    #[arg(long, alias = "collectors", value_name = "LIST", default_value = "")]
    pub resources: String,
    /// Namespaces to follow, with commas between; without it all.
    #[arg(long, alias = "namespace", value_name = "LIST", default_value = "")]
    pub namespaces: String,
    /// Namespaces not to follow, with commas between.
    #[arg(long, value_name = "LIST", default_value = "")]
    pub namespaces_denylist: String,
}

const LABELS_HELP: &str = "\
Labels of objects to give as labels of kube_*_labels: 'pods=[app,team-*],nodes=[*]'; '*=[*]' is all of all";

/// Which families and labels are given.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Metrics")]
pub struct MetricOptions {
    /// Families to give, names or regular expressions with commas between. Not together with --metric-denylist.
    #[arg(long, alias = "metric-whitelist", value_name = "LIST", default_value = "")]
    pub metric_allowlist: String,
    /// Families not to give, names or regular expressions with commas between.
    #[arg(long, alias = "metric-blacklist", value_name = "LIST", default_value = "")]
    pub metric_denylist: String,
    /// Families to give in addition that are given only on request, names or regular expressions with commas between.
    #[arg(long, value_name = "LIST", default_value = "")]
    pub metric_opt_in_list: String,
    // The help is no doc comment: rustdoc would take the brackets for links.
    #[arg(long, value_name = "LIST", default_value = "", help = LABELS_HELP)]
    pub metric_labels_allowlist: String,
    /// Annotations to give as labels of kube_*_annotations, in the same form.
    #[arg(long, value_name = "LIST", default_value = "")]
    pub metric_annotations_allowlist: String,
    /// Give in addition the families of an older version that later ones dropped: v1.4.
    #[arg(long, value_name = "VERSION", value_parser = ["v1.4"])]
    pub compat: Option<String>,
}

/// Metrics of custom resources.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Custom resources")]
pub struct CustomOptions {
    /// Configuration of custom resource state metrics (YAML).
    #[arg(long, value_name = "YAML")]
    pub custom_resource_state_config: Option<String>,
    /// File that holds such a configuration. It is read again when it changes.
    #[arg(long, value_name = "FILE")]
    pub custom_resource_state_config_file: Option<PathBuf>,
    /// Follow custom resources only.
    #[arg(long)]
    pub custom_resource_state_only: bool,
    /// Start although the file of --custom-resource-state-config-file is missing, and read it when it comes.
    #[arg(long)]
    pub continue_without_custom_resource_state_config_file: bool,
}

/// Which share of the objects is this instance's.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Shards")]
pub struct ShardOptions {
    /// Number of this shard, from 0.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub shard: u32,
    /// How many shards there are.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub total_shards: u32,
    /// Name of the agent's own pod: the shard is found by the StatefulSet that owns it. Needs --pod-namespace.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub pod: String,
    /// Namespace of the agent's own pod.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub pod_namespace: String,
    /// Follow the pods of this node only.
    #[arg(long, value_name = "NAME", default_value = "")]
    pub node: String,
    /// Follow the pods that have no node only.
    #[arg(long)]
    pub track_unscheduled_pods: bool,
}

/// Where the two servers listen.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Ports")]
pub struct PortOptions {
    /// Address to serve metrics on.
    #[arg(long, value_name = "ADDRESS", default_value = "::")]
    pub host: String,
    /// Port to serve metrics on.
    #[arg(long, value_name = "PORT", default_value_t = PORT)]
    pub port: u16,
    /// Address to serve the agent's own metrics on.
    #[arg(long, value_name = "ADDRESS", default_value = "::")]
    pub telemetry_host: String,
    /// Port to serve the agent's own metrics on.
    #[arg(long, value_name = "PORT", default_value_t = 8081)]
    pub telemetry_port: u16,
    /// File that turns on TLS and authentication for both ports; the same as --web.config.file.
    #[arg(long, value_name = "FILE", default_value = "")]
    pub tls_config: String,
    /// Accepted for the peer's sake: who asks for gzip gets it, as blocks are kept compressed anyway.
    #[arg(long, hide = true)]
    pub enable_gzip_encoding: bool,
}

impl PortOptions {
    /// The address of the metrics port as the server reads it.
    pub fn metrics_address(&self) -> String {
        address(&self.host, self.port)
    }

    pub fn telemetry_address(&self) -> String {
        address(&self.telemetry_host, self.telemetry_port)
    }
}

/// `::` stands for all interfaces, IPv4 and IPv6.
fn address(host: &str, port: u16) -> String {
    match host {
        "" | "::" => format!(":{port}"),
        host if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        host => format!("{host}:{port}"),
    }
}

/// Reads the command line and the environment, and the file that `--config` names.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Options, clap::Error> {
    let args = klog::long(args);
    let (mut options, _) = exporter_toolkit::options::parse::<Options>(command(), PREFIX, args)?;
    options.settle();
    Ok(options)
}

impl Options {
    /// Puts together what can be said in two ways.
    fn settle(&mut self) {
        if self.web.config_file.is_none() && !self.ports.tls_config.is_empty() {
            self.web.config_file = Some(PathBuf::from(&self.ports.tls_config));
        }
    }

    /// With the values of the file that `--config` names in place of the flags', and that file's text where there is one.
    pub fn with_config(&self) -> Result<(Self, Option<String>), ConfigError> {
        let mut options = self.clone();
        let file = self.config.as_deref().filter(|file| !file.as_os_str().is_empty());
        let Some(file) = file else { return Ok((options, None)) };
        let text = file::overlay(&mut options, file)?;
        options.settle();
        Ok((options, text))
    }
}

/// The flags of the words that look at tables.
#[derive(Args, Clone, Debug)]
pub struct TableOptions {
    #[command(flatten)]
    pub objects: ObjectOptions,
    /// Custom resources to follow besides, as 'widgets.example.com' with commas between (rbac).
    #[arg(long, value_name = "LIST", default_value = "")]
    pub custom: String,
}

/// What the command line may begin with.
pub const WORDS: &[Word] = &[
    Word::new(
        "render",
        "Prints the metrics of the objects in files, without a cluster",
        prepared::<RenderOptions>,
    ),
    Word::new(
        "families",
        "Lists the families that can be given, tab separated",
        prepared::<TableOptions>,
    ),
    Word::new(
        "rbac",
        "Prints the roles that --resources and --namespaces need, and no more",
        prepared::<TableOptions>,
    ),
    health::WORD,
    Word::alone("version", "Prints the version"),
];

const EXAMPLES: &str = "\
Examples:
  kube-state-rs --kubeconfig=$HOME/.kube/config --port=8080
  kube-state-rs --resources=pods,deployments --namespaces=shop,billing
  kube-state-rs --metric-labels-allowlist='pods=[app.kubernetes.io/name],nodes=[*]'
  kubectl get pods,nodes -A -o json | kube-state-rs render
  kube-state-rs rbac --namespaces=shop | kubectl apply -f -";

/// The command without the options that [`Options`] declares.
pub fn command() -> Command {
    let command = Command::new("kube-state-rs").version(BUILD.to_string()).about(
        "The state of Kubernetes objects for Prometheus. A drop-in for kube-state-metrics: same metrics, same flags.",
    );
    with_words(command, WORDS).after_help(EXAMPLES).args(klog::ignored())
}

/// The command of a word of [`WORDS`].
pub fn command_of(word: &'static str) -> Command {
    let about = WORDS.iter().find(|known| known.name == word).map_or("", |known| known.about);
    Command::new(format!("kube-state-rs {word}")).about(about)
}

#[cfg(test)]
mod tests;
