//! Rounds of vmagent, which scrapes by its own clock and writes to a server that forgets.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use e2e::{Server, free_port, wait_until};

use super::upstream::Upstream;
use super::{Costs, PATIENCE};
use crate::bench::usage::{cpu_time, memory};

/// Scrapes before the first that counts: the first ones register all series.
const WARM: u32 = 3;

/// The rules of `--profile=kube-prometheus-stack`, and one that makes `pod_name`.
const CONFIG: &str = r#"
scrape_configs:
- job_name: cadvisor
  scrape_interval: 1s
  scrape_timeout: 1s
  static_configs: [{targets: ["TARGET"]}]
  metric_relabel_configs:
  - {source_labels: [__name__], action: drop, regex: "container_cpu_(cfs_throttled_seconds_total|load_average_10s|system_seconds_total|user_seconds_total)"}
  - {source_labels: [__name__], action: drop, regex: "container_fs_(io_current|io_time_seconds_total|io_time_weighted_seconds_total|reads_merged_total|sector_reads_total|sector_writes_total|writes_merged_total)"}
  - {source_labels: [__name__], action: drop, regex: "container_memory_(mapped_file|swap)"}
  - {source_labels: [__name__], action: drop, regex: "container_(file_descriptors|tasks_state|threads_max)"}
  - {source_labels: [__name__], action: drop, regex: "container_spec.*"}
  - {source_labels: [__name__, scope], action: drop, regex: "container_memory_failures_total;hierarchy"}
  - {source_labels: [__name__, interface], action: drop, regex: "container_network_.*;(cali|cilium|cni|lxc|nodelocaldns|tunl).*"}
  - {source_labels: [id, pod], action: drop, regex: ".+;"}
  - {source_labels: [pod], target_label: pod_name}
"#;

/// Starts it, lets it scrape, ends it.
pub(super) fn round(
    program: &Path,
    upstream: &Upstream,
    scrapes: u32,
    costs: &mut Costs,
) -> Result<()> {
    let folder = tempfile::tempdir().context("no temporary folder")?;
    let config = folder.path().join("scrape.yml");
    std::fs::write(&config, CONFIG.replace("TARGET", &upstream.address.to_string()))?;
    let mut command = Command::new(program);
    command
        .arg(format!("-promscrape.config={}", config.display()))
        .arg(format!("-remoteWrite.url=http://{}/write", upstream.address))
        .arg(format!("-remoteWrite.tmpDataPath={}", folder.path().join("queue").display()))
        .arg(format!("-httpListenAddr=127.0.0.1:{}", free_port()?))
        .args(["-promscrape.maxScrapeSize=256MB", "-loggerLevel=ERROR"]);
    let mut server = Server::start("vmagent", &mut command)?;
    let begin = upstream.served();
    wait_for(&mut server, upstream, begin + WARM)?;
    let (pid, begin) = (server.pid(), upstream.served());
    let before = cpu_time(pid)?;
    wait_for(&mut server, upstream, begin + scrapes)?;
    let cpu = cpu_time(pid)?.saturating_sub(before) / (upstream.served() - begin);
    costs.cpu.push(cpu.as_secs_f64());
    costs.peak = costs.peak.max(memory(pid)?.peak);
    Ok(())
}

fn wait_for(server: &mut Server, upstream: &Upstream, count: u32) -> Result<()> {
    // The inner error ends the wait: what has ended scrapes no more.
    wait_until("vmagent's scrapes", PATIENCE, || match server.ended()? {
        Some(status) => Ok(Err(anyhow::anyhow!("vmagent ended with {status}:\n{}", server.log()))),
        None if upstream.served() >= count => Ok(Ok(())),
        None => bail!("{} of {count}", upstream.served()),
    })?
}
