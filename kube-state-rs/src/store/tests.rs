use std::sync::Arc;

use exporter_toolkit::web::Unpacker;

use super::*;
use crate::family::{Header, Type};
use crate::rendered::OpenSamples;

/// Two families: `size` of every object, `odd` of those with an odd size.
struct Sizes(Vec<Header>);

impl Sizes {
    fn store() -> Arc<Store> {
        let header = |name: &str| Header {
            name: name.to_owned(),
            help: "Test.".to_owned(),
            kind: Type::Gauge,
        };
        Arc::new(Store::new(Arc::new(Self(vec![header("size"), header("odd")]))))
    }
}

impl Renderer for Sizes {
    fn families(&self) -> &[Header] {
        &self.0
    }

    fn render(&self, json: &[u8], out: &mut Rendered) -> Result<(), serde_json::Error> {
        let (name, size): (String, u64) = serde_json::from_slice(json)?;
        out.restart();
        OpenSamples::new(out, "size").sample([("name", &name)], size);
        out.end_family();
        if size % 2 == 1 {
            OpenSamples::new(out, "odd").sample([("name", &name)], 1_u8);
        }
        out.end_family();
        Ok(())
    }
}

fn identity(name: &str) -> Identity<'_> {
    Identity { namespace: "", name, uid: "" }
}

async fn apply(store: &Arc<Store>, name: &str, size: u64) {
    store.apply(identity(name), format!(r#"["{name}",{size}]"#).as_bytes()).await.unwrap();
}

async fn list(store: &Arc<Store>, objects: &[(&str, u64)]) {
    store.begin().await;
    for (name, size) in objects {
        apply(store, name, *size).await;
    }
    store.listed().await;
}

fn text(snapshot: &Snapshot) -> String {
    let mut out = Vec::new();
    for family in 0..2 {
        for member in snapshot.members(family) {
            out.extend_from_slice(Unpacker::default().unpack(member).unwrap());
        }
    }
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn nothing_is_shown_before_the_first_list_is_complete() {
    let store = Sizes::store();
    store.begin().await;
    apply(&store, "a", 1).await;
    assert_eq!(text(&store.snapshot().await), "");
    assert!(!store.size().synced);
    store.listed().await;
    assert_eq!(text(&store.snapshot().await), "size{name=\"a\"} 1\nodd{name=\"a\"} 1\n");
    assert!(store.size().synced);
}

#[tokio::test]
async fn a_second_list_is_shown_when_it_is_complete_and_drops_what_it_did_not_hold() {
    let store = Sizes::store();
    list(&store, &[("a", 2), ("b", 4)]).await;
    apply(&store, "a", 6).await;
    store.begin().await;
    apply(&store, "b", 8).await;
    apply(&store, "c", 10).await;
    assert_eq!(text(&store.snapshot().await), "size{name=\"a\"} 6\nsize{name=\"b\"} 4\n");
    // It broke off, and is taken again.
    store.begin().await;
    apply(&store, "b", 8).await;
    store.listed().await;
    assert_eq!(text(&store.snapshot().await), "size{name=\"b\"} 8\n");
    assert_eq!(store.size().objects, 1);
}

#[tokio::test]
async fn changes_are_in_the_next_snapshot_and_not_in_an_older_one() {
    let store = Sizes::store();
    list(&store, &[("a", 1), ("b", 3)]).await;
    let before = store.snapshot().await;
    apply(&store, "a", 2).await;
    store.delete(identity("b"));
    assert_eq!(text(&store.snapshot().await), "size{name=\"a\"} 2\n");
    assert_eq!(
        text(&before),
        "size{name=\"a\"} 1\nsize{name=\"b\"} 3\nodd{name=\"a\"} 1\nodd{name=\"b\"} 1\n"
    );
}

#[tokio::test]
async fn an_unchanged_block_is_the_same_memory_in_the_next_snapshot() {
    let store = Sizes::store();
    list(&store, &[("a", 1), ("b", 4)]).await;
    let member =
        |snapshot: &Snapshot, family| snapshot.members(family).next().unwrap().gzip().as_ptr();
    let before = store.snapshot().await;
    apply(&store, "a", 3).await;
    let after = store.snapshot().await;
    assert_ne!(member(&before, 0), member(&after, 0));
    assert_eq!(member(&before, 1), member(&after, 1));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_counted_and_gone() {
    let store = Sizes::store();
    list(&store, &[("a", 1), ("b", 4)]).await;
    assert!(store.apply(identity("a"), b"{\"size\":").await.is_err());
    assert_eq!(text(&store.snapshot().await), "size{name=\"b\"} 4\n");
    assert_eq!((store.size().broken, store.size().objects), (1, 1));
}

#[tokio::test]
async fn more_than_a_draft_holds_is_worked_in_on_the_way() {
    let store = Sizes::store();
    store.begin().await;
    let names: Vec<String> =
        (0..60_000).map(|n| format!("object-{n:06}-{}", "x".repeat(40))).collect();
    for name in &names {
        apply(&store, name, 2).await;
    }
    assert!(store.size().bytes > 0, "a part is compressed before the list is complete");
    store.listed().await;
    assert_eq!(text(&store.snapshot().await).lines().count(), names.len());
}

#[tokio::test]
async fn what_is_no_longer_served_is_gone() {
    let store = Sizes::store();
    list(&store, &[("a", 1)]).await;
    store.begin().await;
    store.clear();
    assert_eq!(text(&store.snapshot().await), "");
    assert!(!store.size().synced);
}
