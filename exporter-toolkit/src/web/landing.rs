//! The page on `/` that a person reads: who answers here, where its metrics are, how its parts are.

use std::fmt::{self, Display, Write as _};

/// What the page shows. Every text is escaped; nothing is loaded from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Landing {
    name: String,
    description: String,
    version: String,
    links: Vec<Link>,
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
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// A cell's text and how it looks.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
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
        Self { text: text.to_string(), tone: Tone::Plain }
    }

    /// All is well.
    pub fn good(text: impl Display) -> Self {
        Self { text: text.to_string(), tone: Tone::Good }
    }

    /// Somebody should look at this.
    pub fn bad(text: impl Display) -> Self {
        Self { text: text.to_string(), tone: Tone::Bad }
    }

    /// Of no interest at the moment: disabled, never run.
    pub fn faint(text: impl Display) -> Self {
        Self { text: text.to_string(), tone: Tone::Faint }
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
}

impl Landing {
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

    /// A line of the list of facts: "Last scrape", "3 s ago".
    pub fn fact(&mut self, name: impl Display, value: impl Display) -> &mut Self {
        self.facts.push((name.to_string(), value.to_string()));
        self
    }

    /// Adds an empty table to be filled with rows.
    pub fn table(&mut self, title: impl Display, columns: &[&str]) -> &mut Table {
        let columns = columns.iter().map(|&column| column.to_owned()).collect();
        let table = Table { title: title.to_string(), columns, rows: Vec::new() };
        self.tables.push(table);
        let last = self.tables.len() - 1;
        &mut self.tables[last]
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
        if !self.version.is_empty() {
            write!(out, "<span>{}</span>", Escaped(&self.version))?;
        }
        writeln!(out, "</header>\n<p>{}</p>", Escaped(&self.description))?;
        self.write_links(out)?;
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
            writeln!(out, "<dt>{}<dd>{}", Escaped(name), Escaped(value))?;
        }
        writeln!(out, "</dl>")
    }
}

impl Table {
    fn write(&self, out: &mut String) -> fmt::Result {
        write!(out, "<h2>{}</h2>\n<table>\n<tr>", Escaped(&self.title))?;
        for column in &self.columns {
            write!(out, "<th>{}", Escaped(column))?;
        }
        for row in &self.rows {
            write!(out, "\n<tr>")?;
            for Cell { text, tone } in row {
                write!(out, "<td{}>{}", tone.class(), Escaped(text))?;
            }
        }
        writeln!(out, "\n</table>")
    }
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => " class=good",
            Self::Bad => " class=bad",
            Self::Faint => " class=faint",
        }
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

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
header{display:flex;gap:1rem;align-items:baseline;border-bottom:3px solid #e6522c}\
h1{margin:0;font-size:1.6rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}\
header span,small,.faint{opacity:.65}ul{padding-left:1.2rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dd{margin:0}\
table{border-collapse:collapse}td,th{text-align:left;padding:.15rem 1.2rem .15rem 0;border-bottom:1px solid #8884}\
.good{color:#1a7f37}.bad{color:#cf222e;font-weight:600}";

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
            "<span>1.2.3</span>",
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
    fn the_page_loads_nothing_from_elsewhere() {
        let html = Landing::default().render();
        assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("src="));
    }
}
