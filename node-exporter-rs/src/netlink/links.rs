//! The interfaces of one scrape: one dump for all collectors that ask.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use super::{Client, Request, Step};

/// Messages beyond this many bytes, those of some two hundred interfaces, are not kept: each collector then asks itself.
const KEPT: usize = 256 << 10;

/// Cheap to clone; all clones share the dump.
#[derive(Clone, Debug, Default)]
pub struct Links(Arc<Mutex<Dump>>);

#[derive(Debug, Default)]
struct Dump {
    client: Client,
    /// The scrape it was made for.
    round: Option<Instant>,
    bodies: Vec<u8>,
    /// Where each message ends in `bodies`.
    ends: Vec<usize>,
}

impl Links {
    /// Hands out all links as [`Client::dump`] does; a second collector of one scrape gets what the first was told. The
    /// scrape is known by its deadline; without one the kernel is asked anew.
    ///
    /// Where the kernel holds one caller (another has its lock), the second one waits too, as it would by itself.
    pub fn read(
        &self,
        round: Option<Instant>,
        mut each: impl FnMut(Step<'_>),
    ) -> Result<(), io::Error> {
        let mut dump = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if round.is_some() && dump.round == round {
            each(Step::Begin);
            let mut start = 0;
            for &end in &dump.ends {
                each(Step::Message(&dump.bodies[start..end]));
                start = end;
            }
            return Ok(());
        }
        let Dump { client, round: of, bodies, ends } = &mut *dump;
        *of = None;
        let mut fits = true;
        client.dump(Request::links(), |step| {
            match step {
                Step::Begin => {
                    bodies.clear();
                    ends.clear();
                    fits = true;
                }
                Step::Message(body) if fits && bodies.len() + body.len() <= KEPT => {
                    bodies.extend_from_slice(body);
                    ends.push(bodies.len());
                }
                Step::Message(_) => fits = false,
            }
            each(step);
        })?;
        *of = round.filter(|_| fits);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_of_a_scrape_hears_what_the_first_was_told() {
        let links = Links::default();
        let now = Instant::now();
        let told = |round| {
            let mut told = Vec::new();
            let each = |step: Step<'_>| match step {
                Step::Begin => told.clear(),
                Step::Message(body) => told.push(body.to_vec()),
            };
            links.read(round, each).unwrap();
            told
        };
        let first = told(Some(now));
        assert!(!first.is_empty());
        let asked = || links.0.lock().unwrap().client.sequence;
        let before = asked();
        assert_eq!(told(Some(now)), first);
        assert_eq!(asked(), before);
        for round in [None, Some(now), Some(Instant::now())] {
            let before = asked();
            assert_eq!(told(round).len(), first.len());
            assert_ne!(asked(), before);
        }
    }
}
