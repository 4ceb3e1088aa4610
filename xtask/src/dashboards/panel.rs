//! A panel in Grafana's words. Only panels that Grafana brings itself.

use std::fmt::Write as _;

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::source::{Dashboard, Kind, Link, Panel, Shared};

/// The data source that the page's first variable names.
pub(crate) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

/// Where the next panel goes.
#[derive(Default)]
pub(crate) struct Place {
    id: u64,
    x: u64,
    y: u64,
    /// The highest panel of the line.
    height: u64,
}

const WIDTH: u64 = 24;

impl Place {
    fn take(&mut self, width: u64, height: u64) -> (u64, Value) {
        if self.x + width > WIDTH {
            self.line();
        }
        let at = json!({"x": self.x, "y": self.y, "w": width, "h": height});
        self.x += width;
        self.height = self.height.max(height);
        self.id += 1;
        (self.id, at)
    }

    fn line(&mut self) {
        self.y += self.height;
        (self.x, self.height) = (0, 0);
    }
}

pub(crate) fn row(title: &str, place: &mut Place) -> Value {
    place.line();
    let (id, at) = place.take(WIDTH, 1);
    place.line();
    json!({"id": id, "type": "row", "title": title, "collapsed": false, "gridPos": at, "panels": []})
}

pub(crate) fn panel(
    shared: &Shared,
    dashboard: &Dashboard,
    source: &Panel,
    uids: &[String],
    place: &mut Place,
) -> Result<Value> {
    let (kind, width, height) = match source.kind {
        Kind::Timeseries => ("timeseries", 8, 8),
        Kind::Stat => ("stat", 4, 4),
        Kind::Gauge => ("gauge", 4, 4),
        Kind::Table => ("table", 16, 9),
    };
    let (id, at) = place.take(source.width.unwrap_or(width), height);
    let mut panel = json!({
        "id": id, "type": kind, "title": source.title, "description": source.about, "gridPos": at,
        "datasource": datasource(), "targets": targets(shared, dashboard, source)?,
        "fieldConfig": {"defaults": defaults(source), "overrides": overrides(source, uids)?},
        "options": options(source.kind),
    });
    if source.kind == Kind::Table {
        panel["transformations"] = columns(source);
    }
    Ok(panel)
}

fn targets(shared: &Shared, dashboard: &Dashboard, source: &Panel) -> Result<Vec<Value>> {
    ensure!(!source.queries.0.is_empty(), "no query");
    let by = format!("by ({})", source.by.join(", "));
    let targets = source.queries.0.iter().enumerate().map(|(number, (name, query))| {
        let table = source.kind == Kind::Table;
        ensure!(query.contains("<by>") == table, "a table's queries, and no others, have <by>");
        let query = shared.filled(&query.replace("<by>", &by))?;
        ensure!(known(dashboard, &query), "a variable that the dashboard does not have: {query}");
        let (instant, format) = (source.kind != Kind::Timeseries, if table { "table" } else { "time_series" });
        Ok(json!({
            "refId": letter(number), "datasource": datasource(), "editorMode": "code", "expr": query,
            "legendFormat": name, "format": format, "instant": instant, "range": !instant,
        }))
    });
    targets.collect()
}

/// Every `$name` of a query is a variable of the page or Grafana's own.
fn known(dashboard: &Dashboard, query: &str) -> bool {
    query.split('$').skip(1).all(|part| {
        let end = part.find(|next: char| !next.is_ascii_alphanumeric() && next != '_');
        let (name, _) = part.split_at(end.unwrap_or(part.len()));
        // $1 stands in label_replace, and a lone $ ends a regular expression.
        name.is_empty()
            || name.starts_with(|first: char| first.is_ascii_digit() || first == '_')
            || dashboard.variables.iter().any(|variable| variable == name)
    })
}

/// A to Z: no panel has more queries.
fn letter(number: usize) -> String {
    u8::try_from(number).map_or(String::new(), |number| char::from(b'A' + number).to_string())
}

fn defaults(source: &Panel) -> Value {
    let mut steps = vec![json!({"color": "green", "value": null})];
    for (value, color) in source.thresholds.iter().zip(["orange", "red"]) {
        steps.push(json!({"color": color, "value": value}));
    }
    let coloured = if source.thresholds.is_empty() { "palette-classic" } else { "thresholds" };
    let mut out = json!({
        "unit": source.unit.as_deref().unwrap_or("short"), "color": {"mode": coloured},
        "thresholds": {"mode": "absolute", "steps": steps},
    });
    if let Some(max) = source.max {
        out["min"] = json!(0);
        out["max"] = json!(max);
    }
    if let Some(decimals) = source.decimals {
        out["decimals"] = json!(decimals);
    }
    if source.kind == Kind::Timeseries {
        let mode = if source.stack { "normal" } else { "none" };
        out["custom"] = json!({
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": if source.stack { 30 } else { 8 }, "showPoints": "never",
            "spanNulls": false, "stacking": {"mode": mode, "group": "A"},
        });
    }
    out
}

fn overrides(source: &Panel, uids: &[String]) -> Result<Vec<Value>> {
    let ending = |word: &str| json!({"id": "byRegexp", "options": format!("/{word}$/")});
    let named = |column: &str| json!({"id": "byName", "options": column});
    let mut out = Vec::new();
    if let Some(word) = &source.below {
        out.push(json!({"matcher": ending(word), "properties": [{"id": "custom.transform", "value": "negative-Y"}]}));
    }
    for (word, unit) in &source.right {
        out.push(json!({"matcher": ending(word), "properties": [
            {"id": "unit", "value": unit}, {"id": "custom.axisPlacement", "value": "right"},
        ]}));
    }
    for (column, unit) in &source.units {
        ensure!(source.queries.0.iter().any(|(name, _)| name == column), "no column {column}");
        out.push(json!({"matcher": named(column), "properties": [{"id": "unit", "value": unit}]}));
    }
    for (column, link) in &source.links {
        ensure!(source.by.contains(column), "no column {column}");
        ensure!(uids.contains(&link.to), "no dashboard {}", link.to);
        let links = json!([{"title": format!("Show {}", link.to), "url": address(link)}]);
        out.push(
            json!({"matcher": named(column), "properties": [{"id": "links", "value": links}]}),
        );
    }
    Ok(out)
}

fn address(link: &Link) -> String {
    let mut url = format!("/d/{}?${{__url_time_range}}&var-datasource=${{datasource}}", link.to);
    for with in &link.with {
        let (variable, column) = with.split_once('=').unwrap_or((with, with));
        // Writing to a String cannot fail.
        _ = write!(url, "&var-{variable}=${{__data.fields.{column}}}");
    }
    url
}

fn options(kind: Kind) -> Value {
    let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
    match kind {
        Kind::Timeseries => json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }),
        Kind::Stat => json!({
            "reduceOptions": last, "colorMode": "value", "graphMode": "none", "justifyMode": "auto",
            "orientation": "auto", "textMode": "value",
        }),
        Kind::Gauge => json!({
            "reduceOptions": last, "orientation": "auto", "showThresholdLabels": false, "showThresholdMarkers": true,
        }),
        Kind::Table => json!({"cellHeight": "sm", "showHeader": true, "footer": {"show": false}}),
    }
}

/// One line for each set of labels, first the labels, then the queries' values under their names.
fn columns(source: &Panel) -> Value {
    let values = source.queries.0.iter().enumerate();
    // A single query's values have no letter.
    let single = source.queries.0.len() == 1;
    let value =
        |number| if single { "Value".to_owned() } else { format!("Value #{}", letter(number)) };
    let renamed: serde_json::Map<String, Value> =
        values.map(|(number, (name, _))| (value(number), json!(name))).collect();
    let order = source.by.iter().cloned().chain((0..source.queries.0.len()).map(value));
    let order: serde_json::Map<String, Value> =
        order.enumerate().map(|(index, column)| (column, json!(index))).collect();
    json!([
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": {"Time": true}, "indexByName": order, "renameByName": renamed}},
    ])
}
