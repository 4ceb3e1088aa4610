//! The page on `/`: whether all is well, sources, sinks, groups, targets with their origin, and what is held back and why.

use std::collections::{BTreeMap, BTreeSet};

use exporter_toolkit::web::{Cell, Landing, Source as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::agent::Agent;
use crate::catalog::Published;
use crate::row::Row;

/// The page shows so many rows of a table; `/targets` has all.
const MOST_SHOWN: usize = 1000;
/// So many services have a column of their own.
const MOST_COLUMNS: usize = 12;
const NO_GROUP: &str = "none";

pub fn describe(agent: &Agent, published: &Published, page: &mut Landing) {
    page.verdict(match agent.ready() {
        Ok(()) => Cell::good("All sources are read, and all sinks are as they should be."),
        Err(problem) => Cell::bad(problem),
    });
    page.fact("Cluster", &agent.identity.cluster);
    if agent.identity.owner != agent.identity.cluster {
        page.fact("Owner", &agent.identity.owner);
    }
    page.fact("Targets", published.rows.len());
    held(agent, published, page);
    sources(agent, page);
    sinks(agent, published, page);
    groups(published, page);
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
        let name = format!("Consul {}", view.address);
        table.row([Cell::plain(name.trim_end()), state(problem, &written)]);
    }
    let files = agent.files.borrow();
    for file in &agent.file_names {
        table.row([Cell::plain(file), state(files.as_deref(), "written")]);
    }
    let http = if published.complete { None } else { Some("no source has been read yet") };
    table.row([Cell::link("./targets", "http_sd on /targets"), state(http, "served")]);
}

/// How many targets each service has in each group, with the way to them.
fn groups(published: &Published, page: &mut Landing) {
    let mut counts: BTreeMap<Option<u32>, BTreeMap<&str, usize>> = BTreeMap::new();
    for row in &published.rows {
        let group = counts.entry(row.group.map(|group| group.0)).or_default();
        *group.entry(&row.target.key.service).or_default() += 1;
    }
    let services: BTreeSet<&str> = counts.values().flat_map(BTreeMap::keys).copied().collect();
    let named: Vec<&str> = services.into_iter().take(MOST_COLUMNS).collect();
    let columns: Vec<&str> = ["Group", "Targets"].into_iter().chain(named.clone()).collect();
    let table = page.table("Groups and services", &columns).or("There is no target.");
    for (group, of_service) in counts.iter().take(MOST_SHOWN) {
        let name = group_name(*group);
        let all = of_service.values().sum::<usize>();
        let mut cells = vec![Cell::plain(&name), way(&name, "", all)];
        cells.extend(named.iter().map(|service| {
            of_service
                .get(service)
                .map_or_else(|| Cell::faint("-"), |count| way(&name, service, *count))
        }));
        table.row(cells);
    }
}

/// A count that leads to what was counted.
fn way(group: &str, service: &str, count: usize) -> Cell {
    let service = utf8_percent_encode(service, NON_ALPHANUMERIC);
    Cell::link(format!("?group={group}&service={service}#targets"), count)
}

fn held(agent: &Agent, published: &Published, page: &mut Landing) {
    let blocked = agent.view.as_ref().map(|view| view.borrow().blocked.clone()).unwrap_or_default();
    let count = published.kept + blocked.len() + published.held.len();
    page.fact("Held back", count);
    if count == 0 {
        return;
    }
    let table = page.table("Held back", &["Service", "Address", "Why", "Where it comes from"]);
    table.anchor("held");
    if let Some(why) = &published.kept_why {
        let rows = format!("{} deletions", published.kept);
        table.row(["".into(), rows.into(), Cell::bad(why), "".into()]);
    }
    for (id, why) in blocked.iter().take(MOST_SHOWN) {
        table.row(["".into(), id.into(), Cell::bad(why), Cell::faint("refused by Consul")]);
    }
    for held in published.held.iter().take(MOST_SHOWN) {
        let (why, origin) = (Cell::bad(&held.reason), Cell::faint(&held.origin));
        table.row([(&held.service).into(), (&held.address).into(), why, origin]);
    }
}

fn targets(published: &Published, page: &mut Landing) {
    let asked = Asked::of(page);
    let services: BTreeSet<&str> =
        published.rows.iter().map(|row| &*row.target.key.service).collect();
    let groups: BTreeSet<Option<u32>> =
        published.rows.iter().map(|row| row.group.map(|group| group.0)).collect();
    let groups: Vec<String> = groups.into_iter().map(group_name).collect();
    let meant: Vec<&Row> = published.rows.iter().filter(|row| asked.takes(row)).collect();
    let shown = meant.len().min(MOST_SHOWN);
    let title = match (shown, meant.len()) {
        (shown, all) if shown < all => format!("Targets: the first {shown} of {all}"),
        (_, all) => format!("Targets: {all}"),
    };
    let table = page.table(title, &["Service", "Group", "Target", "Node", "Where it comes from"]);
    let services: Vec<&str> = services.into_iter().collect();
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    table.anchor("targets").or("There is no such target.");
    table.field("service", &services, &asked.service).field("group", &groups, &asked.group);
    table.field("find", &[], &asked.find);
    for row in meant.into_iter().take(shown) {
        let target = &*row.target;
        let group = group_name(row.group.map(|group| group.0));
        let url = format!("{}://{}{}", target.scheme, target.key.host_port(), target.metrics_path);
        let (service, node) = (Cell::plain(&target.key.service), Cell::plain(&target.node));
        table.row([
            service,
            group.into(),
            Cell::link(&url, &url),
            node,
            Cell::faint(&target.origin),
        ]);
    }
}

/// Which targets a person asked for.
struct Asked {
    service: String,
    group: String,
    /// A part of the address, the node or the origin.
    find: String,
}

impl Asked {
    fn of(page: &Landing) -> Self {
        let text = |name| page.asked(name).trim().to_owned();
        Self { service: text("service"), group: text("group"), find: text("find") }
    }

    fn takes(&self, row: &Row) -> bool {
        let target = &*row.target;
        let group = || group_name(row.group.map(|group| group.0));
        let texts =
            || [&target.key.host_port(), &*target.node, &*target.origin].map(str::to_lowercase);
        (self.service.is_empty() || *self.service == *target.key.service)
            && (self.group.is_empty() || self.group == group())
            && (self.find.is_empty()
                || texts().iter().any(|text| text.contains(&self.find.to_lowercase())))
    }
}

fn group_name(group: Option<u32>) -> String {
    group.map_or_else(|| NO_GROUP.to_owned(), |group| format!("g{group}"))
}

/// A cell that is good where nothing is wrong.
fn state(problem: Option<&str>, fine: &str) -> Cell {
    problem.map_or_else(|| Cell::good(fine), Cell::bad)
}
