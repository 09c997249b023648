//! The redaction layer under subscribers as applications build them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(all(feature = "testing", feature = "redact"))]

use secretfig::redact::Redact;
use secretfig::testing::FakeSource;
use secretfig::{Config, SecretLayer, SecretString};
use serde::Deserialize;
use serde_json::Value;
use std::error::Error;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex};
use tracing::field::Empty;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::layer::Context;
use tracing_subscriber::prelude::*;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

const SECRET: &str = "hunter2hunter2";

/// What a layer wrote.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    /// One object per line.
    fn json(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).expect(line)).collect()
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Sink;
    fn make_writer(&'a self) -> Sink {
        self.clone()
    }
}

fn human<S>(sink: &Sink) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer().with_ansi(false).without_time().with_writer(sink.clone())
}

fn json<S>(sink: &Sink) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_subscriber::fmt::layer().json().with_writer(sink.clone())
}

/// What both kinds of output say of that.
fn said(log: impl Fn()) -> (String, Vec<Value>) {
    let (text, objects) = (Sink::default(), Sink::default());
    let subscriber =
        Registry::default().with(Redact::around(human(&text))).with(Redact::around(json(&objects)));
    tracing::subscriber::with_default(subscriber, log);
    let (text, objects) = (text.text(), objects.json());
    assert!(!text.is_empty());
    for text in [&text, &Value::from(objects.clone()).to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    (text, objects)
}

#[test]
fn fields_of_every_type_are_hidden_by_name_and_others_keep_theirs() {
    let (text, objects) = said(|| {
        tracing::info!(
            password = SECRET,
            user.token = %SECRET,
            api_key = ?Some(SECRET),
            secret.bytes = SECRET.as_bytes(),
            pin.otp = 123_456_u64,
            signing_key = -123_456_i64,
            credential = 123_456.5_f64,
            private_key = 123_456_i128,
            dsn = 123_456_u128,
            cookie = true,
            user = "ada",
            number = 7,
            minus = -7,
            real = 0.5,
            large = 7_i128,
            yes = true,
            seen = ?Some("x"),
            bytes = &b"\x01"[..],
            "signed {}",
            "in"
        );
    });
    assert_eq!(text.matches("[redacted]").count(), 10, "{text}");
    assert!(!text.contains("123456"), "{text}");
    for shown in [
        "signed in",
        r#"user="ada""#,
        "number=7",
        "minus=-7",
        "real=0.5",
        "large=7",
        "yes=true",
        "seen=Some(\"x\")",
        "bytes=[01]",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
    let fields = &objects[0]["fields"];
    assert_eq!(fields["password"], "[redacted]");
    assert_eq!(
        (&fields["user"], &fields["number"], &fields["real"]),
        (&"ada".into(), &7.into(), &0.5.into())
    );
    assert_eq!((&fields["yes"], &fields["minus"]), (&true.into(), &(-7).into()));
    assert_eq!((&fields["seen"], &fields["message"]), (&"Some(\"x\")".into(), &"signed in".into()));
}

#[test]
fn spans_are_guarded_at_birth_and_later() {
    let (text, objects) = said(|| {
        let span = tracing::info_span!(
            "login",
            user = "ada",
            password = SECRET,
            token = Empty,
            seen = Empty,
            note = Empty
        );
        span.record("token", SECRET).record("seen", 3).record("note", format!("password={SECRET}"));
        span.in_scope(|| tracing::info!("within"));
        let root = tracing::info_span!(parent: None, "root", secret = SECRET);
        let child = tracing::info_span!(parent: &root, "child", secret = SECRET, n = 1);
        tracing::info!(parent: &child, secret = SECRET, "below");
        span.in_scope(|| tracing::info!(parent: None, secret = SECRET, "apart"));
    });
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert!(
        lines[0].contains(
            r#"login{user="ada" password=[redacted] token=[redacted] seen=3 note="password=[redacted]"}"#
        ),
        "{text}"
    );
    assert!(
        lines[1].contains("root{secret=[redacted]}:child{secret=[redacted] n=1}")
            && lines[1].contains("below"),
        "{text}"
    );
    assert!(!lines[2].contains("login") && lines[2].contains("apart"), "{text}");
    assert_eq!(objects[0]["span"]["seen"], 3);
    assert_eq!(objects[0]["spans"][0]["token"], "[redacted]");
}

#[test]
fn values_inside_of_values_are_hidden() {
    #[derive(Debug)]
    #[allow(dead_code)]
    struct Db<'a> {
        user: &'a str,
        password: &'a str,
        inner: Option<Box<Db<'a>>>,
    }
    let inner = Db { user: "eve", password: SECRET, inner: None };
    let db = Db { user: "ada", password: SECRET, inner: Some(Box::new(inner)) };
    let body =
        serde_json::json!({"user": "ada", "password": SECRET, "inner": {"tokens": [SECRET]}}).to_string();
    let twice = serde_json::json!({"body": body, "user": "eve"}).to_string();
    let (text, _) = said(|| {
        tracing::info!(
            ?db,
            pretty = format!("{db:#?}"),
            body,
            twice,
            "asked {db:?} for https://{SECRET}:x@h/p?api_key={SECRET}"
        );
        tracing::info!(raw = body.as_bytes(), plain = "ada".as_bytes(), "bytes");
    });
    for shown in [
        "user: \\\"ada\\\"",
        "user: \"eve\"",
        "\\\"user\\\":\\\"eve\\\"",
        "https://[redacted]@h/p?api_key=[redacted]",
        "raw=[redacted]",
        "plain=[61 64 61]",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[derive(Debug)]
struct Failed(Option<Box<Failed>>, String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1)
    }
}

impl Error for Failed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.as_deref().map(|cause| cause as _)
    }
}

#[test]
fn errors_are_guarded_with_their_causes() {
    let cause = Failed(None, format!("postgres://u:{SECRET}@h/db is away"));
    let error = Failed(Some(Box::new(cause)), "no connection".to_owned());
    let (text, _) = said(|| {
        tracing::error!(error = &error as &(dyn Error + 'static), "failed");
        tracing::error!(secret = &error as &(dyn Error + 'static), ?error, "failed");
        tracing::error!(
            token = 1,
            error = &Failed(None, "told".to_owned()) as &(dyn Error + 'static),
            "kept"
        );
    });
    assert!(
        text.contains("error=no connection error.sources=[postgres://[redacted]@h/db is away]"),
        "{text}"
    );
    assert!(text.contains("secret=[redacted]") && text.contains("error=told"), "{text}");

    /// Its own cause.
    #[derive(Debug)]
    struct Endless;
    impl fmt::Display for Endless {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("endless")
        }
    }
    impl Error for Endless {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }
    /// Asks for no more than it is shown.
    struct Shallow(Sink);
    impl<S: Subscriber> Layer<S> for Shallow {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            struct Visit<'a>(&'a Sink);
            impl tracing::field::Visit for Visit<'_> {
                fn record_error(&mut self, _: &tracing::field::Field, value: &(dyn Error + 'static)) {
                    io::Write::write_all(&mut self.0.clone(), value.to_string().as_bytes()).unwrap();
                }
                fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn fmt::Debug) {}
            }
            event.record(&mut Visit(&self.0));
        }
    }
    let sink = Sink::default();
    let subscriber = Registry::default().with(Redact::around(Shallow(sink.clone())));
    tracing::subscriber::with_default(subscriber, || {
        tracing::error!(token = 1, error = &Endless as &(dyn Error + 'static));
    });
    assert_eq!(sink.text(), "endless");
}

#[test]
fn spans_with_many_fields_keep_each_in_its_place() {
    let (text, objects) = said(|| {
        tracing::info_span!(
            "many",
            f1 = 1,
            f2 = 2,
            f3 = 3,
            f4 = 4,
            f5 = 5,
            f6 = 6,
            f7 = 7,
            f8 = 8,
            f9 = 9,
            f10 = 10,
            f11 = 11,
            f12 = 12,
            f13 = 13,
            f14 = 14,
            f15 = 15,
            f16 = 16,
            f17 = 17,
            f18 = 18,
            f19 = 19,
            f20 = 20,
            f21 = 21,
            f22 = 22,
            f23 = 23,
            f24 = 24,
            f25 = 25,
            f26 = 26,
            f27 = 27,
            f28 = 28,
            f29 = 29,
            f30 = 30,
            f31 = 31,
            f32 = 32,
            password = SECRET,
            f34 = 34,
            f35 = Empty,
            f36 = 36
        )
        .in_scope(|| tracing::info!("within"));
    });
    assert!(text.contains("f32=32 password=[redacted] f34=34 f36=36"), "{text}");
    let span = &objects[0]["span"];
    assert!((1..=36).filter(|n| ![33, 35].contains(n)).all(|n| span[format!("f{n}")] == n), "{span}");
    assert!(span.get("f35").is_none());
}

#[test]
fn an_application_adds_names_and_shows_some() {
    let sink = Sink::default();
    let layer = Redact::around(human(&sink)).hide("ssn").hide("card_number").show("token_hash");
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        tracing::info!(
            customer.ssn = SECRET,
            token_hash = "abc",
            token = SECRET,
            body = format!("cardNumber={SECRET}")
        );
        tracing::info!(body = "{\"tokenHash\":\"abc\"}", secret_name = "myapp/db");
    });
    let text = sink.text();
    assert_eq!(text.matches("[redacted]").count(), 3, "{text}");
    assert!(text.contains("token_hash=\"abc\"") && text.contains(r#"{\"tokenHash\":\"abc\"}"#), "{text}");
    assert!(text.contains("myapp/db") && !text.contains(SECRET), "{text}");
}

#[test]
fn around_itself_it_does_the_same() {
    let sink = Sink::default();
    let layer = Redact::around(Redact::around(human(&sink)).hide("ssn")).hide("pin");
    tracing::subscriber::with_default(Registry::default().with(layer), || {
        tracing::info!(
            ssn = SECRET,
            pin = SECRET,
            token = SECRET,
            "password={SECRET} user=ada {{\"secret\": \"{SECRET}\"}}"
        );
    });
    let text = sink.text();
    assert!(text.contains("password=[redacted] user=ada"), "{text}");
    assert!(
        text.contains("ssn=[redacted] pin=[redacted] token=[redacted]") && !text.contains("hunter2"),
        "{text}"
    );
}

/// Of two layers, one with a filter, the other still gets all: wherever the filter stands.
#[test]
fn filters_work_outside_and_inside() {
    fn log() {
        tracing::info!(token = SECRET, "an info");
        tracing::warn!(token = SECRET, "a warning");
        tracing::trace!(token = SECRET, "a trace");
    }
    let lines = |filtered: &Sink, all: &Sink| {
        let count = |sink: &Sink| {
            let text = sink.text();
            assert!(!text.contains("hunter2") && text.contains("[redacted]"), "{text}");
            text.lines().count()
        };
        (count(filtered), count(all))
    };
    let (few, all) = (Sink::default(), Sink::default());
    let outside = Redact::around(human(&few)).with_filter(LevelFilter::WARN);
    let subscriber = Registry::default().with(outside).with(Redact::around(human(&all)));
    tracing::subscriber::with_default(subscriber, log);
    assert_eq!(lines(&few, &all), (1, 3));

    let (few, all) = (Sink::default(), Sink::default());
    let inside = Redact::around(human(&few).with_filter(LevelFilter::WARN));
    let subscriber = Registry::default().with(inside).with(Redact::around(human(&all)));
    tracing::subscriber::with_default(subscriber, log);
    assert_eq!(lines(&few, &all), (1, 3));

    let (few, all) = (Sink::default(), Sink::default());
    let inside =
        Redact::around(human(&few).with_filter(filter_fn(|metadata| *metadata.level() == Level::WARN)));
    let subscriber =
        Registry::default().with(Redact::around(human(&all)).with_filter(LevelFilter::TRACE)).with(inside);
    tracing::subscriber::with_default(subscriber, log);
    assert_eq!(lines(&few, &all), (1, 3));

    let all = Sink::default();
    let none = Redact::around(None::<Redact<tracing_subscriber::fmt::Layer<Registry>>>);
    tracing::subscriber::with_default(Registry::default().with(none).with(Redact::around(human(&all))), log);
    assert_eq!(all.text().lines().count(), 3);

    let boxed: Box<dyn Layer<Registry> + Send + Sync> = human(&few).with_filter(LevelFilter::ERROR).boxed();
    let all = Sink::default();
    let subscriber = Registry::default().with(Redact::around(boxed)).with(Redact::around(human(&all)));
    tracing::subscriber::with_default(subscriber, log);
    assert_eq!(lines(&few, &all), (1, 3));

    let some = Sink::default();
    let subscriber = Registry::default().with(LevelFilter::INFO).with(Redact::around(human(&some)));
    assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::INFO));
    tracing::subscriber::with_default(subscriber, log);
    assert_eq!(some.text().lines().count(), 2);
}

/// What one layer never wants is not said to be what none wants: `tracing` would remember that.
#[test]
fn the_no_of_a_filter_inside_is_its_own() {
    let sink = Sink::default();
    let span = || tracing::info_span!("asked").metadata().unwrap();
    let metadata = tracing::subscriber::with_default(Registry::default(), span);
    let filtered = human(&sink).with_filter(LevelFilter::WARN);
    let inside = Redact::around(human(&sink).with_filter(LevelFilter::WARN));
    let subscriber = Registry::default().with(filtered).with(inside).with(human(&sink));
    assert!(!subscriber.register_callsite(metadata).is_never());
    let outside = Redact::around(human(&sink)).with_filter(LevelFilter::WARN);
    assert!(Registry::default().with(outside).register_callsite(metadata).is_never());
    assert!(Registry::default().with(Redact::around(human(&sink))).register_callsite(metadata).is_always());
}

#[test]
fn a_layer_may_be_exchanged_while_it_runs() {
    let (first, second) = (Sink::default(), Sink::default());
    let (layer, handle) = tracing_subscriber::reload::Layer::new(Redact::around(human(&first)));
    let (inner, filter) = tracing_subscriber::reload::Layer::new(LevelFilter::INFO);
    tracing::subscriber::with_default(Registry::default().with(layer).with(inner), || {
        tracing::info!(password = SECRET, "one");
        handle.reload(Redact::around(human(&second))).unwrap();
        tracing::info!(password = SECRET, "two");
        filter.reload(LevelFilter::ERROR).unwrap();
        tracing::info!(password = SECRET, "three");
    });
    assert!(first.text().contains("one password=[redacted]") && !first.text().contains("two"));
    assert!(second.text().contains("two password=[redacted]") && !second.text().contains("three"));
}

/// Every call of a layer.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, call: impl Into<String>) {
        self.0.lock().unwrap().push(call.into());
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Calls {
    fn on_register_dispatch(&self, _: &tracing::Dispatch) {
        self.note("dispatch");
    }
    fn on_layer(&mut self, _: &mut S) {
        self.note("layer");
    }
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        self.note("callsite");
        tracing::subscriber::Interest::sometimes()
    }
    fn enabled(&self, _: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        self.note("enabled");
        true
    }
    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }
    fn event_enabled(&self, _: &Event<'_>, _: Context<'_, S>) -> bool {
        self.note("event enabled");
        true
    }
    fn on_new_span(&self, attributes: &Attributes<'_>, _: &Id, context: Context<'_, S>) {
        let parent =
            if attributes.is_contextual() { context.lookup_current().map(|span| span.name()) } else { None };
        self.note(format!("span {attributes:?} {} {parent:?}", attributes.is_root()));
    }
    fn on_record(&self, _: &Id, record: &Record<'_>, _: Context<'_, S>) {
        self.note(format!("record {record:?}"));
    }
    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let parent = context.event_span(event).map(|span| span.name());
        self.note(format!("event {event:?} in {parent:?}"));
    }
    fn on_follows_from(&self, _: &Id, _: &Id, _: Context<'_, S>) {
        self.note("follows");
    }
    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        self.note("enter");
    }
    fn on_exit(&self, _: &Id, _: Context<'_, S>) {
        self.note("exit");
    }
    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.note("close");
    }
    fn on_id_change(&self, _: &Id, _: &Id, _: Context<'_, S>) {
        self.note("id change");
    }
}

#[test]
fn all_calls_reach_the_layer_inside() {
    let calls = Calls::default();
    let subscriber = Registry::default().with(Redact::around(calls.clone()));
    assert_eq!(subscriber.max_level_hint(), Some(LevelFilter::DEBUG));
    tracing::subscriber::with_default(subscriber, || {
        let outer = tracing::info_span!("outer", password = SECRET, token = Empty);
        outer.record("token", SECRET);
        let guard = outer.enter();
        let inner = tracing::info_span!("inner", secret = SECRET);
        inner.follows_from(&outer);
        drop(tracing::info_span!(parent: None, "lonely", secret = SECRET));
        drop(tracing::info_span!(parent: &inner, "leaf", secret = SECRET));
        tracing::info!(secret = SECRET, "it");
        drop(guard);
        tracing::info!(parent: &inner, secret = SECRET, "below");
        tracing::info!(parent: None, secret = SECRET, "apart");
    });
    let changing = Registry::default().with(Changing(Redact::around(calls.clone())));
    tracing::subscriber::with_default(changing, || tracing::info!("change"));
    let calls = calls.0.lock().unwrap();
    let all = calls.join("\n");
    for call in [
        "dispatch",
        "layer",
        "callsite",
        "enabled",
        "event enabled",
        "span",
        "record",
        "event",
        "follows",
        "enter",
        "exit",
        "close",
        "id change",
    ] {
        assert!(calls.iter().any(|made| made.starts_with(call)), "{call}: {all}");
    }
    assert!(!all.contains("hunter2") && all.contains("[redacted]"), "{all}");
    let find = |what: &str| calls.iter().find(|call| call.contains(what)).unwrap().clone();
    assert!(find("\"inner\"").contains("Some(\"outer\")"), "{all}");
    assert!(find("\"lonely\"").contains("true None") && find("\"lonely\"").contains("Root"), "{all}");
    assert!(find("\"leaf\"").contains("parent: Explicit"), "{all}");
    let event = |message: &str| {
        calls.iter().find(|c| c.starts_with("event Event") && c.contains(message)).unwrap().clone()
    };
    assert!(event("message: it").ends_with("in Some(\"outer\")"), "{all}");
    assert!(event("message: below").ends_with("in Some(\"inner\")"), "{all}");
    assert!(event("message: apart").ends_with("in None"), "{all}");
}

/// A registry never changes an id, so the call is made from where there is a context to make it with.
struct Changing(Redact<Calls>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Changing {
    fn on_event(&self, _: &Event<'_>, context: Context<'_, S>) {
        self.0.on_id_change(&Id::from_u64(1), &Id::from_u64(2), context);
    }
}

/// The values of an event that is passed on are the ones that were given, not copies.
#[test]
fn an_event_with_nothing_to_hide_is_passed_on_as_it_is() {
    #[derive(Clone, Default)]
    struct Addresses(Arc<Mutex<Vec<usize>>>);
    impl tracing::field::Visit for Addresses {
        fn record_str(&mut self, _: &tracing::field::Field, value: &str) {
            self.0.lock().unwrap().push(value.as_ptr().addr());
        }
        fn record_debug(&mut self, _: &tracing::field::Field, _: &dyn fmt::Debug) {}
    }
    impl<S: Subscriber> Layer<S> for Addresses {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            event.record(&mut self.clone());
        }
    }
    let (seen, user) = (Addresses::default(), "ada".to_owned());
    tracing::subscriber::with_default(Registry::default().with(Redact::around(seen.clone())), || {
        tracing::info!(user = user.as_str(), "{} asks", 1);
        tracing::info!(user = user.as_str(), password = SECRET, "{} asks", 2);
    });
    let seen = seen.0.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen[0], user.as_ptr().addr());
    assert_ne!(seen[1], user.as_ptr().addr());
}

#[test]
fn records_of_the_log_crate_pass_through() {
    tracing_log::LogTracer::init().unwrap();
    let (text, objects) = said(|| {
        log::warn!(target: "old::crate", "password={SECRET} user=ada");
        log::warn!("nothing to hide");
    });
    assert!(text.contains("WARN old::crate: password=[redacted] user=ada"), "{text}");
    assert!(text.contains("WARN redact: nothing to hide"), "{text}");
    assert_eq!(objects[0]["target"], "old::crate");
    assert_eq!(objects[0]["fields"]["log.target"], "old::crate");
}

/// Our own lines name secrets under `secret`.
#[tokio::test]
async fn our_own_lines_stay_readable() {
    #[derive(Deserialize)]
    #[allow(dead_code)]
    struct App {
        password: SecretString,
    }
    let (bare, wrapped) = (Sink::default(), Sink::default());
    let subscriber = Registry::default().with(
        tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(bare.clone()).and_then(
            Redact::around(
                tracing_subscriber::fmt::layer().without_time().with_ansi(false).with_writer(wrapped.clone()),
            ),
        ),
    );
    let guard = tracing::subscriber::set_default(subscriber);
    let source = FakeSource::new().with("myapp/token", SECRET);
    source.identity("arn:aws:iam::1:role/app");
    let secrets = SecretLayer::from(source.clone()).put("password", "myapp/token");
    let config = Config::<App>::builder().merge(secrets).load().await.unwrap();
    source.rotate("myapp/token", "another");
    config.refresh().await;
    source.deny("myapp/token");
    config.refresh().await;
    drop(guard);
    let text = wrapped.text();
    assert_eq!(text, bare.text());
    for shown in [
        "secretfig::audit",
        "secret=\"myapp/token\"",
        "revision=\"",
        "outcome=\"read\"",
        "identity=\"arn",
        "denied",
    ] {
        assert!(text.contains(shown), "{shown}: {text}");
    }
}

#[test]
fn span_events_are_guarded() {
    let sink = Sink::default();
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_span_events(FmtSpan::FULL)
        .with_writer(sink.clone());
    tracing::subscriber::with_default(Registry::default().with(Redact::around(layer)), || {
        tracing::info_span!("it", password = SECRET).in_scope(|| ());
    });
    let text = sink.text();
    assert_eq!(text.matches("password=[redacted]").count(), 4, "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn its_debug_says_what_it_is() {
    let layer = Redact::around(LevelFilter::INFO).hide("ssn");
    assert!(format!("{layer:?}").contains("Redact { inner: LevelFilter::INFO"), "{layer:?}");
}
