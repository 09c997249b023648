//! An allocator that looks for planted values in every block a program frees, and that counts
//! allocations.
//!
//! A test binary of its own installs it:
//!
//! ```
//! use secretfig_tests::ScanAlloc;
//!
//! #[global_allocator]
//! static ALLOC: ScanAlloc = ScanAlloc;
//!
//! static CANARY: &[u8] = b"NXxySUA3rKZkwbQnNr3UDOSy";
//!
//! fn main() {
//!     ScanAlloc::watch(CANARY);
//!     drop(String::from_utf8(CANARY.to_vec()));
//!     assert_eq!(ScanAlloc::hits_of(CANARY), 1, "a String is not wiped");
//!
//!     let (_, allocations) = ScanAlloc::allocations_in(|| 1 + 1);
//!     assert_eq!(allocations, 0);
//! }
//! ```
//!
//! What a growing `Vec` leaves behind is seen at every growth: `realloc` always moves, while the
//! system's own moves by luck.
//!
//! [`ScanAlloc::track`] and [`ScanAlloc::live_of`] also look into the blocks that are not freed: how many copies of a
//! value there are, and whether the last is gone.
//!
//! It sees the heap of Rust code. It does not see the stack, or what C code allocates: those need a look from outside
//! the process.
#![allow(
    unsafe_code,
    reason = "the one place: `GlobalAlloc` is an unsafe trait, and freed blocks are read as bytes"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};

/// How many canaries one process may watch.
const CANARIES: usize = 64;
/// A canary is looked for by pieces of this many bytes: a block of which half was wiped is a hit too.
const PIECE: usize = 8;
const LONGEST: usize = 64;
const PIECES: usize = CANARIES * LONGEST / PIECE;
/// How many hits are remembered one by one.
const REMEMBERED: usize = 128;

/// The allocator: the system's, with a look at every block before it is freed.
pub struct ScanAlloc;

/// A freed block that still held a canary, or a piece of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The canary's place in the order of [`ScanAlloc::watch`].
    pub canary: usize,
    /// The size of the block: a `Vec`'s capacity tells more than a backtrace would.
    pub size: usize,
    /// Where in the block the first piece stood.
    pub offset: usize,
}

// The tables are fixed and atomic: nothing in the allocator may allocate or wait.
static WATCHED: [Canary; CANARIES] = [const { Canary::empty() }; CANARIES];
static WATCHED_COUNT: AtomicUsize = AtomicUsize::new(0);
static PIECE_BYTES: [AtomicU64; PIECES] = [const { AtomicU64::new(0) }; PIECES];
static PIECE_OWNER: [AtomicU8; PIECES] = [const { AtomicU8::new(0) }; PIECES];
/// How many pieces may be looked for: raised after they are written.
static PIECE_COUNT: AtomicUsize = AtomicUsize::new(0);
/// One bit for each first byte of a piece: most of a block is passed over by it.
static FIRST_BYTES: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
static WATCH_LOCK: AtomicBool = AtomicBool::new(false);

static HITS: AtomicUsize = AtomicUsize::new(0);
static HIT_LIST: [Remembered; REMEMBERED] = [const { Remembered::empty() }; REMEMBERED];

struct Canary {
    start: AtomicPtr<u8>,
    length: AtomicUsize,
    hits: AtomicUsize,
}

impl Canary {
    const fn empty() -> Self {
        Self {
            start: AtomicPtr::new(std::ptr::null_mut()),
            length: AtomicUsize::new(0),
            hits: AtomicUsize::new(0),
        }
    }
}

struct Remembered {
    canary: AtomicUsize,
    size: AtomicUsize,
    offset: AtomicUsize,
}

impl Remembered {
    const fn empty() -> Self {
        Self { canary: AtomicUsize::new(0), size: AtomicUsize::new(0), offset: AtomicUsize::new(0) }
    }
}

/// The live blocks, while they are tracked: an open hash table by address.
const BLOCKS: usize = 1 << 16;
/// How far from its own place a block may stand.
const PROBES: usize = 512;
static TRACKING: AtomicBool = AtomicBool::new(false);
static BLOCK_LOCK: AtomicBool = AtomicBool::new(false);
static BLOCK_STARTS: [AtomicPtr<u8>; BLOCKS] = [const { AtomicPtr::new(std::ptr::null_mut()) }; BLOCKS];
static BLOCK_SIZES: [AtomicUsize; BLOCKS] = [const { AtomicUsize::new(0) }; BLOCKS];
/// Blocks that found no place: then nothing can be said about the others either.
static BLOCKS_LOST: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    // `const` and without a destructor, so that the first use of it on a thread allocates nothing.
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

impl ScanAlloc {
    /// Looks for this canary in all that is freed from now on. 8 to 64 bytes, by custom 24, random
    /// throughout; a second call with the same changes nothing.
    ///
    /// # Panics
    /// When the process has another allocator (every test would pass), on a length out of bounds, when
    /// another canary has 8 bytes of this one, and when there are too many.
    pub fn watch(canary: &'static [u8]) {
        assert!(Self::installed(), "ScanAlloc is not this binary's #[global_allocator]: it sees nothing");
        assert!(
            (PIECE..=LONGEST).contains(&canary.len()),
            "a canary has {PIECE} to {LONGEST} bytes, not {}",
            canary.len()
        );
        while WATCH_LOCK.swap(true, Ordering::Acquire) {
            std::thread::yield_now();
        }
        // The last piece overlaps the one before where the length is no multiple.
        let starts = || (0..canary.len() - PIECE).step_by(PIECE).chain([canary.len() - PIECE]);
        let piece = |at: usize| canary[at..at + PIECE].iter().fold(0, |piece, b| piece << 8 | u64::from(*b));
        let known = Self::index_of(canary).is_some();
        let others = &PIECE_BYTES[..PIECE_COUNT.load(Ordering::Relaxed)];
        let shared =
            !known && starts().any(|at| others.iter().any(|p| p.load(Ordering::Relaxed) == piece(at)));
        let index = WATCHED_COUNT.load(Ordering::Relaxed);
        if !known && !shared && index < CANARIES {
            WATCHED[index].start.store(canary.as_ptr().cast_mut(), Ordering::Relaxed);
            WATCHED[index].length.store(canary.len(), Ordering::Relaxed);
            let mut count = PIECE_COUNT.load(Ordering::Relaxed);
            for at in starts() {
                PIECE_BYTES[count].store(piece(at), Ordering::Relaxed);
                PIECE_OWNER[count].store(index as u8, Ordering::Relaxed);
                let first = canary[at];
                FIRST_BYTES[usize::from(first / 64)].fetch_or(1 << (first % 64), Ordering::Relaxed);
                count += 1;
            }
            WATCHED_COUNT.store(index + 1, Ordering::Release);
            PIECE_COUNT.store(count, Ordering::Release);
        }
        WATCH_LOCK.store(false, Ordering::Release);
        assert!(!shared, "this canary shares 8 bytes with another: neither could be told apart");
        assert!(known || index < CANARIES, "no more than {CANARIES} canaries in one process");
    }

    /// How many blocks were freed with a watched canary in them, of whichever kind and thread.
    pub fn hits() -> usize {
        HITS.load(Ordering::SeqCst)
    }

    /// How many with this canary: what a test asks whose neighbours run at the same time.
    ///
    /// # Panics
    /// When it is not watched.
    pub fn hits_of(canary: &'static [u8]) -> usize {
        let index = Self::index_of(canary);
        assert!(index.is_some(), "this canary is not watched");
        index.map_or(0, |index| WATCHED[index].hits.load(Ordering::SeqCst))
    }

    /// The hits one by one, the first 128 of them, for a failing test to show.
    pub fn list() -> Vec<Hit> {
        let count = Self::hits().min(REMEMBERED);
        let hit = |hit: &Remembered| Hit {
            canary: hit.canary.load(Ordering::SeqCst),
            size: hit.size.load(Ordering::SeqCst),
            offset: hit.offset.load(Ordering::SeqCst),
        };
        HIT_LIST[..count].iter().map(hit).collect()
    }

    /// Forgets all hits; what is watched stays watched. Not while another test counts.
    pub fn reset() {
        HITS.store(0, Ordering::SeqCst);
        for canary in &WATCHED {
            canary.hits.store(0, Ordering::SeqCst);
        }
    }

    /// How many allocations this thread has made, growing a block counted as one.
    pub fn allocations() -> usize {
        ALLOCATIONS.with(Cell::get)
    }

    /// What `run` returns, and how many allocations it made on this thread.
    ///
    /// # Panics
    /// When the process has another allocator: the count would be 0.
    pub fn allocations_in<R>(run: impl FnOnce() -> R) -> (R, usize) {
        assert!(Self::installed(), "ScanAlloc is not this binary's #[global_allocator]: it counts nothing");
        let before = Self::allocations();
        let result = run();
        (result, Self::allocations() - before)
    }

    /// Keeps a list of all blocks from now on, for [`ScanAlloc::live_of`]. Every allocation is slower then.
    pub fn track() {
        TRACKING.store(true, Ordering::SeqCst);
    }

    /// In how many blocks that were allocated since [`ScanAlloc::track`], and not freed yet, this canary stands.
    ///
    /// # Panics
    /// When it is not watched, when nothing is tracked, and when there were more blocks than places.
    pub fn live_of(canary: &'static [u8]) -> usize {
        let index = Self::index_of(canary);
        assert!(index.is_some(), "this canary is not watched");
        assert!(TRACKING.load(Ordering::SeqCst), "`track` comes first");
        let mut live = 0;
        locked(|| {
            for (start, size) in BLOCK_STARTS.iter().zip(&BLOCK_SIZES) {
                let (start, size) = (start.load(Ordering::Relaxed), size.load(Ordering::Relaxed));
                // SAFETY: the block is in the list and the lock is held, so it is not freed meanwhile. Another
                // thread may write to it, which a volatile read of single bytes lives with.
                if !start.is_null() && unsafe { holds(start, size, index.unwrap_or_default()) } {
                    live += 1;
                }
            }
        });
        assert_eq!(BLOCKS_LOST.load(Ordering::SeqCst), 0, "too many blocks to keep a list of");
        live
    }

    /// Whether this process allocates with it.
    pub fn installed() -> bool {
        let before = Self::allocations();
        drop(black_box(Box::new(black_box(1_u8))));
        Self::allocations() > before
    }

    fn index_of(canary: &[u8]) -> Option<usize> {
        let count = WATCHED_COUNT.load(Ordering::Acquire);
        WATCHED[..count].iter().position(|watched| {
            let (start, length) =
                (watched.start.load(Ordering::Relaxed), watched.length.load(Ordering::Relaxed));
            // SAFETY: `watch` stored both from one `&'static [u8]` before it raised the count.
            unsafe { std::slice::from_raw_parts(start, length) == canary }
        })
    }
}

fn count_one() {
    // A thread that ends may free and allocate after its locals are gone; that is nobody's read path.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
}

/// Runs alone among all who look at the list of blocks, or change it.
fn locked(run: impl FnOnce()) {
    while BLOCK_LOCK.swap(true, Ordering::Acquire) {
        std::hint::spin_loop();
    }
    run();
    BLOCK_LOCK.store(false, Ordering::Release);
}

/// The places at which a block may stand in the list.
fn places(block: *const u8) -> impl Iterator<Item = usize> {
    let first = (block.addr() >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15_usize) >> 40;
    (first..first + PROBES).map(|place| place % BLOCKS)
}

fn note(block: *mut u8, size: usize) {
    if block.is_null() || !TRACKING.load(Ordering::Relaxed) {
        return;
    }
    locked(|| {
        let free = places(block).find(|place| BLOCK_STARTS[*place].load(Ordering::Relaxed).is_null());
        match free {
            Some(place) => {
                BLOCK_STARTS[place].store(block, Ordering::Relaxed);
                BLOCK_SIZES[place].store(size, Ordering::Relaxed);
            }
            None => {
                BLOCKS_LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
}

fn forget(block: *mut u8) {
    if !TRACKING.load(Ordering::Relaxed) {
        return;
    }
    locked(|| {
        // blocks come and go, so one may stand behind a place that is free by now
        let own = places(block).find(|place| BLOCK_STARTS[*place].load(Ordering::Relaxed) == block);
        if let Some(place) = own {
            BLOCK_STARTS[place].store(std::ptr::null_mut(), Ordering::Relaxed);
        }
    });
}

/// Whether a block holds any piece of this canary.
///
/// # Safety
/// `block` must be valid for reads of `size` bytes.
unsafe fn holds(block: *const u8, size: usize, canary: usize) -> bool {
    let mut window = 0_u64;
    let pieces = PIECE_COUNT.load(Ordering::Acquire);
    for at in 0..size {
        // SAFETY: the caller's promise.
        window = window << 8 | u64::from(unsafe { block.add(at).read_volatile() });
        let is_piece = |piece: &usize| {
            usize::from(PIECE_OWNER[*piece].load(Ordering::Relaxed)) == canary
                && PIECE_BYTES[*piece].load(Ordering::Relaxed) == window
        };
        if at + 1 >= PIECE && (0..pieces).any(|piece| is_piece(&piece)) {
            return true;
        }
    }
    false
}

/// Counts the canaries in a block that is about to be freed, each once.
///
/// # Safety
/// `block` must be valid for reads and writes of `size` bytes, and nobody else may use it any more.
#[inline(never)]
unsafe fn scan(block: *mut u8, size: usize) {
    let count = PIECE_COUNT.load(Ordering::Acquire);
    if count == 0 || size < PIECE {
        return;
    }
    let first_bytes = FIRST_BYTES.each_ref().map(|bits| bits.load(Ordering::Relaxed));
    let mut seen = 0_u64;
    let mut window = 0_u64;
    for at in 0..size {
        // SAFETY: the caller's promise. Parts of the block may never have been written; a volatile read
        // of them gives whatever the memory holds, which is just what is asked here, and keeps the
        // compiler from reasoning about it.
        let byte = unsafe { block.add(at).read_volatile() };
        window = window << 8 | u64::from(byte);
        let first = (window >> 56) as usize;
        if first_bytes[first / 64] >> (first % 64) & 1 == 0 || at + 1 < PIECE {
            continue;
        }
        for piece in 0..count {
            let owner = usize::from(PIECE_OWNER[piece].load(Ordering::Relaxed));
            if PIECE_BYTES[piece].load(Ordering::Relaxed) == window && seen >> owner & 1 == 0 {
                seen |= 1 << owner;
                remember(owner, size, at + 1 - PIECE);
            }
        }
    }
    if seen != 0 {
        // One copy is one hit: the next owner of this memory may leave parts of it as they are.
        for at in 0..size {
            // SAFETY: the block is the caller's to give back, whole and unshared. Volatile, since nobody reads it.
            unsafe { block.add(at).write_volatile(0) };
        }
    }
}

fn remember(canary: usize, size: usize, offset: usize) {
    WATCHED[canary].hits.fetch_add(1, Ordering::SeqCst);
    if let Some(free) = HIT_LIST.get(HITS.fetch_add(1, Ordering::SeqCst)) {
        free.canary.store(canary, Ordering::SeqCst);
        free.size.store(size, Ordering::SeqCst);
        free.offset.store(offset, Ordering::SeqCst);
    }
}

// SAFETY: every block comes from `System` with the layout it is given back with; nothing here
// allocates, unwinds or waits.
unsafe impl GlobalAlloc for ScanAlloc {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: the caller's promise is `System`'s demand.
        let block = unsafe { System.alloc(layout) };
        note(block, layout.size());
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count_one();
        // SAFETY: as above.
        let block = unsafe { System.alloc_zeroed(layout) };
        note(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        forget(block);
        // SAFETY: the block is the caller's to give back, whole and unshared.
        unsafe {
            scan(block, layout.size());
            System.dealloc(block, layout);
        }
    }

    /// Always moves: the old block, or the tail that shrinking cuts off, is scanned like any other.
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `new_size`, rounded up to the alignment, does not overflow,
        // and that `block` is of `layout`; the new block is another one, so they do not overlap.
        unsafe {
            let new_layout = Layout::from_size_align_unchecked(new_size, layout.align());
            let new = self.alloc(new_layout);
            if !new.is_null() {
                std::ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}
