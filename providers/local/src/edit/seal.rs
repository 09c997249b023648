//! Encrypting: to keys, or with a passphrase.

use super::Readers;
use crate::error::{Refusal, misconfigured};
use crate::identity::Keys;
use crate::open;
use age::armor::{ArmoredWriter, Format};
use secretfig_source::ErrorKind;
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
    let ciphertext = write().map_err(|_| failed())?;
    readable(&ciphertext, readers)?;
    Ok(ciphertext)
}

/// Refuses what no source would read again, before it takes the place of what can be read.
fn readable(ciphertext: &[u8], readers: &Readers) -> Result<(), Refusal> {
    let Readers::Recipients(recipients) = readers else { return Ok(()) };
    // whoever has no key comes as far as the header
    let none = || Ok(Keys { identities: Vec::new() });
    match open::decrypt(ciphertext, &none, &|| Ok(None), 0) {
        Err(refusal) if refusal.kind == ErrorKind::TooLarge => Err(Refusal::new(
            ErrorKind::TooLarge,
            format!(
                "it would have {} readers, and could not be read again: a store has room for some 300. Nothing was \
                 changed; let those who share a machine or a task share a key, or keep several stores",
                recipients.len()
            ),
        )),
        _ => Ok(()),
    }
}
