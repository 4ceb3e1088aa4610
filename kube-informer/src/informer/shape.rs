//! Objects as they are asked for: as they are, or put together from the rows of a table.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::handler::Problem;
use super::{End, View};
use crate::json;

/// Makes an object's text of what the API server sent, and remembers a table's columns: a watch tells them once.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(crate) view: View,
    /// Where the wanted columns are, in the order of the view.
    columns: Option<Vec<usize>>,
    text: String,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    cells: Vec<&'a RawValue>,
    #[serde(borrow)]
    object: &'a RawValue,
}

impl Shape {
    pub(crate) fn new(view: View) -> Self {
        Self { view, columns: None, text: String::new() }
    }

    /// Takes `columnDefinitions` of a table. All but the first table of a watch have none.
    pub(crate) fn define(&mut self, definitions: &str) -> Result<(), End> {
        let View::Table(wanted) = self.view else { return Ok(()) };
        let columns: Option<Vec<Column>> = serde_json::from_str(definitions).unwrap_or_default();
        let columns = columns.unwrap_or_default();
        if columns.is_empty() {
            return Ok(());
        }
        let place = |name: &'static str| {
            columns.iter().position(|column| column.name == name).ok_or(End::NoColumn(name))
        };
        self.columns = Some(wanted.iter().map(|(name, _)| place(name)).collect::<Result<_, _>>()?);
        Ok(())
    }

    /// The object in an event of a watch: itself, or the one row of a table.
    pub(crate) fn event<'a>(&mut self, object: &'a str) -> Result<Option<&'a str>, End> {
        if !matches!(self.view, View::Table(_)) || json::member(object, "rows").is_none() {
            return Ok(Some(object));
        }
        if let Some(definitions) = json::member(object, "columnDefinitions") {
            self.define(definitions)?;
        }
        let rows: Option<Vec<&RawValue>> = json::member(object, "rows")
            .and_then(|rows| serde_json::from_str(rows).ok())
            .unwrap_or_default();
        Ok(rows.and_then(|rows| rows.first().map(|row| row.get())))
    }

    /// The object of a bookmark: itself, or the one in the only row of a table.
    pub(crate) fn bookmark<'a>(&mut self, object: &'a str) -> Result<&'a str, End> {
        let row = self.event(object)?;
        Ok(row.and_then(|row| json::member(row, "object")).unwrap_or(object))
    }

    /// The text of an object: `item` itself, or what a row of a table makes.
    pub(crate) fn object<'a>(&'a mut self, item: &'a str) -> Result<&'a str, Problem> {
        let (View::Table(wanted), Some(columns)) = (self.view, &self.columns) else {
            return Ok(item);
        };
        if json::member(item, "cells").is_none() {
            return Ok(item);
        }
        let row: Row<'_> = serde_json::from_str(item)?;
        let object = row.object.get().trim_ascii_end().strip_suffix('}');
        self.text.clear();
        self.text.push_str(object.ok_or_else(|| Problem("a row without an object".to_owned()))?);
        for ((_, field), column) in wanted.iter().zip(columns) {
            let cell = row.cells.get(*column);
            let cell = cell.ok_or_else(|| Problem("a row with too few cells".to_owned()))?;
            for part in [",\"", field, "\":", cell.get()] {
                self.text.push_str(part);
            }
        }
        self.text.push('}');
        Ok(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: View = View::Table(&[("Type", "type")]);
    const COLUMNS: &str = r#"[{"name":"Name","type":"string"},{"name":"Type"},{"name":"Data"}]"#;
    const ROW: &str = r#"{"cells":["a","kubernetes.io/tls",2],"object":{"kind":"PartialObjectMetadata","metadata":{"name":"a"}}}"#;
    const OBJECT: &str =
        r#"{"kind":"PartialObjectMetadata","metadata":{"name":"a"},"type":"kubernetes.io/tls"}"#;

    #[test]
    fn a_row_becomes_its_object_with_the_wanted_cells() {
        let mut shape = Shape::new(TYPE);
        shape.define(COLUMNS).unwrap();
        assert_eq!(shape.object(ROW).unwrap(), OBJECT);
        for broken in [r#"{"cells":[],"object":{}}"#, r#"{"cells":["a","b"],"object":null}"#] {
            assert!(shape.object(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_watch_tells_its_columns_once() {
        let mut shape = Shape::new(TYPE);
        let table = format!(r#"{{"kind":"Table","columnDefinitions":{COLUMNS},"rows":[{ROW}]}}"#);
        assert_eq!(shape.event(&table).unwrap(), Some(ROW));
        let later = format!(r#"{{"kind":"Table","columnDefinitions":null,"rows":[{ROW}]}}"#);
        assert_eq!(shape.event(&later).unwrap(), Some(ROW));
        assert_eq!(shape.object(ROW).unwrap(), OBJECT);
        assert_eq!(shape.event(r#"{"kind":"Table","rows":[]}"#).unwrap(), None);
    }

    #[test]
    fn a_bookmark_is_in_the_row_of_a_table_or_stands_alone() {
        let mut shape = Shape::new(TYPE);
        let table = r#"{"kind":"Table","metadata":{"resourceVersion":"7"},"columnDefinitions":null,
            "rows":[{"cells":["",""],"object":{"metadata":{"resourceVersion":"7","annotations":{}}}}]}"#;
        let expected = r#"{"metadata":{"resourceVersion":"7","annotations":{}}}"#;
        assert_eq!(shape.bookmark(table).unwrap(), expected);
        let empty = r#"{"kind":"Table","metadata":{"resourceVersion":"7"},"rows":[]}"#;
        assert_eq!(shape.bookmark(empty).unwrap(), empty);
        assert_eq!(Shape::new(View::Metadata).bookmark(expected).unwrap(), expected);
    }

    #[test]
    fn a_server_without_tables_sends_whole_objects() {
        let mut shape = Shape::new(TYPE);
        let secret = r#"{"metadata":{"name":"a"},"type":"Opaque"}"#;
        assert_eq!(shape.event(secret).unwrap(), Some(secret));
        assert_eq!(shape.object(secret).unwrap(), secret);
    }

    #[test]
    fn a_table_without_the_column_is_told() {
        let mut shape = Shape::new(TYPE);
        assert!(matches!(shape.define(r#"[{"name":"Name"}]"#), Err(End::NoColumn("Type"))));
        assert!(shape.define("null").is_ok());
    }
}
