//! Which names are those of secrets: judged by whole words, never by a part of one.

/// The words of a name that are looked at, from its end.
const MOST: usize = 16;

/// A name with one of these in it is hidden. Several words stand for that sequence.
const TERMS: &[&[&str]] = &[
    // what is typed in
    &["password"],
    &["passwords"],
    &["passwd"],
    &["pwd"],
    &["pw"],
    &["pass"],
    &["passphrase"],
    &["passphrases"],
    &["passcode"],
    &["otp"],
    &["totp"],
    // what is handed out
    &["secret"],
    &["secrets"],
    &["token"],
    &["tokens"],
    &["jwt"],
    &["bearer"],
    &["credential"],
    &["credentials"],
    &["cred"],
    &["creds"],
    &["psk"],
    &["signature"],
    &["sig"],
    &["authorization"],
    &["cookie"],
    &["cookies"],
    // a secret in itself, at the managers that call it so, though its last word tells about another
    &["secret", "id"],
    // keys
    &["api", "key"],
    &["api", "keys"],
    &["private", "key"],
    &["private", "keys"],
    &["signing", "key"],
    &["access", "key"],
    &["access", "keys"],
    &["account", "key"],
    &["shared", "key"],
    &["encryption", "key"],
    &["master", "key"],
    &["session", "key"],
    &["license", "key"],
    &["hmac", "key"],
    &["symmetric", "key"],
    &["ssh", "key"],
    &["unseal", "key"],
    &["unseal", "keys"],
    &["recovery", "key"],
    &["recovery", "keys"],
    &["auth", "key"],
    &["storage", "key"],
    &["decryption", "key"],
    // in one word
    &["bindpass"],
    &["bindpw"],
    &["dbpass"],
    &["dbpw"],
    &["pgpass"],
    &["rootpw"],
    &["sshpass"],
    &["userpass"],
    &["userpw"],
    // addresses with a password in them
    &["dsn"],
    &["connection", "string"],
    &["connectionstring"],
    &["conn", "str"],
    &["connstr"],
];

/// A word that ends in one of these is hidden: `PGPASSWORD`, `clientsecret`. No word of English does.
const GLUED: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "accesskey",
    "accountkey",
    "authkey",
    "encryptionkey",
    "masterkey",
    "privatekey",
    "secretkey",
    "sessionkey",
    "signingkey",
];

/// Also words of prose: `12 tests pass: …`.
const IN_PROSE: &[&str] = &["pass", "sig"];

/// What the parameters of a URL are called, that nobody would take for a secret elsewhere.
const IN_QUERY: &[&str] = &["key", "code", "assertion", "auth", "sas"];

/// A name that ends in one of these tells about a secret: where it is, which one, for how long. Not among them is what
/// tells something of the value itself: length, prefix, hash.
const ABOUT: &[&str] = &[
    "age",
    "alg",
    "algorithm",
    "arn",
    "at",
    "audience",
    "backend",
    "budget",
    "changed",
    "count",
    "counts",
    "created",
    "days",
    "dir",
    "directory",
    "disabled",
    "domain",
    "enabled",
    "endpoint",
    "engine",
    "expiration",
    "expired",
    "expires",
    "expiry",
    "field",
    "file",
    "filename",
    "format",
    "group",
    "hours",
    "id",
    "ids",
    "in",
    "index",
    "interval",
    "invalid",
    "issuer",
    "kind",
    "label",
    "lifetime",
    "limit",
    "line",
    "loaded",
    "manager",
    "minutes",
    "ms",
    "name",
    "names",
    "outcome",
    "owner",
    "path",
    "paths",
    "policy",
    "position",
    "present",
    "provider",
    "ref",
    "reference",
    "refreshed",
    "region",
    "renewed",
    "required",
    "reset",
    "revision",
    "rotated",
    "rotation",
    "scope",
    "scopes",
    "secs",
    "seconds",
    "source",
    "stage",
    "state",
    "status",
    "store",
    "timeout",
    "ttl",
    "type",
    "updated",
    "uri",
    "url",
    "usage",
    "valid",
    "version",
    "versions",
];

/// `max_tokens`: how many, and no token.
const COUNTED: &[&str] = &[
    "cached",
    "completion",
    "input",
    "max",
    "min",
    "num",
    "output",
    "prompt",
    "reasoning",
    "remaining",
    "total",
    "used",
];

/// `tokens_used`, `tokens_per_second`: the same.
const COUNTING: &[&str] = &["out", "per", "used"];

/// `Server=…;Pwd=…`, `a=b; c=d`, `Digest username=…`.
const OF_PAIRS: &[&str] =
    &["authorization", "conn", "connection", "connectionstring", "connstr", "cookie", "cookies", "dsn"];

/// The built-in names, and the application's own.
#[derive(Clone, Debug, Default)]
pub(super) struct Names {
    hide: Vec<Vec<Box<str>>>,
    show: Vec<Vec<Box<str>>>,
}

impl Names {
    pub(super) fn hide(&mut self, name: &str) {
        self.hide.push(Words::of(name).owned());
    }

    pub(super) fn show(&mut self, name: &str) {
        self.show.push(Words::of(name).owned());
    }

    /// Whether the values of that name are hidden.
    pub(super) fn hides(&self, name: &str) -> bool {
        let words = Words::of(name);
        let hidden = TERMS.iter().any(|term| words.tell(term))
            || self.hide.iter().any(|term| words.tell(term))
            || words.tell_glued();
        hidden && !self.shows(&words)
    }

    /// Whether the values of that parameter of a URL are hidden.
    pub(super) fn hides_in_query(&self, name: &str) -> bool {
        let words = Words::of(name);
        let is = |term: &&str| words.as_slice() == [*term];
        self.hides(name) || (IN_QUERY.iter().any(is) && !self.shows(&words))
    }

    pub(super) fn has_shown(&self, name: &str) -> bool {
        !self.show.is_empty() && self.shows(&Words::of(name))
    }

    /// Whether that name is none where it is but a word of a sentence, unless the application hides it.
    pub(super) fn is_prose(&self, name: &str) -> bool {
        let words = Words::of(name);
        IN_PROSE.iter().any(|one| all_same(words.as_slice(), &[one]))
            && !self.hide.iter().any(|term| words.tell(term))
    }

    fn shows(&self, words: &Words<'_>) -> bool {
        self.show.iter().any(|name| all_same(words.as_slice(), name))
    }
}

/// Whether a value under that name stands for a whole type of its own: `Token { value: … }`, `ApiKey { inner: … }`.
pub(super) fn ends_in_a_term(name: &str) -> bool {
    let words = Words::of(name);
    let words = words.as_slice();
    let last = words.last().copied().unwrap_or_default();
    let ends_in =
        |term: &&[&str]| words.len() >= term.len() && all_same(&words[words.len() - term.len()..], term);
    !last.to_ascii_lowercase().starts_with("cred") && (TERMS.iter().any(ends_in) || is_glued(last))
}

/// Whether values under that name are made of pairs themselves.
pub(super) fn holds_pairs(name: &str) -> bool {
    Words::of(name).as_slice().iter().any(|word| OF_PAIRS.iter().any(|one| same(one, word)))
}

/// The words of a name: `user.apiKey`, `USER_API_KEY` and `user-api-key` have the same.
struct Words<'a> {
    words: [&'a str; MOST],
    count: usize,
}

impl<'a> Words<'a> {
    fn of(name: &'a str) -> Self {
        let mut words = Self { words: [""; MOST], count: 0 };
        for part in name.split(|c: char| !c.is_alphanumeric()) {
            let mut start = 0;
            let mut chars = part.char_indices().peekable();
            let mut last = Class::Other;
            while let Some((at, c)) = chars.next() {
                let class = Class::of(c);
                let next = chars.peek().map(|(_, c)| Class::of(*c));
                // `apiKey`, `APIKey`, `key2`
                let hump = class == Class::Upper
                    && (last == Class::Lower || (last == Class::Upper && next == Some(Class::Lower)));
                let digits = (class == Class::Digit) != (last == Class::Digit);
                if at > start && (hump || digits) {
                    words.push(&part[start..at]);
                    start = at;
                }
                last = class;
            }
            words.push(&part[start..]);
        }
        words
    }

    /// Numbers are no words: `password_2` is a password.
    fn push(&mut self, word: &'a str) {
        if word.is_empty() || word.bytes().all(|byte| byte.is_ascii_digit()) {
            return;
        }
        if self.count == MOST {
            self.words.copy_within(1.., 0);
            self.count -= 1;
        }
        self.words[self.count] = word;
        self.count += 1;
    }

    fn as_slice(&self) -> &[&'a str] {
        &self.words[..self.count]
    }

    fn owned(&self) -> Vec<Box<str>> {
        self.as_slice().iter().map(|word| (*word).into()).collect()
    }

    /// Whether the term is in it, and what follows does not make it a word about one.
    fn tell<T: AsRef<str>>(&self, term: &[T]) -> bool {
        let words = self.as_slice();
        !term.is_empty()
            && words.windows(term.len()).enumerate().any(|(at, window)| {
                if !all_same(window, term) {
                    return false;
                }
                !is_about(window[0], &words[..at], &words[at + term.len()..])
            })
    }

    /// The same for a word that ends in a term.
    fn tell_glued(&self) -> bool {
        let words = self.as_slice();
        let tells =
            |(at, word): (usize, &&str)| is_glued(word) && !is_about(word, &words[..at], &words[at + 1..]);
        words.iter().enumerate().any(tells)
    }
}

/// Whether the words around a term make it a name about a secret.
fn is_about(term: &str, before: &[&str], after: &[&str]) -> bool {
    let is_in =
        |list: &[&str], word: Option<&&str>| word.is_some_and(|word| list.iter().any(|one| same(one, word)));
    let counted = same(term, "tokens") && (is_in(COUNTED, before.last()) || is_in(COUNTING, after.first()));
    let asked = before.first().is_some_and(|first| same(first, "has"));
    is_in(ABOUT, after.last()) || counted || asked
}

fn is_glued(word: &str) -> bool {
    let ends = |end: &&str| {
        word.len().checked_sub(end.len()).and_then(|at| word.get(at..)).is_some_and(|rest| same(rest, end))
    };
    GLUED.iter().any(ends)
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn all_same<T: AsRef<str>>(some: &[&str], others: &[T]) -> bool {
    some.len() == others.len() && some.iter().zip(others).all(|(one, other)| same(one, other.as_ref()))
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Upper,
    Lower,
    Digit,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            c if c.is_ascii_digit() => Class::Digit,
            c if c.is_uppercase() => Class::Upper,
            c if c.is_lowercase() => Class::Lower,
            _ => Class::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_hidden() {
        let names = Names::default();
        for name in [
            "password",
            "Password",
            "PASSWORD",
            "user.password",
            "user_password",
            "userPassword",
            "DB_PASSWORD",
            "DBPassword",
            "password2",
            "password_hash",
            "passwd",
            "pwd",
            "db.pass",
            "passphrase",
            "secret",
            "clientSecret",
            "client_secret",
            "secret_value",
            "secrets",
            "secret_id",
            "secretId",
            "token",
            "access-token",
            "accessToken",
            "token.value",
            "idToken",
            "oauth2Token",
            "tokens",
            "api_key",
            "apiKey",
            "APIKey",
            "apikey",
            "x-api-key",
            "OPENAI_API_KEY",
            "private_key",
            "privateKey",
            "ssh_key",
            "signing_key",
            "AccountKey",
            "credentials",
            "aws.credentials",
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "Set-Cookie",
            "dsn",
            "connection_string",
            "ConnectionString",
            "conn_str",
            "secretKey",
            "secret_access_key",
            "X-Amz-Signature",
            "user_name_password",
            "user[password]",
            "r#secret",
            "token_hash",
            "password_length",
            "token_prefix",
            "authorization_header",
            "PGPASSWORD",
            "newpassword",
            "sshpass",
            "SSHPASS",
            "userpass",
            "bindpw",
            "wifi.psk",
            "db_cred",
            "clientsecret",
            "csrftoken",
            "unseal_key",
            "unsealKeys",
            "recovery_key",
            "auth_key",
            "storageKey",
            "decryption_key",
            "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.password",
        ] {
            assert!(names.hides(name), "{name}");
        }
    }

    #[test]
    fn names_about_secrets_and_other_names_are_shown() {
        let names = Names::default();
        for name in [
            "secret_name",
            "secretName",
            "token_count",
            "token_ttl",
            "password_hash_algorithm",
            "key_path",
            "secret_revision",
            "key_id",
            "access_key_id",
            "secret_arn",
            "token_url",
            "credentials_file",
            "token_expires_at",
            "api_key_version",
            "secret.name",
            "secretary",
            "tokenizer",
            "passenger",
            "compass",
            "bypass",
            "cookiecutter",
            "monkey",
            "key",
            "keys",
            "key_vault",
            "keyboard",
            "user",
            "username",
            "author",
            "authority",
            "authorized",
            "surpassed",
            "desk",
            "max_tokens",
            "promptTokens",
            "total_tokens",
            "message",
            "source",
            "revision",
            "identity",
            "",
            "_",
            "1",
            "passport",
            "tokenized",
            "secretly",
            "private",
            "api",
            "connection",
            "string",
            "log.target",
            "tokens_used",
            "tokens_out",
            "tokens_per_second",
            "secrets_loaded",
            "signature_valid",
            "token_valid",
            "has_token",
            "hasPassword",
            "password_reset",
            "cookie_domain",
            "token_refreshed",
            "password_changed",
            "userpass_count",
            "pgpassword_file",
        ] {
            assert!(!names.hides(name), "{name}");
        }
    }

    #[test]
    fn an_application_adds_its_own_and_what_it_shows_wins() {
        let mut names = Names::default();
        names.hide("ssn");
        names.hide("card_number");
        names.hide("user_id");
        names.show("token_hash");
        names.show("cookie");
        names.show("ssn.kind");
        for name in
            ["ssn", "customer.ssn", "SSN", "cardNumber", "user.card_number", "user_id", "set_cookie", "token"]
        {
            assert!(names.hides(name), "{name}");
        }
        for name in [
            "token_hash",
            "tokenHash",
            "TOKEN-HASH",
            "cookie",
            "lesson",
            "card",
            "id",
            "ssn_count",
            "ssn.kind",
        ] {
            assert!(!names.hides(name), "{name}");
        }
        assert!(names.hides_in_query("key") && names.hides_in_query("sig") && !names.hides_in_query("page"));
    }
}
