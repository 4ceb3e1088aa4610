//! What the server counts about itself, for the agent's own telemetry to read.

use std::sync::atomic::{AtomicU64, Ordering};

/// Status codes that scrapes are counted by; any other is counted as the last one.
pub const CODES: [u16; 10] = [200, 304, 400, 401, 404, 405, 429, 500, 502, 503];

/// One count, which only grows.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    pub fn one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are at the moment.
#[derive(Debug, Default)]
pub struct Level(AtomicU64);

impl Level {
    /// Adds one and answers how many there are now.
    pub fn up(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed).saturating_add(1)
    }

    pub fn down(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of one server. Readers need no lock; values of one moment may differ by a request in flight.
#[derive(Debug, Default)]
pub struct Stats {
    scrapes: [Count; CODES.len()],
    /// Scrapes being answered, `promhttp_metric_handler_requests_in_flight`.
    pub in_flight: Level,
    /// `promhttp_metric_handler_errors_total{cause="gathering"}`: the source failed, panicked or was late.
    pub gathering_errors: Count,
    /// `promhttp_metric_handler_errors_total{cause="encoding"}`: the answer could not be compressed.
    pub encoding_errors: Count,
    /// Connections open at the moment.
    pub connections: Level,
    /// Connections accepted since the start.
    pub accepted: Count,
    /// Failures of `accept`, such as too many open files.
    pub accept_errors: Count,
    /// Connections cut because the peer was too slow to ask or to read.
    pub timeouts: Count,
    /// Idle connections closed to make room for a new one at the connection limit.
    pub evicted: Count,
    /// TLS handshakes that failed or took too long.
    pub handshake_errors: Count,
    /// Requests refused with 401.
    pub unauthorized: Count,
    /// Requests refused with 429.
    pub rate_limited: Count,
    /// Re-reads of `--web.config.file` after a change that took effect.
    pub reloads: Count,
    /// Re-reads of `--web.config.file` that failed, so the old configuration stayed.
    pub reload_errors: Count,
}

impl Stats {
    /// Counts one answer on a metrics path.
    pub(crate) fn scraped(&self, code: u16) {
        let at = CODES.iter().position(|known| *known == code).unwrap_or(CODES.len() - 1);
        if let Some(count) = self.scrapes.get(at) {
            count.one();
        }
    }

    /// Answers on the metrics paths by status code, `promhttp_metric_handler_requests_total`: 200, 500 and 503 always,
    /// the others once they happened.
    pub fn scrapes(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let counts = CODES.iter().zip(&self.scrapes).map(|(code, count)| (*code, count.get()));
        counts.filter(|(code, count)| *count > 0 || matches!(code, 200 | 500 | 503))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_codes_of_promhttp_are_there_before_the_first_scrape() {
        let stats = Stats::default();
        stats.scraped(400);
        let all: Vec<_> = stats.scrapes().collect();
        assert_eq!(all, [(200, 0), (400, 1), (500, 0), (503, 0)]);
    }

    #[test]
    fn an_unusual_code_is_counted_with_503() {
        let stats = Stats::default();
        stats.scraped(418);
        assert!(stats.scrapes().any(|pair| pair == (503, 1)));
    }
}
