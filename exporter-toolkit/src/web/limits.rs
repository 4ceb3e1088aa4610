//! How much at once and how often: scrapes in flight, their deadline, requests per time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::HeaderMap;

use super::stats::Stats;

/// No client's timeout makes a scrape take longer than this.
const LONGEST_SCRAPE: Duration = Duration::from_mins(5);
const TIMEOUT_HEADER: &str = "x-prometheus-scrape-timeout-seconds";

/// Admits scrapes up to a number.
#[derive(Debug)]
pub(crate) struct Gate {
    limit: u32,
    stats: Arc<Stats>,
}

impl Gate {
    /// A `limit` of 0 is none.
    pub(crate) fn new(limit: u32, stats: Arc<Stats>) -> Self {
        Self { limit, stats }
    }

    /// A place, until the answer is sent; `None` where all are taken.
    pub(crate) fn enter(&self) -> Option<Place> {
        let now = self.stats.in_flight.up();
        let place = Place(Arc::clone(&self.stats));
        (self.limit == 0 || now <= u64::from(self.limit)).then_some(place)
    }

    pub(crate) fn limit(&self) -> u32 {
        self.limit
    }
}

/// A scrape in flight.
#[derive(Debug)]
pub(crate) struct Place(Arc<Stats>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.in_flight.down();
    }
}

/// How long the client waits, from `X-Prometheus-Scrape-Timeout-Seconds`; `default` where it does not say.
pub(crate) fn scrape_timeout(headers: &HeaderMap, default: Duration) -> Duration {
    let header = headers.get(TIMEOUT_HEADER).and_then(|value| value.to_str().ok());
    let seconds = header.and_then(|text| text.trim().parse::<f64>().ok());
    let timeout = seconds.filter(|seconds| *seconds > 0.0).map(|seconds| {
        Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST_SCRAPE).min(LONGEST_SCRAPE)
    });
    timeout.unwrap_or(default)
}

/// What of the timeout is left to the scrape: the answer's way back gets 5 %, at least 50 ms, at most 500 ms, and never
/// more than half.
pub(crate) fn budget(timeout: Duration) -> Duration {
    let margin = (timeout / 20).clamp(Duration::from_millis(50), Duration::from_millis(500));
    timeout.saturating_sub(margin.min(timeout / 2))
}

/// A token bucket: one request per `interval`, and `burst` at once after a quiet time.
#[derive(Debug)]
pub(crate) struct Rate {
    interval: Duration,
    burst: u32,
    state: Mutex<Bucket>,
}

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl Rate {
    pub(crate) fn new(interval: Duration, burst: u32, now: Instant) -> Self {
        let state = Mutex::new(Bucket { tokens: f64::from(burst), at: now });
        Self { interval, burst, state }
    }

    /// Whether both keep the same pace, so that a reload need not refill the bucket.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        (self.interval, self.burst) == (other.interval, other.burst)
    }

    pub(crate) fn allows(&self, now: Instant) -> bool {
        let mut bucket = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        let earned = passed / self.interval.as_secs_f64();
        bucket.tokens = (bucket.tokens + earned).min(f64::from(self.burst));
        bucket.at = now;
        let allowed = bucket.tokens >= 1.0;
        if allowed {
            bucket.tokens -= 1.0;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timeout(header: &'static str) -> Duration {
        let mut headers = HeaderMap::new();
        headers.insert(TIMEOUT_HEADER, header.parse().unwrap());
        scrape_timeout(&headers, Duration::from_secs(7))
    }

    #[test]
    fn the_scrapers_timeout_is_read_and_bounded() {
        assert_eq!(timeout("10"), Duration::from_secs(10));
        assert_eq!(timeout("0.5"), Duration::from_millis(500));
        assert_eq!(timeout("1e300"), LONGEST_SCRAPE);
        for odd in ["", "0", "-3", "NaN", "ten"] {
            assert_eq!(timeout(odd), Duration::from_secs(7), "{odd}");
        }
    }

    #[test]
    fn the_way_back_gets_its_margin() {
        for (timeout, budget_ms) in
            [(10_000, 9_500), (60_000, 59_500), (2_000, 1_900), (500, 450), (60, 30)]
        {
            let budget = budget(Duration::from_millis(timeout));
            assert_eq!(budget, Duration::from_millis(budget_ms), "{timeout}");
        }
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_one_per_interval() {
        let start = Instant::now();
        let rate = Rate::new(Duration::from_secs(1), 2, start);
        let at = |milliseconds| rate.allows(start + Duration::from_millis(milliseconds));
        assert_eq!(
            [at(0), at(0), at(0), at(500), at(1100), at(1100)],
            [true, true, false, false, true, false]
        );
        assert_eq!([at(60_000), at(60_000), at(60_000)], [true, true, false]);
    }

    #[test]
    fn the_gate_counts_places_until_they_are_left() {
        let gate = Gate::new(1, Arc::default());
        let first = gate.enter().unwrap();
        assert!(gate.enter().is_none());
        drop(first);
        assert!(gate.enter().is_some());
    }
}
