//! One event as one line. Bytes from outside stand in it escaped, so they can neither end a line nor forge a key.

use std::error::Error;
use std::fmt::{self, Debug, Display, Write};

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, format};
use tracing_subscriber::registry::LookupSpan;

use super::Format;

/// A value longer than this many bytes is cut.
const VALUE_LIMIT: usize = 8 * 1024;

/// Up to here a time reads `2026-11-23T10:00:00.123`.
const MILLISECONDS: usize = 23;

pub(super) struct EventFormat(pub(super) Format);

impl<S, N> FormatEvent<S, N> for EventFormat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: format::Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::new(self.0);
        event.record(&mut fields);
        let mut line = Pairs::new(self.0);
        line.text("time", &time());
        line.text("level", event.metadata().level().as_str());
        line.text("source", event.metadata().target());
        line.text("msg", &fields.message);
        writer.write_str(&line.text)?;
        writer.write_str(&fields.others.text)?;
        writer.write_str(self.0.end())
    }
}

/// Now, in UTC, as the peers write it.
fn time() -> String {
    let mut text = String::new();
    // Writing to memory cannot fail.
    let _done = SystemTime.format_time(&mut Writer::new(&mut text));
    if text.get(..MILLISECONDS).is_some() {
        text.truncate(MILLISECONDS);
        text.push('Z');
    }
    text
}

impl Format {
    fn end(self) -> &'static str {
        match self {
            Self::Logfmt => "\n",
            Self::Json => "}\n",
        }
    }
}

/// The fields of an event: its message apart, as it comes first.
struct Fields {
    message: String,
    others: Pairs,
}

impl Fields {
    fn new(format: Format) -> Self {
        Self { message: String::new(), others: Pairs { format, text: String::new() } }
    }

    fn text(&mut self, field: &Field, value: impl Display) {
        let mut text = Limited { text: String::new(), cut: false };
        // The error of a full buffer only ends the formatting.
        let _cut = write!(text, "{value}");
        if text.cut {
            text.text.push('…');
        }
        match field.name() {
            "message" => self.message = text.text,
            name => self.others.text(name, &text.text),
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.text(field, format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        self.text(field, Chain(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.others.bare(field.name(), value);
        } else {
            // JSON has no infinity and no NaN.
            self.text(field, value);
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.others.bare(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.others.bare(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.others.bare(field.name(), value);
    }
}

/// An error and what caused it: `cannot read x: permission denied`.
struct Chain<'a>(&'a (dyn Error + 'static));

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let causes = std::iter::successors(self.0.source(), |&error| error.source());
        causes.take(16).try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Memory that takes [`VALUE_LIMIT`] bytes.
struct Limited {
    text: String,
    cut: bool,
}

impl Write for Limited {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = VALUE_LIMIT.saturating_sub(self.text.len());
        let fitting = text.get(..text.floor_char_boundary(room)).unwrap_or_default();
        self.text.push_str(fitting);
        self.cut = fitting.len() < text.len();
        if self.cut { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Keys and values, each preceded by its separator.
struct Pairs {
    format: Format,
    text: String,
}

impl Pairs {
    /// Starts a line; a JSON object opens here and [`Format::end`] closes it.
    fn new(format: Format) -> Self {
        Self { format, text: String::new() }
    }

    fn key(&mut self, key: &str) {
        // A field named like a Rust keyword is written `r#type` in the source.
        let key = key.strip_prefix("r#").unwrap_or(key);
        match self.format {
            Format::Logfmt => {
                if key != "time" {
                    self.text.push(' ');
                }
                self.text.extend(key.chars().map(|c| if is_plain(c) { c } else { '_' }));
                self.text.push('=');
            }
            Format::Json => {
                self.text.push(if key == "time" { '{' } else { ',' });
                quote_json(key, &mut self.text);
                self.text.push(':');
            }
        }
    }

    fn text(&mut self, key: &str, value: &str) {
        self.key(key);
        match self.format {
            Format::Logfmt if !value.is_empty() && value.chars().all(is_plain) => {
                self.text.push_str(value);
            }
            Format::Logfmt => quote_logfmt(value, &mut self.text),
            Format::Json => quote_json(value, &mut self.text),
        }
    }

    /// A number or a boolean, which neither form quotes.
    fn bare(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to memory cannot fail.
        let _done = write!(self.text, "{value}");
    }
}

/// What logfmt leaves without quotes; Go's `slog` draws the same line.
fn is_plain(c: char) -> bool {
    !matches!(c, ' ' | '=' | '"') && is_printable(c)
}

/// Control characters, line and paragraph separators, and marks that reorder or hide what is shown are not.
fn is_printable(c: char) -> bool {
    !c.is_control()
        && (c == ' ' || !c.is_whitespace())
        && !matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn quote_logfmt(value: &str, out: &mut String) {
    quote(value, out, |c| !is_printable(c));
}

fn quote_json(value: &str, out: &mut String) {
    quote(value, out, |c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'));
}

/// Both forms escape alike. What is escaped by its number lies below U+10000, so it is one UTF-16 unit, as JSON wants.
fn quote(value: &str, out: &mut String, escaped: impl Fn(char) -> bool) {
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if escaped(c) => {
                // Writing to memory cannot fail.
                let _done = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}
