//! Rules that many resources share.

use crate::object::{Object, Time};
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
