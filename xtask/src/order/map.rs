//! The map that lld writes with `-Map`: of each symbol, the input section that holds it.

use std::collections::HashMap;

/// Bytes of a name that a pattern keeps: what tells functions apart is near the front, and paths of types have no end.
const LENGTH: usize = 120;

/// The columns before the names: addresses, size and alignment. The deeper a name stands, the smaller is what it names.
const NUMBERS: usize = 4;

/// Patterns of sections by the names of functions. Local functions can share a name.
#[derive(Debug, Default)]
pub(super) struct Map(HashMap<String, Vec<String>>);

impl Map {
    pub(super) fn parse(text: &str) -> Self {
        let (mut map, mut section) = (Self::default(), None);
        for line in text.lines() {
            let Some(names) = names(line) else { continue };
            let depth = names.len() - names.trim_start().len();
            match names.trim_start() {
                name if depth >= 16 => {
                    if let Some(pattern) = &section {
                        map.0.entry(name.to_owned()).or_default().push(String::clone(pattern));
                    }
                }
                name => section = if depth >= 8 { pattern(name) } else { None },
            }
        }
        map
    }

    pub(super) fn patterns(&self, function: &str) -> impl Iterator<Item = String> {
        self.0.get(function).into_iter().flatten().cloned()
    }
}

/// What follows the numbers and one space after each.
fn names(line: &str) -> Option<&str> {
    let mut rest = line;
    for _ in 0..NUMBERS {
        rest = rest.trim_start_matches(' ');
        let (number, after) = rest.split_once(' ')?;
        u64::from_str_radix(number, 16).ok()?;
        rest = after;
    }
    Some(rest)
}

/// Of `FOLDER/libc.a(getline.o):(.text)`, `*libc.a:getline.o(.text)`: glibc's files hold a few functions each. Of
/// `FOLDER/agent.o:(.text.NAME)`, `*(.text.NAME)`. `None` for what is no code, or not divided into functions.
fn pattern(input: &str) -> Option<String> {
    let (file, section) = input.strip_suffix(')')?.rsplit_once(":(")?;
    let name = file.rsplit('/').next()?;
    if !section.starts_with(".text") {
        return None;
    }
    match name.split_once(".a(") {
        Some((archive, member)) => {
            let member = member.strip_suffix(')')?;
            // What has a variant for each CPU: valgrind's is not the newest.
            match member.split_once("-avx").or_else(|| member.split_once("-sse")) {
                Some((function, _)) => Some(format!("*{archive}.a:{function}-*.o(.text .text.*)")),
                None => Some(format!("*{archive}.a:{member}({section})")),
            }
        }
        None if section == ".text" => None,
        None => Some(format!("*({})", lasting(section))),
    }
}

/// The name without what differs from one compiler to the next: the hashes of crates, and places in the name that these
/// move (RFC 2603); nor with the number of a copy.
fn lasting(section: &str) -> String {
    let mut name = String::new();
    let mut rest = section;
    while let Some(first) = rest.chars().next() {
        let (kept, within) = if rest.starts_with("Cs") { ("Cs", 14) } else { ("B", 3) };
        let hash = rest.strip_prefix(kept).and_then(|after| after.split_once('_'));
        match hash {
            Some((hash, after))
                if hash.len() <= within && hash.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                name += kept;
                name += "*_";
                rest = after;
            }
            _ => {
                name.push(first);
                rest = rest.strip_prefix(first).unwrap_or_default();
            }
        }
    }
    if let Some((before, number)) = name.rsplit_once('.')
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        name.truncate(before.len());
        name.push('*');
    }
    if name.len() > LENGTH {
        name.truncate(name.floor_char_boundary(LENGTH));
        name.push('*');
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
             VMA              LMA     Size Align Out     In      Symbol
          1860c0           1860c0   4a1940    32 .text
          1860c0           1860c0       10    16         /t/deps/agent.cgu.0.rcgu.o:(.text._RNvCsjrHSEGnQ3l9_3std3run)
          1860c0           1860c0       10     1                 _RNvCsjrHSEGnQ3l9_3std3run
          1860d0           1860d0       10    16         /t/deps/agent.cgu.0.rcgu.o:(.text._RNvB5_4Bird.12)
          1860d0           1860d0       10     1                 _RNvB5_4Bird.12
          1860e0           1860e0       20    16         /usr/lib/libc.a(getline.o):(.text)
          1860e0           1860e0       10     1                 getline
          1860f0           1860f0       10     1                 __getline
          1860f8           1860f8        8     8         /usr/lib/libc.a(strlen-avx2.o):(.text.avx)
          1860f8           1860f8        8     1                 __strlen_avx2
          186100           186100       10    16         /t/libring.rlib(sha512.o):(.text)
          186100           186100       10     1                 sha512
          186110           186110       10    16         /t/a.o:(.rodata.x)
          186110           186110       10     1                 x
";

    fn patterns(function: &str) -> Vec<String> {
        Map::parse(TEXT).patterns(function).collect()
    }

    #[test]
    fn a_function_is_found_by_its_section() {
        assert_eq!(patterns("_RNvCsjrHSEGnQ3l9_3std3run"), ["*(.text._RNvCs*_3std3run)"]);
        assert_eq!(patterns("_RNvB5_4Bird.12"), ["*(.text._RNvB*_4Bird*)"]);
        for function in ["getline", "__getline"] {
            assert_eq!(patterns(function), ["*libc.a:getline.o(.text)"]);
        }
        assert_eq!(patterns("__strlen_avx2"), ["*libc.a:strlen-*.o(.text .text.*)"]);
    }

    #[test]
    fn what_is_not_divided_or_no_code_has_no_pattern() {
        for function in ["sha512", "x", "unknown"] {
            assert_eq!(patterns(function), [""; 0]);
        }
    }

    #[test]
    fn a_long_name_is_cut() {
        let long = format!(".text.{}", "é".repeat(100));
        assert_eq!(lasting(&long).chars().last(), Some('*'));
        assert!(lasting(&long).len() <= LENGTH + 1);
    }
}
