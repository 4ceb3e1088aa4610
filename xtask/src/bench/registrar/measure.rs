//! The course of a measurement.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use e2e::Consul;
use e2e::http::Connection;

use super::changes::{self, Waits};
use super::program::Program;
use crate::bench::kube::cluster::Cluster;
use crate::bench::usage::{Memory, cpu_time};

/// CPU and wall time in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) cpu: f64,
    pub(super) wall: f64,
}

/// From nothing to everything registered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cold {
    pub(super) ours: Cost,
    /// Consul's CPU time for it.
    pub(super) consul: f64,
    pub(super) transactions: f64,
    /// Our CPU time until it is at rest: own writes are read back once.
    pub(super) rested: f64,
    pub(super) memory: Memory,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct FromFile {
    pub(super) cold: Cold,
    /// Share of a core, and transactions and lists meanwhile.
    pub(super) idle: f64,
    pub(super) idle_calls: f64,
    pub(super) idle_seconds: f64,
    /// A start with everything registered already.
    pub(super) warm: Cost,
    pub(super) warm_writes: f64,
}

#[derive(Clone, Debug)]
pub(super) struct FromPods {
    pub(super) cold: Cold,
    pub(super) waits: Waits,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Large {
    pub(super) written: Cost,
    pub(super) memory: Memory,
    pub(super) served: Cost,
    pub(super) bytes: f64,
    pub(super) unchanged: Cost,
}

/// Longer than the pause between two lists, after which own writes have been read back.
const REST: Duration = Duration::from_secs(15);

pub(super) fn from_file(
    path: &Path,
    consul: &Consul,
    file: &Path,
    targets: usize,
    idle: Duration,
) -> Result<FromFile> {
    let flags = [format!("--file={}", file.display()), format!("--consul={}", consul.url())];
    let mut program = Program::start(path, "static", &flags)?;
    let cold = cold(&mut program, consul, targets)?;
    let calls = |program: &Program| -> Result<f64> {
        let counters = ["consul_transactions", "consul_lists"];
        let one = |name| program.sample(&format!("consul_registrar_{name}_total"));
        counters.into_iter().map(one).sum()
    };
    let (began, before, called) = (Instant::now(), program.cpu()?, calls(&program)?);
    sleep(idle);
    let used = program.cpu()?.saturating_sub(before).as_secs_f64();
    let idle_seconds = began.elapsed().as_secs_f64();
    let idle_calls = calls(&program)? - called;
    drop(program);
    let mut again = Program::start(path, "static", &flags)?;
    let warm = again.ready()?;
    let warm_writes = again.sample("consul_registrar_consul_transactions_total")?;
    Ok(FromFile { cold, idle: used / idle_seconds, idle_calls, idle_seconds, warm, warm_writes })
}

pub(super) fn from_pods(
    path: &Path,
    consul: &Consul,
    cluster: &Cluster,
    folder: &Path,
    count: usize,
) -> Result<FromPods> {
    let rules = folder.join("rules.yaml");
    std::fs::write(&rules, changes::rules(cluster.pods, count))?;
    let flags = [
        cluster.flag(),
        format!("--rules={}", rules.display()),
        format!("--consul={}", consul.url()),
    ];
    let mut program = Program::start(path, "kubernetes", &flags)?;
    let targets = usize::try_from(cluster.pods)?;
    let cold = cold(&mut program, consul, targets)?;
    let waits = changes::measure(&program, consul, cluster, count)?;
    Ok(FromPods { cold, waits })
}

fn cold(program: &mut Program, consul: &Consul, targets: usize) -> Result<Cold> {
    let before = cpu_time(consul.server.pid())?;
    let ours = program.ready()?;
    let consul_cpu = cpu_time(consul.server.pid())?.saturating_sub(before);
    let transactions = program.sample("consul_registrar_consul_transactions_total")?;
    let registered = registered(consul)?;
    ensure!(registered == targets, "Consul has {registered} rows instead of {targets}");
    sleep(REST);
    let (rested, memory) = (program.cpu()?.as_secs_f64(), program.memory()?);
    Ok(Cold { ours, consul: consul_cpu.as_secs_f64(), transactions, rested, memory })
}

/// What Consul says itself.
fn registered(consul: &Consul) -> Result<usize> {
    let list = consul.get("/v1/catalog/node-services/registrar.bench")?;
    Ok(list["Services"].as_array().map_or(0, Vec::len))
}

pub(super) fn without_consul(
    path: &Path,
    folder: &Path,
    file: &Path,
    targets: usize,
) -> Result<Large> {
    let list = folder.join("file_sd.json");
    let flags = [format!("--file={}", file.display()), format!("--sink=file={}", list.display())];
    let mut program = Program::start(path, "static", &flags)?;
    program.ready()?;
    // Ready is before the first write, too, so the file is what is waited for.
    let written = loop {
        let cost = program.ready()?;
        if list.exists() {
            break cost;
        }
        sleep(Duration::from_millis(20));
    };
    let lines = std::fs::read_to_string(&list)?.lines().filter(|l| l.contains("targets")).count();
    ensure!(lines == targets, "{lines} targets in the file instead of {targets}");
    sleep(Duration::from_secs(3));
    let memory = program.memory()?;
    let mut connection = Connection::default();
    let mut fetch = |tag: Option<&str>| -> Result<(Cost, f64, String)> {
        let (start, before, mut bytes) = (Instant::now(), program.cpu()?, 0.0);
        let request = program.agent.request("/targets");
        let answer = match tag {
            None => connection.stream(&request, &mut |part| bytes += part.len() as f64)?,
            // A 304 has no body and so no length.
            Some(tag) => connection.send(&request.header("If-None-Match", tag))?,
        };
        ensure!(answer.status == if tag.is_some() { 304 } else { 200 }, "{}", answer.status);
        let cpu = program.cpu()?.saturating_sub(before).as_secs_f64();
        let cost = Cost { cpu, wall: start.elapsed().as_secs_f64() };
        Ok((cost, bytes, answer.header("etag").unwrap_or_default().to_owned()))
    };
    let (served, bytes, tag) = fetch(None)?;
    let (unchanged, ..) = fetch(Some(&tag))?;
    Ok(Large { written, memory, served, bytes, unchanged })
}
