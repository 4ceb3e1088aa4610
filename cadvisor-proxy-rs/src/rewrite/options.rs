//! What becomes of series: the flags, and what they are made into.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use regex::bytes::Regex;

use super::profile::{Compiled, Profile};
use super::rules::{self, Rules, RulesError};

/// Which series pass, and which labels they get.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Series")]
#[expect(clippy::doc_markdown, reason = "--help shows it as it stands")]
pub struct RewriteOptions {
    /// Drop the series that a known set of rules drops. See the README for what each is.
    #[arg(long, value_enum, value_name = "NAME", default_value = "none")]
    pub profile: Profile,
    /// File with rules of your own (YAML), a list as Prometheus' metric_relabel_configs. They come last and see the
    /// labels that were added; they are checked at the start.
    #[arg(long, value_name = "FILE")]
    pub relabel_file: Option<PathBuf>,
    /// Drop in addition, with commas between: slices (cgroups of no pod and no container, but not the root), root (the
    /// cgroup of the whole node), pod-cgroups (those around a pod's containers), pause (sandboxes, less their network),
    /// no-pod (all that is in no pod), dead (containers and pods that have ended), host-network (network series of pods
    /// in the host's network, which are the host's), empty-labels (labels without a value, which are as good as none).
    #[arg(long = "drop", value_enum, value_name = "LIST", value_delimiter = ',')]
    pub drop: Vec<Noise>,
    /// Labels to add beside pod_ip and pod_name, with commas between: namespace, container, node, pod-uid, owner
    /// (owner_kind and owner_name). For labels of the pod see --identity.pod-labels.
    #[arg(long, value_enum, value_name = "LIST", value_delimiter = ',')]
    pub labels: Vec<Added>,
    /// When a series has one of these labels already: keep its value, overwrite it, or rename it to exported_NAME.
    /// A label is never there twice: that would cost Prometheus the whole scrape.
    #[arg(long, value_enum, value_name = "HOW", default_value = "keep")]
    pub label_conflict: Conflict,
    /// Give series of kubelets up to 1.15 the labels pod and container, and series of later ones pod_name and
    /// container_name, so that both kinds of queries work.
    #[arg(long = "k8s-1.15-labels")]
    pub old_labels: bool,
    /// Keep the times that cAdvisor puts on samples, or drop them: the time of the scrape holds then.
    #[arg(long, value_enum, value_name = "WHAT", default_value = "keep")]
    pub timestamps: Timestamps,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Noise {
    Slices,
    Root,
    PodCgroups,
    Pause,
    NoPod,
    Dead,
    HostNetwork,
    EmptyLabels,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Added {
    Namespace,
    Container,
    Node,
    PodUid,
    Owner,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Conflict {
    #[default]
    Keep,
    Overwrite,
    Rename,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub enum Timestamps {
    #[default]
    Keep,
    Drop,
}

/// Whose the series of a body are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Subject {
    /// Those of many containers: `id` tells, or the labels `namespace` and `pod`.
    Cgroups,
    /// All of them are about the pod that we run in.
    Own,
}

/// Why the options cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error(transparent)]
    Rules(#[from] RulesError),
    #[error("a rule of the profile: {0}")]
    Profile(#[from] regex::Error),
}

/// The options, checked and ready.
#[derive(Debug)]
pub struct Settings {
    pub(crate) subject: Subject,
    pub(crate) drops: Vec<Compiled>,
    /// Those of them that look at labels which are not of a block, a bit each.
    pub(crate) looking_at_others: u64,
    pub(crate) keep: Option<Regex>,
    pub(crate) rules: Rules,
    noise: Vec<Noise>,
    pub(crate) labels: Vec<Added>,
    pub(crate) conflict: Conflict,
    pub(crate) old_labels: bool,
    pub(crate) timestamps: Timestamps,
}

impl Settings {
    pub fn new(options: &RewriteOptions, subject: Subject) -> Result<Self, SettingsError> {
        let (drops, keep) = options.profile.compiled(subject)?;
        let rules = options.relabel_file.as_deref().map(rules::read).transpose()?;
        let mut noise = options.drop.clone();
        if options.profile == Profile::Noise {
            noise.extend([Noise::Slices, Noise::HostNetwork]);
        }
        let looking = drops.iter().enumerate().filter(|(_, rule)| rule.looks_at_others());
        Ok(Self {
            subject,
            looking_at_others: looking.fold(0, |bits, (at, _)| bits | 1 << (at % 64)),
            drops,
            keep,
            rules: rules.unwrap_or_default(),
            noise,
            labels: options.labels.clone(),
            conflict: options.label_conflict,
            old_labels: options.old_labels,
            timestamps: options.timestamps,
        })
    }

    /// Whether one of the profile's rules drops a series, of those whose bits are set.
    pub(crate) fn any_drops(&self, mut rules: u64, drops: impl Fn(&Compiled) -> bool) -> bool {
        while rules != 0 {
            if self.drops.get(rules.trailing_zeros() as usize).is_some_and(&drops) {
                return true;
            }
            rules &= rules - 1;
        }
        false
    }

    pub(crate) fn drops(&self, noise: Noise) -> bool {
        self.noise.contains(&noise)
    }
}
