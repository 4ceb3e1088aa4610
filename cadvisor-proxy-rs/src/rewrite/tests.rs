//! Bodies in, bodies out.

mod bodies;
mod lines;
