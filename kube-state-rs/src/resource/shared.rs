//! Rules that many resources share.

use crate::object::{Condition, Object, Time};
use crate::rendered::Samples;

/// `metadata.creationTimestamp`, in seconds since 1970.
pub(super) fn created<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.maybe((), object.meta().creation_timestamp.map(Time::seconds));
}

/// `metadata.deletionTimestamp`, in seconds since 1970.
pub(super) fn deletion<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.maybe((), object.meta().deletion_timestamp.map(Time::seconds));
}

/// A boolean as a label: empty where the object does not say.
pub(super) fn truth(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

/// The three samples of each condition, labelled with its type and the status.
pub(super) fn conditions(conditions: &[Condition], out: &mut Samples<'_, 2>) {
    for condition in conditions {
        for (status, is) in condition.states() {
            out.sample((&condition.kind, status), is);
        }
    }
}

/// A sample for each of `all`, 1 for the current one; none where there is no current one.
pub(super) fn one_of(all: &[&str], current: &str, out: &mut Samples<'_, 1>) {
    for &one in all.iter().filter(|_| !current.is_empty()) {
        out.sample(one, one == current);
    }
}
