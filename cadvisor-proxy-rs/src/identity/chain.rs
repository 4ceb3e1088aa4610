//! Which sources are asked, and starting them.

use std::sync::Arc;

use exporter_toolkit::client::ClientError;
use kube_informer::Access;
use tokio::task::JoinSet;

use super::kubelet::{self, Kubelet};
use super::options::{IdentityOptions, SourceName};
use super::podlist::Defaults;
use super::{Hub, Shared, api, docker, environment, file, sandboxes};
use crate::cgroup::Paths;

/// Why the sources that were asked for cannot be; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    #[error("--identity=file needs --identity.file")]
    File,
    #[error(
        "--identity=api needs the name of this node: give --identity.node, or set NODE_NAME (spec.nodeName in the downward API)"
    )]
    Node,
    #[error(
        "--identity=environment finds neither POD_NAME nor POD_IP: set them by the downward API (metadata.name, status.podIP)"
    )]
    Pod,
    #[error("--identity=kubelet needs --identity.kubelet-url, or a kubelet as --source")]
    Kubelet,
    #[error("--identity.kubelet-url: {0}")]
    Client(#[from] ClientError),
}

/// Starts the sources; they end when the set of their tasks is dropped. `served` is the kubelet whose metrics are served,
/// if any: it is asked for its pods, too, where `--identity.kubelet-url` names no other. `host` is where cgroups are, and
/// whether they are what is served.
pub fn start(
    options: &IdentityOptions,
    user_agent: &str,
    served: Option<Kubelet>,
    host: (Paths, bool),
) -> Result<(Arc<Shared>, JoinSet<()>), ChainError> {
    let kubelet = options.kubelet.kubelet()?.or(served);
    let (hub, tasks) = (Hub::default(), JoinSet::new());
    let mut chain = Chain { options, user_agent, kubelet, host, hub, tasks };
    for name in &options.identity {
        match name {
            SourceName::Auto => chain.auto()?,
            name => chain.add(*name)?,
        }
    }
    let Chain { hub, mut tasks, .. } = chain;
    let shared = hub.shared();
    tasks.spawn(hub.run());
    Ok((shared, tasks))
}

struct Chain<'o> {
    options: &'o IdentityOptions,
    user_agent: &'o str,
    kubelet: Option<Kubelet>,
    host: (Paths, bool),
    hub: Hub,
    tasks: JoinSet<()>,
}

impl Chain<'_> {
    /// What is nearest to the container comes first: docker knows of a new sandbox before the API server does.
    fn auto(&mut self) -> Result<(), ChainError> {
        let order = [
            SourceName::File,
            SourceName::Docker,
            SourceName::Kubelet,
            SourceName::Api,
            SourceName::Cgroup,
            SourceName::Environment,
        ];
        for name in order {
            match self.found(name) {
                Ok(found) => {
                    tracing::info!(source = name.as_str(), found, "identity: used");
                    self.add(name)?;
                }
                Err(missing) => {
                    tracing::info!(source = name.as_str(), missing, "identity: not used");
                }
            }
        }
        Ok(())
    }

    /// What speaks for a source, or what is missing for it.
    fn found(&self, name: SourceName) -> Result<String, String> {
        let options = self.options;
        match name {
            SourceName::File => {
                let file = options.file.as_ref().ok_or("no --identity.file")?;
                Ok(file.display().to_string())
            }
            SourceName::Docker => {
                let socket = options.docker_socket.display().to_string();
                let there = options.docker_socket.exists();
                if there { Ok(socket) } else { Err(format!("{socket} is not there")) }
            }
            SourceName::Api => {
                let variable = environment::variable("KUBERNETES_SERVICE_HOST");
                let kubeconfig = options.kubeconfig.as_ref().map(|file| file.display().to_string());
                let server = options.apiserver.clone().or(kubeconfig).or(variable);
                let server =
                    server.ok_or("no KUBERNETES_SERVICE_HOST, no --identity.kubeconfig")?;
                let node = options.node().ok_or("the node's name is not known: set NODE_NAME")?;
                Ok(format!("{server}, pods of node {node}"))
            }
            SourceName::Cgroup => match &self.host {
                (_, false) => Err("cgroups are not read".to_owned()),
                _ if self.found(SourceName::Docker).is_ok() => {
                    Err("docker tells the same and more".to_owned())
                }
                (paths, true) => Ok(paths.cgroup.display().to_string()),
            },
            SourceName::Environment => match environment::facts(&environment::variable) {
                Some(facts) => Ok(facts.own.map(|own| own.name).unwrap_or_default()),
                None => Err("neither POD_NAME nor POD_IP is set".to_owned()),
            },
            SourceName::Kubelet => match &self.kubelet {
                Some(_) if self.found(SourceName::Api).is_ok() => {
                    Err("the API server tells the same without being asked".to_owned())
                }
                Some(kubelet) => Ok(format!("{}{}", kubelet.client.target(), kubelet.path)),
                None => Err("no --identity.kubelet-url, and no kubelet as --source".to_owned()),
            },
            SourceName::Auto | SourceName::None => Err("not asked".to_owned()),
        }
    }

    fn add(&mut self, name: SourceName) -> Result<(), ChainError> {
        match name {
            SourceName::Auto | SourceName::None => {}
            SourceName::Docker => self.docker(),
            SourceName::Kubelet => {
                let asked = self.kubelet.clone().ok_or(ChainError::Kubelet)?;
                let reporter = self.hub.add_source(name.as_str());
                let source =
                    kubelet::Source::new(asked, self.user_agent, self.defaults(), reporter);
                self.tasks.spawn(source.run());
            }
            SourceName::Api => self.api()?,
            SourceName::Cgroup => {
                let options = self.options;
                let (host_ip, node) = (options.host_ip(), options.node());
                let settings = sandboxes::Settings { paths: self.host.0.clone(), host_ip, node };
                let reporter = self.hub.add_source(name.as_str());
                self.tasks.spawn(sandboxes::Source::new(settings).run(reporter));
            }
            SourceName::Environment => {
                let facts = environment::facts(&environment::variable).ok_or(ChainError::Pod)?;
                self.hub.add_source(name.as_str()).tell(facts);
            }
            SourceName::File => {
                let file = self.options.file.clone().ok_or(ChainError::File)?;
                let (labels, host_ip) = (self.options.pod_labels.clone(), self.options.host_ip());
                let reporter = self.hub.add_source(name.as_str());
                self.tasks.spawn(file::run(file, labels, host_ip, reporter));
            }
        }
        Ok(())
    }

    fn docker(&mut self) {
        let options = self.options;
        let settings = docker::Settings {
            socket: options.docker_socket.clone(),
            procfs: options.procfs.clone(),
            host_ip: options.host_ip(),
            node: options.node(),
            labels: options.pod_labels.clone(),
            container_labels: options.container_labels.clone(),
            compose_service: options.compose_service,
        };
        let reporter = self.hub.add_source(SourceName::Docker.as_str());
        self.tasks.spawn(docker::Source::new(settings, reporter).run());
    }

    fn api(&mut self) -> Result<(), ChainError> {
        let options = self.options;
        let settings = api::Settings {
            access: Access {
                kubeconfig: options.kubeconfig.clone(),
                apiserver: options.apiserver.clone(),
                user_agent: self.user_agent.to_owned(),
                context: None,
            },
            node: options.node().ok_or(ChainError::Node)?,
            defaults: self.defaults(),
        };
        let reporter = self.hub.add_source(SourceName::Api.as_str());
        self.tasks.spawn(api::run(settings, reporter));
        Ok(())
    }

    fn defaults(&self) -> Defaults {
        Defaults { labels: self.options.pod_labels.clone(), host_ip: self.options.host_ip() }
    }
}
