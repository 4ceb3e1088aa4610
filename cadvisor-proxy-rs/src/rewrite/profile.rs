//! Which series a profile drops, as tables: the rule lists that are in wide use, and our own.

use regex::bytes::Regex;

use super::blocks::is_of_block;
use super::options::Subject;

/// A named set of rules.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum Profile {
    /// All series pass.
    #[default]
    None,
    /// Without cgroups that are nobody's, and without families that are always 0.
    Noise,
    /// What the kubelet's monitor of kube-prometheus drops.
    KubePrometheus,
    /// What the chart kube-prometheus-stack drops.
    KubePrometheusStack,
    /// The families of the usual dashboards, of pods alone.
    Minimal,
    /// What Grafana's chart k8s-monitoring keeps.
    K8sMonitoring,
}

/// What must hold for a label's value, which is empty where the label is absent.
#[derive(Debug)]
pub(crate) enum Test {
    Empty,
    Filled,
    Is(&'static str),
    Matches(&'static str),
    Not(&'static str),
}

/// Drops a series whose name matches and whose labels pass all tests.
#[derive(Debug)]
pub(crate) struct Drop {
    name: &'static str,
    tests: &'static [(&'static str, Test)],
}

/// A drop with its expressions compiled.
#[derive(Debug)]
pub(crate) struct Compiled {
    name: Regex,
    /// Those of a block's labels stand first.
    pub(crate) tests: Vec<(&'static [u8], Check)>,
    /// How many these are.
    of_block: usize,
}

#[derive(Debug)]
pub(crate) enum Check {
    Empty,
    Filled,
    Is(&'static [u8]),
    Matches(Regex),
    Not(Regex),
}

const ZERO: &str = "container_(tasks_state|cpu_load_average_10s|cpu_load_d_average_10s)";

const NOISE: &[Drop] = &[Drop { name: ZERO, tests: &[] }];

const KUBE_PROMETHEUS: &[Drop] = &[
    Drop {
        name: "container_(network_tcp_usage_total|network_udp_usage_total|tasks_state|cpu_load_average_10s)",
        tests: &[],
    },
    Drop {
        name: "container_spec_.*|container_file_descriptors|container_sockets|container_threads_max|container_threads|container_start_time_seconds|container_last_seen",
        tests: &[("pod", Test::Empty), ("namespace", Test::Empty)],
    },
    Drop { name: "container_blkio_device_usage_total", tests: &[("container", Test::Filled)] },
];

const STACK: &[Drop] = &[
    Drop {
        name: "container_cpu_(cfs_throttled_seconds_total|load_average_10s|system_seconds_total|user_seconds_total)",
        tests: &[],
    },
    Drop {
        name: "container_fs_(io_current|io_time_seconds_total|io_time_weighted_seconds_total|reads_merged_total|sector_reads_total|sector_writes_total|writes_merged_total)",
        tests: &[],
    },
    Drop { name: "container_memory_(mapped_file|swap)", tests: &[] },
    Drop { name: "container_(file_descriptors|tasks_state|threads_max)", tests: &[] },
    Drop { name: "container_spec.*", tests: &[] },
    Drop { name: "container_memory_failures_total", tests: &[("scope", Test::Is("hierarchy"))] },
    Drop {
        name: "container_network_.*",
        tests: &[("interface", Test::Matches("(cali|cilium|cni|lxc|nodelocaldns|tunl).*"))],
    },
    Drop { name: ".*", tests: &[("id", Test::Filled), ("pod", Test::Empty)] },
];

/// What k8s-monitoring keeps, and what `minimal` does.
const DASHBOARDS: &str = "container_cpu_cfs_periods_total|container_cpu_cfs_throttled_periods_total|container_cpu_usage_seconds_total|container_fs_reads_bytes_total|container_fs_reads_total|container_fs_writes_bytes_total|container_fs_writes_total|container_memory_cache|container_memory_rss|container_memory_swap|container_memory_usage_bytes|container_memory_working_set_bytes|container_network_receive_bytes_total|container_network_receive_packets_dropped_total|container_network_receive_packets_total|container_network_transmit_bytes_total|container_network_transmit_packets_dropped_total|container_network_transmit_packets_total|machine_memory_bytes";

const MINIMAL: &[Drop] = &[
    Drop { name: "container_.*", tests: &[("id", Test::Filled), ("pod", Test::Empty)] },
    Drop {
        name: "container_(cpu|fs|memory)_.*",
        tests: &[("pod", Test::Filled), ("container", Test::Empty)],
    },
];

const OWNED: &str = "container_(cpu|fs|memory|pressure)_.*";

const K8S_MONITORING: &[Drop] = &[
    Drop { name: OWNED, tests: &[("container", Test::Empty)] },
    Drop {
        name: "container_(cpu|fs|memory|pressure|network)_.*",
        tests: &[("image", Test::Empty)],
    },
    Drop {
        name: "container_fs_.*",
        tests: &[("device", Test::Not("(/dev/)?(mmcblk.p.+|nvme.+|rbd.+|sd.+|vd.+|xvd.+|dasd.+)"))],
    },
    Drop {
        name: "container_network_.*",
        tests: &[("interface", Test::Not("en[ospx][0-9].*|wlan[0-9].*|eth[0-9].*"))],
    },
];

impl Profile {
    /// The rules, and the names that are kept where not all are.
    pub(crate) fn compiled(
        self,
        subject: Subject,
    ) -> Result<(Vec<Compiled>, Option<Regex>), regex::Error> {
        let (drops, keep): (&[Drop], _) = match self {
            Self::None => (&[], None),
            Self::Noise => (NOISE, None),
            Self::KubePrometheus => (KUBE_PROMETHEUS, None),
            Self::KubePrometheusStack => (STACK, None),
            Self::Minimal => (MINIMAL, Some(DASHBOARDS)),
            Self::K8sMonitoring => (K8S_MONITORING, Some(DASHBOARDS)),
        };
        let drops = drops.iter().map(|rule| compile(rule, subject)).collect::<Result<_, _>>()?;
        Ok((drops, keep.map(anchored).transpose()?))
    }
}

fn compile(rule: &Drop, subject: Subject) -> Result<Compiled, regex::Error> {
    let check = |test: &Test| {
        Ok(match test {
            Test::Empty => Check::Empty,
            Test::Filled => Check::Filled,
            Test::Is(text) => Check::Is(text.as_bytes()),
            Test::Matches(text) => Check::Matches(anchored(text)?),
            Test::Not(text) => Check::Not(anchored(text)?),
        })
    };
    let tests = rule.tests.iter().map(|(label, test)| Ok((label.as_bytes(), check(test)?)));
    let mut tests: Vec<(&[u8], Check)> = tests.collect::<Result<_, _>>()?;
    tests.sort_by_key(|(label, _)| !is_of_block(label, subject));
    let of_block = tests.iter().filter(|(label, _)| is_of_block(label, subject)).count();
    Ok(Compiled { name: anchored(rule.name)?, tests, of_block })
}

/// Prometheus' expressions hold for the whole text, and their dot for a newline.
pub(crate) fn anchored(text: &str) -> Result<Regex, regex::Error> {
    Regex::new(&format!("^(?s:{text})$"))
}

impl Compiled {
    pub(crate) fn is_about(&self, name: &[u8]) -> bool {
        self.name.is_match(name)
    }

    /// Whether all tests pass; `value` looks up a label.
    pub(crate) fn holds<'a>(&self, value: impl Fn(&[u8]) -> &'a [u8]) -> bool {
        self.tests.iter().all(|(label, check)| check.passes(value(label)))
    }

    /// Whether those tests pass that look at a block's labels.
    pub(crate) fn holds_for_block<'a>(&self, value: impl Fn(&[u8]) -> &'a [u8]) -> bool {
        self.tests.iter().take(self.of_block).all(|(label, check)| check.passes(value(label)))
    }

    /// Whether those tests pass that look at other labels.
    pub(crate) fn holds_for_others<'a>(&self, value: impl Fn(&[u8]) -> &'a [u8]) -> bool {
        self.tests.iter().skip(self.of_block).all(|(label, check)| check.passes(value(label)))
    }

    pub(crate) fn looks_at_others(&self) -> bool {
        self.of_block < self.tests.len()
    }
}

impl Check {
    fn passes(&self, value: &[u8]) -> bool {
        match self {
            Self::Empty => value.is_empty(),
            Self::Filled => !value.is_empty(),
            Self::Is(text) => value == *text,
            Self::Matches(regex) => regex.is_match(value),
            Self::Not(regex) => !regex.is_match(value),
        }
    }
}
