//! What one object gives: the sample lines of each family, one family after the other.

use std::borrow::Cow;

use exporter_toolkit::labels::write_pair;
use exporter_toolkit::number::Value;
use exporter_toolkit::{LabelValue, LabelValues};

use crate::selection::unique_names;

/// The text of one object, in memory that is reused from object to object.
#[derive(Debug, Default)]
pub struct Rendered {
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The labels that every sample of the object carries.
    key: Vec<u8>,
}

impl Rendered {
    /// Forgets what the last object gave.
    pub fn restart(&mut self) {
        self.text.clear();
        self.ends.clear();
        self.key.clear();
    }

    /// Takes the labels off again that were put on every sample.
    pub fn restart_key(&mut self) {
        self.key.clear();
    }

    /// Puts a label on every sample that follows.
    pub fn key(&mut self, name: &str, value: &str) {
        if !self.key.is_empty() {
            self.key.push(b',');
        }
        write_pair(name, value, &mut self.key);
    }

    /// Ends a family: what was written since the last call is its text, which may be empty.
    pub fn end_family(&mut self) {
        self.ends.push(self.text.len());
    }

    /// The text of each family, in the order of the table.
    pub fn families(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Starts a sample: its name and the key; returns where its labels begin.
    fn open(&mut self, name: &str) -> usize {
        self.text.extend_from_slice(name.as_bytes());
        let start = self.text.len();
        self.text.push(b'{');
        self.text.extend_from_slice(&self.key);
        start
    }

    /// Appends one more label to the sample that is open since `start`.
    fn label(&mut self, start: usize, name: &str, value: &(impl LabelValue + ?Sized)) {
        self.comma(start);
        write_pair(name, value, &mut self.text);
    }

    fn comma(&mut self, start: usize) {
        if self.text.len() > start + 1 {
            self.text.push(b',');
        }
    }

    fn close(&mut self, start: usize, value: impl Value) {
        if self.text.len() == start + 1 {
            self.text.truncate(start);
        } else {
            self.text.push(b'}');
        }
        self.text.push(b' ');
        value.write(&mut self.text);
        self.text.push(b'\n');
    }
}

/// Takes the samples that an object gives to a family with `N` labels.
#[derive(Debug)]
pub struct Samples<'a, const N: usize> {
    out: &'a mut Rendered,
    name: &'static str,
    labels: &'a [&'static str; N],
}

impl<'a, const N: usize> Samples<'a, N> {
    pub(crate) fn new(
        out: &'a mut Rendered,
        name: &'static str,
        labels: &'a [&'static str; N],
    ) -> Self {
        Self { out, name, labels }
    }

    /// Writes one sample: `()`, a value, a tuple or an array for the labels, in the family's order.
    pub fn sample(&mut self, labels: impl LabelValues<N>, value: impl Value) {
        let start = self.out.open(self.name);
        if N > 0 {
            self.out.comma(start);
            labels.write(self.labels, &mut self.out.text);
        }
        self.out.close(start, value);
    }

    /// Writes one sample where there is a value: a missing value is a missing sample.
    pub fn maybe(&mut self, labels: impl LabelValues<N>, value: Option<impl Value>) {
        if let Some(value) = value {
            self.sample(labels, value);
        }
    }

    /// Writes one sample that carries only those labels that are there: for the few families whose samples differ.
    pub fn some(&mut self, labels: [Option<&str>; N], value: impl Value) {
        let start = self.out.open(self.name);
        for (name, label) in self.labels.iter().zip(labels) {
            if let Some(label) = label {
                self.out.label(start, name, label);
            }
        }
        self.out.close(start, value);
    }
}

/// Takes samples whose label names come from the object.
#[derive(Debug)]
pub struct OpenSamples<'a> {
    out: &'a mut Rendered,
    name: &'a str,
}

impl<'a> OpenSamples<'a> {
    pub fn new(out: &'a mut Rendered, name: &'a str) -> Self {
        Self { out, name }
    }

    /// Writes one sample; `labels` are legal names that do not repeat, nor repeat one of the key.
    pub fn sample<N: AsRef<str>, V: LabelValue>(
        &mut self,
        labels: impl IntoIterator<Item = (N, V)>,
        value: impl Value,
    ) {
        let start = self.out.open(self.name);
        for (name, label) in labels {
            self.out.label(start, name.as_ref(), &label);
        }
        self.out.close(start, value);
    }

    /// Writes a sample of value 1 with a label for each pair, its name made legal and unique after `prefix`.
    ///
    /// `pairs` are sorted by their keys, as Kubernetes' maps are when they are read.
    pub fn mapped<'m>(
        &mut self,
        prefix: &str,
        pairs: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) {
        self.mapped_after([], prefix, pairs);
    }

    /// Like [`Self::mapped`], after labels that the family always has.
    pub fn mapped_after<'m, const N: usize>(
        &mut self,
        fixed: [(&str, &str); N],
        prefix: &str,
        pairs: impl IntoIterator<Item = (&'m str, &'m str)>,
    ) {
        let (keys, values): (Vec<&str>, Vec<&str>) = pairs.into_iter().unzip();
        let names: Vec<Cow<'_, str>> = unique_names(prefix, &keys);
        let mapped = names.iter().map(Cow::as_ref).zip(values);
        self.sample(fixed.into_iter().chain(mapped), 1_u8);
    }
}
