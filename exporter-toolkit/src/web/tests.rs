//! The whole server on real sockets, with clients written by hand.

mod agent;
mod client;
mod endurance;
mod handover;
mod process;
mod scraping;
mod security;
mod tls;
