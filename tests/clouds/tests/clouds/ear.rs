//! All that any crate logs at any level, on any thread.

use secretfig_source::{Document, Exposed, Node, Reading};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

#[derive(Clone, Default)]
pub(crate) struct Ear(Arc<Mutex<Vec<u8>>>);

impl Ear {
    /// The one of this process, listening from the first call on.
    pub(crate) fn get() -> Self {
        static EAR: OnceLock<Ear> = OnceLock::new();
        EAR.get_or_init(|| {
            let ear = Ear::default();
            // with the feature `tracing-log`, which others may switch on, the first sets what the second would
            let all = tracing_subscriber::fmt().with_max_level(LevelFilter::TRACE).with_writer(ear.clone());
            let _ = all.finish().try_init();
            let _ = tracing_log::LogTracer::init();
            ear
        })
        .clone()
    }

    pub(crate) fn heard(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }
}

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Ear {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A marker of letters and digits, which no header and no form escapes.
pub(crate) fn word(hunt: &secretfig_tests::Hunt, name: &str) -> String {
    let marker = secretfig_tests::Marker::random();
    let text: String = marker.text().chars().filter(char::is_ascii_alphanumeric).collect();
    hunt.plant(name, secretfig_tests::Marker::new(text)).text().to_owned()
}

/// The text of a document, or of one of its fields.
pub(crate) fn text_of(document: &Document, field: Option<&str>) -> String {
    let reading = Reading { field: field.map(Into::into), ..Reading::default() };
    match document.read(&reading).unwrap() {
        Node::Leaf(leaf) => match leaf.expose_secret() {
            Exposed::Text(text) => text.to_owned(),
            _ => panic!("no text"),
        },
        _ => panic!("no leaf"),
    }
}
