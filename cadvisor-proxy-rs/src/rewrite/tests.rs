//! Bodies in, bodies out.

mod again;
mod bodies;
mod counts;
mod lines;

pub(super) use bodies::options;
