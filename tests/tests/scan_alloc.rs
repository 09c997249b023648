//! That the scanning allocator sees what is freed unwiped and nothing else: every proof that a secret
//! was wiped rests on it. One canary per test, since the tests of a binary run at the same time, and
//! each random throughout, since any 8 bytes of one count.

use secretfig_tests::ScanAlloc;
use std::hint::black_box;
use zeroize::{Zeroize, Zeroizing};

#[global_allocator]
static ALLOC: ScanAlloc = ScanAlloc;

fn watched(canary: &'static str) -> &'static [u8] {
    ScanAlloc::watch(canary.as_bytes());
    canary.as_bytes()
}

/// Kept from the optimiser, which would drop stores to a block that nobody reads before it is freed.
fn string_of(canary: &str) -> String {
    black_box(String::from(black_box(canary)))
}

#[test]
fn sees_a_string_that_was_dropped_unwiped() {
    const TEXT: &str = "MmBAPxk57cd2sgY0pfXNjFF0";
    let canary = watched(TEXT);
    let text = string_of(TEXT);
    assert_eq!(ScanAlloc::hits_of(canary), 0, "nothing was freed yet");
    drop(text);
    assert_eq!(ScanAlloc::hits_of(canary), 1);
    let size = TEXT.len();
    assert!(
        ScanAlloc::list().iter().any(|hit| hit.size == size && hit.offset == 0),
        "{:?}",
        ScanAlloc::list()
    );
}

#[test]
fn sees_what_a_growing_vec_leaves_behind() {
    const TEXT: &str = "pMS02EzmnyxALaKJJzdIUHM4";
    let canary = watched(TEXT);
    let mut bytes = black_box(TEXT.as_bytes().to_vec());
    bytes.reserve_exact(1);
    assert_eq!(ScanAlloc::hits_of(canary), 1, "the block before the growth");
    bytes.zeroize();
    drop(bytes);
    assert_eq!(ScanAlloc::hits_of(canary), 1, "the last block was wiped");
}

#[test]
fn sees_the_tail_that_shrinking_cuts_off() {
    const TEXT: &str = "xebB6qipIxiCWKgvfYRRhK3Z";
    let canary = watched(TEXT);
    let mut bytes = black_box([&[0; 100], TEXT.as_bytes()].concat());
    bytes.truncate(10);
    bytes.shrink_to_fit();
    assert_eq!(ScanAlloc::hits_of(canary), 1);
}

#[test]
fn sees_half_of_one_anywhere_in_a_block() {
    const TEXT: &str = "GDvqo637JuGYLaxbq6GYi1ZU";
    let canary = watched(TEXT);
    for kept in [0..8, 8..16, 16..24] {
        let mut block = vec![0xA5_u8; 1000];
        block[501 + kept.start..501 + kept.end].copy_from_slice(&TEXT.as_bytes()[kept]);
        drop(black_box(block));
    }
    assert_eq!(ScanAlloc::hits_of(canary), 3);
}

#[test]
fn does_not_see_what_was_wiped() {
    const TEXT: &str = "BaPPvLu2scru4AGHD56aH6Lj";
    let canary = watched(TEXT);
    let mut text = string_of(TEXT);
    text.zeroize();
    drop(text);
    drop(Zeroizing::new(string_of(TEXT)));
    drop(Zeroizing::new(black_box(TEXT.as_bytes().to_vec().into_boxed_slice())));
    assert_eq!(ScanAlloc::hits_of(canary), 0, "{:?}", ScanAlloc::list());
}

#[test]
fn sees_what_another_thread_frees() {
    const TEXT: &str = "TnHVHEZmEt88E7EQeaWM2mKl";
    let canary = watched(TEXT);
    let text = string_of(TEXT);
    std::thread::spawn(move || drop(text)).join().unwrap();
    assert_eq!(ScanAlloc::hits_of(canary), 1);
}

#[test]
fn tells_canaries_apart_and_counts_a_block_once() {
    const ONE: &str = "2QS1PHAsNnqhf4I868MVddE5";
    const TWO: &str = "cTol32ST7hezG6fPADCUFfhF";
    let (one, two) = (watched(ONE), watched(TWO));
    watched(ONE);
    drop(black_box([ONE, ONE].concat()));
    assert_eq!((ScanAlloc::hits_of(one), ScanAlloc::hits_of(two)), (1, 0));
    drop(black_box([TWO, ONE].concat()));
    assert_eq!((ScanAlloc::hits_of(one), ScanAlloc::hits_of(two)), (2, 1));
}

#[test]
fn counts_the_allocations_of_this_thread() {
    let (text, count) = ScanAlloc::allocations_in(|| black_box(vec![1_u8; 3]));
    assert_eq!((text.len(), count), (3, 1));
    let ((), count) = ScanAlloc::allocations_in(|| {
        let mut text = black_box(Vec::with_capacity(1));
        text.push(1_u8);
        text.push(2);
        black_box(&text);
    });
    assert_eq!(count, 2, "one for the room, one for the growth");
    let (sum, count) = ScanAlloc::allocations_in(|| black_box([1, 2, 3]).iter().sum::<i32>());
    assert_eq!((sum, count), (6, 0));
}

#[test]
#[should_panic(expected = "shares 8 bytes")]
fn refuses_a_canary_that_shares_a_piece_with_another() {
    watched("44GSC6Hctok2eaLrSjhqmEJC");
    watched("44GSC6HcneZ4lKDsD0d1iJd9");
}

#[test]
fn counts_the_copies_that_live() {
    const TEXT: &str = "q7ZkR2vXc9LmTb4WdYs6NgHf";
    let canary = watched(TEXT);
    ScanAlloc::track();
    assert_eq!(ScanAlloc::live_of(canary), 0);
    let one = Zeroizing::new(string_of(TEXT));
    let two = Zeroizing::new(black_box([&[0; 100], TEXT.as_bytes()].concat()));
    assert_eq!(ScanAlloc::live_of(canary), 2);
    drop(one);
    assert_eq!(ScanAlloc::live_of(canary), 1);
    // a list that grows takes its place with it
    let many: Vec<Box<u8>> = (0..20_000).map(|n| Box::new(n as u8)).collect();
    assert_eq!(ScanAlloc::live_of(canary), 1);
    drop((many, two));
    assert_eq!((ScanAlloc::live_of(canary), ScanAlloc::hits_of(canary)), (0, 0));
}
