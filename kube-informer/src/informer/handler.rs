//! What an informer tells, and to whom.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use crate::Resource;

/// One object as the API server sent it; nothing of it is kept after the call.
#[derive(Clone, Copy, Debug)]
pub struct Object<'a> {
    /// The JSON text of the whole object. Items of a list may lack `kind` and `apiVersion`; where
    /// [`View::Table`](crate::View::Table) or [`View::Metadata`](crate::View::Metadata) was asked for, most of the
    /// object is missing.
    pub raw: &'a str,
    /// Empty for an object of the whole cluster.
    pub namespace: &'a str,
    pub name: &'a str,
    /// Empty where an aggregated API gives none.
    pub uid: &'a str,
    /// Opaque: compare for equality only.
    pub resource_version: &'a str,
}

/// What follows one resource.
///
/// Between `begin` and `listed` the objects of one whole list come as `apply`; what the handler knew before and what
/// does not come is gone, but only at `listed`: until then the old set is the best there is. A list that fails on its
/// way is followed by another `begin`. After `listed` come changes. The informer waits for each future, so a slow
/// handler slows the API server's stream and holds one object at most.
pub trait Handler: Send {
    /// A new list starts: the API server has begun to answer. `resource` is the version that was chosen; it can differ from the last list's after an upgrade
    /// of the cluster.
    fn begin(&mut self, resource: &Resource) -> impl Future<Output = ()> + Send;

    /// The object is there, in this form. An error is counted, logged, and given to `broken`; the rest goes on.
    fn apply(&mut self, object: Object<'_>) -> impl Future<Output = Result<(), Problem>> + Send;

    /// The object is gone; this is how it was last.
    fn delete(&mut self, object: Object<'_>) -> impl Future<Output = Result<(), Problem>> + Send;

    /// The list that `begin` announced is complete.
    fn listed(&mut self) -> impl Future<Output = ()> + Send;

    /// An object that could not be read. It exists, in a form that nobody here understands.
    fn broken(&mut self, object: &Broken<'_>) {
        let _: &Broken<'_> = object;
    }

    /// Told when it changes, and at each further failure.
    fn status(&mut self, status: &Status) {
        let _: &Status = status;
    }
}

/// What is wrong with one object, in a few words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Problem(pub String);

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// An object that could not be read, as far as it is known which one.
#[derive(Clone, Debug)]
pub struct Broken<'a> {
    pub namespace: Option<&'a str>,
    pub name: Option<&'a str>,
    pub problem: &'a Problem,
}

/// How an informer stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Status {
    /// Listed, and a watch is open.
    Following,
    /// The API server serves none of the candidates; discovery is asked again after `retry_in`. For a resource that was
    /// served before, discovery has said so twice: its objects are gone with it.
    NotServed { retry_in: Duration },
    /// RBAC lacks the verb `list` or `watch`; what was listed before gets old.
    Forbidden { message: String, retry_in: Duration },
    /// Anything else; what was listed before gets old.
    Failing { error: String, retry_in: Duration },
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Following => f.write_str("following"),
            Self::NotServed { .. } => f.write_str("not served by this API server"),
            Self::Forbidden { message, .. } => write!(f, "forbidden: {message}"),
            Self::Failing { error, .. } => write!(f, "failing: {error}"),
        }
    }
}
