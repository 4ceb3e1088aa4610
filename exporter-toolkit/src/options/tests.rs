use std::time::Duration;

use proptest::prelude::*;

use super::*;

/// Not what the program is about.
#[derive(Debug, clap::Args)]
struct Options {
    /// Where to listen.
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = ":9100")]
    addresses: Vec<String>,
    /// Take the sockets that systemd opened.
    #[arg(long = "web.systemd-socket")]
    systemd: bool,
    /// How much is logged.
    #[arg(long = "log.level", value_parser = ["info", "warn"], default_value = "info", help_heading = "Logs")]
    level: String,
    /// How long a scrape takes at most.
    #[arg(long = "web.timeout", value_parser = duration, default_value = "5s")]
    timeout: Duration,
    /// Left out where not given.
    #[arg(long = "collector.perf", action = ArgAction::Set)]
    perf: Option<bool>,
    #[arg(long = "collector.old-name", hide = true)]
    old: Option<String>,
}

#[derive(Debug, clap::Args)]
struct Nothing {}

type Parsed = Result<(Options, ArgMatches), clap::Error>;

fn parsed_in(environment: &[(&str, &str)], args: &[&str]) -> Parsed {
    let command = Command::new("demo")
        .version("1.2 (rev)")
        .about("Shows something.")
        .arg(switch("collector.arp", true, "Neighbours.").help_heading("Collectors"))
        .arg(Arg::new("arp.include").long("collector.arp.device-include").default_value(""));
    let args = ["demo"].iter().chain(args).map(OsString::from);
    parse_with(command, "DEMO", args, &|name| {
        environment.iter().find(|(n, _)| *n == name).map(|(_, value)| OsString::from(value))
    })
}

fn parsed(args: &[&str]) -> (Options, ArgMatches) {
    parsed_in(&[], args).unwrap_or_else(|error| panic!("{args:?}: {error}"))
}

fn refused(args: &[&str]) -> String {
    parsed_in(&[], args).unwrap_err().to_string()
}

fn arp(matches: &ArgMatches) -> bool {
    *matches.get_one::<bool>("collector.arp").unwrap()
}

#[test]
fn nothing_given_means_the_defaults() {
    let (options, matches) = parsed(&[]);
    assert_eq!(options.addresses, [":9100"]);
    assert!(!options.systemd);
    assert_eq!((options.level.as_str(), options.timeout), ("info", Duration::from_secs(5)));
    assert_eq!((options.perf, options.old), (None, None));
    assert!(arp(&matches));
}

#[test]
fn a_value_follows_an_equals_sign_or_a_blank() {
    assert_eq!(parsed(&["--web.timeout=1m30s"]).0.timeout, Duration::from_secs(90));
    assert_eq!(parsed(&["--web.timeout", "500ms"]).0.timeout, Duration::from_millis(500));
}

#[test]
fn switches_are_set_negated_and_assigned() {
    assert!(!arp(&parsed(&["--no-collector.arp"]).1));
    assert!(!arp(&parsed(&["--collector.arp=false"]).1));
    assert!(arp(&parsed(&["--no-collector.arp", "--collector.arp"]).1));
    assert!(parsed(&["--web.systemd-socket"]).0.systemd);
    assert!(!parsed(&["--web.systemd-socket", "--no-web.systemd-socket"]).0.systemd);
    assert_eq!(parsed(&["--collector.perf"]).0.perf, Some(true));
    assert_eq!(parsed(&["--no-collector.perf"]).0.perf, Some(false));
}

#[test]
fn a_switch_does_not_take_the_next_argument() {
    assert!(refused(&["--collector.arp", "false"]).contains("unexpected argument 'false'"));
}

#[test]
fn repeatable_flags_collect_and_others_take_the_last_value() {
    let args = ["--web.listen-address=:1", "--web.listen-address", ":2"];
    assert_eq!(parsed(&args).0.addresses, [":1", ":2"]);
    assert_eq!(parsed(&["--log.level=warn", "--log.level=info"]).0.level, "info");
}

#[test]
fn a_value_may_start_with_a_dash_after_an_equals_sign() {
    assert_eq!(parsed(&["--collector.old-name=-x"]).0.old.as_deref(), Some("-x"));
    assert_eq!(parsed(&["--collector.old-name=--no-collector.arp"]).0.old.unwrap().len(), 18);
    refused(&["--collector.old-name", "--no-collector.arp"]);
}

#[test]
fn an_empty_value_after_an_equals_sign_is_a_value() {
    assert_eq!(parsed(&["--collector.old-name="]).0.old.as_deref(), Some(""));
}

#[test]
fn an_unknown_flag_names_the_nearest_one() {
    let error = refused(&["--colector.arp"]);
    assert!(error.contains("unexpected argument '--colector.arp'"), "{error}");
    assert!(error.contains("'--collector.arp'") && error.contains("--help"), "{error}");
    assert!(refused(&["--no-web.timeout"]).contains("'--no-web.timeout'"));
}

#[test]
fn a_wrong_value_names_flag_value_and_what_is_expected() {
    let error = refused(&["--web.timeout=soon"]);
    assert!(error.contains("'soon' for '--web.timeout"), "{error}");
    assert!(error.contains("such as 5s"), "{error}");
    let error = refused(&["--log.level=loud"]);
    assert!(error.contains("'loud'") && error.contains("info, warn"), "{error}");
    assert_eq!(parsed_in(&[], &["--log.level=loud"]).unwrap_err().exit_code(), 2);
}

#[test]
fn the_environment_sets_what_the_command_line_does_not() {
    let environment = [
        ("DEMO_WEB_LISTEN_ADDRESS", ":1, :2"),
        ("DEMO_COLLECTOR_ARP", "false"),
        ("DEMO_LOG_LEVEL", "warn"),
        ("DEMO_COLLECTOR_OLD_NAME", ""),
    ];
    let (options, matches) = parsed_in(&environment, &["--log.level=info"]).unwrap();
    assert_eq!(options.addresses, [":1", ":2"]);
    assert_eq!((options.level.as_str(), options.old), ("info", None));
    assert!(!arp(&matches));
    let (options, _) = parsed_in(&environment, &["--web.listen-address", ":3"]).unwrap();
    assert_eq!(options.addresses, [":3"]);
}

#[test]
fn a_list_with_commas_in_its_values_has_one_value_a_line() {
    let environment = [("DEMO_WEB_LISTEN_ADDRESS", "a,b\nc\n")];
    assert_eq!(parsed_in(&environment, &[]).unwrap().0.addresses, ["a,b", "c"]);
}

#[test]
fn a_wrong_value_from_the_environment_names_its_variable() {
    let error = parsed_in(&[("DEMO_WEB_TIMEOUT", "5")], &[]).unwrap_err().to_string();
    assert!(error.contains("environment variable DEMO_WEB_TIMEOUT"), "{error}");
    let error = parsed_in(&[("DEMO_COLLECTOR_ARP", "maybe")], &[]).unwrap_err().to_string();
    assert!(error.contains("environment variable DEMO_COLLECTOR_ARP"), "{error}");
}

#[test]
fn service_links_of_kubernetes_are_no_settings() {
    #[derive(Debug, clap::Args)]
    struct Port {
        #[arg(long, default_value_t = 8080)]
        port: u16,
    }
    let parse = |value: &'static str| {
        let args = [OsString::from("demo")];
        parse_with::<Port>(Command::new("demo"), "DEMO", args, &|name| {
            (name == "DEMO_PORT").then(|| value.into())
        })
    };
    assert_eq!(parse("tcp://10.0.0.1:80").unwrap().0.port, 8080);
    assert_eq!(parse("81").unwrap().0.port, 81);
}

#[test]
fn arguments_are_read_from_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, "# Defaults.\n--no-collector.arp\n\n--log.level\nwarn\n").unwrap();
    let (options, matches) = parsed(&[&format!("@{}", file.path().display())]);
    assert_eq!(options.level, "warn");
    assert!(!arp(&matches));
    let error = refused(&["@/nonexistent/args"]);
    assert!(error.contains("'/nonexistent/args'"), "{error}");
}

#[test]
fn help_shows_switches_and_defaults_tells_of_variables_and_hides_what_is_hidden() {
    for flag in ["--help", "-h"] {
        let error = parsed_in(&[], &[flag]).unwrap_err();
        assert_eq!((error.kind(), error.exit_code()), (ErrorKind::DisplayHelp, 0));
        let text = error.to_string();
        for part in [
            "Shows something.\n\nUsage: demo [OPTIONS]",
            "--[no-]web.systemd-socket\n",
            "          Take the sockets that systemd opened\n",
            "Collectors:\n      --[no-]collector.arp\n          Neighbours [default: on]\n",
            "How much is logged [default: info] [possible values: info, warn]",
            "as DEMO_COLLECTOR_ARP for --collector.arp",
            "-h, --help\n          Print help\n",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        assert!(!text.contains("old-name") && !text.contains("[default: ]"), "{text}");
    }
}

const WORDS: &[Word] = &[
    Word::new("check", "Looks at the host.", prepared::<Nothing>),
    Word::alone("version", "Prints the version."),
];

#[test]
fn words_are_told_before_the_flags_and_are_subcommands_of_documents() {
    let command = with_words(Command::new("demo").about("Shows something."), WORDS);
    let text = help(&prepared::<Options>(command.clone()), "DEMO");
    let start = "Shows something.\n\nCommands, as the first word:\n  check    Looks at the host.\n  version  \
                 Prints the version.\n\nUsage: demo [FLAGS]\n       demo COMMAND [FLAGS]\n\n";
    assert!(text.starts_with(start), "{text}");
    let whole = described(command, WORDS);
    let check = whole.find_subcommand("check").unwrap();
    assert!(check.get_arguments().any(|arg| arg.get_long() == Some("check-config")));
}

#[test]
fn shells_complete_a_switch_and_its_negation_and_readers_see_both_as_one() {
    let longs = |command: &Command| -> Vec<String> {
        let args = command.get_arguments();
        let longs = args.filter_map(Arg::get_long_and_visible_aliases);
        longs.flatten().map(str::to_owned).collect()
    };
    let command = prepared::<Options>(Command::new("demo"));
    let completed = longs(&completable(command.clone()));
    for name in ["web.systemd-socket", "no-web.systemd-socket", "log.level"] {
        assert!(completed.iter().any(|long| long == name), "{name} of {completed:?}");
    }
    assert!(!completed.iter().any(|long| long == "no-log.level"), "{completed:?}");
    assert!(longs(&readable(command)).iter().any(|long| long == "[no-]web.systemd-socket"));
}

#[test]
fn the_version_is_printed_as_given() {
    let error = parsed_in(&[], &["--version"]).unwrap_err();
    assert_eq!(error.to_string(), "demo 1.2 (rev)\n");
}

/// What a config file gives, beside an environment and a command line; FILE stands for its path in the error.
fn configured(text: &str, environment: &[(&str, &str)], args: &[&str]) -> Result<Options, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, text).unwrap();
    let path = file.path().display().to_string();
    let flag = format!("--config.file={path}");
    let args: Vec<&str> = args.iter().copied().chain([flag.as_str()]).collect();
    let parsed = parsed_in(environment, &args);
    parsed.map(|(options, _)| options).map_err(|error| error.to_string().replace(&path, "FILE"))
}

const FILE: &str = "# Comment.\nweb.listen-address: [\":1\", \":2\"]\nlog.level: warn\nweb.timeout: 1m30s\ncollector.perf: true\n";

#[test]
fn a_config_file_sets_flags_under_their_names() {
    let options = configured(FILE, &[], &[]).unwrap();
    assert_eq!((options.addresses, options.level), (vec![":1".into(), ":2".into()], "warn".into()));
    assert_eq!((options.timeout, options.perf), (Duration::from_secs(90), Some(true)));
    assert_eq!(configured("", &[], &[]).unwrap().level, "info");
    assert_eq!(configured("web.listen-address: :7\n", &[], &[]).unwrap().addresses, [":7"]);
}

#[test]
fn the_command_line_wins_over_the_environment_which_wins_over_the_file() {
    let environment = [("DEMO_LOG_LEVEL", "info"), ("DEMO_WEB_TIMEOUT", "7s")];
    let args = ["--web.timeout=8s", "--no-collector.perf"];
    let options = configured(FILE, &environment, &args).unwrap();
    assert_eq!((options.level.as_str(), options.timeout), ("info", Duration::from_secs(8)));
    assert_eq!((options.perf, options.addresses.len()), (Some(false), 2));
}

#[test]
fn the_environment_may_name_the_file_and_an_empty_name_is_none() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, FILE).unwrap();
    let path = file.path().to_str().unwrap();
    let (options, _) = parsed_in(&[("DEMO_CONFIG_FILE", path)], &[]).unwrap();
    assert_eq!(options.level, "warn");
    assert_eq!(parsed(&["--config.file", path]).0.level, "warn");
    let (options, _) = parsed_in(&[("DEMO_CONFIG_FILE", path)], &["--config.file="]).unwrap();
    assert_eq!(options.level, "info");
}

#[test]
fn what_is_wrong_in_a_config_file_is_told_with_file_and_line() {
    for (text, expected) in [
        ("a: 1\n", "FILE:1: a: there is no such flag"),
        ("\nno-collector.arp: true\n", "FILE:2: no-collector.arp: write 'collector.arp: false'"),
        ("log.level: [info, warn]\n", "FILE:1: log.level: takes one value"),
        ("log.level: {a: b}\n", "FILE:1: log.level: "),
        ("log.level:\n", "FILE:1: "),
        ("log.level: info\nlog.level: warn\n", "FILE:2: "),
        ("- a\n", "FILE:1: "),
        ("log.level: \"x\n", "FILE:"),
        ("config.file: x\n", "FILE:1: config.file: cannot stand"),
        ("help: true\n", "FILE:1: help: "),
    ] {
        let error = configured(text, &[], &[]).unwrap_err();
        assert!(error.contains(expected), "{text:?}: {error}");
    }
    let error = configured("\nlog.level: loud\n", &[], &[]).unwrap_err();
    assert!(error.contains("'loud'") && error.contains("the value comes from FILE:2"), "{error}");
    let error = refused(&["--config.file=/nonexistent/x.yml"]);
    assert!(error.contains("--config.file '/nonexistent/x.yml'"), "{error}");
}

#[test]
fn a_check_says_that_all_is_good_or_what_is_not() {
    let good = parsed_in(&[], &["--check-config", "--log.level=warn"]).unwrap_err();
    assert_eq!(
        (good.to_string().as_str(), good.exit_code()),
        ("demo: the configuration is good\n", 0)
    );
    let bad = parsed_in(&[], &["--check-config", "--log.level=loud"]).unwrap_err();
    assert_eq!(bad.exit_code(), 2);
    assert!(configured("b: 1\n", &[], &["--check-config"]).unwrap_err().contains("FILE:1"));
}

#[test]
fn an_agent_may_check_more_by_itself() {
    let command = Command::new("demo").arg(switch("check-config", false, "Check."));
    let args = ["demo", "--check-config"].map(OsString::from);
    let (_, matches) = parse_with::<Nothing>(command, "DEMO", args, &|_| None).unwrap();
    assert_eq!(matches.get_one::<bool>("check-config"), Some(&true));
}

#[test]
fn a_switch_given_twice_by_alias_counts_once() {
    let command = Command::new("demo").arg(switch("new", false, "New.").alias("old"));
    let args = ["demo", "--old", "--no-old"].map(OsString::from);
    let none = |_: &str| None;
    let (_, matches) = parse_with::<Nothing>(command, "DEMO", args, &none).unwrap();
    assert_eq!(matches.get_one::<bool>("new"), Some(&false));
}

proptest! {
    #[test]
    fn no_config_file_makes_it_panic(text in "(log.level|web.listen-address|x)?[:\\[\\]{}\"' \n,a-]{0,20}") {
        let _either = configured(&text, &[], &[]);
    }

    #[test]
    fn no_arguments_make_it_panic(args in proptest::collection::vec("(--)?(no-)?(web.timeout|collector.arp|[a-z=,-]{0,6})(=[a-z-]{0,3})?", 0..4)) {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let _either = parsed_in(&[("DEMO_WEB_LISTEN_ADDRESS", ",")], &args);
    }
}
