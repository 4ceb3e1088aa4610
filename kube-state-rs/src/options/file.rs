//! The file of `--config`: the peer's options as YAML, under the names that the peer gives them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use exporter_toolkit::files;
use exporter_toolkit::yaml::{self, Problem};
use serde::Deserialize;

use super::Options;

/// A configuration is a few hundred lines at most.
const LIMIT: u64 = 4 << 20;

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read '{}': {source} (--config)", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("'{}' is no configuration: {problem} (--config)", file.display())]
    Parse { file: PathBuf, problem: Problem },
}

/// A value where the peer takes a list, a map whose keys are meant, or a text with commas.
#[derive(Deserialize)]
#[serde(untagged)]
enum Names {
    List(Vec<String>),
    /// The values say nothing.
    Keys(BTreeMap<String, Option<BTreeMap<String, String>>>),
    Text(String),
}

impl Names {
    fn joined(self) -> String {
        match self {
            Self::List(names) => names.join(","),
            Self::Keys(names) => names.into_keys().collect::<Vec<_>>().join(","),
            Self::Text(text) => text,
        }
    }
}

/// What the file can say; a key that is missing leaves the flag as it is.
#[derive(Default, Deserialize)]
#[serde(default)]
#[expect(clippy::struct_field_names, reason = "the names are those of the file")]
struct Config {
    annotations_allow_list: Option<BTreeMap<String, Vec<String>>>,
    labels_allow_list: Option<BTreeMap<String, Vec<String>>>,
    metric_allowlist: Option<Names>,
    metric_denylist: Option<Names>,
    metric_opt_in_list: Option<Names>,
    resources: Option<Names>,
    namespaces: Option<Names>,
    namespaces_denylist: Option<Names>,
    apiserver: Option<String>,
    kubeconfig: Option<PathBuf>,
    custom_resource_config: Option<String>,
    #[serde(alias = "custom_resource_config_file")]
    custom_resource_state_config_file: Option<PathBuf>,
    custom_resources_only: Option<bool>,
    continue_without_custom_resource_state_config_file: Option<bool>,
    host: Option<String>,
    port: Option<u16>,
    telemetry_host: Option<String>,
    telemetry_port: Option<u16>,
    tls_config: Option<String>,
    node: Option<String>,
    pod: Option<String>,
    /// The peer's name for `--pod-namespace`.
    namespace: Option<String>,
    shard: Option<u32>,
    total_shards: Option<u32>,
    track_unscheduled_pods: Option<bool>,
    use_api_server_cache: Option<bool>,
    object_limit: Option<u64>,
}

/// Replaces what `file` sets and returns its text, if it is there. Unknown keys are ignored, as the peer ignores them.
pub(super) fn overlay(options: &mut Options, file: &Path) -> Result<Option<String>, ConfigError> {
    let text = match files::read(file, LIMIT) {
        Err(source)
            if source.kind() == std::io::ErrorKind::NotFound && options.continue_without_config =>
        {
            tracing::warn!(file = %file.display(), "the file of --config is not there yet");
            return Ok(None);
        }
        read => read.map_err(|source| ConfigError::Read { file: file.to_owned(), source })?,
    };
    let config: Config = yaml::parse(&text)
        .map_err(|problem| ConfigError::Parse { file: file.to_owned(), problem })?;
    config.put(options);
    Ok(Some(text))
}

impl Config {
    fn put(self, options: &mut Options) {
        let Options { cluster, objects, metrics, custom, shards, ports, .. } = options;
        let names = |place: &mut String, names: Option<Names>| set(place, names.map(Names::joined));
        names(&mut metrics.metric_allowlist, self.metric_allowlist);
        names(&mut metrics.metric_denylist, self.metric_denylist);
        names(&mut metrics.metric_opt_in_list, self.metric_opt_in_list);
        names(&mut objects.resources, self.resources);
        names(&mut objects.namespaces, self.namespaces);
        names(&mut objects.namespaces_denylist, self.namespaces_denylist);
        set(&mut metrics.metric_annotations_allowlist, self.annotations_allow_list.map(flag_form));
        set(&mut metrics.metric_labels_allowlist, self.labels_allow_list.map(flag_form));
        set_some(&mut cluster.apiserver, self.apiserver);
        set_some(&mut cluster.kubeconfig, self.kubeconfig);
        set(&mut cluster.use_apiserver_cache, self.use_api_server_cache);
        set(&mut cluster.object_limit, self.object_limit);
        set_some(&mut custom.custom_resource_state_config, self.custom_resource_config);
        set_some(
            &mut custom.custom_resource_state_config_file,
            self.custom_resource_state_config_file,
        );
        set(&mut custom.custom_resource_state_only, self.custom_resources_only);
        set(
            &mut custom.continue_without_custom_resource_state_config_file,
            self.continue_without_custom_resource_state_config_file,
        );
        set(&mut ports.host, self.host);
        set(&mut ports.port, self.port);
        set(&mut ports.telemetry_host, self.telemetry_host);
        set(&mut ports.telemetry_port, self.telemetry_port);
        set(&mut ports.tls_config, self.tls_config);
        set(&mut shards.node, self.node);
        set(&mut shards.pod, self.pod);
        set(&mut shards.pod_namespace, self.namespace);
        set(&mut shards.shard, self.shard);
        set(&mut shards.total_shards, self.total_shards.filter(|total| *total > 0));
        set(&mut shards.track_unscheduled_pods, self.track_unscheduled_pods);
    }
}

fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

fn set_some<T>(place: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *place = value;
    }
}

/// `pods=[a,b],nodes=[*]`, as the flag takes it.
fn flag_form(lists: BTreeMap<String, Vec<String>>) -> String {
    let lists: Vec<String> = lists
        .into_iter()
        .map(|(resource, keys)| format!("{resource}=[{}]", keys.join(",")))
        .collect();
    lists.join(",")
}
