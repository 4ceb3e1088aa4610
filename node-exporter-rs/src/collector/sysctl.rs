//! `node_sysctl_*`: settings of the kernel that the command line names, from `/proc/sys` (sysctl(8)).

use exporter_toolkit::name::{LabelName, MetricName};
use exporter_toolkit::{Exposition, Gauge, Kind};

use super::rapl::sanitize;
use super::sysclass::number;
use super::{CollectError, Collector, Setup, Spec};
use crate::flags::{Flag, FlagError, FlagValue};
use crate::host::{KeptFile, Text};

static INFO: Gauge<3> = Gauge::new(
    "node_sysctl_info",
    "Always 1: a setting of the kernel as text, one series for each word.",
    ["name", "value", "index"],
);

static INCLUDE: Flag<Wanted> = Flag::new(
    "collector.sysctl.include",
    "",
    "Setting to give as a number: its name, or for several numbers NAME:FIELD,FIELD,... to name each.",
)
.repeats();
static INCLUDE_INFO: Flag<WantedInfo> = Flag::new(
    "collector.sysctl.include-info",
    "",
    "Setting to give as text, in a label of node_sysctl_info: its name.",
)
.repeats();

pub static SPEC: Spec = Spec {
    name: "sysctl",
    enabled: false,
    about: "Settings of the kernel that flags name, from /proc/sys.",
    flags: &[&INCLUDE, &INCLUDE_INFO],
    families: &[&INFO],
    build: |setup| {
        let (numbers, infos) = (numbers(setup)?, infos(setup)?);
        Ok(Box::new(Sysctl { numbers, infos }))
    },
};

/// `kernel.threads-max`, or `fs.file-nr:total,current,max`.
#[derive(Clone, Debug, PartialEq)]
struct Wanted {
    name: String,
    fields: Vec<String>,
}

impl FlagValue for Wanted {
    const WORD: &str = "NAME[:FIELDS]";

    fn read(text: &str) -> Result<Self, String> {
        let (name, fields) = text.split_once(':').map_or((text, None), |(n, f)| (n, Some(f)));
        if !is_name(name) {
            return Err("expected the name of a setting, as in kernel.threads-max".to_owned());
        }
        let fields: Vec<String> =
            fields.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        let repeated = fields.iter().enumerate().any(|(i, field)| fields[..i].contains(field));
        if repeated || fields.iter().any(String::is_empty) {
            return Err("expected field names that differ, with commas between".to_owned());
        }
        Ok(Self { name: name.to_owned(), fields })
    }
}

struct WantedInfo(String);

impl FlagValue for WantedInfo {
    const WORD: &str = "NAME";

    fn read(text: &str) -> Result<Self, String> {
        if is_name(text) && !text.contains(':') {
            return Ok(Self(text.to_owned()));
        }
        Err("expected the name of a setting, without names of fields".to_owned())
    }
}

/// No name reaches beyond `/proc/sys`.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.split(['.', '/']).all(|part| !part.is_empty())
}

/// Files of the settings; one that is named twice is read once.
fn numbers(setup: &Setup) -> Result<Vec<Numbers>, FlagError> {
    let mut numbers: Vec<Numbers> = Vec::new();
    for Wanted { name, fields } in setup.flags.all(&INCLUDE)? {
        if !numbers.iter().any(|other| other.name == name && other.fields == fields) {
            let metric = MetricName::sanitize(&["node_sysctl_", &sanitize(&name)]);
            let metrics = fields
                .iter()
                .map(|field| MetricName::sanitize(&["node_sysctl_", &sanitize(&name), "_", field]));
            let metrics = metrics.collect();
            numbers.push(Numbers { file: keep(setup, &name), name, fields, metric, metrics });
        }
    }
    Ok(numbers)
}

fn infos(setup: &Setup) -> Result<Vec<(String, KeptFile)>, FlagError> {
    let mut infos: Vec<(String, KeptFile)> = Vec::new();
    for WantedInfo(name) in setup.flags.all(&INCLUDE_INFO)? {
        if !infos.iter().any(|(other, _)| *other == name) {
            let file = keep(setup, &name);
            infos.push((name, file));
        }
    }
    Ok(infos)
}

/// Dots stand for slashes, wherever they are.
fn keep(setup: &Setup, name: &str) -> KeptFile {
    setup.host.keep_proc(&format!("sys/{}", name.replace('.', "/"))).with_one_record()
}

struct Sysctl {
    numbers: Vec<Numbers>,
    infos: Vec<(String, KeptFile)>,
}

/// A setting that is given as numbers.
struct Numbers {
    name: String,
    fields: Vec<String>,
    file: KeptFile,
    metric: MetricName,
    /// One for each of the fields.
    metrics: Vec<MetricName>,
}

impl Collector for Sysctl {
    /// A setting that cannot be read costs no other its samples.
    fn collect(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        let mut verdict = Ok(());
        for numbers in &mut self.numbers {
            verdict = verdict.and(numbers.write(out));
        }
        let mut info = out.family(&INFO);
        for (name, file) in &mut self.infos {
            let result = file.read_str().and_then(|text| {
                let mut words = text.as_str().split_ascii_whitespace().enumerate().peekable();
                words.peek().ok_or_else(|| text.wrong("no value", &text))?;
                words.for_each(|(index, word)| info.sample((&*name, word, index), 1_u8));
                Ok(())
            });
            verdict = verdict.and(result);
        }
        verdict
    }
}

impl Numbers {
    /// One number has no label; several have an index, or names where the flag gives as many.
    fn write(&mut self, out: &mut Exposition) -> Result<(), CollectError> {
        const INDEX: LabelName = LabelName::fixed("index");
        let index = INDEX;
        let text = self.file.read_str()?;
        let values = values(text)?;
        let help = format_args!("The setting {} of /proc/sys.", self.name);
        match (&*values, &*self.fields) {
            ([value], []) => out.dynamic(&self.metric, Kind::Untyped, help).plain(*value),
            (values, []) => {
                let mut family = out.dynamic(&self.metric, Kind::Untyped, help);
                for (i, value) in values.iter().enumerate() {
                    family.sample([(&index, i)], *value);
                }
            }
            (values, fields) if values.len() == fields.len() && fields.len() > 1 => {
                for (metric, (field, value)) in self.metrics.iter().zip(fields.iter().zip(values)) {
                    let help = format_args!(
                        "The number {field} of the setting {} of /proc/sys.",
                        self.name
                    );
                    out.dynamic(metric, Kind::Untyped, help).plain(*value);
                }
            }
            _ => {
                return Err(text
                    .wrong("as many numbers expected as the flag has names, and several", &text));
            }
        }
        Ok(())
    }
}

/// The numbers of a setting, one at least.
fn values(text: Text<'_>) -> Result<Vec<f64>, CollectError> {
    let words = text.as_str().split_ascii_whitespace();
    let values: Option<Vec<f64>> = words.map(|word| number(word.as_bytes())).collect();
    let values = values.filter(|values| !values.is_empty());
    values.ok_or_else(|| text.wrong("numbers expected", &text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collector::testing::{collect, tree};
    use proptest::prelude::*;

    const FILES: [(&str, &str); 3] = [
        ("proc/sys/fs/file-nr", "1024\t0\t1631329\n"),
        ("proc/sys/kernel/threads-max", "7801\n"),
        ("proc/sys/kernel/shmmax", "18446744073692774399\n"),
    ];

    fn run(flags: &[(&str, &str)]) -> (Vec<String>, Result<(), CollectError>) {
        collect(&SPEC, tree(&FILES).path(), flags)
    }

    const INCLUDE: &str = "collector.sysctl.include";

    #[test]
    fn one_number_has_no_label_and_several_have_an_index_or_names() {
        let flags = [
            (INCLUDE, "kernel.threads-max"),
            (INCLUDE, "fs.file-nr"),
            (INCLUDE, "fs.file-nr"),
            (INCLUDE, "fs.file-nr:total,current,max"),
        ];
        let (samples, result) = run(&flags);
        assert!(result.is_ok());
        assert_eq!(
            samples,
            [
                "node_sysctl_kernel_threads_max 7801",
                "node_sysctl_fs_file_nr{index=\"0\"} 1024",
                "node_sysctl_fs_file_nr{index=\"1\"} 0",
                "node_sysctl_fs_file_nr{index=\"2\"} 1.631329e+06",
                "node_sysctl_fs_file_nr_total 1024",
                "node_sysctl_fs_file_nr_current 0",
                "node_sysctl_fs_file_nr_max 1.631329e+06",
            ]
        );
    }

    #[test]
    fn a_number_of_64_bits_without_a_sign_is_read() {
        let (samples, _) = run(&[(INCLUDE, "kernel.shmmax")]);
        assert_eq!(samples, ["node_sysctl_kernel_shmmax 1.8446744073692774e+19"]);
    }

    #[test]
    fn a_setting_that_cannot_be_read_costs_no_other_its_samples() {
        for (name, problem) in [
            ("no.such", "no/such"),
            ("fs.file-nr:a,b", "as many numbers expected"),
            ("kernel.threads-max:a", "as many numbers expected"),
        ] {
            let info = ("collector.sysctl.include-info", "kernel.threads-max");
            let (samples, result) = run(&[(INCLUDE, name), info]);
            assert_eq!(
                samples,
                ["node_sysctl_info{name=\"kernel.threads-max\",value=\"7801\",index=\"0\"} 1"]
            );
            let error = result.unwrap_err().to_string();
            assert!(error.contains(problem), "{error}");
        }
    }

    #[test]
    fn a_malformed_flag_stops_the_start() {
        for text in ["", "a..b", "../x", "/etc/x", "fs.file-nr:a,,b", "fs.file-nr:a,a"] {
            assert!(Wanted::read(text).is_err(), "{text}");
        }
        assert!(WantedInfo::read("a.b:c").is_err() && WantedInfo::read("a.b").is_ok());
    }

    proptest! {
        #[test]
        fn no_flag_makes_it_panic(text in "\\PC{0,20}") {
            let _wanted = (Wanted::read(&text).is_ok(), WantedInfo::read(&text).is_ok());
        }
    }
}
