//! What the agents know of a Kubernetes API server: how to reach it, what it serves, and informers on it.
//!
//! ```no_run
//! # use kube_informer::{Access, Cluster, Gvr, Handler, Informer, Object, Problem, Resource, Selection};
//! struct Names;
//!
//! impl Handler for Names {
//!     async fn begin(&mut self, resource: &Resource) {
//!         tracing::info!(version = resource.gvr.version.as_ref(), "listing");
//!     }
//!     async fn apply(&mut self, object: Object<'_>) -> Result<(), Problem> {
//!         tracing::info!(name = object.name, bytes = object.raw.len(), "is there");
//!         Ok(())
//!     }
//!     async fn delete(&mut self, object: Object<'_>) -> Result<(), Problem> {
//!         tracing::info!(name = object.name, "is gone");
//!         Ok(())
//!     }
//!     async fn listed(&mut self) {}
//! }
//!
//! # async fn example() -> Result<(), kube_informer::ConnectError> {
//! let access = Access { user_agent: "example/1".to_owned(), ..Access::default() };
//! let cluster = Cluster::new(access.connect().await?);
//! let cronjobs = [Gvr::new("batch", "v1", "cronjobs"), Gvr::new("batch", "v1beta1", "cronjobs")];
//! let informer = Informer::new(&cluster, Selection::of(cronjobs));
//! informer.run(&mut Names).await;
//! # Ok(())
//! # }
//! ```
//!
//! A task is as many futures as its caller makes: nothing here outlives the future that [`Informer::run`] returns,
//! apart from connections that the client keeps for the next request.

mod client;
mod discovery;
mod informer;
mod json;
mod resource;

pub use client::{Access, Client, ConnectError, RequestError};
pub use discovery::{Catalog, Discovery, DiscoveryError, Version};
pub use informer::{
    Broken, Cluster, Counts, Handler, Informer, Lists, Moment, Object, Outcomes, Patience, Problem,
    Selection, Status, Tally, View,
};
pub use resource::{Gvr, Pattern, Resource};
