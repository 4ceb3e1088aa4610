//! Signals: SIGTERM and SIGINT ask for the end, a second one ends at once, SIGHUP asks to read the configuration again.

use std::future::pending;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// What every part of an agent waits for that must end in order.
#[derive(Clone, Debug)]
pub struct Shutdown(watch::Receiver<bool>);

/// Requests to read configuration again; those that come while one is being served count as one.
#[derive(Clone, Debug)]
pub struct Reload(watch::Receiver<u64>);

/// Asks for the end, or for a reload, from inside the process.
#[derive(Clone, Debug)]
pub struct Control {
    stop: watch::Sender<bool>,
    reload: watch::Sender<u64>,
}

impl Shutdown {
    /// Resolves when the end was asked for, at once where it was before.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        if receiver.wait_for(|stop| *stop).await.is_err() {
            // Nobody is left who could ask.
            pending::<()>().await;
        }
    }

    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }
}

impl Reload {
    /// Resolves when a reload was asked for since the last call.
    pub async fn requested(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody is left who could ask.
            pending::<()>().await;
        }
    }
}

impl Control {
    #[expect(clippy::new_without_default, reason = "it makes a pair of ends, not a value")]
    pub fn new() -> Self {
        Self { stop: watch::Sender::new(false), reload: watch::Sender::new(0) }
    }

    pub fn shutdown(&self) -> Shutdown {
        Shutdown(self.stop.subscribe())
    }

    pub fn reload(&self) -> Reload {
        Reload(self.reload.subscribe())
    }

    pub fn request_shutdown(&self) {
        self.stop.send_replace(true);
    }

    pub fn request_reload(&self) {
        self.reload.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Acts on one signal; returns the exit code where the process must end at once.
    fn receive(&self, received: Received) -> Option<i32> {
        match received {
            Received::Hangup => {
                tracing::info!("SIGHUP: reading the configuration again");
                self.request_reload();
            }
            Received::End { name, number } if *self.stop.borrow() => {
                tracing::warn!("{name} again: ending at once");
                // A shell reports a process that a signal ended with this code.
                return Some(128 + number);
            }
            Received::End { name, .. } => {
                tracing::info!("{name}: ending");
                self.request_shutdown();
            }
        }
        None
    }
}

/// A signal that an agent acts on.
#[derive(Clone, Copy, Debug)]
enum Received {
    Hangup,
    End { name: &'static str, number: i32 },
}

const TERMINATE: Received = Received::End { name: "SIGTERM", number: 15 };
const INTERRUPT: Received = Received::End { name: "SIGINT", number: 2 };

/// Listens to signals from now on, in a thread of its own: a second SIGTERM ends also an agent whose runtime is stuck.
///
/// Fails where no handler can be set.
pub fn listen() -> io::Result<Control> {
    let control = Control::new();
    let of_thread = control.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let mut signals = {
        let _entered = runtime.enter();
        Signals::handled()?
    };
    let serve = move || loop {
        let received = runtime.block_on(signals.next());
        if let Some(code) = of_thread.receive(received) {
            std::process::exit(code);
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(serve)?;
    Ok(control)
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn handled() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Received {
        tokio::select! {
            Some(()) = self.terminate.recv() => TERMINATE,
            Some(()) = self.interrupt.recv() => INTERRUPT,
            Some(()) = self.hangup.recv() => Received::Hangup,
            else => pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn signals_of_the_system_ask_for_reload_and_end() {
        let control = listen().unwrap();
        let (shutdown, mut reload) = (control.shutdown(), control.reload());
        kill_process(getpid(), Signal::HUP).unwrap();
        reload.requested().await;
        assert!(!shutdown.is_requested());
        kill_process(getpid(), Signal::TERM).unwrap();
        shutdown.requested().await;
        // Also for those that come late.
        control.shutdown().requested().await;
        assert!(shutdown.is_requested());
    }

    #[test]
    fn a_second_signal_ends_at_once_with_the_shells_code() {
        let control = Control::new();
        assert_eq!(control.receive(TERMINATE), None);
        assert_eq!(control.receive(Received::Hangup), None);
        assert_eq!(control.receive(TERMINATE), Some(143));
        assert_eq!(control.receive(INTERRUPT), Some(130));
    }

    #[tokio::test]
    async fn reloads_that_come_together_count_as_one() {
        let control = Control::new();
        let mut reload = control.reload();
        control.request_reload();
        control.request_reload();
        reload.requested().await;
        assert!(!reload.0.has_changed().unwrap());
        control.request_reload();
        reload.requested().await;
    }
}
