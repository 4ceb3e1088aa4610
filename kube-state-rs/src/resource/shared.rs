//! Rules that many resources share.

use serde::Deserialize;

use crate::object::{Condition, Meta, Object, Time, objects};
use crate::rendered::Samples;

/// An object of which only the metadata is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bare {
    metadata: Meta,
}

objects!(Bare);

/// `metadata.creationTimestamp`, in seconds since 1970.
pub(super) fn created<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.maybe((), object.meta().creation_timestamp.map(Time::seconds));
}

/// `metadata.deletionTimestamp`, in seconds since 1970.
pub(super) fn deletion<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.maybe((), object.meta().deletion_timestamp.map(Time::seconds));
}

/// `metadata.resourceVersion` where it is a number.
pub(super) fn resource_version<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.maybe((), object.meta().version_number());
}

/// 1 because there is such an object: all that is known is in the key.
pub(super) fn exists<O: Object>(_object: &O, out: &mut Samples<'_, 0>) {
    out.sample((), 1_u8);
}

/// A boolean as a label: empty where the object does not say.
pub(super) fn truth(value: Option<bool>) -> &'static str {
    match value {
        Some(true) => "true",
        Some(false) => "false",
        None => "",
    }
}

/// `metadata.generation`, which the API leaves out where it is 0.
pub(super) fn generation<O: Object>(object: &O, out: &mut Samples<'_, 0>) {
    out.sample((), object.meta().generation.unwrap_or(0));
}

/// A row for each owner with its kind, its name and whether it controls; one with empty labels where there is no owner.
pub(super) fn owners<O: Object>(object: &O, out: &mut Samples<'_, 3>) {
    let owners = &object.meta().owner_references;
    if owners.is_empty() {
        out.sample(("", "", ""), 1_u8);
    }
    for owner in owners {
        let controls = if owner.controller == Some(true) { "true" } else { "false" };
        out.sample((&owner.kind, &owner.name, controls), 1_u8);
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
