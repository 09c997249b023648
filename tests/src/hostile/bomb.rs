//! A gzip bomb: a megabyte that is a gigabyte.

use flate2::{Compress, Compression, Crc, FlushCompress};

/// What one block inflates to.
const BLOCK: usize = 1 << 20;

pub(super) fn gigabyte() -> Vec<u8> {
    of(1024)
}

/// One member of that many blocks. A block that was flushed in full refers to nothing before it, so
/// one is compressed and then repeated: compressing a gigabyte takes a test minutes.
fn of(blocks: usize) -> Vec<u8> {
    let zeros = vec![0; BLOCK];
    let mut block = Vec::with_capacity(BLOCK);
    let mut deflate = Compress::new(Compression::best(), false);
    deflate.compress_vec(&zeros, &mut block, FlushCompress::Full).unwrap();
    let mut one = Crc::new();
    one.update(&zeros);
    let mut crc = Crc::new();
    (0..blocks).for_each(|_| crc.combine(&one));
    let mut bomb = vec![0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF];
    (0..blocks).for_each(|_| bomb.extend_from_slice(&block));
    bomb.extend([3, 0]); // an empty last block
    bomb.extend(crc.sum().to_le_bytes());
    bomb.extend(crc.amount().to_le_bytes());
    bomb
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;
    use std::io::Read;

    #[test]
    fn it_is_gzip_to_the_checksum_and_small() {
        let mut inflated = Vec::new();
        GzDecoder::new(&*of(8)).read_to_end(&mut inflated).unwrap();
        assert!(inflated.len() == 8 * BLOCK && inflated.iter().all(|byte| *byte == 0));
        assert!(gigabyte().len() <= 5 << 18, "{}", gigabyte().len());
    }
}
