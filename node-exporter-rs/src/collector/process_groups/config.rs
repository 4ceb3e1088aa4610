//! The file of `--collector.process-groups`: groups with a name, and rules that say which processes belong to them.

use std::path::Path;

use exporter_toolkit::files;
use exporter_toolkit::yaml::{self, Problem};
use regex_lite::Regex;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde_saphyr::{Location, Spanned};

use super::FILE;
use crate::collector::BuildError;
use crate::flags::AnyFlag;

/// The file, its groups, and the rules of a group are bounded: each group is a dozen series for ever.
const FILE_LIMIT: u64 = 64 << 10;
const MOST_GROUPS: usize = u128::BITS as usize;
const MOST_RULES: usize = 64;

/// The groups in the order of the file: a process belongs to the first that has a rule for it.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
}

#[derive(Debug)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

/// All patterns that a rule has must match.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    comm: Option<Pattern>,
    cmdline: Option<Pattern>,
    exe: Option<Pattern>,
}

/// Not remembered as those of the command line are: a process is judged once or twice.
#[derive(Debug)]
struct Pattern(Regex);

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        let regex = Regex::new(&text);
        regex.map(Self).map_err(|why| D::Error::custom(format!("not a regular expression: {why}")))
    }
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    groups: Spanned<Vec<Entry>>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    rules: Spanned<Vec<Spanned<Rule>>>,
}

/// What is known of a process; `None` for what cannot be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    pub(super) comm: &'a str,
    pub(super) cmdline: Option<&'a str>,
    pub(super) exe: Option<&'a str>,
}

/// What the rules say of a process.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Member(usize),
    Stranger,
    /// One of these groups may be its own, a bit for each, but what a rule asks for cannot be read.
    Unknown(u128),
}

impl Groups {
    pub(super) fn load(file: &Path) -> Result<Self, BuildError> {
        let text = files::read(file, FILE_LIMIT)
            .map_err(|source| wrong(file, &Problem::at(0, source.to_string())))?;
        Self::parse(&text).map_err(|problem| wrong(file, &problem))
    }

    fn parse(text: &str) -> Result<Self, Problem> {
        let document: Option<Document> = yaml::parse(text)?;
        let at = |place: Location, problem: &str| Err(Problem::at(place.line(), problem));
        let empty = || Problem::at(0, "groups expected, the file is empty");
        let entries = document.ok_or_else(empty)?.groups;
        if entries.value.is_empty() || entries.value.len() > MOST_GROUPS {
            return at(entries.referenced, &format!("from 1 to {MOST_GROUPS} groups expected"));
        }
        let mut groups: Vec<Group> = Vec::new();
        for Entry { name, rules } in entries.value {
            if name.value.is_empty() || groups.iter().any(|group| group.name == name.value) {
                return at(name.referenced, "a name expected that no other group has");
            }
            if rules.value.is_empty() || rules.value.len() > MOST_RULES {
                return at(rules.referenced, &format!("from 1 to {MOST_RULES} rules expected"));
            }
            if let Some(rule) = rules.value.iter().find(|rule| rule.value.is_empty()) {
                return at(rule.referenced, "a rule of comm, exe or cmdline expected");
            }
            let rules = rules.value.into_iter().map(|rule| rule.value).collect();
            groups.push(Group { name: name.value, rules });
        }
        Ok(Self { groups })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.groups.iter().map(|group| group.name.as_str())
    }

    /// True where a rule asks for the command line.
    pub(super) fn ask_for_cmdline(&self) -> bool {
        self.rules().any(|rule| rule.cmdline.is_some())
    }

    /// True where a rule asks for the program's file.
    pub(super) fn ask_for_exe(&self) -> bool {
        self.rules().any(|rule| rule.exe.is_some())
    }

    fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.groups.iter().flat_map(|group| &group.rules)
    }

    pub(super) fn judge(&self, facts: Facts<'_>) -> Verdict {
        let mut perhaps: u128 = 0;
        for (i, group) in self.groups.iter().enumerate() {
            let answers = || group.rules.iter().map(|rule| rule.holds(facts));
            if answers().any(|answer| answer == Some(true)) {
                if perhaps == 0 {
                    return Verdict::Member(i);
                }
                return Verdict::Unknown(perhaps | 1 << i);
            }
            if answers().any(|answer| answer.is_none()) {
                perhaps |= 1 << i;
            }
        }
        if perhaps == 0 { Verdict::Stranger } else { Verdict::Unknown(perhaps) }
    }
}

impl Rule {
    fn is_empty(&self) -> bool {
        self.comm.is_none() && self.cmdline.is_none() && self.exe.is_none()
    }

    /// `None` where a pattern asks for what is not known, and no other pattern says no.
    fn holds(&self, facts: Facts<'_>) -> Option<bool> {
        let parts = [
            (&self.comm, Some(facts.comm)),
            (&self.cmdline, facts.cmdline),
            (&self.exe, facts.exe),
        ];
        let mut all = Some(true);
        for (pattern, text) in parts {
            let Some(Pattern(pattern)) = pattern else { continue };
            match text {
                Some(text) if !pattern.is_match(text) => return Some(false),
                Some(_) => {}
                None => all = None,
            }
        }
        all
    }
}

fn wrong(file: &Path, problem: &Problem) -> BuildError {
    let line = problem.line.map_or(String::new(), |line| format!(":{line}"));
    let place = format!("{}{line}", file.display());
    BuildError::File { place, problem: problem.text.clone(), flag: FILE.name() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "groups:\n- name: web\n  rules:\n  - comm: ^nginx$\n  - comm: java\n    cmdline: -jar web\n\
                        - name: system\n  rules:\n  - exe: ^/usr/s?bin/\n- name: rest\n  rules: [{comm: .}]\n";

    fn judge(comm: &str, cmdline: Option<&str>, exe: Option<&str>) -> Verdict {
        Groups::parse(FILE).unwrap().judge(Facts { comm, cmdline, exe })
    }

    #[test]
    fn a_process_belongs_to_the_first_group_with_a_rule_for_it() {
        let any = (Some("x"), Some("/usr/bin/x"));
        assert_eq!(judge("nginx", any.0, any.1), Verdict::Member(0));
        assert_eq!(judge("java", Some("java -jar web.jar"), any.1), Verdict::Member(0));
        assert_eq!(judge("java", any.0, any.1), Verdict::Member(1));
        assert_eq!(judge("x", any.0, Some("/opt/x")), Verdict::Member(2));
        assert_eq!(judge("", any.0, Some("")), Verdict::Stranger);
    }

    #[test]
    fn what_cannot_be_read_matters_only_to_the_rule_that_asks_for_it() {
        assert_eq!(judge("nginx", None, None), Verdict::Member(0));
        assert_eq!(judge("java", None, None), Verdict::Unknown(0b111));
        assert_eq!(judge("x", None, None), Verdict::Unknown(0b110));
        assert_eq!(judge("", None, None), Verdict::Unknown(0b010));
        assert_eq!(judge("x", None, Some("/opt/x")), Verdict::Member(2));
    }

    #[test]
    fn only_what_rules_ask_for_is_read() {
        let groups = Groups::parse("groups: [{name: a, rules: [{comm: x}]}]").unwrap();
        assert!(!groups.ask_for_cmdline() && !groups.ask_for_exe());
        let groups = Groups::parse(FILE).unwrap();
        assert!(groups.ask_for_cmdline() && groups.ask_for_exe());
    }

    fn error(text: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("groups.yml");
        std::fs::write(&path, text).unwrap();
        let error = Groups::load(&path).unwrap_err().to_string();
        let rest = error.strip_prefix(&path.display().to_string()).unwrap();
        rest.strip_suffix(" (--collector.process-groups)").unwrap().to_owned()
    }

    #[test]
    fn a_mistake_is_named_with_its_line() {
        let group = "groups:\n- name: a\n  rules:\n  - comm: x\n";
        for (text, expected) in [
            (format!("{group}  - comm: '('\n"), ":5: not a regular expression: "),
            (format!("{group}  - {{}}\n"), ":5: a rule of comm, exe or cmdline expected"),
            (format!("{group}  - command: x\n"), ":5: "),
            (
                format!("{group}- name: a\n  rules: [{{comm: y}}]\n"),
                ":5: a name expected that no other group has",
            ),
            (format!("{group}- name: b\n  rules: []\n"), ":6: from 1 to 64 rules expected"),
            (format!("{group}- name: b\n"), ":5: "),
            ("groups: []\n".to_owned(), ":1: from 1 to 128 groups expected"),
            (String::new(), ": groups expected, the file is empty"),
            ("x".repeat(70_000), ": longer than 65536 bytes"),
        ] {
            let found = error(&text);
            assert!(found.starts_with(expected), "{text}{found}");
        }
    }
}
