//! Labels that an agent puts on everything it says, from the command line and from the environment.

use std::ffi::OsString;

use clap::Args;

use crate::name::LabelName;

/// Labels for every sample; flattened into each agent's options.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Labels")]
pub struct LabelOptions {
    /// Put this label on every sample; may be repeated. A sample's own label of that name gets exported_ before
    /// it, as Prometheus does it.
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(LabelName, String)>,

    /// Put this label on every sample, with the value of an environment variable; may be repeated. A variable that is not
    /// set stops the start.
    #[arg(long = "label-from-env", value_name = "NAME=VARIABLE", value_parser = label)]
    from_environment: Vec<(LabelName, String)>,
}

/// Why the labels cannot be what they were to be.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LabelError {
    #[error(
        "--label-from-env={label}={variable}: the environment has no {variable}, or an empty one"
    )]
    Unset { label: String, variable: String },
    #[error("label {0} is given twice, by --label or --label-from-env")]
    Twice(String),
}

impl LabelOptions {
    /// The labels with their values, in the order in which they were given.
    pub fn resolve(&self) -> Result<Vec<(LabelName, String)>, LabelError> {
        self.resolve_with(|name| std::env::var_os(name))
    }

    fn resolve_with(
        &self,
        environment: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Vec<(LabelName, String)>, LabelError> {
        let mut labels = self.labels.clone();
        for (name, variable) in &self.from_environment {
            let value = environment(variable).map(|value| value.to_string_lossy().into_owned());
            let Some(value) = value.filter(|value| !value.is_empty()) else {
                let (label, variable) = (name.as_str().to_owned(), variable.clone());
                return Err(LabelError::Unset { label, variable });
            };
            labels.push((name.clone(), value));
        }
        for (at, (name, _)) in labels.iter().enumerate() {
            if labels.iter().take(at).any(|(other, _)| other == name) {
                return Err(LabelError::Twice(name.as_str().to_owned()));
            }
        }
        Ok(labels)
    }
}

/// Reads `NAME=…`. Names that Prometheus or a compound family needs for itself are refused.
fn label(text: &str) -> Result<(LabelName, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    let name = LabelName::new(name)
        .ok_or("a label name matches [a-zA-Z_][a-zA-Z0-9_]* and does not start with __")?;
    if matches!(name.as_str(), "le" | "quantile") {
        return Err("le and quantile belong to histograms and summaries".to_owned());
    }
    Ok((name, value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(given: &[&str], from: &[&str]) -> Result<Vec<String>, LabelError> {
        let read = |texts: &[&str]| texts.iter().map(|text| label(text).unwrap()).collect();
        let options = LabelOptions { labels: read(given), from_environment: read(from) };
        let environment = [("NODE_NAME", "node-7"), ("EMPTY", "")];
        let labels = options.resolve_with(|name| {
            environment.iter().find(|(found, _)| *found == name).map(|(_, value)| value.into())
        })?;
        Ok(labels.iter().map(|(name, value)| format!("{}={value}", name.as_str())).collect())
    }

    #[test]
    fn values_come_from_the_command_line_and_from_the_environment() {
        let labels = resolved(&["cluster_name=eu=1", "empty="], &["node=NODE_NAME"]).unwrap();
        assert_eq!(labels, ["cluster_name=eu=1", "empty=", "node=node-7"]);
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        for variable in ["HOST_IP", "EMPTY"] {
            let error = resolved(&[], &[&format!("ip={variable}")]).unwrap_err().to_string();
            assert!(error.contains(&format!("--label-from-env=ip={variable}")), "{error}");
        }
    }

    #[test]
    fn a_label_that_is_given_twice_is_named() {
        let error = resolved(&["node=a"], &["node=NODE_NAME"]).unwrap_err();
        assert_eq!(error, LabelError::Twice("node".to_owned()));
    }

    #[test]
    fn names_that_others_need_are_refused() {
        for wrong in ["node", "9a=b", "__name__=x", "le=1", "a-b=c", "=x", "quantile=0"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }
}
