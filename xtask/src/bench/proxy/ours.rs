//! Rounds of cadvisor-proxy-rs.

use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};
use e2e::http::Connection;
use e2e::{Agent, free_port};

use super::upstream::Upstream;
use super::{Costs, PATIENCE};
use crate::bench::usage::{cpu_time, memory};

/// Scrapes before the first that counts.
const WARM: u32 = 3;

/// Starts it, scrapes it, ends it.
pub(super) fn round(
    program: &Path,
    flags: &[&str],
    upstream: &Upstream,
    scrapes: u32,
    encoding: &str,
    costs: &mut Costs,
) -> Result<()> {
    let agent = start(program, flags, upstream)?;
    let mut connection = Connection::default();
    let pid = agent.server.pid();
    let (mut before, mut firsts) = (cpu_time(pid)?, Vec::new());
    for number in 0..WARM + scrapes {
        if number == WARM {
            before = cpu_time(pid)?;
            firsts.clear();
        }
        let request = agent.request("/metrics").header("Accept-Encoding", encoding);
        let (start, mut first, mut bytes) = (Instant::now(), None, 0);
        let answer = connection.stream(&request.timeout(PATIENCE), &mut |part| {
            first.get_or_insert_with(|| start.elapsed());
            bytes += part.len() as u64;
        })?;
        ensure!(answer.status == 200, "status {}:\n{}", answer.status, agent.server.log());
        ensure!(answer.is_gzip() == (encoding == "gzip"), "not the encoding asked for");
        firsts.push(first.unwrap_or_default().as_secs_f64());
        costs.bytes = bytes;
    }
    let cpu = cpu_time(pid)?.saturating_sub(before) / scrapes;
    firsts.sort_by(f64::total_cmp);
    costs.first_byte.extend(firsts.get(firsts.len() / 2));
    costs.cpu.push(cpu.as_secs_f64());
    costs.peak = costs.peak.max(memory(pid)?.peak);
    Ok(())
}

/// What goes out without rules.
pub(super) fn body(program: &Path, upstream: &Upstream) -> Result<Vec<u8>> {
    let agent = start(program, &[], upstream)?;
    Ok(agent.request("/metrics").timeout(PATIENCE).send()?.body)
}

/// Nobody tells identities, so `pod_name` comes from the labels, as vmagent's rule takes it.
fn start(program: &Path, flags: &[&str], upstream: &Upstream) -> Result<Agent> {
    let mut all = vec![
        "--source=cadvisor".to_owned(),
        format!("--target=http://{}/metrics", upstream.address),
        "--identity=none".to_owned(),
        format!("--telemetry.listen-address=127.0.0.1:{}", free_port()?),
    ];
    all.extend(flags.iter().map(|&flag| flag.to_owned()));
    Agent::start(program, &all)
}
