use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1 << 20;

/// All pieces of `body` when it arrives in `chunks`; items as text, members as `name=value`.
fn pieces<'a>(
    limit: usize,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<String>, NoList> {
    let mut splitter = Splitter::new(limit);
    let mut found = Vec::new();
    for chunk in chunks {
        splitter.push(Bytes::copy_from_slice(chunk));
        while let Some(piece) = splitter.next()? {
            found.push(match piece {
                Piece::Member { name, value } => format!("{name}={}", shown(&value)),
                Piece::Item(Text::Whole(text)) => shown(&text),
                Piece::Item(Text::Head(text)) => format!("head {}", shown(&text)),
            });
        }
    }
    if splitter.is_complete() { Ok(found) } else { Err(NoList("cut")) }
}

fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines<'a>(limit: usize, chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<Text> {
    let mut lines = Lines::new(limit);
    let mut found = Vec::new();
    for chunk in chunks {
        lines.push(Bytes::copy_from_slice(chunk));
        found.extend(std::iter::from_fn(|| lines.next()));
    }
    found
}

fn whole(text: &str) -> Text {
    Text::Whole(Bytes::copy_from_slice(text.as_bytes()))
}

const LIST: &[u8] = br#"{"kind":"PodList","apiVersion":"v1",
  "metadata":{"resourceVersion":"7","continue":"a\"]"},
  "items":[{"metadata":{"name":"a","labels":{"x":"]},{"}}}, {"metadata":{"name":"b\\"}},{}]}
"#;

#[test]
fn a_list_is_the_same_wherever_the_network_cuts_it() {
    let expected = pieces(LIMIT, [LIST]).unwrap();
    assert_eq!(
        expected,
        [
            r#"kind="PodList""#,
            r#"apiVersion="v1""#,
            r#"metadata={"resourceVersion":"7","continue":"a\"]"}"#,
            r#"{"metadata":{"name":"a","labels":{"x":"]},{"}}}"#,
            r#"{"metadata":{"name":"b\\"}}"#,
            "{}",
        ]
    );
    for cut in 0..LIST.len() {
        let (head, tail) = LIST.split_at(cut);
        assert_eq!(pieces(LIMIT, [head, tail]).as_ref(), Ok(&expected), "cut at {cut}");
    }
    assert_eq!(pieces(LIMIT, LIST.chunks(1)), Ok(expected));
}

#[test]
fn metadata_may_follow_the_items_and_items_may_be_null() {
    // Custom resources are sent with their members in alphabetical order; Go writes an empty slice as null at times.
    let found =
        pieces(LIMIT, [&br#"{"items":[{"a":1}],"kind":"List","metadata":{}}"#[..]]).unwrap();
    assert_eq!(found, [r#"{"a":1}"#, r#"kind="List""#, "metadata={}"]);
    let found = pieces(LIMIT, [&br#"{"metadata":{},"items":null}"#[..]]).unwrap();
    assert_eq!(found, ["metadata={}", "items=null"]);
}

#[test]
fn an_item_over_the_limit_leaves_its_head_and_the_next_one_comes() {
    let big = format!(r#"{{"metadata":{{"name":"big"}},"data":"{}"}}"#, "x".repeat(5000));
    let list = format!(r#"{{"metadata":{{}},"items":[{{"a":1}},{big},{{"b":2}}]}}"#);
    for size in [1, 7, 100, 4096, list.len()] {
        let found = pieces(1000, list.as_bytes().chunks(size)).unwrap();
        assert_eq!(found.len(), 4, "chunks of {size}");
        assert_eq!((found[1].as_str(), found[3].as_str()), (r#"{"a":1}"#, r#"{"b":2}"#));
        assert!(found[2].starts_with(r#"head {"metadata":{"name":"big"},"data":"xxx"#));
        assert!(found[2].len() <= 1005);
    }
}

#[test]
fn what_is_no_list_is_refused() {
    for body in ["[]", "nonsense", "{]", r#"{"items":[1]}"#, r#"{"a" 1}"#, "{} {}", r#"{"items":["#]
    {
        assert!(pieces(LIMIT, [body.as_bytes()]).is_err(), "{body}");
    }
}

#[test]
fn lines_are_the_same_wherever_the_network_cuts_them() {
    let text = b"{\"a\":1}\n\n{\"b\":2}\r\nrest\n{\"cut";
    let expected = [whole("{\"a\":1}"), whole("{\"b\":2}\r"), whole("rest")];
    for cut in 0..text.len() {
        let (head, tail) = text.split_at(cut);
        assert_eq!(lines(LIMIT, [head, tail]), expected, "cut at {cut}");
    }
}

#[test]
fn a_line_over_the_limit_leaves_its_head_and_the_next_one_comes() {
    let text = format!("{}\n{{}}\n", "x".repeat(50));
    for size in [1, 9, 10, 11, 52, 60] {
        let found = lines(10, text.as_bytes().chunks(size));
        let head = Text::Head(Bytes::from("x".repeat(10)));
        assert_eq!(found, [head, whole("{}")], "chunks of {size}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_cut_into_the_same_pieces(body in ".{0,200}", size in 1_usize..20) {
        let whole = pieces(64, [body.as_bytes()]).is_ok();
        prop_assert_eq!(pieces(64, body.as_bytes().chunks(size)).is_ok(), whole);
    }

    #[test]
    fn lists_of_any_strings_come_whole(
        texts in proptest::collection::vec(".*", 0..6),
        size in 1_usize..50,
    ) {
        let items: Vec<_> = texts.iter().map(|text| serde_json::json!({ "t": text })).collect();
        let list = serde_json::json!({ "items": items, "metadata": {} }).to_string();
        let expected: Vec<_> = items.iter().map(ToString::to_string).collect();
        let mut found = pieces(LIMIT, list.as_bytes().chunks(size)).unwrap();
        let metadata = found.pop();
        prop_assert_eq!(metadata.as_deref(), Some("metadata={}"));
        prop_assert_eq!(found, expected);
    }
}
