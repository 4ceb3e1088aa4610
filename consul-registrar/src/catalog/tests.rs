use std::time::Duration;

use super::*;
use crate::guard::{APART, GRACE};
use crate::target::{Draft, Snapshot};

fn state(hosts: impl IntoIterator<Item = u32>, at: Instant) -> (Arc<str>, State) {
    let drafts = hosts.into_iter().map(|n| Draft {
        service: "a".into(),
        address: format!("10.0.{}.{}", n / 200, n % 200 + 1),
        port: "1".into(),
        ..Draft::default()
    });
    let snapshot = Some(Arc::new(Snapshot::new(drafts, Vec::new())));
    ("test".into(), State { snapshot, unsynced: None, confirmed: Some(at) })
}

fn unread() -> (Arc<str>, State) {
    let unsynced = Some("away".into());
    ("late".into(), State { snapshot: None, unsynced, confirmed: None })
}

fn catalog() -> Catalog {
    let identity = Arc::new(Identity::new("c", "c", &[], &[]));
    Catalog::new(identity, Grouping::Sticky { size: 10 }, Guard::new(0.2))
}

fn found(catalog: &Catalog) -> Vec<Found> {
    let identity = &catalog.identity;
    let found =
        |row: &Row| Found { id: identity.id(&row.target.key).into(), row: Some(row.clone()) };
    catalog.published.rows.iter().map(found).collect()
}

#[test]
fn what_a_source_drops_is_released_at_once() {
    let (mut catalog, now) = (catalog(), Instant::now());
    catalog.pass(now, &[state(0..30, now)], &[], 0);
    assert_eq!(catalog.published.rows.len(), 30);
    catalog.pass(now, &[state(1..30, now)], &[], 0);
    assert_eq!((catalog.published.rows.len(), catalog.published.released.len()), (29, 1));
    catalog.pass(now, &[state(0..30, now)], &[], 0);
    assert_eq!((catalog.published.rows.len(), catalog.published.released.len()), (30, 0));
}

#[test]
fn a_mass_stays_published_until_it_is_certain() {
    let (mut catalog, now) = (catalog(), Instant::now());
    catalog.pass(now, &[state(0..300, now)], &[], 0);
    let again = catalog.pass(now, &[state([], now)], &[], 0);
    assert_eq!((catalog.published.rows.len(), catalog.published.kept), (300, 300));
    assert_eq!(again, Some(now + APART));
    let later = now + APART;
    catalog.pass(later, &[state([], later)], &[], 0);
    assert_eq!((catalog.published.rows.len(), catalog.published.released.len()), (0, 300));
}

#[test]
fn a_restart_keeps_groups_and_rows_until_every_source_is_read() {
    let (mut first, now) = (catalog(), Instant::now());
    first.pass(now, &[state(5..30, now)], &[], 0);
    first.pass(now, &[state(0..30, now)], &[], 0);
    let registered = found(&first);
    let mut second = catalog();
    second.pass(now, &[state(0..20, now), unread()], &registered, 0);
    assert_eq!(second.published.rows, first.published.rows);
    assert_eq!(second.published.kept, 10);
    second.pass(now, &[state(0..25, now)], &registered, 0);
    assert_eq!(second.published.rows.len(), 30, "rows of others have their time of grace");
    second.pass(now + GRACE, &[state(0..25, now)], &registered, 0);
    assert_eq!((second.published.rows.len(), second.published.released.len()), (25, 5));
}

#[test]
fn a_group_that_another_replica_gave_is_taken_over() {
    let (mut one, now) = (catalog(), Instant::now());
    one.pass(now, &[state(0..1, now)], &[], 0);
    let mut found = found(&one);
    let row = found[0].row.take().unwrap();
    found[0].row = Some(one.identity.row(row.target, Some(Group(7))));
    one.pass(now, &[state(0..1, now)], &found, 0);
    assert_eq!(one.published.rows[0].group, Some(Group(7)));
}

#[test]
fn the_order_of_sources_and_drafts_changes_nothing() {
    let now = Instant::now();
    let (mut one, mut two) = (catalog(), catalog());
    one.pass(now, &[state(0..10, now), state(10..40, now)], &[], 0);
    two.pass(now, &[state((10..40).rev(), now), state(0..10, now)], &[], 0);
    assert_eq!(one.published.rows, two.published.rows);
    assert!(one.pass(now + Duration::from_secs(1), &[state(0..40, now)], &[], 0).is_none());
}

#[test]
fn what_the_registry_has_deleted_is_forgotten() {
    let (mut catalog, now) = (catalog(), Instant::now());
    catalog.pass(now, &[state(0..30, now)], &[], 0);
    catalog.pass(now, &[state(1..30, now)], &[], 1);
    assert_eq!((catalog.published.generation, catalog.published.released.len()), (2, 1));
    catalog.pass(now, &[state(1..30, now)], &[], 1);
    assert_eq!(catalog.published.released.len(), 1, "generation 2 is not written yet");
    catalog.pass(now, &[state(1..30, now)], &[], 3);
    assert_eq!(catalog.published.released.len(), 0);
}

#[test]
fn who_has_lost_a_source_leaves_alone_what_only_another_replica_knows() {
    let (mut well, now) = (catalog(), Instant::now());
    well.pass(now, &[state(0..31, now)], &[], 0);
    let registered = found(&well);
    let mut lost = state(0..30, now);
    let mut ill = catalog();
    ill.pass(now, std::slice::from_ref(&lost), &[], 0);
    lost.1.unsynced = Some("no route".into());
    for later in [now, now + GRACE, now + APART * 2] {
        ill.pass(later, std::slice::from_ref(&lost), &registered, 0);
        assert_eq!((ill.published.released.len(), ill.published.kept), (0, 1));
        assert_eq!(ill.published.rows.len(), 31);
    }
    assert!(ill.published.kept_why.as_ref().unwrap().contains("no route"));
    let later = now + APART * 3;
    ill.pass(later, &[state(0..30, later)], &registered, 0);
    ill.pass(later + GRACE, &[state(0..30, later)], &registered, 0);
    assert_eq!(ill.published.released.len(), 1);
}
