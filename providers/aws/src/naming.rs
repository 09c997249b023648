//! What a name may be, and what it means: a secret's name, its ARN, or a folder of them.
//!
//! # The rule
//!
//! An ARN is taken as it is, and so is a name that begins with `/`. Before every other name comes `prefix`, with one `/`
//! between them. A name that ends in `/*`, or is `*`, means all secrets below it: those that carry the `tags` of the settings,
//! where there are some.
//!
//! Names go into JSON and into nothing else, so none of them steers a request; they are checked all the same, since what
//! AWS would refuse is told better, and by all of them at once, before anything is sent.

use crate::error::{Refusal, misconfigured};
use secretfig_source::At;

/// The longest `SecretId` ([API reference](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html)).
const MAX_ID: usize = 2048;
/// The longest name ([API reference](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)).
const MAX_NAME: usize = 512;

/// Of two secrets that mean the same key of a folder, which one counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// Neither: the folder is refused.
    #[default]
    Refuse,
    /// The first, in the order of their names.
    First,
    /// The last, in the order of their names.
    Last,
}

impl Duplicates {
    /// As settings spell it: `refuse`, `first`, `last`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "refuse" => Some(Self::Refuse),
            "first" => Some(Self::First),
            "last" => Some(Self::Last),
            _ => None,
        }
    }
}

/// Where names lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    prefix: String,
    region: Option<String>,
    /// Which tags the secrets of a folder carry: all of these, each with that value.
    tags: Vec<(String, String)>,
    pub(crate) duplicates: Duplicates,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Secret(Id),
    #[cfg(feature = "full")]
    Folder(Folder),
}

/// One secret, as AWS is told it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Id(Box<str>);

/// All secrets whose names begin so, and carry these tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Folder {
    /// Empty, or it ends in `/`.
    pub(crate) prefix: String,
    pub(crate) tags: Vec<(String, String)>,
}

impl Names {
    pub(crate) fn set_region(&mut self, region: &str) -> Result<(), Refusal> {
        // it becomes a part of a host's name
        let part = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let edge = |b: Option<&u8>| b.is_none_or(|b| *b == b'-');
        let bytes = region.as_bytes();
        if bytes.len() > 63 || edge(bytes.first()) || edge(bytes.last()) || !bytes.iter().copied().all(part) {
            return Err(misconfigured("no region: `eu-central-1` is meant"));
        }
        self.region = Some(region.to_owned());
        Ok(())
    }

    pub(crate) fn checked(region: &str, prefix: &str) -> Self {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix).to_owned();
        Self { prefix, region: Some(region.to_owned()), ..Self::default() }
    }

    pub(crate) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    pub(crate) fn set_prefix(&mut self, prefix: &str) -> Result<(), Refusal> {
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.is_empty() {
            name(prefix)?;
        }
        prefix.clone_into(&mut self.prefix);
        Ok(())
    }

    /// `env=prod, team=shop`.
    pub(crate) fn set_tags(&mut self, text: &str) -> Result<(), Refusal> {
        self.tags.clear();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some((key, value)) if !key.trim().is_empty() => {
                    self.tags.push((key.trim().to_owned(), value.trim().to_owned()));
                }
                _ => return Err(misconfigured("tags are `key=value`, with commas between them")),
            }
        }
        // eight filters are left beside that of the names
        if self.tags.len() > 4 {
            return Err(misconfigured("at most four tags are asked for"));
        }
        Ok(())
    }

    /// What that name means. An edge has no room to tell what AWS would refuse: AWS does.
    #[cfg(not(feature = "full"))]
    pub(crate) fn place(&self, text: &str) -> Result<Place, Refusal> {
        if text.ends_with('*') {
            return Err(misconfigured("folders are not read in this build; ask for single secrets"));
        }
        let whole = if text.starts_with("arn:") { text.to_owned() } else { self.whole(text) };
        Ok(Place::Secret(Id(whole.into())))
    }

    /// What that name means.
    #[cfg(feature = "full")]
    pub(crate) fn place(&self, text: &str) -> Result<Place, Refusal> {
        if text.len() > MAX_ID {
            return Err(misconfigured("a name of at most 2048 bytes is taken"));
        }
        if text.starts_with("arn:") {
            self.arn(text)?;
            return Ok(Place::Secret(Id(text.into())));
        }
        let folder = text == "*" || text.ends_with("/*");
        if folder {
            return self.folder(text.strip_suffix('*').unwrap_or(text));
        }
        let whole = self.whole(text);
        name(&whole)?;
        Ok(Place::Secret(Id(whole.into())))
    }

    #[cfg(feature = "full")]
    fn folder(&self, text: &str) -> Result<Place, Refusal> {
        let prefix = if text.is_empty() && !self.prefix.is_empty() {
            format!("{}/", self.prefix)
        } else {
            self.whole(text)
        };
        if !prefix.is_empty() {
            name(&prefix)?;
        } else if self.tags.is_empty() {
            return Err(misconfigured(
                "`*` means every secret of the account; set `prefix` or `tags`, or name a folder: `myapp/*`",
            ));
        }
        Ok(Place::Folder(Folder { prefix, tags: self.tags.clone() }))
    }

    fn whole(&self, text: &str) -> String {
        if self.prefix.is_empty() || text.starts_with('/') || text.is_empty() {
            return text.to_owned();
        }
        [&self.prefix, "/", text].concat()
    }

    /// `arn:aws:secretsmanager:eu-central-1:123456789012:secret:myapp/db-AbCdEf`.
    #[cfg(feature = "full")]
    fn arn(&self, text: &str) -> Result<(), Refusal> {
        let mut parts = text.splitn(7, ':').skip(1);
        let [partition, service, region, account, kind] =
            std::array::from_fn(|_| parts.next().unwrap_or_default());
        let Some(secret) = parts.next() else {
            return Err(misconfigured(
                "no ARN of a secret: `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME-XXXXXX` is meant",
            ));
        };
        if !partition.starts_with("aws") || service != "secretsmanager" || kind != "secret" {
            return Err(misconfigured(
                "this is the ARN of something else; `…:secretsmanager:…:secret:…` is meant",
            ));
        }
        if account.len() != 12 || !account.bytes().all(|b| b.is_ascii_digit()) {
            return Err(misconfigured("the ARN's account is no twelve digits"));
        }
        name(secret)?;
        match &self.region {
            Some(own) if own != region => Err(misconfigured(
                [
                    "the ARN lies in ",
                    region,
                    ", and ",
                    own,
                    " is asked; set `region`, or ask for the replica there by its name",
                ]
                .concat(),
            )),
            _ => Ok(()),
        }
    }
}

impl Id {
    /// What AWS itself told, such as an ARN in a list.
    #[cfg(feature = "full")]
    pub(crate) fn told(arn: &str) -> Self {
        Self(arn.into())
    }

    /// As AWS is told it.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// An ARN without the six characters at its end, which may find another secret: the one whose name is longer by a
    /// hyphen and six characters.
    pub(crate) fn is_partial(&self) -> bool {
        self.0.starts_with("arn:") && !has_suffix(&self.0)
    }

    /// Whether a reply about this ARN and this name is about it.
    pub(crate) fn is(&self, arn: &str, name: &str) -> bool {
        let partial = || {
            let rest = arn.strip_prefix(&*self.0).and_then(|rest| rest.strip_prefix('-'));
            rest.is_some_and(|rest| rest.len() == SUFFIX && alphanumeric(rest))
        };
        &*self.0 == name || &*self.0 == arn || self.0.starts_with("arn:") && partial()
    }

    /// The resource that a policy names: the ARN, with a `?` for each character that is not known.
    #[cfg(feature = "full")]
    pub(crate) fn resource(&self, partition: &str, region: &str, account: &str) -> String {
        if has_suffix(&self.0) && self.0.starts_with("arn:") {
            return self.0.to_string();
        }
        if self.0.starts_with("arn:") {
            return format!("{}-??????", self.0);
        }
        format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{}-??????", self.0)
    }
}

/// How many characters AWS puts behind a name to make its ARN.
const SUFFIX: usize = 6;

fn alphanumeric(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn has_suffix(arn: &str) -> bool {
    let (_, end) = arn.split_at_checked(arn.len().saturating_sub(SUFFIX + 1)).unwrap_or_default();
    end.strip_prefix('-').is_some_and(|suffix| suffix.len() == SUFFIX && alphanumeric(suffix))
}

/// ASCII letters, digits and `/_+=.@-` ([API reference](https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html)).
fn name(text: &str) -> Result<(), Refusal> {
    let part =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'+' | b'=' | b'.' | b'@' | b'-');
    if text.is_empty() {
        return Err(misconfigured("the name is empty"));
    }
    if text.len() > MAX_NAME {
        return Err(misconfigured("a name has at most 512 characters"));
    }
    if !text.bytes().all(part) {
        return Err(misconfigured("a name is made of ASCII letters, digits and `/_+=.@-`"));
    }
    Ok(())
}

/// Whether the point of a secret's history is one that AWS knows.
pub(crate) fn checked(at: &At) -> Result<(), Refusal> {
    #[cfg(not(feature = "full"))]
    return match at {
        At::Current => Ok(()),
        _ => Err(misconfigured("only current values are read in this build")),
    };
    #[cfg(feature = "full")]
    match at {
        At::Current | At::Previous => Ok(()),
        // https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html
        At::Version(id) if (32..=64).contains(&id.len()) => Ok(()),
        At::Version(_) => Err(misconfigured("a version's id has 32 to 64 characters")),
        At::Stage(stage) if !stage.is_empty() && stage.len() <= 256 => Ok(()),
        At::Stage(_) => Err(misconfigured("a staging label has 1 to 256 characters")),
        _ => Err(misconfigured("AWS knows versions and staging labels, and no other points")),
    }
}

/// The staging label of that point, unless it is a version.
pub(crate) fn stage(at: &At) -> Option<&str> {
    match at {
        At::Version(_) => None,
        At::Previous => Some("AWSPREVIOUS"),
        At::Stage(stage) => Some(stage),
        // said, though it is what AWS takes where nothing is said: so it stands in the audit trail
        _ => Some("AWSCURRENT"),
    }
}

#[cfg(test)]
#[cfg(feature = "full")]
mod tests {
    use super::*;

    const ARN: &str = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:myapp/db";

    fn names(prefix: &str) -> Names {
        let mut names = Names::default();
        names.set_region("eu-central-1").unwrap();
        names.set_prefix(prefix).unwrap();
        names
    }

    fn id(names: &Names, text: &str) -> String {
        match names.place(text).unwrap() {
            Place::Secret(id) => id.as_str().to_owned(),
            Place::Folder(folder) => format!("{}*", folder.prefix),
        }
    }

    #[test]
    fn the_prefix_comes_before_names_and_before_nothing_else() {
        for (prefix, text, want) in [
            ("", "myapp/db", "myapp/db"),
            ("prod", "myapp/db", "prod/myapp/db"),
            ("prod/", "db", "prod/db"),
            ("/prod", "db", "/prod/db"),
            ("prod", "/other/db", "/other/db"),
            ("prod", ARN, ARN),
            ("prod", "*", "prod/*"),
            ("prod", "myapp/*", "prod/myapp/*"),
            ("", "myapp/*", "myapp/*"),
        ] {
            assert_eq!(id(&names(prefix), text), want);
        }
    }

    #[test]
    fn what_aws_would_refuse_is_refused_here() {
        let names = names("");
        for text in [
            "",
            "a b",
            "a*b",
            "ä",
            "a\nb",
            "a#b",
            "arn:aws:s3:::bucket",
            "arn:aws:secretsmanager:eu-central-1:123456789012:secret:",
            "arn:aws:secretsmanager:eu-central-1:12:secret:x-AbCdEf",
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:x-AbCdEf",
            "arn:aws:ssm:eu-central-1:123456789012:parameter:x",
            &"x".repeat(513),
            &"x".repeat(2049),
            "*",
        ] {
            assert!(names.place(text).is_err(), "{text}");
        }
        for region in ["", "EU", "eu-central-1.evil.example", "-a", "a-", "a/b", "a@b"] {
            assert!(Names::default().set_region(region).is_err(), "{region}");
        }
        assert!(Names::default().set_tags("a").is_err() && Names::default().set_tags("=b").is_err());
    }

    #[test]
    fn replies_find_their_asks() {
        let place = |text: &str| match names("").place(text).unwrap() {
            Place::Secret(id) => id,
            Place::Folder(_) => panic!("a folder"),
        };
        let arn = format!("{ARN}-AbCdEf");
        assert!(place("myapp/db").is(&arn, "myapp/db") && place(&arn).is(&arn, "myapp/db"));
        assert!(place(ARN).is(&arn, "myapp/db") && place(ARN).is_partial() && !place(&arn).is_partial());
        // the trap: the partial ARN of one finds another
        assert!(!place(ARN).is(&format!("{ARN}-abcdef-AbCdEf"), "myapp/db-abcdef"));
        assert!(!place("myapp/db").is(&arn, "myapp/db2"));
    }
}
