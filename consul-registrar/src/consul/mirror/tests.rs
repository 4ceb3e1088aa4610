use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::target::Draft;

fn identity() -> Identity {
    Identity::new("c", "c", &[], &[])
}

fn row(host: u8, path: &str) -> Row {
    let draft = Draft {
        service: "a".into(),
        address: format!("10.0.0.{}", host + 1),
        port: "1".into(),
        metrics_path: path.into(),
        ..Draft::default()
    };
    identity().row(Arc::new(draft.check().unwrap()), None)
}

fn published(rows: Vec<Row>, released: impl IntoIterator<Item = Box<str>>) -> Published {
    Published { rows, released: released.into_iter().collect(), ..Published::default() }
}

fn listed(rows: &[Row], extra: serde_json::Value) -> Vec<u8> {
    let identity = identity();
    let mut services: Vec<serde_json::Value> = rows
        .iter()
        .map(|row| {
            json!({
                "ID": identity.id(&row.target.key), "Service": "a", "Port": 1,
                "Address": row.target.key.address.to_string(),
                "Tags": identity.tags(row), "Meta": identity.meta(row), "ModifyIndex": 7,
            })
        })
        .collect();
    services.extend(extra.as_array().cloned().unwrap_or_default());
    json!({"Node": {"Meta": {"owner": "c"}}, "Services": services}).to_string().into_bytes()
}

fn read(body: &[u8], published: &Published) -> Mirror {
    Mirror::read(body, "n", &identity(), published).unwrap()
}

#[test]
fn what_is_as_published_needs_no_write() {
    let rows = vec![row(0, "/metrics"), row(1, "/metrics")];
    let published = published(rows.clone(), []);
    let mirror = read(&listed(&rows, json!([])), &published);
    assert!(mirror.found.is_empty());
    assert!(Plan::new(&identity(), &published, &mirror, |_, _| false).is_empty());
}

#[test]
fn rows_of_others_are_never_touched() {
    let wanted = row(0, "/metrics");
    let id = identity().id(&wanted.target.key);
    let others = json!([
        {"ID": id, "Service": "a", "Tags": null, "Meta": null, "ModifyIndex": 1},
        {"ID": "x", "Service": "a", "Meta": {"owner": "d"}, "ModifyIndex": 1},
    ]);
    let published = published(vec![wanted], ["x".into()]);
    let mirror = read(&listed(&[], others), &published);
    let plan = Plan::new(&identity(), &published, &mirror, |_, _| false);
    assert!(plan.is_empty());
    assert_eq!(plan.taken, [id.into()]);
}

#[test]
fn a_node_of_somebody_else_is_refused() {
    let body = json!({"Node": {"Meta": null}, "Services": []}).to_string();
    let error = Mirror::read(body.as_bytes(), "n", &identity(), &Published::default()).unwrap_err();
    assert!(error.to_string().contains("not one of ours"), "{error}");
}

#[test]
fn a_node_that_lost_our_mark_is_ours_where_our_rows_are_on_it() {
    let text = String::from_utf8(listed(&[row(0, "/metrics")], json!([]))).unwrap();
    let read = |meta: serde_json::Value| {
        let mut list: serde_json::Value = serde_json::from_str(&text).unwrap();
        list["Node"] = json!({"Meta": meta, "ModifyIndex": 5});
        Mirror::read(list.to_string().as_bytes(), "n", &identity(), &Published::default())
    };
    assert_eq!(read(json!({"owner": "c"})).unwrap().unmarked, None);
    assert_eq!(read(json!(null)).unwrap().unmarked, Some(5));
    assert!(read(json!({"owner": "d"})).is_err());
}

#[test]
fn a_broken_row_of_ours_is_written_anew_and_deleted_only_when_released() {
    let wanted = row(0, "/metrics");
    let id: Box<str> = identity().id(&wanted.target.key).into();
    let broken = json!([{"ID": id, "Service": "b", "Port": 70000, "Meta": {"owner": "c"}, "ModifyIndex": 9}]);
    let body = listed(&[], broken);
    let with = published(vec![wanted], []);
    let plan = Plan::new(&identity(), &with, &read(&body, &with), |_, _| false);
    assert!(matches!(&*plan.update, [Change::Set { index: 9, .. }]), "{plan:?}");
    let without = published(Vec::new(), []);
    assert!(Plan::new(&identity(), &without, &read(&body, &without), |_, _| false).is_empty());
    let released = published(Vec::new(), [id]);
    let plan = Plan::new(&identity(), &released, &read(&body, &released), |_, _| false);
    assert!(
        matches!(&*plan.delete, [Change::Delete { service, index: 9, .. }] if &**service == "b")
    );
}

proptest! {
    #[test]
    fn a_plan_that_is_applied_leaves_nothing_to_plan(
        have in proptest::collection::btree_map(0..40_u8, 0..3_u8, 0..30),
        want in proptest::collection::btree_map(0..40_u8, 0..3_u8, 0..30),
        applied in 0..100_usize,
    ) {
        let identity = identity();
        let rows = |of: &BTreeMap<u8, u8>| -> Vec<Row> {
            of.iter().map(|(host, path)| row(*host, &format!("/m{path}"))).collect()
        };
        let (have, want) = (rows(&have), rows(&want));
        let ids = |rows: &[Row]| -> BTreeSet<Box<str>> {
            rows.iter().map(|row| identity.id(&row.target.key).into()).collect()
        };
        let gone: Vec<Box<str>> = ids(&have).difference(&ids(&want)).cloned().collect();
        let published = published(want, gone);
        let mut mirror = read(&listed(&have, json!([])), &published);
        let apply = |mirror: &mut Mirror, most: usize| {
            let plan = Plan::new(&identity, &published, mirror, |_, _| false);
            for change in plan.create.iter().chain(&plan.update).chain(&plan.delete).take(most) {
                let seen = match change {
                    Change::Set { row, .. } => Some(Seen { index: 8, digest: row.digest }),
                    Change::Delete { .. } => None,
                };
                mirror.wrote(change.id(), seen);
            }
            plan.is_empty()
        };
        // Half a plan, then the whole of what is left.
        apply(&mut mirror, applied % 20);
        apply(&mut mirror, usize::MAX);
        prop_assert!(apply(&mut mirror, 0));
        let wanted: BTreeSet<Box<str>> = ids(&published.rows);
        prop_assert!(mirror.rows.keys().eq(wanted.iter()));
    }
}
