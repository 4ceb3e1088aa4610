//! `rewrite`: what the proxy would make of a body, from standard input to standard output.

use std::io::{Read, Write};
use std::sync::Arc;

use clap::Args;

use crate::identity::{Directory, Facts, IdentityOptions, Shared, read_file};
use crate::rewrite::{Counts, RewriteOptions, Settings, Subject, Workshop};

/// What is read at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// The flags of `rewrite`.
#[derive(Args, Clone, Debug)]
pub struct OfflineOptions {
    #[command(flatten)]
    pub series: RewriteOptions,
    #[command(flatten)]
    pub identity: IdentityOptions,
    /// Every series is about the pod that --identity.file tells first, as with --source=exporter.
    #[arg(long)]
    pub own: bool,
}

/// Rewrites all of `input`. Only --identity.file tells identities: nobody is asked.
pub fn rewrite(
    options: &OfflineOptions,
    mut input: impl Read,
    mut output: impl Write,
) -> anyhow::Result<Counts> {
    let mut facts = match &options.identity.file {
        Some(file) => {
            let host_ip = options.identity.host_ip.as_deref();
            read_file(file, &options.identity.pod_labels, host_ip)?
        }
        None => Facts::default(),
    };
    let subject = if options.own { Subject::Own } else { Subject::Cgroups };
    if options.own {
        facts.own = facts.pods.first().map(|first| first.pod.clone());
    }
    let settings = Settings::new(&options.series, subject)?;
    let shared = Arc::new(Shared::fixed(Directory::of(&facts)));
    let mut rewriter = Arc::new(Workshop::new(settings, shared)).rewriter();
    let (mut chunk, mut out) = (vec![0; CHUNK_BYTES], Vec::new());
    loop {
        let read = input.read(&mut chunk)?;
        match read {
            0 => rewriter.finish(&mut out),
            read => rewriter.push(chunk.get(..read).unwrap_or_default(), &mut out),
        }
        output.write_all(&out)?;
        out.clear();
        if read == 0 {
            output.flush()?;
            return Ok(rewriter.counts());
        }
    }
}
