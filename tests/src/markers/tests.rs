//! That each form is found, wherever it stands, and that clean text is not. The encoders are other
//! people's wherever there are any, so that a slip in `views` is not made twice.

use super::{Form, Hunt, Marker, letters};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD, PAD};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use std::fmt::Write as _;

/// Inside a sentence, so that nothing is found only because it stands at the edge.
fn inside(text: &str) -> String {
    format!("2031-01-01T00:00:00Z ERROR at [1, 2] of config: `{text}` is no number (exit 7)")
}

#[track_caller]
fn finds(form: Form, marker: &Marker, haystack: impl AsRef<[u8]>) {
    let haystack = haystack.as_ref();
    assert_eq!(marker.find(haystack), Some(form), "in {} bytes", haystack.len());
    assert_eq!(Marker::random().find(haystack), None, "another marker is found in the same text");
}

fn escaped() -> [Marker; 2] {
    [Marker::random(), Marker::lines()]
}

fn all() -> [Marker; 3] {
    Marker::shapes().map(|(_, marker)| marker)
}

#[test]
fn raw() {
    for marker in all() {
        finds(Form::Raw, &marker, marker.text());
        finds(Form::Raw, &marker, inside(marker.text()));
    }
}

#[test]
fn json_by_serde_inside_json_and_with_other_writers_escapes() {
    for marker in escaped() {
        let json = serde_json::to_string(marker.text()).unwrap();
        finds(Form::Json, &marker, &json);
        finds(Form::Json, &marker, inside(&json));
        let twice = serde_json::json!({ "body": serde_json::json!({ "k": marker.text() }).to_string() });
        finds(Form::Json, &marker, twice.to_string());
    }
    let marker = Marker::new("aé/b<c😀d\"e f&g");
    // As writers do that keep to ASCII, escape `/`, or think of HTML.
    finds(Form::Json, &marker, r#"{"k":"a\u00e9\/b\u003cc\ud83d\ude00d\"e f\u0026g"}"#);
    finds(Form::Json, &marker, r#"{"k":"a\u00E9/b\u003Cc\uD83D\uDE00d\u0022e f\u0026g"}"#);
}

#[test]
fn debug_of_text_of_bytes_and_inside_debug() {
    for marker in
        [Marker::new(format!("{}\u{1b}\0'{}", letters(8), letters(9))), Marker::new("päss\u{7f}wörd")]
    {
        let debug = format!("{:?}", marker.text());
        finds(Form::Debug, &marker, &debug);
        finds(Form::Debug, &marker, format!("{:#?}", Some(inside(marker.text()))));
        assert!(marker.find(format!("{debug:?}").as_bytes()).is_some());
        finds(Form::Debug, &marker, marker.text().escape_default().to_string());
        finds(Form::Debug, &marker, marker.text().escape_unicode().to_string());
        finds(Form::Debug, &marker, format!("b\"{}\"", marker.text().as_bytes().escape_ascii()));
    }
    for marker in escaped() {
        // Where Rust and JSON write the same, the first name holds.
        let found = marker.find(format!("{:?}", marker.text()).as_bytes());
        assert!(matches!(found, Some(Form::Json | Form::Debug)), "{found:?}");
    }
}

#[test]
fn url_with_any_set_of_characters() {
    const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    const PATH: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'/').add(b'%');
    for marker in escaped() {
        for set in [NON_ALPHANUMERIC, UNRESERVED, PATH] {
            let url = format!("https://user:{}@host/?a=b", utf8_percent_encode(marker.text(), set));
            finds(Form::Url, &marker, &url);
            finds(Form::Url, &marker, url.replace("%20", "+"));
            finds(Form::Url, &marker, utf8_percent_encode(&url, NON_ALPHANUMERIC).to_string());
        }
        let every = |digits: fn(&mut String, u8)| {
            marker.text().bytes().fold(String::new(), |mut out, byte| {
                digits(&mut out, byte);
                out
            })
        };
        finds(Form::Url, &marker, every(|out, byte| write!(out, "%{byte:02x}").unwrap()));
        finds(Form::Url, &marker, every(|out, byte| write!(out, "%{byte:02X}").unwrap()));
    }
}

#[test]
fn base64_of_both_alphabets_at_every_place() {
    for marker in all() {
        for (alphabet, config) in
            [(&alphabet::STANDARD, PAD), (&alphabet::URL_SAFE, NO_PAD), (&alphabet::STANDARD, NO_PAD)]
        {
            let engine = GeneralPurpose::new(alphabet, config);
            for before in 0..7 {
                let text =
                    format!("{}{}{}", &"user:\u{7}\u{8}"[..before], marker.text(), &"\"}, …"[..before % 4]);
                finds(Form::Base64, &marker, engine.encode(&text));
                finds(Form::Base64, &marker, inside(&engine.encode(&text)));
                // Cut short by a logger: 14 bytes of it are left, and what stood before.
                finds(Form::Base64, &marker, &engine.encode(&text)[..((14 + before) * 8).div_ceil(6)]);
            }
        }
        // As the payload of a token, which is JSON, in a URL.
        let engine = GeneralPurpose::new(&alphabet::URL_SAFE, NO_PAD);
        let payload = engine.encode(serde_json::json!({ "sub": marker.text() }).to_string());
        finds(
            Form::Base64,
            &marker,
            format!("Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.{payload}.c2lnbmF0dXJl"),
        );
    }
}

#[test]
fn hex_in_one_piece_and_as_a_list() {
    for marker in all() {
        let bytes = marker.text().as_bytes();
        let join = |one: fn(&u8) -> String, by: &str| bytes.iter().map(one).collect::<Vec<_>>().join(by);
        for by in ["", " ", ":", ", ", ",\n    "] {
            finds(Form::Hex, &marker, inside(&join(|b| format!("{b:02x}"), by)));
            finds(Form::Hex, &marker, inside(&join(|b| format!("{b:02X}"), by)));
        }
        finds(Form::Hex, &marker, format!("a{}", join(|b| format!("{b:02x}"), "")));
        finds(Form::Hex, &marker, format!("{bytes:x?}"));
        finds(Form::Hex, &marker, format!("{bytes:#04X?}"));
        finds(Form::Hex, &marker, inside(&join(|b| format!("0x{b:x}"), " ")));
    }
}

#[test]
fn decimal_as_debug_of_bytes_shows_it() {
    for marker in all() {
        let bytes = marker.text().as_bytes();
        let join = |by: &str| bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(by);
        finds(Form::Decimal, &marker, format!("{bytes:?}"));
        finds(Form::Decimal, &marker, format!("FromUtf8Error {{ bytes: {bytes:#?} }}"));
        finds(Form::Decimal, &marker, format!("{:#?}", Some(Some(Some(bytes)))));
        finds(Form::Decimal, &marker, format!("[255, 0, {}, 7]", join(",")));
        finds(Form::Decimal, &marker, join(" "));
    }
}

#[test]
fn utf16_of_both_byte_orders() {
    for marker in all() {
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide: Vec<u8> = inside(marker.text()).encode_utf16().flat_map(bytes).collect();
            finds(Form::Utf16, &marker, &wide);
            finds(Form::Utf16, &marker, &wide[1..]);
        }
    }
}

#[test]
fn reversed_by_characters_and_by_bytes() {
    for marker in all() {
        finds(Form::Reversed, &marker, inside(&marker.text().chars().rev().collect::<String>()));
        finds(Form::Reversed, &marker, marker.text().bytes().rev().collect::<Vec<_>>());
    }
}

#[test]
fn cased() {
    for marker in escaped() {
        finds(Form::Cased, &marker, inside(&marker.text().to_uppercase()));
        finds(Form::Cased, &marker, inside(&marker.text().to_lowercase()));
        finds(Form::Cased, &marker, marker.text().to_ascii_uppercase());
    }
}

#[test]
fn every_eight_bytes_of_it_and_no_seven() {
    for (marker, part) in all().into_iter().zip([8, 12, 8]) {
        let bytes = marker.text().as_bytes();
        for window in bytes.windows(part) {
            let mut haystack = b"value: ".to_vec();
            haystack.extend(window);
            haystack.extend(b"\xff\xff rest");
            assert!(marker.find(&haystack).is_some());
        }
        finds(Form::Part, &marker, inside(&marker.text()[..part]));
        assert_eq!(marker.find(&bytes[..part - 1]), None);
    }
}

#[test]
fn clean_text_is_clean() {
    let texts = [
        include_str!("mod.rs"),
        include_str!("views.rs"),
        include_str!("../../../Cargo.lock"),
        "database.password: expected a number, from `vault://secret/myapp/database` revision #2",
        r#"{"ready":false,"sections":[{"name":"database","since":"2031-01-01T00:00:00Z"}]}"#,
    ];
    for marker in (0..8).flat_map(|_| all()) {
        for text in texts {
            assert_eq!(marker.find(text.as_bytes()), None);
        }
    }
}

#[test]
fn a_marker_does_not_show_itself() {
    let marker = Marker::random();
    assert_eq!(marker.find(format!("{marker:?} {:#?}", Some(&marker)).as_bytes()), None);
}

#[test]
fn markers_differ_and_have_what_their_shape_says() {
    assert_ne!(Marker::random().text(), Marker::random().text());
    let text = Marker::random();
    assert!(['"', '\\', '/', '+', '%', '&', '<', 'é'].iter().all(|c| text.text().contains(*c)));
    let number = Marker::number();
    assert_eq!(number.text(), number.text().parse::<i64>().unwrap().to_string());
    assert_eq!(Marker::lines().text().lines().count(), 3);
}

#[test]
#[should_panic(expected = "at least 12 bytes")]
fn a_short_number_is_no_marker() {
    let _ = Marker::new("12345678");
}

/// The message of what `run` panics with.
fn panic_of(run: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = std::panic::catch_unwind(run).unwrap_err();
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|s| (*s).to_owned()))
        .unwrap()
}

#[test]
fn a_hunt_tells_every_path_and_form_and_no_value() {
    let (secret, number) = (Marker::random(), Marker::number());
    let message = panic_of({
        let (secret, number) = (secret.clone(), number.clone());
        move || {
            let hunt = Hunt::new();
            let secret = hunt.plant("db.password", secret);
            hunt.check("early", secret.text());
            let number = hunt.plant("db.pin", number);
            hunt.check("health", "ready");
            let inner = std::io::Error::other(format!("pin {}", number.text()));
            hunt.check_error("load", &std::io::Error::other(Outer(inner)));
            hunt.check_debug("bytes", secret.text().as_bytes());
            hunt.finish();
        }
    });
    for line in [
        "early: `db.password` as Raw",
        "load, source, Display: `db.pin` as Raw",
        "bytes, Debug: `db.password` as Decimal",
        "bytes, pretty Debug: `db.password` as Decimal",
        "2 markers × 11 forms",
    ] {
        assert!(message.contains(line), "`{line}` is missing in:\n{message}");
    }
    assert!(!message.contains("health:"), "{message}");
    assert_eq!((secret.find(message.as_bytes()), number.find(message.as_bytes())), (None, None));
}

#[derive(Debug)]
struct Outer(std::io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("outer")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[test]
fn a_hunt_that_proves_nothing_fails() {
    assert!(panic_of(|| Hunt::new().finish()).contains("nothing was planted"));
    let planted = || {
        let hunt = Hunt::new();
        hunt.plant("a", Marker::random());
        hunt
    };
    assert!(panic_of(move || planted().finish()).contains("nothing was looked at"));
    assert!(panic_of(move || drop(planted())).contains("without `finish`"));
    let message = panic_of(move || {
        let hunt = planted();
        hunt.check("log", "");
        hunt.finish();
    });
    assert!(message.contains("log: nothing to look at"), "{message}");
}

#[test]
fn a_clean_hunt_ends_well() {
    let hunt = Hunt::new();
    for (name, marker) in Marker::shapes() {
        hunt.plant(name, marker);
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| hunt.check("log", "nothing of note"));
        }
    });
    hunt.finish();
}
