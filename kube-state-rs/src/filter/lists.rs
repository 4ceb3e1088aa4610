//! `pods=[app,team-*],nodes=[*]`: keys of labels or annotations by resource.

use std::collections::BTreeMap;

use super::FilterError;
use crate::resource::find;

/// Reads the value of `--FLAG`. Spaces around names and keys do not count.
pub(super) fn parse(
    flag: &'static str,
    text: &str,
) -> Result<BTreeMap<String, Vec<String>>, FilterError> {
    let mut lists = BTreeMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let wrong =
            |problem, rest: &str| FilterError::List { flag, problem, rest: rest.to_owned() };
        let (name, after) = rest.split_once("=[").ok_or_else(|| wrong("'=[' is missing", rest))?;
        if name.contains([',', '[', ']', '=']) {
            return Err(wrong("a resource's name is expected", rest));
        }
        let (keys, after) = after.split_once(']').ok_or_else(|| wrong("']' is missing", after))?;
        let name = name.trim();
        if name != "*" && find(name).is_none() {
            return Err(FilterError::ListResource { flag, name: name.to_owned() });
        }
        lists.insert(name.to_owned(), parse_keys(flag, keys)?);
        rest = match after.trim_start().strip_prefix(',') {
            Some(next) if !next.trim().is_empty() => next.trim_start(),
            Some(_) => return Err(wrong("nothing follows the comma", after)),
            None if after.trim().is_empty() => "",
            None => return Err(wrong("a comma is missing", after)),
        };
    }
    Ok(lists)
}

fn parse_keys(flag: &'static str, text: &str) -> Result<Vec<String>, FilterError> {
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    let key = |key: &str| match key.trim() {
        "" => Err(FilterError::List { flag, problem: "a key is missing", rest: text.to_owned() }),
        key if key.contains(['[', '=']) => {
            Err(FilterError::List { flag, problem: "']' is missing", rest: text.to_owned() })
        }
        key if key.matches('*').count() > 1 => {
            Err(FilterError::Stars { flag, key: key.to_owned() })
        }
        key => Ok(key.to_owned()),
    };
    text.split(',').map(key).collect()
}
