//! Columns for a terminal.

/// Lays out rows: the columns named in `right` end at the same place, the others begin there.
pub(crate) fn columns(rows: &[Vec<String>], right: &[usize]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..count).map(|column| width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| {
                if right.contains(&column) {
                    format!("{cell:>width$}")
                } else {
                    format!("{cell:<width$}")
                }
            })
            .collect();
        out.push_str("  ");
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}

/// A number of bytes as people write it.
pub(crate) fn bytes(count: f64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let mut value = count;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{value} B") } else { format!("{value:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_nothing_trails() {
        let rows = [
            vec!["a".into(), "10".into(), "x".into()],
            vec!["bcd".into(), "5".into(), String::new()],
        ];
        assert_eq!(columns(&rows, &[1]), "  a    10  x\n  bcd   5\n");
    }

    #[test]
    fn bytes_have_the_unit_that_reads_best() {
        assert_eq!(
            [bytes(1.0), bytes(2048.0), bytes(1.5 * 1024.0 * 1024.0 * 1024.0)],
            ["1 B", "2.0 KiB", "1.5 GiB"]
        );
    }
}
