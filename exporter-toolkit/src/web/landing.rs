//! The page on `/` that a person reads: who answers here, where its metrics are, how its parts are.

use std::fmt::{self, Display, Write as _};

/// What the page shows. Every text is escaped; nothing is loaded from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Landing {
    query: Vec<(String, String)>,
    name: String,
    description: String,
    version: String,
    links: Vec<Link>,
    verdict: Option<Cell>,
    facts: Vec<(String, String)>,
    tables: Vec<Table>,
}

#[derive(Clone, Debug)]
struct Link {
    path: String,
    text: String,
    description: String,
}

/// A table with a title, such as the collectors and their state.
#[derive(Clone, Debug, Default)]
pub struct Table {
    title: String,
    anchor: String,
    fields: Vec<Field>,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
    empty: String,
}

/// Something that a person may ask a table for; the answer is the page with it in its query.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    /// Where there are none, any text may be asked for.
    options: Vec<String>,
    value: String,
}

/// A cell's text and how it looks.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
    url: Option<String>,
}

#[derive(Clone, Copy, Debug)]
enum Tone {
    Plain,
    Good,
    Bad,
    Faint,
}

impl Cell {
    pub fn plain(text: impl Display) -> Self {
        Self { text: text.to_string(), tone: Tone::Plain, url: None }
    }

    /// A text that leads somewhere: to `?key=value` on this page or to an `http` or `https` URL. Any other URL leads nowhere.
    pub fn link(url: impl Display, text: impl Display) -> Self {
        let url = url.to_string();
        let good = ["?", "./", "http://", "https://"].iter().any(|begin| url.starts_with(begin));
        Self { url: good.then_some(url), ..Self::plain(text) }
    }

    /// All is well.
    pub fn good(text: impl Display) -> Self {
        Self { tone: Tone::Good, ..Self::plain(text) }
    }

    /// Somebody should look at this.
    pub fn bad(text: impl Display) -> Self {
        Self { tone: Tone::Bad, ..Self::plain(text) }
    }

    /// Of no interest at the moment: disabled, never run.
    pub fn faint(text: impl Display) -> Self {
        Self { tone: Tone::Faint, ..Self::plain(text) }
    }
}

impl<T: Display> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::plain(text)
    }
}

impl Table {
    /// Adds a row; its cells stand under the columns in their order.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) -> &mut Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// What a link ends in to lead here: `#targets`.
    pub fn anchor(&mut self, name: &str) -> &mut Self {
        name.clone_into(&mut self.anchor);
        self
    }

    /// What stands there where there are no rows: "Nothing is held back."
    pub fn or(&mut self, text: impl Display) -> &mut Self {
        self.empty = text.to_string();
        self
    }

    /// Lets a person ask for some rows by `?name=`, one of `options` or, where there are none, any text. `value` is what was
    /// asked for. Choosing the rows is the agent's part.
    pub fn field(&mut self, name: &str, options: &[&str], value: &str) -> &mut Self {
        let options = options.iter().map(|&option| option.to_owned()).collect();
        self.fields.push(Field { name: name.to_owned(), options, value: value.to_owned() });
        self
    }
}

impl Landing {
    /// The page that was asked for with this query.
    pub fn new(query: Vec<(String, String)>) -> Self {
        Self { query, ..Self::default() }
    }

    /// A value of the query; empty where it is not given.
    pub fn asked(&self, name: &str) -> &str {
        self.query.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub fn name(&mut self, name: impl Display) -> &mut Self {
        self.name = name.to_string();
        self
    }

    /// One sentence about what the agent measures.
    pub fn description(&mut self, text: impl Display) -> &mut Self {
        self.description = text.to_string();
        self
    }

    pub fn version(&mut self, version: impl Display) -> &mut Self {
        self.version = version.to_string();
        self
    }

    /// A link to a path of this server: `/metrics`, `/healthz`.
    pub fn link(
        &mut self,
        path: impl Display,
        text: impl Display,
        description: impl Display,
    ) -> &mut Self {
        self.links.push(Link {
            path: path.to_string(),
            text: text.to_string(),
            description: description.to_string(),
        });
        self
    }

    /// In one sentence, whether all is well.
    pub fn verdict(&mut self, verdict: Cell) -> &mut Self {
        self.verdict = Some(verdict);
        self
    }

    /// A line of the list of facts: "Last scrape", "3 s ago".
    pub fn fact(&mut self, name: impl Display, value: impl Display) -> &mut Self {
        self.facts.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds an empty table to be filled with rows.
    pub fn table(&mut self, title: impl Display, columns: &[&str]) -> &mut Table {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        self.tables.push(Table { title: title.to_string(), columns, ..Table::default() });
        let last = self.tables.len() - 1;
        &mut self.tables[last]
    }

    /// As it stands in the page.
    pub(crate) fn title(&self) -> String {
        Escaped(&self.name).to_string()
    }

    pub(crate) fn render(&self) -> String {
        let mut out = String::with_capacity(4096);
        // Writing to memory cannot fail.
        let _done = self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        let name = Escaped(&self.name);
        write!(
            out,
            "{HEAD}<title>{name}</title>\n<style>{STYLE}</style>\n<body>\n<header><h1>{name}</h1>"
        )?;
        let (version, more) = self.version.split_once(' ').unwrap_or((&self.version, ""));
        if !version.is_empty() {
            write!(out, "<span title=\"{}\">{}</span>", Escaped(more), Escaped(version))?;
        }
        writeln!(out, "</header>\n<p>{}</p>", Escaped(&self.description))?;
        self.write_links(out)?;
        if let Some(Cell { text, tone, .. }) = &self.verdict {
            writeln!(out, "<p class=\"verdict {}\">{}</p>", tone.name(), Escaped(text))?;
        }
        self.write_facts(out)?;
        self.tables.iter().try_for_each(|table| table.write(out))
    }

    /// Links are relative, so that they work behind a proxy that adds a path.
    fn write_links(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "<ul>")?;
        for Link { path, text, description } in &self.links {
            let (path, text) = (Escaped(path.trim_start_matches('/')), Escaped(text));
            let description = Escaped(description);
            writeln!(out, "<li><a href=\"./{path}\">{text}</a> <small>{description}</small>")?;
        }
        writeln!(out, "</ul>")
    }

    fn write_facts(&self, out: &mut String) -> fmt::Result {
        if self.facts.is_empty() {
            return Ok(());
        }
        writeln!(out, "<dl>")?;
        for (name, value) in &self.facts {
            writeln!(out, "<div><dt>{}<dd>{}</div>", Escaped(name), Escaped(value))?;
        }
        writeln!(out, "</dl>")
    }
}

impl Table {
    fn write(&self, out: &mut String) -> fmt::Result {
        let title = Escaped(&self.title);
        if self.anchor.is_empty() {
            writeln!(out, "<h2>{title}</h2>")?;
        } else {
            writeln!(out, "<h2 id=\"{}\">{title}</h2>", Escaped(&self.anchor))?;
        }
        self.write_fields(out)?;
        if self.rows.is_empty() && !self.empty.is_empty() {
            return writeln!(out, "<p class=faint>{}</p>", Escaped(&self.empty));
        }
        write!(out, "<div><table>\n<tr>")?;
        for column in &self.columns {
            write!(out, "<th>{}", Escaped(column))?;
        }
        for row in &self.rows {
            write!(out, "\n<tr>")?;
            row.iter().try_for_each(|cell| cell.write(out))?;
        }
        writeln!(out, "\n</table></div>")
    }

    fn write_fields(&self, out: &mut String) -> fmt::Result {
        if self.fields.is_empty() {
            return Ok(());
        }
        writeln!(out, "<form action=\"#{}\">", Escaped(&self.anchor))?;
        for Field { name, options, value } in &self.fields {
            let (name, value) = (Escaped(name), Escaped(value));
            if options.is_empty() {
                write!(out, "<label>{name} <input name=\"{name}\" value=\"{value}\"></label>")?;
                continue;
            }
            write!(out, "<label>{name} <select name=\"{name}\"><option value=\"\">all")?;
            for option in options {
                let selected = if *option == value.0 { " selected" } else { "" };
                write!(out, "<option{selected}>{}", Escaped(option))?;
            }
            writeln!(out, "</select></label>")?;
        }
        writeln!(out, "<button>Show</button></form>")
    }
}

impl Cell {
    fn write(&self, out: &mut String) -> fmt::Result {
        let (class, text) = (self.tone.class(), Escaped(&self.text));
        match &self.url {
            None => write!(out, "<td{class}>{text}"),
            Some(url) => write!(out, "<td{class}><a href=\"{}\">{text}</a>", Escaped(url)),
        }
    }
}

impl Tone {
    /// That of a class of the style sheet.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Faint => "faint",
        }
    }

    fn class(self) -> String {
        let name = self.name();
        if name.is_empty() { String::new() } else { format!(" class={name}") }
    }
}

/// Text as it may stand between tags and in a quoted attribute.
struct Escaped<'a>(&'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for character in self.0.chars() {
            match character {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

const HEAD: &str = "<!doctype html>\n<html lang=en>\n<meta charset=utf-8>\n\
    <meta name=viewport content=\"width=device-width\">\n";

/// Colours have a contrast of 4.5 at least on light and dark ground; wide tables are scrolled by themselves.
const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--good:#1a7f37;--bad:#cf222e;--link:#0550ae}\
@media(prefers-color-scheme:dark){:root{--good:#3fb950;--bad:#ff7b72;--link:#79c0ff;background:#16181d}}\
body{font:15px/1.5 system-ui,sans-serif;max-width:72rem;margin:2rem auto;padding:0 1rem}\
header{display:flex;flex-wrap:wrap;gap:0 1rem;align-items:baseline;border-bottom:3px solid #e6522c}\
h1{margin:0;font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}a{color:var(--link)}\
header span,small,.faint{opacity:.7}.verdict{font-weight:600}\
ul,dl{display:flex;flex-wrap:wrap;gap:.3rem 2rem;padding:0;list-style:none}\
dl div{display:flex;gap:.6rem}dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}\
div{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\
td,th{text-align:left;vertical-align:top;padding:.15rem 1.2rem .15rem 0;border-bottom:1px solid var(--line)}\
form{display:flex;flex-wrap:wrap;gap:.5rem 1rem;margin:.5rem 0}select,input,button{font:inherit;max-width:100%}\
.good{color:var(--good)}.bad{color:var(--bad);font-weight:600}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_what_it_was_given_and_escapes_it() {
        let mut page = Landing::default();
        page.name("demo <agent>").description("Says \"hello\" & more.").version("1.2.3");
        page.link("/metrics", "Metrics", "for Prometheus").fact("Last scrape", "3 s ago");
        let table = page.table("Collectors", &["name", "state"]);
        table.row([Cell::plain("cpu"), Cell::good("ok")]);
        table.row(["a'b".into(), Cell::bad("no <file>")]);
        let html = page.render();
        for part in [
            "<title>demo &lt;agent&gt;</title>",
            "Says &quot;hello&quot; &amp; more.",
            "<span title=\"\">1.2.3</span>",
            "<a href=\"./metrics\">Metrics</a> <small>for Prometheus</small>",
            "<dt>Last scrape<dd>3 s ago",
            "<th>name<th>state",
            "<tr><td>cpu<td class=good>ok",
            "<td>a&#39;b<td class=bad>no &lt;file&gt;",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn a_link_leads_nowhere_but_to_this_page_and_to_http() {
        let mut page = Landing::default();
        page.table("Targets", &["one"])
            .row([Cell::link("?group=g0&service=a", "here")])
            .row([Cell::link("https://10.0.0.1/", "there")])
            .row([Cell::link("javascript:alert(1)", "nowhere")]);
        let html = page.render();
        assert!(html.contains("<a href=\"?group=g0&amp;service=a\">here</a>"), "{html}");
        assert!(html.contains("<a href=\"https://10.0.0.1/\">there</a>"), "{html}");
        assert!(html.contains("<td>nowhere"), "{html}");
    }

    #[test]
    fn what_was_asked_for_stands_in_its_field() {
        let mut page =
            Landing::new(vec![("group".into(), "g1".into()), ("find".into(), "\"".into())]);
        let (group, find) = (page.asked("group").to_owned(), page.asked("find").to_owned());
        page.table("Targets", &["one"])
            .field("group", &["g0", "g1"], &group)
            .field("find", &[], &find)
            .or("No target is like that.");
        let html = page.render();
        for part in [
            "<option>g0<option selected>g1</select>",
            "<input name=\"find\" value=\"&quot;\">",
            "<p class=faint>No target is like that.</p>",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(page.asked("service"), "");
    }

    #[test]
    fn the_page_loads_nothing_from_elsewhere() {
        let html = Landing::default().render();
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("src="));
    }
}
