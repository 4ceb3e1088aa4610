//! The units of `images/systemd`, started by a real systemd. `e2e/run` starts these tests, as root.
#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "support of tests: what fails is to be seen, and what is read is the test's own"
)]

mod machine;
mod sandbox;
mod units;
