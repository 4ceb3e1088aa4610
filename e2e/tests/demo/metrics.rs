//! The lists of metrics that are written by hand, beside what the agents serve.

use std::collections::BTreeMap;
use std::path::Path;

use e2e::{Scrape, http};

/// Families of a document's tables and their types: rows such as "| `family` | gauge | ...".
fn documented(file: &str) -> BTreeMap<String, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let family = cells.next()?.strip_suffix('`')?;
        Some((family.to_owned(), cells.next()?.trim().to_owned()))
    };
    text.lines().filter_map(row).collect()
}

/// Fails where an answer has a family that the document has not, or with another type.
pub(crate) fn are_documented(url: &str, file: &str) {
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let answer = http::get(address.parse().unwrap(), &format!("/{path}")).unwrap();
    let scrape = Scrape::parse(&answer.text().unwrap()).unwrap();
    let documented = documented(file);
    assert!(scrape.types.len() > 10, "{url}: {scrape:?}");
    for (family, kind) in &scrape.types {
        assert_eq!(documented.get(family), Some(kind), "{family} of {url} in {file}");
    }
}
