//! Any bytes as an object of any resource: an error, or text that is an exposition.
#![no_main]

use std::cell::RefCell;

use exporter_toolkit::{Format, golden};
use fuzz::{choice, chosen, files, fixtures, seeds};
use kube_state_rs::rendered::Rendered;
use kube_state_rs::resource::{BuiltIn, RESOURCES, Renderer as _};
use kube_state_rs::selection::{Keys, Selection};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static ALL: Vec<BuiltIn> = RESOURCES.iter().map(|resource| {
        let every = || Some(Keys::new(&["*"]));
        BuiltIn::new(*resource, Selection { labels: every(), annotations: every() }, |_| true)
    }).collect();
    static OUT: RefCell<Rendered> = RefCell::default();
}

fn inputs() -> Vec<Vec<u8>> {
    let (tree, mut inputs) = (fixtures("kube-state-rs"), Vec::new());
    for (number, resource) in RESOURCES.iter().enumerate() {
        let of = tree.join(resource.plural());
        for path in
            files(&of).iter().filter(|path| path.extension().is_some_and(|end| end == "yaml"))
        {
            let text = std::fs::read_to_string(of.join(path)).expect("a fixture");
            let objects: Vec<serde_json::Value> =
                serde_saphyr::from_multiple(&text).expect("a fixture");
            inputs
                .extend(objects.iter().map(|object| chosen(number, object.to_string().as_bytes())));
        }
    }
    inputs
}

fuzz_target!(init: seeds(inputs), |input: &[u8]| {
    let Some((number, json)) = choice(input, RESOURCES.len()) else { return };
    ALL.with(|all| OUT.with_borrow_mut(|out| {
        if all[number].render(json, out).is_err() {
            return;
        }
        for (header, samples) in all[number].families().iter().zip(out.families()) {
            if samples.is_empty() {
                continue;
            }
            let text = String::from_utf8([&header.text(Format::Text)[..], samples].concat()).expect("an exposition is UTF-8");
            let problems = golden::check(&text, Format::Text).into_iter().filter(|problem| !problem.what.contains("twice"));
            assert_eq!(problems.collect::<Vec<_>>(), [], "{text}");
        }
    }));
});
