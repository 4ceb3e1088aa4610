//! The rules by which objects of a cluster become targets.

mod file;
mod selector;
mod value;

use std::path::Path;

use serde_saphyr::Spanned;

pub use file::{From, Which};
pub use selector::Selector;
pub use value::{Facts, Pairs, Value};

use crate::source::text::{self, Many, Problem, Scalar};
use crate::target::meta_key;

/// A file of more rules than this is a mistake.
const MAX_RULES: usize = 1000;

/// All rules of a file, in its order.
#[derive(Clone, Debug, Default)]
pub struct Rules(pub Vec<Rule>);

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// `rule 3 of rules.yaml`.
    pub name: String,
    pub service: String,
    pub from: From,
    pub address: Which,
    pub ports: Vec<Port>,
    pub path: Option<Value>,
    pub scheme: Option<Value>,
    pub meta: Vec<(String, Value)>,
    pub tags: Vec<Value>,
    /// Of [`From::Fixed`]: `host:port`, or why there is none.
    pub targets: Vec<Result<String, String>>,
    namespaces: Vec<String>,
    /// Any of them is enough; none is all objects.
    selectors: Vec<Selector>,
    /// All of them have to hold.
    conditions: Vec<Condition>,
    /// Labels that become meta keys; a `*` at the end stands for any rest.
    labels: Vec<String>,
}

/// Where a target's port comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Port {
    Number(u16),
    /// Of a container, a service or an endpoint.
    Name(String),
    Value(Value),
}

#[derive(Clone, Debug)]
struct Condition {
    value: Value,
    equals: Vec<String>,
    unless: Vec<String>,
}

/// Why a rules file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("cannot read '{file}' (--rules)")]
    Read { file: String, source: std::io::Error },
    #[error("'{file}' (--rules): {problem}")]
    Wrong { file: String, problem: Problem },
}

impl Rules {
    pub fn load(file: &Path) -> Result<Self, RulesError> {
        let name = file.display().to_string();
        let text =
            text::read(file).map_err(|source| RulesError::Read { file: name.clone(), source })?;
        let short = file.file_name().map_or_else(|| name.clone(), |n| n.display().to_string());
        let environment = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        Self::parse(&short, &text, &environment)
            .map_err(|problem| RulesError::Wrong { file: name, problem })
    }

    /// `file` is for messages; `environment` is what `${NAME}` in fixed targets is replaced from.
    pub fn parse(
        file: &str,
        text: &str,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, Problem> {
        let rules: Vec<Spanned<file::Rule>> = text::yaml(text)?;
        if rules.is_empty() || rules.len() > MAX_RULES {
            let count = rules.len();
            return Err(Problem::at(0, format!("{count} rules, 1 to {MAX_RULES} expected")));
        }
        let numbered = rules.into_iter().enumerate().map(|(i, rule)| {
            let line = rule.referenced.line();
            let label = format!("rule {} ({})", i + 1, rule.value.service);
            let name = format!("rule {} of {file}", i + 1);
            Rule::new(rule.value, name, environment)
                .map_err(|wrong| Problem::at(line, format!("{label}: {wrong}")))
        });
        numbered.collect::<Result<_, _>>().map(Self)
    }

    pub fn of(&self, from: From) -> impl Iterator<Item = &Rule> {
        self.0.iter().filter(move |rule| rule.from == from)
    }

    pub fn any(&self, from: From) -> bool {
        self.of(from).next().is_some()
    }
}

impl Rule {
    fn new(
        rule: file::Rule,
        name: String,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, String> {
        check_fields(&rule)?;
        let parse = |text: &Option<String>| text.as_deref().map(Value::parse).transpose();
        let meta = rule.meta.iter().map(|(key, value)| match meta_key(key) {
            clean if clean == *key && !key.is_empty() => {
                Ok((clean, Value::parse(&value.0).map_err(|wrong| format!("meta.{key}: {wrong}"))?))
            }
            clean => Err(format!("meta.{key}: Consul takes no such key, but '{clean}'")),
        });
        let conditions = rule.when.0.into_iter().map(Condition::new).collect::<Result<_, _>>()?;
        let selectors = rule.selector.0.iter().map(|text| Selector::parse(text));
        let tags = rule.tags.0.iter().map(|text| Value::parse(text));
        let targets = rule.targets.0.iter().map(|text| expanded(text, environment));
        Ok(Self {
            name,
            from: rule.source,
            address: rule.address.unwrap_or_default(),
            ports: ports(&rule.port)?,
            path: parse(&rule.path).map_err(|wrong| format!("path: {wrong}"))?,
            scheme: scheme(parse(&rule.scheme)?)?,
            meta: meta.collect::<Result<_, _>>()?,
            tags: tags.collect::<Result<_, _>>().map_err(|wrong| format!("tags: {wrong}"))?,
            targets: targets.collect(),
            namespaces: rule.namespace.0,
            selectors: selectors.collect::<Result<_, _>>()?,
            conditions,
            labels: rule.labels.0,
            service: rule.service,
        })
    }

    /// Whether the rule means the object.
    pub fn takes(&self, facts: &Facts<'_>) -> bool {
        let here = self.namespaces.is_empty()
            || self.namespaces.iter().any(|namespace| namespace == facts.namespace);
        here && (self.selectors.is_empty()
            || self.selectors.iter().any(|s| s.matches(facts.labels)))
            && self.conditions.iter().all(|condition| condition.holds(facts))
    }

    /// The object's labels that the rule wants, as keys that Consul takes: `label_` and the name.
    pub fn copied<'a>(&self, facts: &Facts<'a>) -> impl Iterator<Item = (String, &'a str)> {
        let wanted = |key: &str| {
            self.labels.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(prefix) => key.starts_with(prefix),
                None => pattern == key,
            })
        };
        let found = facts.labels.iter().filter(move |(key, _)| wanted(key));
        found.map(|(key, value)| {
            (meta_key(&format!("label_{key}")).replace('-', "_"), value.as_str())
        })
    }
}

/// Fields that mean nothing for the rule's source, and such as it lacks.
fn check_fields(rule: &file::Rule) -> Result<(), String> {
    let from = rule.source;
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if rule.service.is_empty() || rule.service.len() > 128 || !rule.service.chars().all(name) {
        return Err("service: letters, digits, '-', '_' and '.' expected, at most 128".into());
    }
    let fixed = from == From::Fixed;
    let misplaced = [
        ("targets", !fixed && !rule.targets.0.is_empty()),
        ("port", fixed && !rule.port.0.is_empty()),
        ("selector", fixed && !rule.selector.0.is_empty()),
        ("when", fixed && !rule.when.0.is_empty()),
        ("labels", fixed && !rule.labels.0.is_empty()),
        ("namespace", matches!(from, From::Fixed | From::Node) && !rule.namespace.0.is_empty()),
        ("address", !matches!(from, From::Node | From::Service) && rule.address.is_some()),
    ];
    if let Some((field, _)) = misplaced.iter().find(|(_, wrong)| *wrong) {
        let from = format!("{from:?}").to_lowercase();
        return Err(format!("{field}: means nothing with source: {from}"));
    }
    if fixed && rule.targets.0.is_empty() {
        return Err("targets: at least one host:port is needed with source: fixed".into());
    }
    if from == From::Node && rule.port.0.is_empty() {
        return Err("port: needed with source: node".into());
    }
    if from == From::Service && rule.address == Some(Which::Hostname) {
        return Err("address: a service has no hostname".into());
    }
    Ok(())
}

fn ports(given: &Many<Scalar>) -> Result<Vec<Port>, String> {
    let port = |text: &Scalar| {
        let text = text.0.as_str();
        if text.starts_with('@') {
            return Value::parse(text).map(Port::Value).map_err(|wrong| format!("port: {wrong}"));
        }
        match text.parse::<i64>() {
            Ok(number) => match u16::try_from(number) {
                Ok(number) if number > 0 => Ok(Port::Number(number)),
                _ => Err(format!("port: {number} is not one of 1 to 65535")),
            },
            Err(_) if text.is_empty() => Err("port: is empty".into()),
            Err(_) => Ok(Port::Name(text.to_owned())),
        }
    };
    given.0.iter().map(port).collect()
}

fn scheme(value: Option<Value>) -> Result<Option<Value>, String> {
    match &value {
        Some(Value::Text(text)) if text != "http" && text != "https" => {
            Err(format!("scheme: '{text}' is neither http nor https"))
        }
        _ => Ok(value),
    }
}

/// The text with each `${NAME}` replaced. A variable that is not set holds back this target alone.
fn expanded(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, behind)) = after.split_once('}') else {
            return Err(format!("'{text}': '${{' without '}}'"));
        };
        let value = environment(name)
            .ok_or_else(|| format!("'{text}': the environment variable {name} is not set"))?;
        out.push_str(before);
        out.push_str(&value);
        rest = behind;
    }
    out.push_str(rest);
    Ok(out)
}

impl Condition {
    fn new(when: file::When) -> Result<Self, String> {
        let value = match (when.annotation, when.label) {
            (Some(key), None) => Value::Annotation(key),
            (None, Some(key)) => Value::Label(key),
            _ => return Err("when: one of annotation and label is needed".into()),
        };
        let texts = |many: Many<Scalar>| many.0.into_iter().map(|scalar| scalar.0).collect();
        Ok(Self { value, equals: texts(when.equals), unless: texts(when.unless) })
    }

    fn holds(&self, facts: &Facts<'_>) -> bool {
        let text = match &self.value {
            Value::Label(key) => facts.labels.get(key),
            Value::Annotation(key) => facts.annotations.get(key),
            _ => None,
        };
        match text {
            Some(text) => {
                (self.equals.is_empty() || self.equals.contains(text))
                    && !self.unless.contains(text)
            }
            None => self.equals.is_empty() && !self.unless.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests;
