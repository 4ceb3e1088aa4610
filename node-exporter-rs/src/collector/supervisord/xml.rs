//! The answer of `supervisor.getAllProcessInfo` as XML-RPC writes it: an array of structs of texts and whole numbers.

/// A process, or a fault: what is not told is `None` or empty.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Process {
    pub name: String,
    pub group: String,
    pub state: Option<i64>,
    pub exit_status: Option<i64>,
    /// Unix time.
    pub start: Option<i64>,
}

/// Reads the processes; the error is the server's fault, or says that this is no answer to the question.
pub(super) fn parse(bytes: &[u8]) -> Result<Vec<Process>, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut members = Members { rest: &text };
    if text.contains("<fault>") {
        let fault = members.find(|member| member.name == "faultString");
        return Err(fault.map_or_else(|| "a fault without a text".to_owned(), |it| it.value));
    }
    if !text.contains("<methodResponse>") {
        return Err("not an answer of XML-RPC".to_owned());
    }
    let mut processes: Vec<Process> = Vec::new();
    for member in members {
        if member.begins_struct {
            processes.push(Process::default());
        }
        if let Some(process) = processes.last_mut() {
            process.take(member);
        }
    }
    Ok(processes)
}

impl Process {
    fn take(&mut self, member: Member) {
        let number = member.value.trim().parse().ok();
        match member.name.as_str() {
            "name" => self.name = member.value,
            "group" => self.group = member.value,
            "state" => self.state = number,
            "exitstatus" => self.exit_status = number,
            "start" => self.start = number,
            _ => {}
        }
    }
}

struct Member {
    begins_struct: bool,
    name: String,
    value: String,
}

/// The members of all structs, in their order.
struct Members<'a> {
    rest: &'a str,
}

impl Iterator for Members<'_> {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        let (before, rest) = self.rest.split_once("<member>")?;
        let (name, rest) = rest.split_once("<name>")?.1.split_once("</name>")?;
        let (value, rest) = rest.split_once("<value>")?.1.split_once("</value>")?;
        self.rest = rest;
        let begins_struct = before.contains("<struct>");
        Some(Member { begins_struct, name: unescape(name), value: unescape(inner(value)) })
    }
}

/// The text in a value's type, if it has one: `<int>5</int>`.
fn inner(value: &str) -> &str {
    let Some(typed) = value.trim_start().strip_prefix('<') else { return value };
    let Some((_, text)) = typed.split_once('>') else { return "" };
    text.split_once("</").map_or("", |(text, _)| text)
}

/// Replaces the references of XML; one that is unknown stays as it is.
fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let reference =
            after.split_once(';').and_then(|(name, rest)| Some((character(name)?, rest)));
        let (character, tail) = reference.unwrap_or(('&', after));
        out.push(character);
        rest = tail;
    }
    out.push_str(rest);
    out
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_replaced_and_unknown_ones_stay() {
        assert_eq!(
            unescape("a &lt;&#98;&#x63;&gt; &amp;amp; &nbsp; & d"),
            "a <bc> &amp; &nbsp; & d"
        );
    }

    #[test]
    fn an_empty_array_is_no_process_and_other_texts_are_no_answer() {
        assert_eq!(parse(b"<methodResponse><params></params></methodResponse>"), Ok(Vec::new()));
        assert!(parse(b"<html>").is_err() && parse(b"").is_err());
        assert_eq!(parse(b"<fault>").unwrap_err(), "a fault without a text");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(<methodResponse>|<struct>|<member>|<name>|</name>|<value>|</value>|<int>|&#?|;|[a<>/5]){0,20}") {
            let _processes = parse(text.as_bytes());
        }
    }
}
