//! The one block that a reply's body is in.

use zeroize::Zeroizing;

/// What is set aside for a body before any of it came, whatever the server announces.
const FIRST: usize = 64 << 10;

/// A body that grows up to its limit. A `Vec` that grows leaves its old block behind as it was; here the old
/// one is wiped. Blocks double, so that a large limit costs a small reply nothing.
pub(crate) struct Body {
    bytes: Zeroizing<Vec<u8>>,
    announced: Option<usize>,
    at_most: usize,
}

/// There is more than the limit.
pub(crate) struct TooLarge;

impl Body {
    pub(crate) fn new(announced: Option<u64>, at_most: usize) -> Result<Self, TooLarge> {
        let announced = match announced {
            Some(length) => {
                Some(usize::try_from(length).ok().filter(|length| *length <= at_most).ok_or(TooLarge)?)
            }
            None => None,
        };
        let bytes = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(0).min(FIRST)));
        Ok(Self { bytes, announced, at_most })
    }

    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), TooLarge> {
        let length = self.bytes.len().saturating_add(chunk.len());
        if length > self.at_most {
            return Err(TooLarge);
        }
        if length > self.bytes.capacity() {
            let doubled = self.bytes.capacity().saturating_mul(2).min(self.announced.unwrap_or(self.at_most));
            let mut grown = Zeroizing::new(Vec::with_capacity(doubled.max(length)));
            grown.extend_from_slice(&self.bytes);
            self.bytes = grown;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    pub(crate) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(announced: Option<u64>, at_most: usize, chunks: &[usize]) -> Option<Zeroizing<Vec<u8>>> {
        let mut body = Body::new(announced, at_most).ok()?;
        for (n, length) in chunks.iter().enumerate() {
            body.push(&vec![n as u8; *length]).ok()?;
        }
        Some(body.finish())
    }

    #[test]
    fn the_limit_is_met_to_the_byte() {
        for at_most in [0, 1, 4096, FIRST, 8 << 20] {
            assert_eq!(read(None, at_most, &[at_most]).unwrap().len(), at_most);
            assert!(read(None, at_most, &[at_most, 1]).is_none());
            assert_eq!(read(Some(at_most as u64), at_most, &[at_most]).unwrap().len(), at_most);
            assert!(read(Some(at_most as u64 + 1), at_most, &[]).is_none());
        }
        assert!(read(Some(u64::MAX), usize::MAX, &[]).is_none_or(|body| body.capacity() <= FIRST));
    }

    #[test]
    fn what_came_is_what_is_given_whatever_the_chunks() {
        let body = read(None, 1 << 20, &[3, 0, 5000, 1, 70_000, 9]).unwrap();
        let expected: Vec<u8> =
            [(0, 3), (2, 5000), (3, 1), (4, 70_000), (5, 9)].iter().flat_map(|(n, l)| vec![*n; *l]).collect();
        assert_eq!(*body, expected);
    }

    #[test]
    fn a_block_costs_what_came_and_not_what_may_come() {
        assert_eq!(read(Some(300), 8 << 20, &[300]).unwrap().capacity(), 300);
        assert!(read(None, 8 << 20, &[300]).unwrap().capacity() <= 600);
        // announced, and nothing came
        assert!(read(Some(8 << 20), 8 << 20, &[]).unwrap().capacity() <= FIRST);
        // never more than twice of it, never more than the limit
        assert!(read(None, 8 << 20, &[8192; 100]).unwrap().capacity() <= 2 * 819_200);
        assert_eq!(read(None, 8 << 20, &[8192; 1024]).unwrap().capacity(), 8 << 20);
    }
}
