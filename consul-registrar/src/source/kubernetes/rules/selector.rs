//! Label selectors as Kubernetes and kubectl write them (apimachinery's `labels.Parse`).

use super::value::Pairs;

/// All of these hold: `app=web,tier!=cache,gpu,!spot,zone in (a, b)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    Exists,
    Absent,
    In(Vec<String>),
    /// Holds where the label is absent, too, as in Kubernetes.
    NotIn(Vec<String>),
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = split(text)?;
        let requirements = parts.into_iter().map(Requirement::parse).collect::<Result<_, _>>()?;
        Ok(Self(requirements))
    }

    pub fn matches(&self, labels: &Pairs) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }
}

/// Cuts at commas outside of parentheses.
fn split(text: &str) -> Result<Vec<&str>, String> {
    let (mut parts, mut begin, mut inside) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' if !inside => inside = true,
            ')' if inside => inside = false,
            '(' | ')' => return Err(format!("selector '{text}': parentheses do not match")),
            ',' if !inside => {
                parts.extend(text.get(begin..at));
                begin = at + 1;
            }
            _ => {}
        }
    }
    if inside {
        return Err(format!("selector '{text}': a parenthesis is not closed"));
    }
    parts.extend(text.get(begin..));
    Ok(parts)
}

impl Requirement {
    fn parse(written: &str) -> Result<Self, String> {
        let text = written.trim();
        let (key, condition) = if let Some(key) = text.strip_prefix('!') {
            (key, Test::Absent)
        } else if let Some((key, value)) = text.split_once("!=") {
            (key, Test::NotIn(vec![value.trim().to_owned()]))
        } else if let Some((key, value)) = text.split_once("==").or_else(|| text.split_once('=')) {
            (key, Test::In(vec![value.trim().to_owned()]))
        } else if let Some((head, set)) = text.split_once('(') {
            Self::set(text, head, set)?
        } else {
            (text, Test::Exists)
        };
        let key = key.trim();
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
        if key.is_empty() || !key.chars().all(good) {
            return Err(format!("selector '{text}': '{key}' is no label key"));
        }
        Ok(Self { key: key.to_owned(), test: condition })
    }

    /// `zone in (a,b)` and `zone notin (a,b)`.
    fn set<'a>(whole: &str, head: &'a str, set: &str) -> Result<(&'a str, Test), String> {
        let values = set.trim_end().trim_end_matches(')').split(',');
        let values = values.map(|value| value.trim().to_owned()).collect();
        match head.trim_end().rsplit_once(char::is_whitespace) {
            Some((key, "in")) => Ok((key, Test::In(values))),
            Some((key, "notin")) => Ok((key, Test::NotIn(values))),
            _ => Err(format!("selector '{whole}': 'in' or 'notin' expected before '('")),
        }
    }

    fn holds(&self, labels: &Pairs) -> bool {
        let value = labels.get(&self.key);
        match &self.test {
            Test::Exists => value.is_some(),
            Test::Absent => value.is_none(),
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels() -> Pairs {
        [("app", "web"), ("node-role.kubernetes.io/master", ""), ("zone", "a")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into()
    }

    #[test]
    fn a_selector_means_what_kubectl_means() {
        for (text, expected) in [
            ("app=web", true),
            ("app==web,zone=a", true),
            ("app=db", false),
            ("app!=db", true),
            ("absent!=x", true),
            ("node-role.kubernetes.io/master", true),
            ("node-role.kubernetes.io/master=", true),
            ("!node-role.kubernetes.io/master", false),
            ("!absent", true),
            ("zone in (a, b),app", true),
            ("zone notin (a,b)", false),
            ("absent notin (a)", true),
            ("absent in (a)", false),
        ] {
            assert_eq!(Selector::parse(text).unwrap().matches(&labels()), expected, "{text}");
        }
    }

    #[test]
    fn a_selector_that_kubectl_refuses_is_refused() {
        for wrong in ["", "=a", "a b", "zone in a", "zone of (a)", "zone in (a", "a),b", "a,,b"] {
            assert!(Selector::parse(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_selector_panics(text in "[a-z!=(),. in/\u{e4}]{0,40}") {
            if let Ok(selector) = Selector::parse(&text) {
                selector.matches(&labels());
            }
        }
    }
}
