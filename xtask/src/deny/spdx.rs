//! Licence expressions as crates write them (SPDX 2.3, annex D), and the older `A/B` for `A OR B`.

/// True where the expression can be met with allowed licences only.
pub(crate) fn is_satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut rest = words.as_slice();
    alternatives(&mut rest, allowed) == Some(true) && rest.is_empty()
}

/// `A OR B`; nothing where the text is no expression.
fn alternatives(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = together(rest, allowed)?;
    while take(rest, "OR") {
        met |= together(rest, allowed)?;
    }
    Some(met)
}

/// `A AND B`, which binds more strongly.
fn together(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let mut met = one(rest, allowed)?;
    while take(rest, "AND") {
        met &= one(rest, allowed)?;
    }
    Some(met)
}

fn one(rest: &mut &[&str], allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    if take(rest, "(") {
        let met = alternatives(rest, allowed)?;
        return take(rest, ")").then_some(met);
    }
    let (name, after) = rest.split_first()?;
    *rest = after;
    // An exception only adds rights.
    if take(rest, "WITH") {
        *rest = rest.split_first()?.1;
    }
    Some(allowed(name))
}

fn take(rest: &mut &[&str], word: &str) -> bool {
    match rest.split_first() {
        Some((first, after)) if *first == word => {
            *rest = after;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_met_by_one_side_of_or_and_both_sides_of_and() {
        let met = |text| is_satisfied(text, &|name| name == "MIT" || name == "Apache-2.0");
        for fine in [
            "MIT",
            "GPL-3.0 OR MIT",
            "Unlicense/MIT",
            "(MIT OR GPL-3.0) AND Apache-2.0",
            "Apache-2.0 WITH LLVM-exception",
            "GPL-3.0 AND ISC OR MIT",
        ] {
            assert!(met(fine), "{fine}");
        }
        for wrong in ["", "ISC", "MIT AND ISC", "(MIT", "MIT)", "MIT OR", "MIT Apache-2.0"] {
            assert!(!met(wrong), "{wrong}");
        }
    }
}
