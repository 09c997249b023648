//! The blocks that a reply's body is read into.

use zeroize::Zeroizing;

/// No block is begun larger, unless more comes at once.
const LARGEST: usize = 1 << 20;

/// A body that grows block by block, each twice the one before it. A `Vec` that grows leaves its old block behind as
/// it was, and one that is copied and wiped at each growth holds up to twice the limit, in the hands of a server that
/// never ends. So the blocks are put together when all has come: a small reply is one block and copied nowhere.
#[derive(Default)]
pub(crate) struct Body(Vec<Zeroizing<Vec<u8>>>);

impl Body {
    pub(crate) fn push(&mut self, chunk: &[u8]) {
        let mut next = 0;
        let mut rest = chunk;
        if let Some(last) = self.0.last_mut() {
            let fits = chunk.len().min(last.capacity() - last.len());
            last.extend_from_slice(&chunk[..fits]);
            rest = &chunk[fits..];
            next = last.capacity().saturating_mul(2).min(LARGEST);
        }
        if !rest.is_empty() {
            self.0.push(Zeroizing::new(Vec::with_capacity(next.max(rest.len()))));
            self.push(rest);
        }
    }

    pub(crate) fn finish(mut self) -> Zeroizing<Vec<u8>> {
        if let [whole] = self.0.as_mut_slice() {
            return std::mem::take(whole);
        }
        let mut whole = Zeroizing::new(Vec::with_capacity(self.0.iter().map(|block| block.len()).sum()));
        self.0.iter().for_each(|block| whole.extend_from_slice(block));
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[usize]) -> Zeroizing<Vec<u8>> {
        let mut body = Body::default();
        chunks.iter().enumerate().for_each(|(n, length)| body.push(&vec![n as u8; *length]));
        body.finish()
    }

    #[test]
    fn what_came_is_what_is_given_whatever_the_chunks() {
        let body = read(&[3, 0, 5000, 1, 70_000, 9]);
        let expected: Vec<u8> =
            [(0, 3), (2, 5000), (3, 1), (4, 70_000), (5, 9)].iter().flat_map(|(n, l)| vec![*n; *l]).collect();
        assert_eq!(*body, expected);
        assert!(read(&[]).is_empty() && read(&[0, 0]).is_empty());
        assert_eq!(read(&[1; 5000]).len(), 5000);
    }

    #[test]
    fn a_block_costs_what_came_and_not_what_may_come() {
        assert_eq!(read(&[300]).capacity(), 300);
        assert!(read(&[200, 100]).capacity() <= 400);
        assert_eq!(read(&[8192; 1024]).capacity(), 8 << 20);
        // and what is held meanwhile is what came, and one block
        let mut body = Body::default();
        (0..1024).for_each(|_| body.push(&[1; 8000]));
        let held: usize = body.0.iter().map(|block| block.capacity()).sum();
        assert!(held <= 1024 * 8000 + LARGEST, "{held}");
        // in few of them, also where it comes byte by byte
        let mut body = Body::default();
        (0..1 << 20).for_each(|_| body.push(&[1]));
        assert!(body.0.len() <= 21, "{}", body.0.len());
    }
}
