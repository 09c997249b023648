//! Keys that nobody meant to use: copied out of a guide, or put there to be replaced.

use zeroize::Zeroizing;

/// Whether it is no key but stands for one. [`JwtConfig::new`](super::JwtConfig::new) says the rule.
pub(super) fn is_placeholder(key: &[u8]) -> bool {
    let mut seen = [false; 256];
    key.iter().for_each(|b| seen[usize::from(*b)] = true);
    if seen.iter().filter(|seen| **seen).count() < 6 {
        return true;
    }
    let mut letters = Zeroizing::new(Vec::with_capacity(key.len()));
    letters.extend(key.iter().filter(|b| !b"-_ .".contains(b)).map(u8::to_ascii_lowercase));
    if TELLING.iter().any(|telling| letters.windows(telling.len()).any(|part| part == *telling)) {
        return true;
    }
    let is = |word: &[u8], one: &[u8]| word.eq_ignore_ascii_case(one);
    let mut words = key.split(|b| !b.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    if words.clone().any(|word| TELLING_WORDS.iter().any(|one| is(word, one))) {
        return true;
    }
    // shorter ones are all that some keys in hex have between their digits
    let telling = |word: &[u8]| word.len() >= 3;
    let dots = |word: &[u8]| telling(word) && word.iter().all(|b| Some(b) == word.first());
    let fills = |word: &[u8]| FILLING_WORDS.iter().any(|one| is(word, one));
    key.is_ascii()
        && words.clone().any(|word| telling(word) && fills(word))
        && words.all(|word| dots(word) || fills(word))
}

/// Inside a key, whatever stands between their words.
const TELLING: [&[u8]; 6] =
    [b"changeme", b"replaceme", b"yoursecret", b"yourapikey", b"youropenai", b"placeholder"];
/// As a word of its own.
const TELLING_WORDS: [&[u8]; 3] = [b"default", b"example", b"password"];
/// A key of nothing but these, and of words such as *xxxx*, is a placeholder, if one of these has three letters or more.
const FILLING_WORDS: [&[u8]; 48] = [
    b"a",
    b"ai",
    b"an",
    b"and",
    b"api",
    b"app",
    b"at",
    b"be",
    b"bit",
    b"bits",
    b"bytes",
    b"change",
    b"characters",
    b"chars",
    b"demo",
    b"dev",
    b"for",
    b"goes",
    b"here",
    b"in",
    b"insert",
    b"is",
    b"it",
    b"jwt",
    b"key",
    b"least",
    b"long",
    b"me",
    b"must",
    b"my",
    b"open",
    b"openai",
    b"please",
    b"prod",
    b"production",
    b"proj",
    b"secret",
    b"secure",
    b"signing",
    b"sk",
    b"super",
    b"test",
    b"the",
    b"this",
    b"to",
    b"token",
    b"very",
    b"your",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_known() {
        for key in [
            "change-me",
            "CHANGE_ME_CHANGE_ME_CHANGE_ME_CHANGE_ME",
            "changemechangemechangemechangeme",
            "your-256-bit-secret",
            "your-secret-key-at-least-32-bytes-long",
            "yourSecretKeyGoesHereAndIsLongEnough",
            "my_super_secret_jwt_key_for_production_123",
            "placeholder-9f8a7s6d5f4a3s2d1f",
            "default-key-1234567890",
            "example.key.for.the.docs.0123456789",
            "Password123!Password123!Password123!",
            "secret",
            "",
            "00000000000000000000000000000000",
            "abcabcabcabcabcabcabcabcabcabcabc",
            "replace me with something long",
            "sk-your-api-key-goes-here",
            "sk-proj-xxxxxxxxxxxxxxxxxxxxxxxx",
            "YOUR_OPENAI_KEY_1234567890",
            "<insert your api key here>",
        ] {
            assert!(is_placeholder(key.as_bytes()), "{key}");
        }
    }

    #[test]
    fn random_keys_are_none() {
        for key in [
            "pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2",
            "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQ+/defaultq83vEjRWeJA=",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "correct horse battery staple and a secret nobody knows",
            "28730164598273645091827364509182736450",
            "sk-proj-pWl0Yx1rT5vQ8uNc3ZfKbE7aHs9MjGd2",
            "sk-28730164598273645091827364509182736450",
            "0a1b2c3d4e5f60718293",
            "4f1e2d9c0b8a7f6e5d4c3b2a19087f6e",
        ] {
            assert!(!is_placeholder(key.as_bytes()), "{key}");
        }
        assert!(!is_placeholder(
            &(0..32u8).map(|n| n.wrapping_mul(7).wrapping_add(129)).collect::<Vec<u8>>()
        ));
    }

    /// No key that was drawn is taken for one that stands for another, whatever it is written in.
    #[test]
    fn no_drawn_key_is_a_placeholder() {
        const HEX: &[u8] = b"0123456789abcdef";
        const BASE64: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const BASE64_URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        const DIGITS: &[u8] = b"0123456789";
        // SplitMix64: the same keys in each run
        let mut state = 0x5eed_u64;
        let mut draw = |from: &[u8]| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            from[usize::try_from((mixed ^ (mixed >> 31)) % (from.len() as u64)).unwrap()]
        };
        for (signs, lengths) in
            [(HEX, [20, 32, 64]), (BASE64, [20, 43, 86]), (BASE64_URL, [20, 43, 86]), (DIGITS, [32, 40, 64])]
        {
            for length in lengths {
                for _ in 0..5_000 {
                    let key: Vec<u8> = (0..length).map(|_| draw(signs)).collect();
                    let upper = key.to_ascii_uppercase();
                    let prefixed = [b"sk-".as_slice(), &key].concat();
                    for key in [&key, &upper, &prefixed] {
                        assert!(!is_placeholder(key), "{}", String::from_utf8_lossy(key));
                    }
                }
            }
        }
    }
}
