//! A folder: what ListSecrets tells of it, and its secrets as one document.

use crate::error::{Refusal, malformed};
use crate::naming::{Duplicates, Folder, Id};
use crate::reply::{get, list, text, versions};
use secretfig_source::{Document, ErrorKind, Fetched, Fingerprints, Node, Reading, Revision};
use std::collections::{BTreeMap, BTreeSet};

/// How many secrets a folder may have.
pub(crate) const MOST: usize = 1_000;
/// How many pages are read of a list: some of them are empty.
pub(crate) const PAGES: usize = 1_000;

/// A secret as a list tells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    /// The name first: it is what entries are sorted by.
    pub(crate) name: Box<str>,
    pub(crate) id: Id,
    /// The version that carries AWSCURRENT, where the list tells. It is up to five minutes behind.
    pub(crate) current: Option<Box<str>>,
}

/// What pages of a list come to.
pub(crate) struct Listing<'a> {
    folder: &'a Folder,
    seen: BTreeSet<Entry>,
    pages: usize,
}

impl<'a> Listing<'a> {
    pub(crate) fn new(folder: &'a Folder) -> Self {
        Self { folder, seen: BTreeSet::new(), pages: 0 }
    }

    /// One secret of a page. AWS' filters find too much: prefixes without regard to case, and of tags keys and values that
    /// belong to different tags. One that is listed on two pages counts once.
    pub(crate) fn add(
        &mut self,
        name: &str,
        arn: &str,
        tags: &[(&str, &str)],
        current: Option<&str>,
    ) -> Result<(), Refusal> {
        let tagged = |(key, value): &(String, String)| tags.iter().any(|(k, v)| k == key && v == value);
        let below = name.strip_prefix(&*self.folder.prefix).is_some_and(|rest| !rest.is_empty());
        if below && self.folder.tags.iter().all(tagged) {
            self.seen.retain(|known| known.id.as_str() != arn);
            self.seen.insert(Entry {
                name: name.into(),
                id: Id::told(arn),
                current: current.map(Into::into),
            });
        }
        match self.seen.len() > MOST {
            true => Err(Refusal::new(
                ErrorKind::TooLarge,
                "the folder holds more than 1000 secrets; ask for smaller ones, or by `tags`",
            )),
            false => Ok(()),
        }
    }

    /// A page; more of them where it gives the text by which the next one is asked for.
    pub(crate) fn page(&mut self, page: &Node) -> Result<Option<String>, Refusal> {
        for node in list(page, "SecretList") {
            let (Some(name), Some(arn)) = (text(node, "Name"), text(node, "ARN")) else {
                return Err(malformed(
                    "the list holds something that is no secret; check what answers at this endpoint",
                ));
            };
            if matches!(get(node, "DeletedDate"), Some(date) if !matches!(date, Node::Null)) {
                continue;
            }
            let tags = list(node, "Tags")
                .iter()
                .filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value").unwrap_or_default())));
            let versions = versions(node, "SecretVersionsToStages");
            let current =
                versions.iter().find(|(_, stages)| stages.iter().any(|stage| &**stage == "AWSCURRENT"));
            self.add(name, arn, &tags.collect::<Vec<_>>(), current.map(|(id, _)| &**id))?;
        }
        self.turned(text(page, "NextToken").filter(|token| !token.is_empty()).map(str::to_owned))
    }

    /// Another page was read.
    pub(crate) fn turned(&mut self, next: Option<String>) -> Result<Option<String>, Refusal> {
        self.pages += 1;
        match self.pages >= PAGES && next.is_some() {
            true => Err(Refusal::new(
                ErrorKind::TooLarge,
                "the list of secrets does not end; ask for a smaller folder",
            )),
            false => Ok(next),
        }
    }

    /// All that were found, by name. Of an empty folder there is nothing to read.
    pub(crate) fn done(self) -> Result<Vec<Entry>, Refusal> {
        if self.seen.is_empty() {
            return Err(Refusal::new(
                ErrorKind::Absent,
                "there is no secret whose name begins so, and that carries the `tags`; a new one is listed after up to five \
                 minutes",
            ));
        }
        Ok(self.seen.into_iter().collect())
    }
}

/// Whether a batch may be refused so, and what is in it not: then it is asked for by itself.
pub(crate) fn is_of_batch(answer: &Result<Fetched, Refusal>) -> bool {
    matches!(answer, Err(Refusal { kind: ErrorKind::Denied | ErrorKind::Throttled { .. }, .. }))
}

/// The folder's secrets as one document: below the folder's name, a table per segment.
pub(crate) fn whole(
    name: &str,
    folder: &Folder,
    duplicates: Duplicates,
    found: Vec<(Box<str>, Fetched)>,
    prints: &Fingerprints,
) -> Result<Fetched, Refusal> {
    let mut root = Node::Table(BTreeMap::new());
    let mut created = None;
    let mut revisions = Vec::new();
    let how = Reading { allow_empty: true, ..Reading::default() };
    for (secret, fetched) in found {
        let node = fetched
            .document
            .read(&how)
            .map_err(|_| malformed("one of its secrets is too large or too deep"))?;
        let path: Vec<&str> = secret.strip_prefix(&*folder.prefix).unwrap_or(&secret).split('/').collect();
        if !graft(&mut root, &path, node, duplicates) {
            return Err(malformed(
                "two of its secrets mean the same key; rename one, ask for them one by one, or say by `duplicates` which counts",
            ));
        }
        created = created.max(fetched.created);
        revisions.push((secret, fetched.revision));
    }
    let mut whole = Fetched::new(Document::from_node(root), revision(name, &revisions, prints));
    whole.created = created;
    Ok(whole)
}

/// The revision of a folder, of those of its secrets.
pub(crate) fn revision(name: &str, all: &[(Box<str>, Revision)], prints: &Fingerprints) -> Revision {
    prints.revision(
        name,
        all.iter().flat_map(|(name, revision)| [name.as_bytes(), revision.as_str().as_bytes()]),
    )
}

/// Puts a node at a path; tables meet key by key. `false` where something else is there and none of both counts.
fn graft(at: &mut Node, path: &[&str], node: Node, duplicates: Duplicates) -> bool {
    if path.is_empty() && !matches!((&*at, &node), (Node::Table(_), Node::Table(_))) {
        match duplicates {
            Duplicates::Refuse => return false,
            Duplicates::First => {}
            Duplicates::Last => *at = node,
        }
        return true;
    }
    let table = match at {
        Node::Table(table) => table,
        // a secret, where the other one has a folder
        _ => match duplicates {
            Duplicates::Refuse => return false,
            Duplicates::First => return true,
            Duplicates::Last => {
                *at = Node::Table(BTreeMap::new());
                let Node::Table(table) = at else { return false };
                table
            }
        },
    };
    match (path.split_first(), node) {
        (Some((first, rest)), node) => match table.get_mut(*first) {
            Some(there) => graft(there, rest, node, duplicates),
            None => {
                let mut branch = node;
                for key in rest.iter().rev() {
                    branch = Node::Table([(Box::from(*key), branch)].into());
                }
                table.insert((*first).into(), branch);
                true
            }
        },
        (None, Node::Table(new)) => new.into_iter().all(|(key, node)| match table.get_mut(&key) {
            Some(there) => graft(there, &[], node, duplicates),
            None => table.insert(key, node).is_none(),
        }),
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(prefix: &str, tags: &[(&str, &str)]) -> Folder {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Folder { prefix: prefix.to_owned(), tags }
    }

    fn merged(duplicates: Duplicates, all: &[(&str, &str)]) -> Result<String, Refusal> {
        let found = all.iter().map(|(name, text)| {
            (Box::from(*name), Fetched::new(Document::from_text(text), Revision::new("1")))
        });
        let whole =
            whole("app/*", &folder("app/", &[]), duplicates, found.collect(), &Fingerprints::new([7; 32]))?;
        let tree = whole.document.read(&Reading::default()).map_err(|_| malformed("x"))?;
        Ok(shape(&tree))
    }

    fn shape(node: &Node) -> String {
        match node {
            Node::Table(table) => {
                let all: Vec<_> = table.iter().map(|(key, node)| format!("{key}:{}", shape(node))).collect();
                format!("{{{}}}", all.join(","))
            }
            Node::Leaf(leaf) => match leaf.expose_secret() {
                secretfig_source::Exposed::Text(text) => text.to_owned(),
                _ => "?".to_owned(),
            },
            _ => "?".to_owned(),
        }
    }

    #[test]
    fn a_folder_is_a_table_of_tables() {
        let all =
            [("app/db", r#"{"user":"u"}"#), ("app/mail/key", "k"), ("app/mail/smtp", r#"{"host":"h"}"#)];
        assert_eq!(merged(Duplicates::Refuse, &all).unwrap(), "{db:{user:u},mail:{key:k,smtp:{host:h}}}");
        // a document and a folder beside it meet, where their keys differ
        let beside = [("app/db", r#"{"user":"u"}"#), ("app/db/password", "p")];
        assert_eq!(merged(Duplicates::Refuse, &beside).unwrap(), "{db:{password:p,user:u}}");
    }

    #[test]
    fn of_two_that_mean_one_key_the_policy_says_which_counts() {
        let leaf = [("app/db", r#"{"user":"first"}"#), ("app/db/user", "last")];
        assert!(merged(Duplicates::Refuse, &leaf).is_err());
        assert_eq!(merged(Duplicates::First, &leaf).unwrap(), "{db:{user:first}}");
        assert_eq!(merged(Duplicates::Last, &leaf).unwrap(), "{db:{user:last}}");
        // text at a place where the other has keys
        let table = [("app/db", "text"), ("app/db/user", "u")];
        assert!(merged(Duplicates::Refuse, &table).is_err());
        assert_eq!(merged(Duplicates::First, &table).unwrap(), "{db:text}");
        assert_eq!(merged(Duplicates::Last, &table).unwrap(), "{db:{user:u}}");
    }

    #[test]
    fn what_the_filters_find_too_much_is_left_out() {
        let folder = folder("app/", &[("env", "prod")]);
        let mut listing = Listing::new(&folder);
        for (name, tags) in [
            ("app/a", &[("env", "prod")][..]),
            ("App/b", &[("env", "prod")]),
            ("app/c", &[("env", "test"), ("kind", "prod")]),
            ("app/", &[("env", "prod")]),
            ("other", &[("env", "prod")]),
            ("app/a", &[("env", "prod")]),
        ] {
            listing.add(name, &format!("arn:{name}"), tags, None).unwrap();
        }
        let found = listing.done().unwrap();
        assert_eq!(found.iter().map(|entry| &*entry.name).collect::<Vec<_>>(), ["app/a"]);
    }
}
