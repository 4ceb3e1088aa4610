//! The differences that are known, as data: `known.tsv`.

const TABLE: &str = include_str!("known.tsv");

/// Why a family may differ in this way; `kind` is the word of the first column.
pub(crate) fn reason(kind: &str, family: &str) -> Option<&'static str> {
    rows()
        .find(|(k, pattern, _)| (*k == kind || *k == "any") && matches(pattern, family))
        .map(|row| row.2)
}

fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    TABLE.lines().filter(|line| !line.starts_with('#')).filter_map(|line| {
        let mut columns = line.split('\t');
        Some((columns.next()?, columns.next()?, columns.next()?))
    })
}

/// A star at the end stands for any rest.
fn matches(pattern: &str, family: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => family.starts_with(start),
        None => pattern == family,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::differences::Kind;

    #[test]
    fn every_row_has_a_kind_a_family_and_a_reason() {
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = line.split('\t').collect();
            assert_eq!(columns.len(), 3, "{line}");
            assert!(
                columns[0] == "any" || Kind::ALL.iter().any(|kind| kind.word() == columns[0]),
                "{line}"
            );
            assert!(columns[2].ends_with('.'), "{line}");
        }
    }

    #[test]
    fn a_star_matches_the_rest_and_a_name_only_itself() {
        assert!(matches("go_*", "go_threads") && matches("a", "a"));
        assert!(!matches("a", "ab") && !matches("go_*", "a_go_x"));
    }
}
