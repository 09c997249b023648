//! Undoing encodings: a text as it is, and as it reads once decoded.
//!
//! Each decoder takes any bytes, decodes what could be encoded, and keeps the rest: a haystack is not
//! one document but a log line with a URL with a token in it.

use super::Form;

/// How deep: JSON inside a `Debug` string, base64 inside a URL. A third layer has not been seen.
const DEPTH: usize = 2;
/// The shortest stretch worth decoding: what is shorter holds no eight bytes.
const LEAST: usize = 8;

/// Calls `look` with the text, and with every view of it and of those. With each view comes the form of
/// the outermost encoding, which a reader of the text would see, and how many were undone.
pub(super) fn each(text: &[u8], look: &mut dyn FnMut(Form, usize, &[u8])) {
    look(Form::Raw, 0, text);
    decode(text, None, 1, look);
}

fn decode(text: &[u8], outer: Option<Form>, depth: usize, look: &mut dyn FnMut(Form, usize, &[u8])) {
    let mut show = |form: Form, view: Vec<u8>| {
        if view.len() >= LEAST && view != text {
            let form = outer.unwrap_or(form);
            look(form, depth, &view);
            if depth < DEPTH {
                decode(&view, Some(form), depth + 1, look);
            }
        }
    };
    if text.contains(&b'\\') {
        show(Form::Json, unescape(text, json_escape));
        show(Form::Debug, unescape(text, rust_escape));
    }
    if text.contains(&b'%') {
        show(Form::Url, percent(text, false));
        if text.contains(&b'+') {
            show(Form::Url, percent(text, true));
        }
    }
    base64(text, &mut show);
    hex(text, &mut show);
    numbers(text, 16, Form::Hex, &mut show);
    numbers(text, 10, Form::Decimal, &mut show);
}

/// Replaces every escape that `one` knows: given what follows a backslash, it appends what that means
/// and says how many bytes it took.
fn unescape(text: &[u8], one: fn(&[u8], &mut Vec<u8>) -> Option<usize>) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = match (byte == b'\\').then(|| one(tail, &mut out)).flatten() {
            Some(taken) => &tail[taken..],
            None => {
                out.push(byte);
                tail
            }
        };
    }
    out
}

fn json_escape(tail: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let plain = match tail.first()? {
        byte @ (b'"' | b'\\' | b'/') => *byte,
        b'b' => 0x08,
        b'f' => 0x0C,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => return json_unicode(tail, out),
        _ => return None,
    };
    out.push(plain);
    Some(1)
}

fn json_unicode(tail: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let unit = |at: usize| -> Option<u16> {
        let digits = tail.get(at..at + 4).filter(|d| d.iter().all(u8::is_ascii_hexdigit))?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let first = unit(1)?;
    let second = tail[5..].starts_with(b"\\u").then(|| unit(7)).flatten();
    let pair = [first, second.unwrap_or(0)];
    // A pair only where two halves make one character; otherwise the second is read on its own.
    let (units, taken) = match first {
        0xD800..=0xDBFF if second.is_some() => (&pair[..], 11),
        _ => (&pair[..1], 5),
    };
    out.extend_from_slice(String::from_utf16(units).ok()?.as_bytes());
    Some(taken)
}

fn rust_escape(tail: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let plain = match tail.first()? {
        byte @ (b'"' | b'\\' | b'\'') => *byte,
        b'0' => 0,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'x' => {
            out.push(pair(tail.get(1..3)?)?);
            return Some(3);
        }
        b'u' => {
            let end = tail.iter().take(9).position(|b| *b == b'}')?;
            let digits = std::str::from_utf8(tail.get(2..end)?).ok().filter(|_| tail[1] == b'{')?;
            let char = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
            out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(end + 1);
        }
        _ => return None,
    };
    out.push(plain);
    Some(1)
}

fn percent(text: &[u8], plus_is_blank: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let decoded = (byte == b'%').then(|| pair(tail.get(..2)?)).flatten();
        rest = if decoded.is_some() { &tail[2..] } else { tail };
        out.push(decoded.unwrap_or(if byte == b'+' && plus_is_blank { b' ' } else { byte }));
    }
    out
}

/// Two hex digits.
fn pair(digits: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*digits.get(at)?).to_digit(16);
    Some((digit(0)? * 16 + digit(1)?) as u8)
}

/// Every run of characters of either alphabet, read from each of its first four characters on: so it
/// does not matter what was encoded before the value, nor where the text was cut.
fn base64(text: &[u8], show: &mut dyn FnMut(Form, Vec<u8>)) {
    // Eight bytes take this many characters at least.
    const SHORTEST: usize = (LEAST * 8).div_ceil(6);
    for run in text.split(|byte| SEXTETS[usize::from(*byte)].is_none()).filter(|run| run.len() >= SHORTEST) {
        for from in 0..4 {
            let mut out = Vec::with_capacity(run.len());
            let (mut bits, mut held) = (0_u32, 0_u32);
            for byte in &run[from..] {
                held = held << 6 | u32::from(SEXTETS[usize::from(*byte)].unwrap_or_default());
                bits += 6;
                if bits >= 8 {
                    bits -= 8;
                    out.push((held >> bits) as u8);
                }
            }
            show(Form::Base64, out);
        }
    }
}

/// What each character stands for, in both alphabets at once.
static SEXTETS: [Option<u8>; 256] = {
    const ALPHABETS: [&[u8; 64]; 2] = [
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
    ];
    let mut table = [None; 256];
    let mut value = 0;
    while value < 64 {
        table[ALPHABETS[0][value] as usize] = Some(value as u8);
        table[ALPHABETS[1][value] as usize] = Some(value as u8);
        value += 1;
    }
    table
};

/// Every run of hex digits, read from its first and from its second digit on.
fn hex(text: &[u8], show: &mut dyn FnMut(Form, Vec<u8>)) {
    for run in text.split(|byte| !byte.is_ascii_hexdigit()).filter(|run| run.len() >= 2 * LEAST) {
        for from in 0..2 {
            show(Form::Hex, run[from..].chunks_exact(2).filter_map(pair).collect());
        }
    }
}

/// Lists of numbers, each a byte: `[104, 117]`, one per line, `68:75`, `0x68 0x75`, `\x68\x75`. What
/// stands between two is up to 24 bytes that are no letters or digits.
fn numbers(text: &[u8], radix: u32, form: Form, show: &mut dyn FnMut(Form, Vec<u8>)) {
    const GAP: usize = 24;
    let mut list = Vec::new();
    let mut gap = 0;
    for word in text.split(|byte| !byte.is_ascii_alphanumeric()) {
        gap += 1;
        if word.is_empty() {
            continue;
        }
        let digits = match word {
            [b'0', b'x', rest @ ..] | [b'x', rest @ ..] if radix == 16 => rest,
            _ => word,
        };
        let value = std::str::from_utf8(digits).ok().and_then(|d| u8::from_str_radix(d, radix).ok());
        if value.is_none() || gap > GAP {
            show(form, std::mem::take(&mut list));
        }
        list.extend(value);
        gap = 0;
    }
    show(form, list);
}
