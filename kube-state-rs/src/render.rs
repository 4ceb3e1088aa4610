//! `kube-state-rs render`: the metrics of the objects in files, without a cluster.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write, stdin};
use std::path::{Path, PathBuf};

use clap::Args;
use exporter_toolkit::{Format, yaml};
use serde_json::Value;

use crate::options::{MetricOptions, ObjectOptions};
use crate::rendered::Rendered;
use crate::resource::{AnyResource, BuiltIn, Renderer};

/// A file of objects may be this long.
const LIMIT: u64 = 1 << 30;

/// `kube-state-rs render`.
#[derive(Args, Clone, Debug)]
pub struct RenderOptions {
    /// File with objects as kubectl prints them, YAML or JSON, lists and several documents too; '-' is the standard
    /// input, which is also read without this flag.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub objects: ObjectOptions,
    #[command(flatten)]
    pub metrics: MetricOptions,
}

/// Why a file cannot be rendered.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    #[error("cannot read '{}': {source}", file.display())]
    Read { file: PathBuf, source: std::io::Error },
    #[error("'{}' is neither YAML nor JSON: {problem}", file.display())]
    Parse { file: PathBuf, problem: String },
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
}

/// How many objects were rendered, and what is wrong with the others.
#[derive(Debug, Default)]
pub struct Report {
    pub rendered: usize,
    /// A sentence for each object that was left out.
    pub left_out: Vec<String>,
}

/// Writes the families of all objects in `files`, each family once.
pub fn render(
    files: &[PathBuf],
    built_ins: &[BuiltIn],
    out: &mut impl Write,
) -> Result<Report, RenderError> {
    let mut sheet = Sheet::new(built_ins);
    let standard_input = [PathBuf::from("-")];
    let files = if files.is_empty() { &standard_input } else { files };
    for file in files {
        for document in documents(file)? {
            sheet.take(file, document);
        }
    }
    sheet.write(out)?;
    Ok(sheet.report)
}

fn documents(file: &Path) -> Result<Vec<Value>, RenderError> {
    let text = read(file).map_err(|source| RenderError::Read { file: file.to_owned(), source })?;
    let parse = |problem| RenderError::Parse { file: file.to_owned(), problem };
    if text.trim_start().starts_with(['{', '[']) {
        let values = serde_json::Deserializer::from_str(&text).into_iter::<Value>();
        return values.collect::<Result<_, _>>().map_err(|error| parse(error.to_string()));
    }
    yaml::documents(&text).map_err(|problem| parse(problem.to_string()))
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    if file.as_os_str() == "-" {
        stdin().lock().take(LIMIT).read_to_end(&mut bytes)?;
    } else {
        File::open(file)?.take(LIMIT).read_to_end(&mut bytes)?;
    }
    // A byte that is no UTF-8 costs a letter, not the file.
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// The text of each family while objects are taken.
struct Sheet<'a> {
    built_ins: BTreeMap<&'static str, (&'a BuiltIn, Vec<Vec<u8>>)>,
    scratch: Rendered,
    report: Report,
}

impl<'a> Sheet<'a> {
    fn new(built_ins: &'a [BuiltIn]) -> Self {
        let places = built_ins.iter().map(|built_in| {
            let texts = vec![Vec::new(); built_in.families().len()];
            (built_in.resource.plural(), (built_in, texts))
        });
        Self {
            built_ins: places.collect(),
            scratch: Rendered::default(),
            report: Report::default(),
        }
    }

    /// Takes an object, or all of a list.
    fn take(&mut self, file: &Path, mut document: Value) {
        if document.is_null() {
            return;
        }
        let list =
            document.get("kind").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("List"));
        if list && let Some(Value::Array(items)) = document.get_mut("items").map(Value::take) {
            let of = |name: &str| document.get(name).and_then(Value::as_str).unwrap_or_default();
            let kind = of("kind").trim_end_matches("List").to_owned();
            let version = of("apiVersion").to_owned();
            for mut item in items {
                inherit(&mut item, "kind", &kind);
                inherit(&mut item, "apiVersion", &version);
                self.take(file, item);
            }
            return;
        }
        if let Err(problem) = self.object(&document) {
            let text = |pointer| document.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
            self.report.left_out.push(format!(
                "{}: {} '{}' is left out: {problem}",
                file.display(),
                text("/kind"),
                text("/metadata/name"),
            ));
        }
    }

    fn object(&mut self, document: &Value) -> Result<(), String> {
        let kind = document.get("kind").and_then(Value::as_str).ok_or("it has no kind")?;
        let version = document.get("apiVersion").and_then(Value::as_str).unwrap_or_default();
        let resource = by_kind(kind, version).ok_or("no resource of this kind is known")?;
        let Some((built_in, texts)) = self.built_ins.get_mut(resource.plural()) else {
            return Ok(());
        };
        let json = serde_json::to_vec(document).map_err(|error| error.to_string())?;
        built_in.render(&json, &mut self.scratch).map_err(|error| error.to_string())?;
        for (place, text) in texts.iter_mut().zip(self.scratch.families()) {
            place.extend_from_slice(text);
        }
        self.report.rendered += 1;
        Ok(())
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        for (built_in, texts) in self.built_ins.values() {
            let families = built_in.families().iter().zip(texts);
            for (header, text) in families.filter(|(_, text)| !text.is_empty()) {
                out.write_all(&header.text(Format::Text))?;
                out.write_all(text)?;
            }
        }
        out.flush()
    }
}

/// Items of a typed list do not say what they are.
fn inherit(item: &mut Value, name: &str, value: &str) {
    if let Some(item) = item.as_object_mut()
        && !value.is_empty()
    {
        item.entry(name).or_insert_with(|| value.into());
    }
}

/// The resource of a kind. Its plural is the kind in lower case with one of English's endings.
fn by_kind(kind: &str, api_version: &str) -> Option<&'static dyn AnyResource> {
    let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
    let kind = kind.to_lowercase();
    let plurals = [
        kind.clone(),
        format!("{kind}s"),
        format!("{kind}es"),
        format!("{}ies", kind.strip_suffix('y').unwrap_or("?")),
    ];
    let of_kind = |resource: &&dyn AnyResource| {
        plurals.iter().any(|plural| plural == resource.plural())
            && resource.versions().iter().any(|version| version.group == group)
    };
    crate::resource::RESOURCES.iter().copied().find(of_kind)
}
