//! What a program says through `tracing` and `log`, kept to be searched.

use std::io;
use std::sync::{Arc, Mutex, Once, PoisonError};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

/// What subscribers wrote: a writer for any of them, of which every copy writes to the same place.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Hears all that is said on this thread from now on, at every level and with every span, by `tracing` and by `log`, until
    /// the guard is dropped.
    ///
    /// # Panics
    /// If another logger of `log` was there first.
    #[allow(clippy::expect_used, reason = "a stage that cannot be set fails its test")]
    pub fn listen() -> (Log, DefaultGuard) {
        static OF_LOG: Once = Once::new();
        OF_LOG.call_once(|| tracing_log::LogTracer::init().expect("no other logger"));
        let log = Log::default();
        let all = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_span_events(FmtSpan::FULL)
            .with_writer(log.clone())
            .with_ansi(false)
            .finish();
        (log, tracing::subscriber::set_default(all))
    }

    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
