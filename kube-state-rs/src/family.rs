//! What a resource's table is made of: families whose rules say what an object gives.

use exporter_toolkit::family::{CounterMark, GaugeMark, TypeMark};
use exporter_toolkit::name::{assert_help, assert_label_name, assert_metric_name, ends_with};
use exporter_toolkit::{Format, Kind};

use crate::object::Object;
use crate::rendered::{OpenSamples, Rendered, Samples};
use crate::selection::Selection;

/// How long a family may be relied on, as the peer promises it; a stable one says so in its HELP text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stability {
    Alpha,
    Stable,
}

/// When a family is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Given {
    /// Unless it is filtered out.
    Always,
    /// Where `--metric-opt-in-list` names it.
    OptIn,
    /// With `--compat=v1.4`: families that version 2 of the peer dropped.
    Compat,
}

/// What is known of a family before there is an object.
#[derive(Clone, Copy, Debug)]
pub struct About {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    /// The labels after those of the resource's key; of a family whose labels vary, all that a sample can carry.
    pub labels: &'static [&'static str],
    pub stability: Stability,
    pub given: Given,
    /// The peer's version that deprecated it.
    pub deprecated: Option<&'static str>,
    /// The label of the object's name, where it is another than the key's.
    pub name_label: Option<&'static str>,
}

/// A gauge with `N` labels after those of the key.
pub type Gauge<O, const N: usize> = Family<O, GaugeMark, N>;
/// A counter; its name ends in `_total`.
pub type Counter<O, const N: usize> = Family<O, CounterMark, N>;

/// A family and the rule that says what an object of the resource gives.
pub struct Family<O: 'static, K, const N: usize> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    traits: Traits,
    rule: fn(&O, &mut Samples<'_, N>),
    mark: std::marker::PhantomData<fn() -> K>,
}

#[derive(Clone, Copy)]
struct Traits {
    stability: Stability,
    given: Given,
    deprecated: Option<&'static str>,
    name_label: Option<&'static str>,
}

impl Traits {
    const PLAIN: Self = Self {
        stability: Stability::Alpha,
        given: Given::Always,
        deprecated: None,
        name_label: None,
    };
}

impl<O, K: TypeMark, const N: usize> Family<O, K, N> {
    /// Checks the names and the help text when it is compiled, where it stands in a `static`.
    pub const fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        rule: fn(&O, &mut Samples<'_, N>),
    ) -> Self {
        assert_metric_name(name);
        assert_help(help);
        let counter = matches!(K::KIND, Kind::Counter);
        assert!(
            ends_with(name, "_total") == counter,
            "a counter, and nothing else, ends in _total"
        );
        let mut i = 0;
        while i < N {
            assert_label_name(labels[i]);
            i += 1;
        }
        let mark = std::marker::PhantomData;
        Self { name, help, labels, traits: Traits::PLAIN, rule, mark }
    }
}

/// A family whose label names come from the object: its labels, its annotations, its node selector.
pub struct Open<O: 'static> {
    name: &'static str,
    help: &'static str,
    traits: Traits,
    rule: fn(&O, &Selection, &mut OpenSamples<'_>),
}

impl<O: Object> Open<O> {
    /// `rule` writes samples with any labels.
    pub const fn new(
        name: &'static str,
        help: &'static str,
        rule: fn(&O, &Selection, &mut OpenSamples<'_>),
    ) -> Self {
        assert_metric_name(name);
        assert_help(help);
        Self { name, help, traits: Traits::PLAIN, rule }
    }

    /// `kube_*_labels`: those labels of the object that `--metric-labels-allowlist` names, as `label_*`.
    pub const fn labels(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, |object, selection, out| {
            if let Some(chosen) = &selection.labels {
                out.mapped("label_", chosen.of(&object.meta().labels));
            }
        })
    }

    /// `kube_*_annotations`: those annotations that `--metric-annotations-allowlist` names, as `annotation_*`.
    pub const fn annotations(name: &'static str, help: &'static str) -> Self {
        Self::new(name, help, |object, selection, out| {
            if let Some(chosen) = &selection.annotations {
                out.mapped("annotation_", chosen.of(&object.meta().annotations));
            }
        })
    }
}

macro_rules! marks {
    () => {
        /// Marks it as one that the peer promises to keep.
        #[must_use]
        pub const fn stable(mut self) -> Self {
            self.traits.stability = Stability::Stable;
            self
        }

        /// Given only where `--metric-opt-in-list` names it.
        #[must_use]
        pub const fn opt_in(mut self) -> Self {
            self.traits.given = Given::OptIn;
            self
        }

        /// Given only with `--compat=v1.4`.
        #[must_use]
        pub const fn compat(mut self) -> Self {
            self.traits.given = Given::Compat;
            self
        }

        /// Deprecated since this version of the peer (`v2.14.0`).
        #[must_use]
        pub const fn deprecated(mut self, since: &'static str) -> Self {
            self.traits.deprecated = Some(since);
            self
        }

        /// Puts the object's name under another label than the resource's key does.
        #[must_use]
        pub const fn named(mut self, label: &'static str) -> Self {
            assert_label_name(label);
            self.traits.name_label = Some(label);
            self
        }
    };
}

impl<O, K, const N: usize> Family<O, K, N> {
    marks!();
}

impl<O> Open<O> {
    marks!();
}

/// A family of the resource whose objects are `O`, whatever its type and labels.
pub trait AnyFamily<O>: Sync {
    fn about(&'static self) -> About;

    /// See [`About::name_label`].
    fn name_label(&self) -> Option<&'static str>;

    /// Appends what `object` gives.
    fn render(&self, object: &O, selection: &Selection, out: &mut Rendered);
}

impl<O, K: TypeMark, const N: usize> AnyFamily<O> for Family<O, K, N> {
    fn about(&'static self) -> About {
        let Traits { stability, given, deprecated, name_label } = self.traits;
        let (name, help, labels) = (self.name, self.help, &self.labels);
        About { name, help, kind: K::KIND, labels, stability, given, deprecated, name_label }
    }

    fn name_label(&self) -> Option<&'static str> {
        self.traits.name_label
    }

    fn render(&self, object: &O, _selection: &Selection, out: &mut Rendered) {
        (self.rule)(object, &mut Samples::new(out, self.name, &self.labels));
    }
}

impl<O> AnyFamily<O> for Open<O> {
    fn about(&'static self) -> About {
        let Traits { stability, given, deprecated, name_label } = self.traits;
        let (name, help, kind) = (self.name, self.help, Kind::Gauge);
        About { name, help, kind, labels: &[], stability, given, deprecated, name_label }
    }

    fn name_label(&self) -> Option<&'static str> {
        self.traits.name_label
    }

    fn render(&self, object: &O, selection: &Selection, out: &mut Rendered) {
        (self.rule)(object, selection, &mut OpenSamples::new(out, self.name));
    }
}

/// The type that a family's TYPE line gives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Type {
    Counter,
    Gauge,
    /// `OpenMetrics` only: a gauge in the text format.
    Info,
    /// `OpenMetrics` only: a gauge in the text format.
    StateSet,
}

/// A family's HELP and TYPE, of a built-in resource or a custom one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Header {
    pub name: String,
    /// Not escaped.
    pub help: String,
    pub kind: Type,
}

impl Header {
    /// The header lines in `format`, where a counter is named as it wants it.
    pub fn text(&self, format: Format) -> Vec<u8> {
        let open_metrics = format == Format::OpenMetrics;
        let stem = match self.kind {
            Type::Counter if open_metrics => self.name.strip_suffix("_total"),
            Type::Info if open_metrics => self.name.strip_suffix("_info"),
            _ => None,
        };
        let word = match self.kind {
            Type::Counter if open_metrics && stem.is_none() => "unknown",
            Type::Counter => "counter",
            Type::Info if open_metrics && stem.is_some() => "info",
            Type::StateSet if open_metrics => "stateset",
            Type::Gauge | Type::Info | Type::StateSet => "gauge",
        };
        let name = stem.unwrap_or(&self.name);
        let mut help = self.help.replace('\\', r"\\").replace('\n', r"\n");
        if open_metrics {
            help = help.replace('"', "\\\"");
        }
        format!("# HELP {name} {help}\n# TYPE {name} {word}\n").into_bytes()
    }
}

impl From<About> for Header {
    fn from(about: About) -> Self {
        let stable = if about.stability == Stability::Stable { "[STABLE] " } else { "" };
        let deprecated = about
            .deprecated
            .map_or_else(String::new, |since| format!("(Deprecated since {since}) "));
        let kind = if about.kind == Kind::Counter { Type::Counter } else { Type::Gauge };
        Self {
            name: about.name.to_owned(),
            help: format!("{stable}{deprecated}{}", about.help),
            kind,
        }
    }
}
