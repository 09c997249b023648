//! An ear at both kinds of log, all levels, for one thread: `tracing`, which we write to, and `log`, which some
//! frameworks do.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::{Once, OnceLock};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::util::SubscriberInitExt;

thread_local! {
    static TRACED: RefCell<Option<Rc<RefCell<Vec<u8>>>>> = const { RefCell::new(None) };
    static LOGGED: RefCell<Option<Rc<RefCell<Vec<u8>>>>> = const { RefCell::new(None) };
}

/// Hears what this thread says, until it is dropped. One at a time.
pub struct Ear {
    traced: Rc<RefCell<Vec<u8>>>,
    logged: Rc<RefCell<Vec<u8>>>,
    _listening: tracing::subscriber::DefaultGuard,
}

/// Installs the logger that hears what frameworks log, before one of them installs its own, of which there can be but
/// one: for tests beside the suite that make applications, too.
///
/// # Panics
/// If another logger was there first.
#[allow(clippy::panic, reason = "a stage that cannot be set fails its test")]
pub fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if log::set_logger(&Logger).is_err() {
            panic!("another logger was there first: what a framework logs would go unheard");
        }
        log::set_max_level(log::LevelFilter::Trace);
        // With a single subscriber, a line that another thread meets first, unheard, is never heard again: tracing
        // asks that thread alone who listens. With two it asks both.
        static ANOTHER: OnceLock<tracing::Dispatch> = OnceLock::new();
        ANOTHER.get_or_init(|| tracing::Dispatch::new(tracing_subscriber::registry()));
    });
}

impl Ear {
    /// Listens from now on.
    #[allow(clippy::new_without_default, reason = "it does something")]
    pub fn new() -> Self {
        listen();
        let (traced, logged) = <(Rc<_>, Rc<_>)>::default();
        TRACED.set(Some(Rc::clone(&traced)));
        LOGGED.set(Some(Rc::clone(&logged)));
        let subscriber = tracing_subscriber::fmt()
            .with_writer(|| Traced)
            .with_max_level(LevelFilter::TRACE)
            .with_ansi(false)
            .finish();
        Self { traced, logged, _listening: subscriber.set_default() }
    }

    /// What was traced so far, which is forgotten.
    pub fn traced(&self) -> String {
        String::from_utf8_lossy(&self.traced.take()).into_owned()
    }

    /// What was logged so far, which is forgotten.
    pub fn logged(&self) -> String {
        String::from_utf8_lossy(&self.logged.take()).into_owned()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        TRACED.set(None);
        LOGGED.set(None);
    }
}

struct Traced;

impl io::Write for Traced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        TRACED.with_borrow(|ear| ear.iter().for_each(|ear| ear.borrow_mut().extend_from_slice(bytes)));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Logger;

impl log::Log for Logger {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}: {}\n", record.level(), record.target(), record.args());
        LOGGED.with_borrow(|ear| {
            ear.iter().for_each(|ear| ear.borrow_mut().extend_from_slice(line.as_bytes()));
        });
    }

    fn flush(&self) {}
}
