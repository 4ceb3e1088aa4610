//! Where targets come from. Several sources may run at once; each tells its whole list through a
//! [`Publisher`](crate::target::Publisher), and none ends because what it asks is away.

pub mod docker;
pub mod files;
pub mod kubernetes;
pub mod own;
mod text;

use std::pin::Pin;

use clap::{Args, ValueEnum};

use crate::target::Subscription;

/// What runs a source, until nobody listens to it any more.
pub type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where targets come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// This host's own ports.
    #[value(name = "self")]
    Own,
    /// A cluster's objects, by rules.
    Kubernetes,
    /// This host's containers, by their labels.
    Docker,
    /// Files.
    Static,
}

/// The flags of all sources.
#[derive(Args, Clone, Debug, Default)]
pub struct SourceOptions {
    #[command(flatten)]
    pub own: own::OwnOptions,
    #[command(flatten)]
    pub address: own::AddressOptions,
    #[command(flatten)]
    pub kubernetes: kubernetes::KubernetesOptions,
    #[command(flatten)]
    pub docker: docker::DockerOptions,
    #[command(flatten)]
    pub files: files::FileOptions,
}

/// A source that cannot start because its flags or its rules are wrong.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    #[error(transparent)]
    Own(#[from] own::OwnError),
    #[error(transparent)]
    Rules(#[from] kubernetes::rules::RulesError),
    #[error(transparent)]
    Docker(#[from] docker::DockerError),
    #[error(transparent)]
    Files(#[from] files::FileError),
}

impl SourceOptions {
    /// Prepares one source. It runs while its future is polled and its subscription is there.
    pub fn start(&self, mode: Mode) -> Result<(Subscription, Running), SourceError> {
        Ok(match mode {
            Mode::Own => self.own.start(&self.address)?,
            Mode::Kubernetes => self.kubernetes.start()?,
            Mode::Docker => self.docker.start(&self.address)?,
            Mode::Static => self.files.start(&self.own.service)?,
        })
    }
}
