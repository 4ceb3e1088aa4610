//! Columns whose names are known only at run time, gathered row by row and written family by family.

use std::fmt::Display;

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Kind};

use super::kstat::Number;

/// Reused from scrape to scrape: a field that was seen before costs no allocation.
#[derive(Debug, Default)]
pub(super) struct Table {
    prefix: &'static str,
    columns: Vec<Column>,
    /// Where the next field stood in the row before.
    next: usize,
}

#[derive(Debug)]
struct Column {
    field: Box<[u8]>,
    name: MetricName,
    /// Row and value, in the order of rows.
    values: Vec<(usize, Number)>,
}

impl Table {
    pub(super) fn new(prefix: &'static str) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// Forgets the values.
    pub(super) fn clear(&mut self) {
        self.next = 0;
        for column in &mut self.columns {
            column.values.clear();
        }
    }

    /// Takes a field's value in a row; rows come in order, and of a repeated field the first counts.
    pub(super) fn put(&mut self, row: usize, field: &[u8], value: Number) {
        let at = match self.columns.get(self.next) {
            Some(column) if *column.field == *field => self.next,
            _ => self.find(field),
        };
        self.next = if at + 1 < self.columns.len() { at + 1 } else { 0 };
        let values = &mut self.columns[at].values;
        if values.last().is_none_or(|(last, _)| *last != row) {
            values.push((row, value));
        }
    }

    /// A column by its field or, as two fields may make one name (`a-b`, `a_b`), by its metric's name.
    fn find(&mut self, field: &[u8]) -> usize {
        if let Some(at) = self.columns.iter().position(|column| *column.field == *field) {
            return at;
        }
        let name = MetricName::sanitize(&[self.prefix, &String::from_utf8_lossy(field)]);
        let known = self.columns.iter().position(|column| column.name == name);
        known.unwrap_or_else(|| {
            self.columns.push(Column { field: field.into(), name, values: Vec::new() });
            self.columns.len() - 1
        })
    }

    /// Writes every column that has a value; `labels` gives those of a row, `help` the text for a field.
    pub(super) fn write<'a, H: Display, const N: usize>(
        &self,
        out: &mut Exposition,
        labels: impl Fn(usize) -> [(&'a LabelName, &'a str); N],
        help: impl Fn(&str) -> H,
    ) {
        for column in &self.columns {
            let field = String::from_utf8_lossy(&column.field);
            let mut family = out.dynamic(&column.name, Kind::Untyped, help(&field));
            for (row, value) in &column.values {
                family.sample(labels(*row), *value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns_and_no_field_is_written_twice() {
        let mut table = Table::new("t_");
        for _ in 0..2 {
            table.clear();
            for (row, field, value) in
                [(0, "a-b", 1), (0, "c", 2), (0, "a_b", 3), (1, "c", 4), (1, "d", 5), (1, "c", 6)]
            {
                table.put(row, field.as_bytes(), Number::Unsigned(value));
            }
        }
        let mut out = Exposition::default();
        let label = LabelName::fixed("row");
        table.write(&mut out, |row| [(&label, ["x", "y"][row])], |field| format!("Of {field}."));
        assert_eq!(
            std::str::from_utf8(out.text()).unwrap(),
            "# HELP t_a_b Of a-b.\n# TYPE t_a_b untyped\nt_a_b{row=\"x\"} 1\n\
             # HELP t_c Of c.\n# TYPE t_c untyped\nt_c{row=\"x\"} 2\nt_c{row=\"y\"} 4\n\
             # HELP t_d Of d.\n# TYPE t_d untyped\nt_d{row=\"y\"} 5\n"
        );
    }
}
