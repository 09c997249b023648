//! Many short byte strings, looked for at once in every view of a text.

use super::Form;
use super::views;
use std::collections::HashMap;

/// What was found for one marker, and after how many decodings: the lower, the better it names what
/// happened.
pub(super) type Found = Option<(Rank, usize, Form)>;

/// The whole value before a mirror image of it, before a part.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Whole,
    Image,
    Part,
}

struct Needle {
    bytes: Box<[u8]>,
    marker: usize,
    rank: Rank,
    /// The form when it stands in the text as it is; in another view it is that view's.
    form: Form,
}

/// An index over the needles of one or several markers.
pub(super) struct Needles {
    needles: Vec<Needle>,
    /// By the first eight bytes.
    by_start: HashMap<u64, Vec<usize>>,
    /// One bit per hash of such a start: nearly every position of a text is settled here.
    filter: Box<[u64; FILTER / 64]>,
    markers: usize,
}

const FILTER: usize = 1 << 16;
const WIDTH: usize = 8;

fn slot(start: u64) -> usize {
    (start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 48) as usize
}

/// How many bytes of a value are a find. Eight digits come up by chance (27 bits), twelve do not.
pub(super) fn part_of(text: &str) -> usize {
    if text.bytes().all(|b| b.is_ascii_digit()) { 12 } else { WIDTH }
}

impl Needles {
    pub(super) fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut all = Self {
            needles: Vec::new(),
            by_start: HashMap::new(),
            filter: Box::new([0; FILTER / 64]),
            markers: 0,
        };
        for text in texts {
            all.add(text);
            all.markers += 1;
        }
        all
    }

    fn add(&mut self, text: &str) {
        let part = part_of(text);
        self.put(text.as_bytes(), Rank::Whole, Form::Raw);
        self.parts(text.as_bytes(), part, Rank::Part, Form::Part);

        let units: Vec<u16> = text.encode_utf16().collect();
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let wide: Vec<u8> = units.iter().copied().flat_map(bytes).collect();
            self.parts(&wide, 2 * part.min(units.len()), Rank::Image, Form::Utf16);
        }
        for backwards in [text.chars().rev().collect::<String>().into_bytes(), text.bytes().rev().collect()] {
            self.parts(&backwards, part, Rank::Image, Form::Reversed);
        }
        for cased in [text.to_uppercase(), text.to_lowercase()] {
            self.parts(cased.as_bytes(), part, Rank::Image, Form::Cased);
        }
    }

    /// Every stretch of that length.
    fn parts(&mut self, bytes: &[u8], length: usize, rank: Rank, form: Form) {
        for part in bytes.windows(length) {
            self.put(part, rank, form);
        }
    }

    fn put(&mut self, bytes: &[u8], rank: Rank, form: Form) {
        let marker = self.markers;
        let Some(start) = bytes.first_chunk::<WIDTH>() else { return };
        let start = u64::from_be_bytes(*start);
        let same_start = self.by_start.entry(start).or_default();
        // What has no capitals to change is no other form of itself: the first name stays.
        if same_start.iter().any(|&n| self.needles[n].marker == marker && *self.needles[n].bytes == *bytes) {
            return;
        }
        same_start.push(self.needles.len());
        self.filter[slot(start) / 64] |= 1 << (slot(start) % 64);
        self.needles.push(Needle { bytes: Box::from(bytes), marker, rank, form });
    }

    /// Lowers `found`, one per marker, by what stands in the text or in any view of it.
    pub(super) fn search(&self, haystack: &[u8], found: &mut [Found]) {
        views::each(haystack, &mut |form, depth, view| self.scan(form, depth, view, found));
    }

    fn scan(&self, view: Form, depth: usize, text: &[u8], found: &mut [Found]) {
        let mut start = 0;
        for (at, byte) in text.iter().enumerate() {
            start = start << 8 | u64::from(*byte);
            let slot = slot(start);
            if self.filter[slot / 64] >> (slot % 64) & 1 == 0 || at + 1 < WIDTH {
                continue;
            }
            for &n in self.by_start.get(&start).into_iter().flatten() {
                let needle = &self.needles[n];
                if text[at + 1 - WIDTH..].starts_with(&needle.bytes) {
                    let this = (needle.rank, depth, if depth == 0 { needle.form } else { view });
                    let best = &mut found[needle.marker];
                    if best.is_none_or(|best| this < best) {
                        *best = Some(this);
                    }
                }
            }
        }
    }
}
