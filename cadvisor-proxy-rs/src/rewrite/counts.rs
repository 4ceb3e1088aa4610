//! What became of series, counted.

use std::fmt;

/// What became of one body, or of all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Series that came.
    pub series: u64,
    pub dropped_profile: u64,
    pub dropped_rules: u64,
    pub dropped_noise: u64,
    /// Lines that are no sample and no comment.
    pub malformed: u64,
    /// Lines beyond the limit.
    pub too_long: u64,
    /// Series that went out with an identity.
    pub labelled: u64,
    /// Series of containers or pods that nobody knows.
    pub unknown: u64,
    /// Series whose lost labels were filled in.
    pub repaired: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { series, labelled, repaired, unknown, .. } = self;
        let Self { dropped_profile, dropped_rules, dropped_noise, malformed, too_long, .. } = self;
        write!(
            f,
            "{series} series in; dropped: {dropped_profile} by the profile, {dropped_rules} by rules, "
        )?;
        write!(f, "{dropped_noise} as noise, {malformed} unreadable, {too_long} too long; ")?;
        write!(f, "{labelled} labelled, {repaired} repaired, {unknown} of nobody known; ")?;
        write!(f, "{} bytes in, {} out", self.bytes_in, self.bytes_out)
    }
}

impl Counts {
    /// Adds another body's.
    pub fn add(&mut self, other: &Self) {
        self.bytes_in += other.bytes_in;
        self.bytes_out += other.bytes_out;
        self.series += other.series;
        self.dropped_profile += other.dropped_profile;
        self.dropped_rules += other.dropped_rules;
        self.dropped_noise += other.dropped_noise;
        self.malformed += other.malformed;
        self.too_long += other.too_long;
        self.labelled += other.labelled;
        self.unknown += other.unknown;
        self.repaired += other.repaired;
    }
}
