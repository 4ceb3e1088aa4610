//! Metric families as constants: their names, help texts and label names are checked when they are compiled.
//!
//! ```
//! use exporter_toolkit::{Counter, Exposition, Format};
//!
//! static DROPPED: Counter<1> =
//!     Counter::new("demo_dropped_total", "Packets that were thrown away.", ["device"]);
//!
//! let mut out = Exposition::new(Format::Text);
//! out.family(&DROPPED).sample("eth0", 3_u64);
//! assert!(out.text().ends_with(b"demo_dropped_total{device=\"eth0\"} 3\n"));
//! ```
//!
//! A counter whose name lacks `_total` does not compile:
//! ```compile_fail
//! use exporter_toolkit::Counter;
//! static FORKS: Counter<0> = Counter::new("node_forks", "Forks since boot.", []);
//! ```
//! Nor does a sample with the wrong number of labels:
//! ```compile_fail
//! use exporter_toolkit::{Exposition, Format, Gauge};
//! static LOAD: Gauge<1> = Gauge::new("demo_load", "Load.", ["window"]);
//! Exposition::new(Format::Text).family(&LOAD).sample(("a", "b"), 1_u8);
//! ```

use std::marker::PhantomData;

use crate::name;

/// The type that a family declares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    Untyped,
    Summary,
    Histogram,
}

impl Kind {
    /// The word in a `# TYPE` line of the text format 0.0.4.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
            Self::Summary => "summary",
            Self::Histogram => "histogram",
        }
    }

    /// The word in a `# TYPE` line of `OpenMetrics` 1.0.
    pub const fn open_metrics_word(self) -> &'static str {
        match self {
            Self::Untyped => "unknown",
            other => other.word(),
        }
    }
}

/// Marks a family's type in its Rust type.
pub trait TypeMark {
    const KIND: Kind;
}

/// See [`Counter`].
#[derive(Debug)]
pub struct CounterMark;
/// See [`Gauge`].
#[derive(Debug)]
pub struct GaugeMark;
/// See [`Untyped`].
#[derive(Debug)]
pub struct UntypedMark;

impl TypeMark for CounterMark {
    const KIND: Kind = Kind::Counter;
}
impl TypeMark for GaugeMark {
    const KIND: Kind = Kind::Gauge;
}
impl TypeMark for UntypedMark {
    const KIND: Kind = Kind::Untyped;
}

/// A family that only grows; its name ends in `_total`.
pub type Counter<const N: usize> = Family<CounterMark, N>;
/// A family that goes up and down.
pub type Gauge<const N: usize> = Family<GaugeMark, N>;
/// A family whose type is not known; names end as they like.
pub type Untyped<const N: usize> = Family<UntypedMark, N>;

/// A metric family with `N` labels.
#[derive(Debug)]
pub struct Family<K, const N: usize> {
    pub(crate) name: &'static str,
    pub(crate) help: &'static str,
    pub(crate) labels: [&'static str; N],
    mark: PhantomData<fn() -> K>,
}

impl<K: TypeMark, const N: usize> Family<K, N> {
    /// Checks the names and the help text; in a `static` that happens when it is compiled.
    pub const fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        match K::KIND {
            Kind::Counter => {
                assert!(name::ends_with(name, "_total"), "a counter's name ends in _total");
            }
            Kind::Gauge => {
                assert!(!name::ends_with(name, "_total"), "only a counter's name ends in _total");
            }
            _ => {}
        }
        Self::as_the_peer_names_it(name, help, labels)
    }

    /// As [`Family::new`], without the rule about `_total`: for the few families that a peer names against it.
    pub const fn as_the_peer_names_it(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
    ) -> Self {
        name::assert_metric_name(name);
        name::assert_help(help);
        let mut i = 0;
        while i < N {
            name::assert_label_name(labels[i]);
            i += 1;
        }
        Self { name, help, labels, mark: PhantomData }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }
}

/// What documents and tests ask of any family, whatever its type and number of labels.
pub trait Described: Sync {
    fn name(&self) -> &'static str;
    fn help(&self) -> &'static str;
    fn kind(&self) -> Kind;
    fn labels(&self) -> &[&'static str];
}

impl<K: TypeMark, const N: usize> Described for Family<K, N> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn help(&self) -> &'static str {
        self.help
    }

    fn kind(&self) -> Kind {
        K::KIND
    }

    fn labels(&self) -> &[&'static str] {
        &self.labels
    }
}
