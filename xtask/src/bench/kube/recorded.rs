//! What was recorded of kube-state-metrics 2.20, and the bars that were set for kube-state-rs by it.
//!
//! Recorded on two shared cores with a generated API server that spoke protobuf, `--resources=pods`, pods of 50 series and
//! 9.1 kB of text; of a range the end that is better for the peer. 2,000 and 5,000 pods were on the testbed's clusters.

/// Times are CPU seconds, sizes bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Peer {
    pub(super) pods: u64,
    pub(super) rss: Option<f64>,
    pub(super) start_peak: Option<f64>,
    pub(super) start: Option<f64>,
    pub(super) plain: Option<f64>,
    pub(super) plain_wall: Option<f64>,
    pub(super) gzip: Option<f64>,
    /// Share of a core under 500 changes a second.
    pub(super) churn: Option<f64>,
}

const NOTHING: Peer = Peer {
    pods: 0,
    rss: None,
    start_peak: None,
    start: None,
    plain: None,
    plain_wall: None,
    gzip: None,
    churn: None,
};

pub(super) const PEER: [Peer; 5] = [
    Peer { pods: 2_000, rss: Some(134e6), plain: Some(0.069), ..NOTHING },
    Peer { pods: 5_000, rss: Some(250e6), plain: Some(0.213), gzip: Some(0.521), ..NOTHING },
    Peer {
        pods: 10_000,
        rss: Some(346e6),
        start_peak: Some(361e6),
        start: Some(0.93),
        plain: Some(0.27),
        plain_wall: Some(0.52),
        gzip: Some(0.71),
        churn: Some(0.04),
    },
    Peer {
        pods: 50_000,
        rss: Some(1605e6),
        start_peak: Some(1567e6),
        start: Some(3.97),
        plain: Some(2.9),
        plain_wall: Some(3.9),
        ..NOTHING
    },
    // Its start was not recorded alone: twice that of half the pods. Gzip: its plain scrape and compressing the text.
    Peer {
        pods: 100_000,
        rss: Some(3408e6),
        start: Some(7.94),
        plain: Some(6.2),
        plain_wall: Some(8.5),
        gzip: Some(12.0),
        ..NOTHING
    },
];

/// What kube-state-rs shall not exceed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bar {
    pub(super) pods: u64,
    pub(super) rss: f64,
    pub(super) gzip: Option<f64>,
    pub(super) plain: f64,
    pub(super) restarts: Option<f64>,
    pub(super) replaced: Option<f64>,
}

pub(super) const BARS: [Bar; 3] = [
    Bar { pods: 2_000, rss: 20e6, gzip: None, plain: 0.008, restarts: None, replaced: None },
    Bar { pods: 5_000, rss: 30e6, gzip: Some(0.005), plain: 0.025, restarts: None, replaced: None },
    Bar {
        pods: 100_000,
        rss: 300e6,
        gzip: Some(0.05),
        plain: 1.0,
        restarts: Some(0.5),
        replaced: Some(2.5),
    },
];

/// Share of the peer's time until the first complete scrape.
pub(super) const START: f64 = 0.5;
/// Of the peak at the start to the steady state.
pub(super) const PEAK: f64 = 1.3;
/// Share of a core under 500 changes a second.
pub(super) const CHURN: f64 = 0.03;

/// Of clusters of this size, give or take a tenth.
pub(super) fn of<T: Copy>(all: &[T], pods: u64, size: impl Fn(&T) -> u64) -> Option<T> {
    all.iter().find(|one| size(one).abs_diff(pods) * 10 <= pods).copied()
}
