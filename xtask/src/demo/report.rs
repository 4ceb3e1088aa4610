//! What the terminal shows.

use super::board::{Board, Key, Last, Target};
use super::host;
use super::parts::Parts;
use crate::table::{bytes, columns};

pub(crate) fn text(board: &Board, parts: &Parts, url: &str) -> String {
    let view = board.view();
    let scrape = |name: &str| {
        let (_, target) = view.targets.iter().find(|(key, _)| key.service == name)?;
        Some(target.last.as_ref()?.outcome.as_ref().ok()?.scrape.clone())
    };
    let facts = scrape("node-exporter").map(|scrape| host::facts(&scrape)).unwrap_or_default();
    let notes: Vec<Vec<String>> =
        parts.notes().iter().map(|note| vec![note.about.to_owned(), note.text.clone()]).collect();
    let rows: Vec<Vec<String>> =
        view.targets.iter().map(|(key, target)| row(key, target)).collect();
    format!(
        "\nThis machine\n{facts}\nWhat it has to show\n{}\nTargets, as the registrar lists them for http_sd\n{}\n\
         All of them, live: {url}\n\
         These are development builds; `cargo xtask build` makes the small and fast ones.\n",
        columns(&notes, &[]),
        columns(&rows, &[3, 4, 5]),
    )
}

fn row(key: &Key, target: &Target) -> Vec<String> {
    let state = match &target.last {
        None => "not asked",
        Some(Last { outcome: Err(_), .. }) => "down",
        Some(Last { outcome: Ok(_), .. }) => "up",
    };
    let mut row = vec![state.to_owned(), key.service.clone(), key.url()];
    match &target.last {
        None => {}
        Some(Last { outcome: Err(error), .. }) => {
            row.extend([String::new(), String::new(), String::new(), error.clone()]);
        }
        Some(Last { outcome: Ok(answer), took, .. }) => {
            row.push(format!("{} series", answer.series));
            row.push(bytes(answer.bytes as f64));
            row.push(format!("{:.0} ms", took.as_secs_f64() * 1000.0));
            row.push(answer.says.clone());
        }
    }
    row
}
