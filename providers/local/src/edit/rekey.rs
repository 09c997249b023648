//! Changing who may read a store: who that is now, then the list, then the store.

use super::disk::{Disk, Real};
use super::readers::{List, NO_KEY};
use super::{Readers, Recipient, Store, about_store, ours};
use crate::error::{Refusal, misconfigured};
use secretfig_source::SourceError;

impl Store {
    /// Its readers after these were let in and those were taken out, for [`Store::rekey`]. Of a store
    /// with a passphrase, to which keys are added: the own key and those.
    ///
    /// Where the list beside the store names another number of readers than the file has, a
    /// [`Store::rekey`] may have been cut short between the two: one to be taken out who is not on the
    /// list counts as taken out there, and the next `rekey` takes them out of the file as well.
    ///
    /// # Errors
    /// `Malformed` and whatever the file system says, where the list cannot be read; `Misconfigured`
    /// where it is not known who reads the store now (no list, or keys of other kinds), so that one who
    /// is not named here would be left out without a word: name all readers to [`Store::rekey`] then.
    /// `Misconfigured` where one who is to be taken out is no reader, where keys are to be taken out of
    /// a store with a passphrase, or none of our own is there for a store that had a passphrase.
    pub fn readers_with(&self, add: &[Recipient], remove: &[Recipient]) -> Result<Readers, SourceError> {
        Ok(self.changed_readers(add, remove)?)
    }

    fn changed_readers(&self, add: &[Recipient], remove: &[Recipient]) -> Result<Readers, Refusal> {
        let about = |refusal: Refusal| about_store(refusal, &self.settings.file);
        let mut all = match &self.readers {
            Readers::Passphrase(_) if !remove.is_empty() => {
                return Err(about(misconfigured(
                    "it is encrypted with a passphrase, and no key can be taken out of it; \
                     `secretfig local rekey --passphrase` takes a new passphrase",
                )));
            }
            Readers::Passphrase(_) if add.is_empty() => return Ok(self.readers.clone()),
            Readers::Passphrase(_) => match ours(&self.settings)? {
                none if none.is_empty() => return Err(about(misconfigured(NO_KEY))),
                ours => ours,
            },
            Readers::Recipients(now) => {
                self.known.clone()?;
                let strange = remove.iter().find(|gone| !now.contains(gone));
                if let Some(strange) = strange.filter(|_| self.as_many) {
                    return Err(about(misconfigured(format!(
                        "`{strange}` is no reader of this store, as its list says; `secretfig local rekey` \
                         encrypts it to the list once more"
                    ))));
                }
                now.clone()
            }
        };
        all.retain(|reader| !remove.contains(reader));
        for new in add {
            if !all.contains(new) {
                all.push(new.clone());
            }
        }
        Ok(Readers::Recipients(all))
    }

    /// Writes the store, encrypted to these readers from now on, and the list of them.
    ///
    /// Whoever is left out cannot read what is written from now on. What was readable until now they
    /// may have kept, and git keeps it for them: change those values.
    ///
    /// # Errors
    /// `Misconfigured` for no reader, one twice, or all but the own key. Whatever the file system says
    /// against it.
    pub fn rekey(self, readers: &Readers) -> Result<(), SourceError> {
        Ok(self.rekey_on(&Real, readers)?)
    }

    pub(super) fn rekey_on(self, disk: &impl Disk, readers: &Readers) -> Result<(), Refusal> {
        readers.checked(&self.ours_among(readers)?)?;
        let ciphertext = self.sealed(readers)?;
        let list = List::find(&self.path)?;
        match readers {
            // The list first: were the power cut between the two, the next `save` would encrypt to
            // whom the list says now, never again to one who was taken out.
            Readers::Recipients(recipients) => {
                let placed = list.write(disk, recipients).and_then(|()| self.place(disk, &ciphertext));
                match placed {
                    Ok(placed) => self.confirmed(placed),
                    Err(refusal) => Err(undone(disk, &list, refusal)),
                }
            }
            Readers::Passphrase(_) => {
                self.confirmed(self.place(disk, &ciphertext)?)?;
                list.remove(disk)
            }
        }
    }

    /// Our keys, where readers are keys: for a store with a passphrase they were not looked at.
    fn ours_among(&self, readers: &Readers) -> Result<Vec<Recipient>, Refusal> {
        match readers {
            Readers::Recipients(_) if self.ours.is_empty() => ours(&self.settings),
            _ => Ok(self.ours.clone()),
        }
    }
}

/// Puts the list back, since the store is what it was.
fn undone(disk: &impl Disk, list: &List, refusal: Refusal) -> Refusal {
    match list.put_back(disk) {
        Ok(()) => refusal,
        Err(_) => refusal.about(
            "the list of readers is changed and the store is not, so that whoever was taken out still reads it; run \
             the command again once this is mended",
        ),
    }
}
