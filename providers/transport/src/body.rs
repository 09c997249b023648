//! The blocks that a reply's body is read into.

use zeroize::Zeroizing;

/// The first block, whatever the server announces.
const FIRST: usize = 64 << 10;
/// The largest: each is twice the one before it, up to this.
const LARGEST: usize = 1 << 20;

/// A body that grows up to its limit, block by block. A `Vec` that grows leaves its old block behind as it was, and one
/// that is copied and wiped at each growth holds up to twice the limit, in the hands of a server that never ends. So
/// the blocks are put together when all has come: a small reply is one block and copied nowhere.
pub(crate) struct Body {
    blocks: Vec<Zeroizing<Vec<u8>>>,
    length: usize,
    at_most: usize,
}

/// There is more than the limit.
pub(crate) struct TooLarge;

impl Body {
    pub(crate) fn new(announced: Option<u64>, at_most: usize) -> Result<Self, TooLarge> {
        let first = match announced {
            Some(length) => {
                let length =
                    usize::try_from(length).ok().filter(|length| *length <= at_most).ok_or(TooLarge)?;
                length.min(FIRST)
            }
            None => 0,
        };
        Ok(Self { blocks: vec![block(first)], length: 0, at_most })
    }

    pub(crate) fn push(&mut self, mut chunk: &[u8]) -> Result<(), TooLarge> {
        self.length = self.length.saturating_add(chunk.len());
        if self.length > self.at_most {
            return Err(TooLarge);
        }
        while let Some(last) = self.blocks.last_mut() {
            let (fits, rest) = chunk.split_at(chunk.len().min(last.capacity() - last.len()));
            last.extend_from_slice(fits);
            if rest.is_empty() {
                break;
            }
            let next = last.capacity().saturating_mul(2).min(LARGEST).max(rest.len());
            self.blocks.push(block(next));
            chunk = rest;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        self.blocks.retain(|block| !block.is_empty());
        if self.blocks.len() == 1
            && let Some(whole) = self.blocks.pop()
        {
            return whole;
        }
        let mut whole = block(self.length);
        self.blocks.iter().for_each(|block| whole.extend_from_slice(block));
        whole
    }
}

fn block(capacity: usize) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(Vec::with_capacity(capacity))
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
        // and what is held meanwhile is what came, and one block
        let mut body = Body::new(None, 8 << 20).ok().unwrap();
        assert!((0..1024).all(|_| body.push(&[1; 8000]).is_ok()));
        let held: usize = body.blocks.iter().map(|block| block.capacity()).sum();
        assert!(held <= 1024 * 8000 + LARGEST, "{held}");
        assert_eq!(read(None, 8 << 20, &[8192; 1024]).unwrap().capacity(), 8 << 20);
    }
}
