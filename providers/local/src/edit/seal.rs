//! Encrypting: to keys, or with a passphrase.

use super::Readers;
use crate::error::{Refusal, misconfigured};
use age::armor::{ArmoredWriter, Format};
use std::io::Write;

/// The work of scrypt for a passphrase, as the `age` command takes it: N = 2^18, 256 MiB and about a
/// second.
const WORK: u8 = 18;

/// The ciphertext for these readers.
pub(crate) fn encrypted(plaintext: &[u8], readers: &Readers, armored: bool) -> Result<Vec<u8>, Refusal> {
    let failed = || misconfigured("age refuses these readers");
    let encryptor = match readers {
        Readers::Recipients(recipients) => {
            let keys = recipients.iter().map(|recipient| &recipient.0 as &dyn age::Recipient);
            age::Encryptor::with_recipients(keys)
        }
        Readers::Passphrase(passphrase) => {
            let mut recipient = age::scrypt::Recipient::new(passphrase.clone());
            recipient.set_work_factor(WORK);
            age::Encryptor::with_recipients(std::iter::once(&recipient as &dyn age::Recipient))
        }
    };
    let encryptor = encryptor.map_err(|_| failed())?;
    let format = if armored { Format::AsciiArmor } else { Format::Binary };
    let write = || -> std::io::Result<Vec<u8>> {
        let out = ArmoredWriter::wrap_output(Vec::new(), format)?;
        let mut writer = encryptor.wrap_output(out)?;
        writer.write_all(plaintext)?;
        writer.finish()?.finish()
    };
    // INVARIANT: a `Vec` takes all that is written.
    write().map_err(|_| failed())
}
