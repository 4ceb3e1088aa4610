//! A series as it goes out.

use super::is_plain;
use super::labels::Set;
use super::options::Timestamps;
use super::scan::{self, Parts};

/// Name and labels; where they are as they came but for new ones, their text is copied. `name` is in its escaped form.
pub(super) fn sample(
    parts: &Parts<'_>,
    name: &[u8],
    set: &Set<'_>,
    timestamps: Timestamps,
    out: &mut Vec<u8>,
) {
    let quoted = parts.quoted || !is_plain(name);
    if quoted {
        out.push(b'{');
    } else {
        out.extend_from_slice(name);
        if set.labels.is_empty() {
            return rest(parts.rest, timestamps, out);
        }
        out.push(b'{');
    }
    let new = if set.changed || quoted != parts.quoted {
        if quoted {
            out.push(b'"');
            out.extend_from_slice(name);
            out.push(b'"');
        }
        set.labels.as_slice()
    } else {
        let text = parts.set.trim_ascii();
        out.extend_from_slice(text.strip_suffix(b",").unwrap_or(text).trim_ascii_end());
        set.labels.get(set.original..).unwrap_or_default()
    };
    for label in new {
        if out.last() != Some(&b'{') {
            out.push(b',');
        }
        out.extend_from_slice(&label.name);
        out.extend_from_slice(b"=\"");
        out.extend_from_slice(&label.value);
        out.push(b'"');
    }
    out.push(b'}');
    rest(parts.rest, timestamps, out);
}

fn rest(rest: &[u8], timestamps: Timestamps, out: &mut Vec<u8>) {
    out.push(b' ');
    if timestamps == Timestamps::Drop {
        let (value, exemplar) = scan::without_timestamp(rest);
        out.extend_from_slice(value);
        out.extend_from_slice(exemplar);
    } else {
        out.extend_from_slice(rest);
    }
    out.push(b'\n');
}
