//! The page on `/`: sources, sinks, groups, targets with their origin, and what is held back and why.

use std::collections::BTreeMap;

use exporter_toolkit::web::{Cell, Landing};

use crate::agent::{Agent, most_shown, state};
use crate::catalog::Published;

pub fn describe(agent: &Agent, published: &Published, page: &mut Landing) {
    page.fact("Cluster", &agent.identity.cluster).fact("Targets", published.rows.len());
    sources(agent, page);
    sinks(agent, published, page);
    groups(published, page);
    held(agent, published, page);
    targets(published, page);
}

fn sources(agent: &Agent, page: &mut Landing) {
    let table =
        page.table("Sources", &["Source", "State", "Targets", "Held back", "Last vouched for"]);
    for source in &agent.sources {
        let known = source.state.borrow();
        let (targets, held) =
            known.snapshot.as_ref().map_or((0, 0), |s| (s.targets.len(), s.held.len()));
        let vouched = known
            .confirmed
            .map_or_else(|| "never".to_owned(), |at| format!("{} s ago", at.elapsed().as_secs()));
        let state = state(known.unsynced.as_deref(), "read");
        table.row([Cell::plain(&source.name), state, targets.into(), held.into(), vouched.into()]);
    }
}

fn sinks(agent: &Agent, published: &Published, page: &mut Landing) {
    let table = page.table("Sinks", &["Sink", "State"]);
    if let Some(view) = &agent.view {
        let view = view.borrow();
        let written = format!("as it should be, {} rows", view.rows);
        let problem = match (&view.error, view.settled) {
            (Some(error), _) => Some(error.as_str()),
            (None, None) => Some("not written yet"),
            (None, Some(_)) => None,
        };
        table.row([format!("Consul {}", view.address).into(), state(problem, &written)]);
    }
    let files = agent.files.borrow();
    table.row(["file_sd".into(), state(files.as_deref(), "written, where there is one")]);
    let http = if published.complete { None } else { Some("no source has been read yet") };
    table.row(["http_sd on /targets".into(), state(http, "served")]);
}

fn groups(published: &Published, page: &mut Landing) {
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for row in &published.rows {
        let group = row.group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        *counts.entry((&row.target.key.service, group)).or_default() += 1;
    }
    let table = page.table("Services and groups", &["Service", "Group", "Targets"]);
    for ((service, group), count) in counts.into_iter().take(most_shown()) {
        table.row([service.into(), group.into(), count.into()]);
    }
}

fn held(agent: &Agent, published: &Published, page: &mut Landing) {
    let table = page.table("Held back", &["Service", "Address", "Why", "Origin"]);
    if let Some(why) = &published.kept_why {
        let rows = format!("{} deletions", published.kept);
        table.row(["".into(), rows.into(), Cell::bad(why), "".into()]);
    }
    if let Some(view) = &agent.view {
        for (id, why) in view.borrow().blocked.iter().take(most_shown()) {
            table.row(["".into(), id.into(), Cell::bad(why), "Consul".into()]);
        }
    }
    for held in published.held.iter().take(most_shown()) {
        let why = Cell::bad(&held.reason);
        table.row([(&held.service).into(), (&held.address).into(), why, (&held.origin).into()]);
    }
}

fn targets(published: &Published, page: &mut Landing) {
    let shown = published.rows.len().min(most_shown());
    let title = format!("Targets ({shown} of {})", published.rows.len());
    let table = page.table(title, &["Service", "Group", "Target", "Node", "Origin"]);
    for row in published.rows.iter().take(shown) {
        let target = &*row.target;
        let group = row.group.map_or_else(|| "-".to_owned(), |group| group.to_string());
        let url = format!("{}://{}{}", target.scheme, target.key.host_port(), target.metrics_path);
        let (service, node) = (Cell::plain(&target.key.service), Cell::plain(&target.node));
        table.row([service, group.into(), url.into(), node, Cell::faint(&target.origin)]);
    }
}
