//! The page of all targets. The server writes all of it; the script asks for it again each second and puts what has changed
//! into its place. Without scripts the browser loads it again every five seconds. Nothing comes from elsewhere.

use std::fmt::{self, Display, Write as _};
use std::sync::Arc;

use anyhow::Result;
use e2e::site::Site;

use super::board::{Board, Key, Last, Target, View};
use super::parts::Note;
use crate::table::bytes;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Every answer has these: nothing but our own is run or loaded.
const HEADERS: &str = "Content-Security-Policy: default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
    img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\nX-Content-Type-Options: nosniff\r\n\
    Cache-Control: no-store\r\n";

pub(crate) fn serve(port: u16, board: Arc<Board>, notes: Vec<Note>) -> Result<Site> {
    Site::start(port, move |request, reply| {
        let (status, kind, body) = match (request.method.as_str(), request.path.as_str()) {
            ("GET" | "HEAD", "/") => (200, "text/html", html(&board.view(), &notes)),
            ("GET", "/page.css") => (200, "text/css", STYLE.to_owned()),
            ("GET", "/page.js") => (200, "text/javascript", SCRIPT.to_owned()),
            _ => (404, "text/plain", "The page is at /.\n".to_owned()),
        };
        let headers = format!("Content-Type: {kind}; charset=utf-8\r\n{HEADERS}");
        let body = if request.method == "HEAD" { "" } else { &body };
        reply.send(status, &headers, body.as_bytes())
    })
}

fn html(view: &View, notes: &[Note]) -> String {
    let mut out = String::with_capacity(16 << 10);
    // Writing to memory cannot fail.
    _ = write(view, notes, &mut out);
    out
}

fn write(view: &View, notes: &[Note], out: &mut String) -> fmt::Result {
    let down = view.targets.values().filter(|target| target.is_down()).count();
    let up = view.targets.values().filter(|target| target.is_up()).count();
    let all = view.targets.len();
    let (tone, icon) = if down > 0 { ("bad", BAD_ICON) } else { ("good", GOOD_ICON) };
    let summary = match (down, all - up) {
        (0, 0) => format!("All {all} targets are up"),
        (0, asking) => format!("{up} of {all} targets are up, {asking} not asked yet"),
        (down, _) => {
            format!("{down} of {all} targets {} down", if down == 1 { "is" } else { "are" })
        }
    };
    write!(
        out,
        "{HEAD}<title>{summary}</title>\n<link rel=icon href=\"{icon}\">\n<link rel=stylesheet href=page.css>\n\
         <noscript><meta http-equiv=refresh content=5></noscript>\n<script src=page.js defer></script>\n\
         <body>\n<header>\n<h1>Prometheus agents <small>on this machine</small></h1>\n\
         <p id=summary role=status class={tone}>{summary}</p>\n</header>\n<main>\n\
         <p id=lost role=alert hidden>The demo does not answer any more. What you see is the last it said.</p>\n"
    )?;
    write!(out, "<div id=problem>")?;
    if let Some(problem) = &view.problem {
        write!(
            out,
            "<p class=bad>The registrar does not answer, so this is its last list: {}</p>",
            Escaped(problem)
        )?;
    }
    if view.left_out > 0 {
        write!(
            out,
            "<p>{} more targets are listed and not asked by this page.</p>",
            view.left_out
        )?;
    }
    writeln!(out, "</div>")?;
    table(view, out)?;
    about(notes, out)
}

const COLUMNS: [&str; 6] = ["State", "Target", "Last scrape", "Series", "Labels", "From"];

fn table(view: &View, out: &mut String) -> fmt::Result {
    write!(
        out,
        "<table role=table>\n<caption>Targets, as consul-registrar lists them for <code>http_sd</code></caption>\n\
         <thead role=rowgroup><tr role=row>"
    )?;
    let prometheus = view.with_prometheus.then_some("Prometheus");
    for column in COLUMNS.into_iter().chain(prometheus) {
        write!(out, "<th scope=col role=columnheader>{column}")?;
    }
    writeln!(out, "\n</thead>\n<tbody id=targets role=rowgroup>")?;
    for (key, target) in &view.targets {
        row(key, target, view.with_prometheus, out)?;
    }
    writeln!(out, "</tbody>\n</table>")
}

fn row(key: &Key, target: &Target, with_prometheus: bool, out: &mut String) -> fmt::Result {
    let (tone, state) = match &target.last {
        None => ("new", "not asked"),
        Some(Last { outcome: Ok(_), .. }) => ("good", "up"),
        Some(Last { outcome: Err(_), .. }) => ("bad", "down"),
    };
    let (service, host_port) = (Escaped(&key.service), Escaped(&key.host_port));
    write!(out, "<tr role=row id=\"{service}-{host_port}\" class={tone}>")?;
    write!(out, "<td role=cell data-label=State><strong class={tone}>{state}</strong></td>")?;
    target_cell(key, target, out)?;
    scrape_cell(target, out)?;
    write!(out, "<td role=cell data-label=Series>")?;
    if let Some(Last { outcome: Ok(answer), .. }) = &target.last {
        write!(out, "{} <small>{}</small>", answer.series, bytes(answer.bytes as f64))?;
    }
    write!(out, "</td><td role=cell data-label=Labels><ul class=labels>")?;
    for (name, value) in &target.labels {
        write!(out, "<li><span>{}</span>=\"{}\"", Escaped(name), Escaped(value))?;
    }
    write!(out, "</ul></td><td role=cell data-label=From>{}</td>", Escaped(&target.origin))?;
    if with_prometheus {
        let said = target.prometheus.as_deref().unwrap_or("not yet known");
        let tone = match said {
            "up" => "good",
            "unknown" | "not yet known" => "new",
            _ => "bad",
        };
        let said = Escaped(said);
        write!(out, "<td role=cell data-label=Prometheus><span class={tone}>{said}</span></td>")?;
    }
    writeln!(out, "</tr>")
}

fn target_cell(key: &Key, target: &Target, out: &mut String) -> fmt::Result {
    let (service, host_port) = (Escaped(&key.service), Escaped(&key.host_port));
    let url = key.url();
    let url = Escaped(&url);
    write!(
        out,
        "<td role=cell data-label=Target><b>{service}</b> <code>{host_port}</code><br><span class=links>\
         <a href=\"http://{host_port}/\" aria-label=\"page of {service}\">page</a> \
         <a href=\"{url}\" aria-label=\"metrics of {service}\">metrics</a></span>"
    )?;
    match &target.last {
        Some(Last { outcome: Ok(answer), .. }) if !answer.says.is_empty() => {
            write!(out, "<p>{}</p>", Escaped(&answer.says))?;
        }
        Some(Last { outcome: Err(error), .. }) => {
            write!(out, "<p class=bad>{}</p>", Escaped(error))?;
        }
        _ => {}
    }
    write!(out, "</td>")
}

fn scrape_cell(target: &Target, out: &mut String) -> fmt::Result {
    write!(out, "<td role=cell data-label=\"Last scrape\">")?;
    if let Some(last) = &target.last {
        let took = last.took.as_secs_f64() * 1000.0;
        write!(out, "{} s ago, {took:.1} ms", last.at.elapsed().as_secs())?;
        picture(target, out)?;
    }
    write!(out, "</td>")
}

/// A bar for each of the last scrapes; one that failed goes from top to bottom.
fn picture(target: &Target, out: &mut String) -> fmt::Result {
    let longest = target.history.iter().flatten().copied().fold(0.001, f64::max);
    let failed = target.history.iter().filter(|took| took.is_none()).count();
    let count = target.history.len();
    write!(
        out,
        "<svg viewBox=\"0 0 120 20\" role=img aria-label=\"the last {count} scrapes, the longest {:.1} ms, {failed} failed\">",
        longest * 1000.0
    )?;
    for (place, took) in target.history.iter().enumerate() {
        let (height, tone) = match took {
            Some(took) => ((took / longest * 18.0).max(1.0), "good"),
            None => (20.0, "bad"),
        };
        let (x, y) = (place * 4, 20.0 - height);
        write!(out, "<rect x={x} y={y:.1} width=3 height={height:.1} class={tone} />")?;
    }
    write!(out, "</svg>")
}

fn about(notes: &[Note], out: &mut String) -> fmt::Result {
    writeln!(out, "<section>\n<h2>What this machine has to show</h2>\n<dl>")?;
    for note in notes {
        let tone = if note.there { "good" } else { "new" };
        writeln!(out, "<div><dt class={tone}>{}<dd>{}</div>", note.about, Escaped(&note.text))?;
    }
    writeln!(
        out,
        "</dl>\n<p><small>Each target is scraped by this page every two seconds, as Prometheus would. A target that is down \
         stays listed: that is what <code>up == 0</code> is for.</small></p>\n</section>\n</main>"
    )
}

const HEAD: &str = "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
    <meta name=viewport content=\"width=device-width, initial-scale=1\">\n<meta name=color-scheme content=\"light dark\">\n";
const GOOD_ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4' cy='4' r='4' fill='%231a7f37'/%3E%3C/svg%3E";
const BAD_ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Cpath d='M0 0h8v8H0z' fill='%23cf222e'/%3E%3C/svg%3E";

/// Text as it may stand between tags and in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for letter in self.0.chars() {
            match letter {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_without_targets_is_a_page_and_what_is_foreign_is_escaped() {
        let note = Note { about: "Docker", text: "<b> \"x\" & y".to_owned(), there: false };
        let view = View { problem: Some("<script>".to_owned()), left_out: 3, ..View::default() };
        let html = html(&view, &[note]);
        for part in [
            "All 0 targets are up",
            "&lt;script&gt;",
            "3 more targets",
            "&lt;b&gt; &quot;x&quot; &amp; y",
        ] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        for text in [html(&View::default(), &[]).as_str(), STYLE, SCRIPT] {
            let text = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!text.contains("//") || !text.contains("http"), "{text}");
        }
    }
}
