//! Commands that look, or do one thing and end.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write as _, stdout};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use exporter_toolkit::web::Server;
use tokio::time::{Instant, sleep};

use crate::catalog::{Catalog, Published};
use crate::consul::apply::{apply, denied, make_node};
use crate::consul::client::{Consul, ConsulError};
use crate::consul::mirror::{Change, Mirror, Plan};
use crate::group::{Assignment, Grouping};
use crate::options::{Options, OptionsError};
use crate::row::Identity;
use crate::serve::{restored, start, states};
use crate::sink::text::{self, Form};
use crate::source::kubernetes::rbac;
use crate::target::Subscription;

/// Sources are waited for so long.
const SOURCES: Duration = Duration::from_mins(1);
/// The same where only the reason is asked for.
const CHECK: Duration = Duration::from_secs(15);

/// Everything known once: what is wanted, and what Consul holds.
struct Once {
    identity: Arc<Identity>,
    catalog: Catalog,
    consul: Option<(Arc<Consul>, Mirror)>,
    /// What the files hold.
    files: Mirror,
}

impl Once {
    async fn look(options: &Options) -> anyhow::Result<Self> {
        let identity = options.identity()?;
        let mut guard = options.guard()?;
        guard.grace = Duration::ZERO;
        let sources = start(options)?;
        wait(&sources, SOURCES).await?;
        let mut found = restored(&options.files()?, &identity);
        let files = Mirror::of(&found);
        let mut consul = None;
        if let Some(client) = options.consul()? {
            let mirror = read(&client, &identity, &Published::default()).await?;
            found.extend(mirror.found().iter().cloned());
            consul = Some((client, mirror));
        }
        let mut catalog = Catalog::new(Arc::clone(&identity), options.grouping()?, guard);
        catalog.pass(Instant::now(), &states(&sources), &found, 0);
        Ok(Self { identity, catalog, consul, files })
    }

    fn published(&self) -> &Published {
        self.catalog.published()
    }
}

async fn wait(sources: &[Subscription], patience: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + patience;
    loop {
        let late = sources.iter().find(|source| source.state.borrow().unsynced.is_some());
        let Some(late) = late else { return Ok(()) };
        if Instant::now() >= deadline {
            let reason = late.state.borrow().unsynced.clone();
            bail!("source {} is not read: {}", late.name, reason.as_deref().unwrap_or_default());
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn read(
    consul: &Consul,
    identity: &Identity,
    published: &Published,
) -> anyhow::Result<Mirror> {
    let list = consul.services(None).await?;
    Ok(Mirror::read(&list.body, &consul.node, identity, published)?)
}

/// Shows what would change, `+`, `~`, `-`, and where `write` is set makes it so.
pub async fn plan(options: &Options, write: bool) -> anyhow::Result<()> {
    let mut once = Once::look(options).await?;
    let published = Arc::clone(once.catalog.published());
    let mut out = stdout().lock();
    for held in &published.held {
        writeln!(out, "! {} {}: {} ({})", held.service, held.address, held.reason, held.origin)?;
    }
    if let Some(why) = &published.kept_why {
        writeln!(out, "! {} deletions held: {why}", published.kept)?;
    }
    if let Some((consul, mirror)) = &mut once.consul {
        let plan = Plan::new(&once.identity, &published, mirror, |_, _| false);
        show(&plan, mirror, &mut out)?;
        if write && !plan.is_empty() {
            Box::pin(write_plan(consul, &once.identity, &plan, mirror)).await?;
        }
    } else {
        let plan = Plan::new(&once.identity, &published, &once.files, |_, _| false);
        show(&plan, &once.files, &mut out)?;
    }
    if write {
        for mut file in options.files()? {
            let replaced = file.write(&once.identity, &published.rows).whole()?;
            writeln!(out, "{}: {replaced} files replaced", file.path().display())?;
        }
    }
    Ok(())
}

async fn write_plan(
    consul: &Consul,
    identity: &Identity,
    plan: &Plan,
    mirror: &mut Mirror,
) -> anyhow::Result<()> {
    if !mirror.node {
        let made = make_node(consul, &identity.owner, 0).await?;
        ensure!(made, ConsulError::Blind { node: consul.node.clone() });
    }
    let report = Box::pin(apply(consul, identity, plan, mirror)).await;
    if let Some(error) = report.failed {
        return Err(error.into());
    }
    let refused = report.poison.iter().chain(&report.denied).next();
    if let Some((id, _, why)) = refused {
        bail!("{id}: {why}");
    }
    ensure!(!report.stale, "somebody else has written meanwhile: try again");
    Ok(())
}

fn show(plan: &Plan, mirror: &Mirror, out: &mut impl std::io::Write) -> std::io::Result<()> {
    for change in plan.create.iter().chain(&plan.update).chain(&plan.delete) {
        match change {
            Change::Set { id, row, .. } => {
                let group = row.group.map(|group| format!(" group {group}")).unwrap_or_default();
                let (sign, before) = match mirror.found.get(id).and_then(|found| found.row.as_ref())
                {
                    _ if !mirror.rows.contains_key(id) => ("+", String::new()),
                    Some(old) if old.group != row.group => {
                        let old = old.group.map_or_else(|| "none".to_owned(), |g| g.to_string());
                        ("~", format!(" (was {old})"))
                    }
                    _ => ("~", String::new()),
                };
                writeln!(out, "{sign} {id} node {}{group}{before}", row.target.node)?;
            }
            Change::Delete { id, .. } => writeln!(out, "- {id}")?,
        }
    }
    let (new, other, gone) = (plan.create.len(), plan.update.len(), plan.delete.len());
    writeln!(out, "{new} to register, {other} to change, {gone} to delete")
}

/// Prints the list that the sinks show, as `file_sd` has it.
pub async fn targets(options: &Options) -> anyhow::Result<()> {
    let once = Once::look(options).await?;
    let mut text = Vec::new();
    text::write(Form::Json, &once.identity, once.published().rows.iter(), &mut text);
    Ok(stdout().write_all(&text)?)
}

/// Whether Consul is reached, the token may read and write our node and the services, and each source may be read.
pub async fn check(options: &Options) -> anyhow::Result<()> {
    let identity = options.identity()?;
    let consul = options.consul()?;
    let mut out = stdout().lock();
    match &consul {
        Some(consul) => check_node(consul, &identity, &mut out).await?,
        None => writeln!(out, "Consul is no sink (--consul)")?,
    }
    if options.modes.is_empty() {
        return Ok(());
    }
    let sources = start(options)?;
    wait(&sources, CHECK).await?;
    let mut services = BTreeSet::new();
    for source in &sources {
        let snapshot = source.state.borrow().snapshot.clone().unwrap_or_default();
        let (targets, held) = (snapshot.targets.len(), snapshot.held.len());
        writeln!(out, "ok: source {}: {targets} targets, {held} held back", source.name)?;
        services.extend(snapshot.targets.iter().map(|target| target.key.service.to_string()));
    }
    if let Some(consul) = &consul {
        let services: Vec<String> = services.into_iter().collect();
        let denied = denied(consul, &identity, &services).await?;
        let policy: Vec<String> = denied
            .iter()
            .map(|name| format!("service \"{name}\" {{ policy = \"write\" }}"))
            .collect();
        ensure!(
            denied.is_empty(),
            "the token may not write all services, it needs: {}",
            policy.join(" ")
        );
        writeln!(out, "ok: {} services can be written", services.len())?;
    }
    Ok(())
}

async fn check_node(
    consul: &Consul,
    identity: &Identity,
    out: &mut impl std::io::Write,
) -> anyhow::Result<()> {
    let leader = consul.get("/v1/status/leader").await.context("Consul is not reached")?;
    ensure!(leader.len() > 2, "{}: the cluster has no leader", consul.address());
    writeln!(out, "ok: {} has a leader", consul.address())?;
    let mirror = read(consul, identity, &Published::default()).await?;
    if !mirror.node {
        let made = make_node(consul, &identity.owner, 0).await;
        made.with_context(|| {
            format!("it needs: node \"{}\" {{ policy = \"write\" }}", consul.node)
        })?;
        let again = read(consul, identity, &Published::default()).await?;
        ensure!(again.node, "node {} is written and cannot be read back: node read", consul.node);
    }
    writeln!(out, "ok: node {} can be read, {} rows of ours", consul.node, mirror.rows.len())?;
    Ok(())
}

/// Reads all that the start reads, and starts nothing.
pub fn check_config(options: &Options) -> anyhow::Result<()> {
    options.identity()?;
    options.grouping()?;
    options.guard()?;
    options.consul()?;
    options.files()?;
    ensure!(!options.modes.is_empty(), OptionsError::NoSource);
    for mode in &options.modes {
        // A source runs only while it is polled.
        drop(options.sources.start(*mode)?);
    }
    Server::check(&options.web)?;
    writeln!(stdout(), "consul-registrar: the configuration is good")?;
    Ok(())
}

/// Prints the rights in a cluster that the rules need, as YAML for kubectl.
pub fn rights(options: &Options) -> anyhow::Result<()> {
    let rules = options.sources.kubernetes.load_rules()?;
    let manifest = rbac::manifest(&rules, "consul-registrar", "monitoring");
    stdout().write_all(manifest.as_bytes())?;
    Ok(())
}

/// New groups, filled from the first, for all nodes; running agents take them over.
pub async fn rebalance(options: &Options, write: bool) -> anyhow::Result<()> {
    let grouping = options.grouping()?;
    let once = Once::look(options).await?;
    let mut sizes: BTreeMap<Arc<str>, usize> = BTreeMap::new();
    for row in &once.published().rows {
        *sizes.entry(Arc::clone(&row.target.node)).or_default() += 1;
    }
    ensure!(grouping != Grouping::None, "there are no groups (--group-by=none)");
    let groups = grouping.assign(&sizes, &Assignment::new());
    let mut published = once.published().clone();
    let mut moved = 0;
    for row in &mut published.rows {
        let group = groups.get(&row.target.node).copied();
        if row.group != group {
            moved += 1;
            *row = once.identity.row(Arc::clone(&row.target), group);
        }
    }
    let mut out = stdout().lock();
    published.released.clear();
    // The rows of a node are written together, so that a running agent sees all of them.
    if let Some((consul, mut mirror)) = once.consul {
        let mut plan = Plan::new(&once.identity, &published, &mirror, |_, _| false);
        plan.create.clear();
        let node = |change: &Change| match change {
            Change::Set { row, .. } => Arc::clone(&row.target.node),
            Change::Delete { .. } => "".into(),
        };
        plan.update.sort_by_key(node);
        show(&plan, &mirror, &mut out)?;
        if write {
            Box::pin(write_plan(&consul, &once.identity, &plan, &mut mirror)).await?;
        }
    } else if write {
        for mut file in options.files()? {
            file.write(&once.identity, &published.rows).whole()?;
        }
    }
    let done = if write { "moved" } else { "would move (without --dry-run they are)" };
    writeln!(out, "{moved} of {} targets {done}", published.rows.len())?;
    Ok(())
}

/// Deletes our node with all rows, where all of them are ours.
pub async fn purge(options: &Options, write: bool) -> anyhow::Result<()> {
    let identity = options.identity().or_else(|_| {
        let owner = options.owner();
        ensure!(!owner.is_empty(), "purge needs --owner");
        Ok(Arc::new(Identity::new(owner, owner, &[], &[])))
    })?;
    let mut given = options.clone();
    given.rows.owner = identity.owner.to_string();
    let consul = given.consul()?.context("purge needs --consul")?;
    let mirror = read(&consul, &identity, &Published::default()).await?;
    ensure!(mirror.node, "there is no node {}", consul.node);
    ensure!(
        mirror.foreign.is_empty(),
        "{} rows on node {} are not ours",
        mirror.foreign.len(),
        consul.node
    );
    if write {
        consul.deregister_node().await?;
    }
    let done = if write { "deleted" } else { "would be deleted" };
    Ok(writeln!(stdout(), "node {} with {} rows {done}", consul.node, mirror.rows.len())?)
}
