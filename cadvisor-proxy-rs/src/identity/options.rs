//! Flags of identity.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use exporter_toolkit::name::LabelName;

use super::environment::variable;
use super::kubelet::KubeletOptions;

/// Where pods and containers are looked up; flattened into the agent's options.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Identity")]
pub struct IdentityOptions {
    /// Who is asked whose a container is, with commas between: docker, kubelet, api, cgroup (nobody: the pods' processes
    /// tell their addresses, the names of the kubelet's logs the rest), environment, file, or none; where two differ, the
    /// first is right. auto takes what it finds.
    #[arg(long, value_name = "LIST", default_value = "auto", value_delimiter = ',')]
    pub identity: Vec<SourceName>,
    /// JSON or YAML with pods and containers, such as kubectl get pods -o json prints; read again when it changes.
    #[arg(long = "identity.file", value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Kubeconfig for the API server. Without it the pod's service account is used.
    #[arg(long = "identity.kubeconfig", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// URL of the API server, instead of the one in the kubeconfig or the environment.
    #[arg(long = "identity.apiserver", value_name = "URL")]
    pub apiserver: Option<String>,
    #[command(flatten)]
    pub kubelet: KubeletOptions,
    /// This node's name, for which the API server is asked; without it the variable `NODE_NAME` tells.
    #[arg(long = "identity.node", value_name = "NAME")]
    pub node: Option<String>,
    /// This node's address, which pods in the host's network have; without it the variable `HOST_IP` tells.
    #[arg(long = "identity.host-ip", value_name = "ADDRESS")]
    pub host_ip: Option<String>,
    /// Labels of pods to put on their series, with commas between, each as KEY or KEY=NAME. Without a name it is
    /// `label_KEY`.
    #[arg(long = "identity.pod-labels", value_name = "LIST", default_value = "")]
    pub pod_labels: PodLabels,
    /// Labels that docker's containers have, to put on their series with --source=cgroup, with commas between, each as KEY
    /// or KEY=NAME. Without a name it is `container_label_KEY`.
    #[arg(long = "identity.container-labels", value_name = "LIST", default_value = "")]
    pub container_labels: ContainerLabels,
    /// Name a container of docker compose by its service.
    #[arg(long = "identity.compose-service")]
    pub compose_service: bool,
    /// Docker's socket.
    #[arg(long = "docker.socket", value_name = "FILE", default_value = "/var/run/docker.sock")]
    pub docker_socket: PathBuf,
    /// Where the host's /proc is; its processes tell the addresses of pods that docker does not know.
    #[arg(long = "path.procfs", value_name = "FOLDER", default_value = "/proc")]
    pub procfs: PathBuf,
}

impl IdentityOptions {
    pub(super) fn node(&self) -> Option<String> {
        self.node.clone().or_else(|| variable("NODE_NAME"))
    }

    pub(super) fn host_ip(&self) -> Option<String> {
        self.host_ip.clone().or_else(|| variable("HOST_IP"))
    }
}

/// Who can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceName {
    Auto,
    None,
    Docker,
    Kubelet,
    Api,
    Cgroup,
    Environment,
    File,
}

impl SourceName {
    const ALL: [(&'static str, Self); 8] = [
        ("auto", Self::Auto),
        ("none", Self::None),
        ("docker", Self::Docker),
        ("kubelet", Self::Kubelet),
        ("api", Self::Api),
        ("cgroup", Self::Cgroup),
        ("environment", Self::Environment),
        ("file", Self::File),
    ];

    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(_, name)| *name == self).map_or("", |(text, _)| text)
    }
}

impl FromStr for SourceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text.trim());
        found.map(|(_, name)| *name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("not one of {}", names.join(", "))
        })
    }
}

/// Which labels of a pod are wanted, and what they are called on its series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PodLabels(Vec<(String, LabelName)>);

impl PodLabels {
    /// Those of them that a pod has.
    pub(super) fn of<'a>(
        &self,
        label: impl Fn(&str) -> Option<&'a str>,
    ) -> BTreeMap<String, String> {
        let found = self.0.iter().filter_map(|(key, name)| {
            let value = label(key).filter(|value| !value.is_empty())?;
            Some((name.as_str().to_owned(), value.to_owned()))
        });
        found.collect()
    }

    /// The names that series get.
    pub fn names(&self) -> impl Iterator<Item = &LabelName> {
        self.0.iter().map(|(_, name)| name)
    }
}

/// Which labels of a container are wanted, and what they are called on its series.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerLabels(PodLabels);

impl ContainerLabels {
    /// Those of them that a container has.
    pub(super) fn of<'a>(
        &self,
        label: impl Fn(&str) -> Option<&'a str>,
    ) -> BTreeMap<String, String> {
        self.0.of(label)
    }
}

impl FromStr for ContainerLabels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        PodLabels::parse(text, "container_label").map(Self)
    }
}

impl FromStr for PodLabels {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(text, "label")
    }
}

impl PodLabels {
    fn parse(text: &str, prefix: &str) -> Result<Self, String> {
        let mut labels: Vec<(String, LabelName)> = Vec::new();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let (key, name) = match item.split_once('=') {
                Some((key, name)) => (key, name.to_owned()),
                None => (item, format!("{prefix}_{}", sanitized(item))),
            };
            let name = LabelName::new(&name)
                .ok_or_else(|| format!("{item}: {name:?} cannot be the name of a label"))?;
            if labels.iter().any(|(_, known)| *known == name) {
                return Err(format!("{item}: two labels would be called {}", name.as_str()));
            }
            labels.push((key.to_owned(), name));
        }
        Ok(Self(labels))
    }
}

/// As the labels of kube-state-metrics are made of keys.
fn sanitized(key: &str) -> String {
    key.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wanted_labels_get_names_that_series_can_have() {
        let labels: PodLabels = "app.kubernetes.io/name,app=service".parse().unwrap();
        let pod = BTreeMap::from([("app.kubernetes.io/name", "web"), ("app", "shop"), ("x", "y")]);
        let found = labels.of(|name| pod.get(name).copied());
        let wanted = [("label_app_kubernetes_io_name", "web"), ("service", "shop")];
        assert_eq!(found, wanted.map(|(n, v)| (n.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        for wrong in ["app=1x", "a=n,b=n", "app=", "a/b,a.b"] {
            assert!(wrong.parse::<PodLabels>().is_err(), "{wrong}");
        }
        assert_eq!("".parse(), Ok(PodLabels::default()));
        assert!("dockre".parse::<SourceName>().unwrap_err().contains("docker"));
        assert_eq!("api".parse::<SourceName>().unwrap().as_str(), "api");
    }
}
