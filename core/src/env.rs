//! Environment variables as a layer in which text stays text.
//!
//! figment's own `Env` parses: `00123` becomes 123, `" x "` loses its blanks, `{a=1}` becomes a table. A secret
//! must never pass through such a parser. Here a value is the text it is, and is parsed only when the target asks
//! for a number, a boolean, a duration, a list or an enum.

use crate::layers::Profile;
use crate::plan::{Draft, OriginInfo, wiped};
use crate::report::{Fault, FaultKind};
use crate::secrets::Wanted;
use crate::tree::{KeyPath, Kind, OriginId, Table, Value};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use zeroize::Zeroizing;

/// A layer of environment variables: `APP_DATABASE__HOST` is `database.host`.
///
/// * Names are matched without case, keys are lower case, `__` nests.
/// * `APP_DATABASE__PASSWORD_FILE=/run/secrets/pw` gives `database.password` the content of that file, by the
///   source `file-secret`, unless the configuration itself has a key `password_file`.
/// * Kubernetes' link variables (`*_SERVICE_HOST`, `*_SERVICE_PORT*`, `*_PORT_<n>_TCP*`, and `*_PORT` with a
///   `tcp://` or `udp://` value) are dropped, with a remark.
/// * A variable that is not UTF-8 is a fault that names it.
///
/// It goes to profile `global` (joined: to `default`), so that it beats files of every profile.
///
/// ```
/// use secretfig::{Config, TextEnv};
/// # use serde::Deserialize;
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// #[derive(Deserialize)]
/// struct App {
///     zip: String,
///     port: u16,
/// }
/// let config = Config::<App>::builder()
///     .env([("APP_ZIP", "00123"), ("APP_PORT", "80")])
///     .merge(TextEnv::prefixed("APP_"))
///     .load()
///     .await?;
/// assert_eq!(config.snapshot().zip, "00123");
/// assert_eq!(config.snapshot().port, 80);
/// # Ok::<_, secretfig::LoadError>(()) }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct TextEnv {
    prefix: String,
    pub(crate) profile: Option<Profile>,
    reserved: Vec<String>,
}

impl TextEnv {
    /// The variables whose names begin with that prefix, which is not part of the key.
    pub fn prefixed(prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), profile: None, reserved: Vec::new() }
    }

    /// In that profile.
    #[must_use]
    pub fn profile(mut self, profile: impl Into<Profile>) -> Self {
        self.profile = Some(profile.into());
        self
    }

    /// Leaves these variables out, by their whole names.
    #[must_use]
    pub fn ignore<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.reserved.extend(names.into_iter().map(|name| name.into().to_uppercase()));
        self
    }

    /// `is_key` tells whether the configuration's type has a key at a path: for `_FILE`.
    pub(crate) fn freeze(
        &self,
        draft: &mut Draft,
        variables: &Variables,
        profile: &Profile,
        is_key: &dyn Fn(&KeyPath) -> bool,
    ) -> BTreeMap<Profile, Table> {
        let mut taken: Vec<(String, OsString)> = Vec::new();
        let prefix = self.prefix.to_uppercase();
        for (name, value) in variables.all(|name| name.to_uppercase().starts_with(&prefix)) {
            let upper = name.to_uppercase();
            if upper.len() > prefix.len() && !self.reserved.contains(&upper) {
                taken.push((name, value));
            } else {
                wipe(value);
            }
        }
        taken.sort_by(|a, b| a.0.cmp(&b.0));
        let mut table = Table::new();
        for (name, value) in taken {
            // the prefix was matched in upper case, which may be longer than what was written
            let Some(rest) = name.get(self.prefix.len()..) else { continue };
            let keys: Vec<String> = rest.split("__").map(str::to_lowercase).collect();
            if keys.iter().any(String::is_empty) {
                wipe(value);
                draft.remarks.push(format!("variable `{name}` is left out: it has an empty key"));
                continue;
            }
            let path = KeyPath::of(keys);
            if is_link_by_value(rest, &value) || (is_link_by_name(rest) && !is_key(&path)) {
                wipe(value);
                draft
                    .remarks
                    .push(format!("variable `{name}` is left out: Kubernetes made it for a service"));
                continue;
            }
            let origin = draft.origin_info(OriginInfo {
                name: format!("variable `{name}`"),
                file: None,
                environment: true,
            });
            let text = match value.into_string() {
                Ok(text) => wiped(text),
                Err(bytes) => {
                    wipe(bytes);
                    let fault = Fault::new(path, FaultKind::NotUtf8).layer(format!("variable `{name}`"));
                    draft.faults.push(fault);
                    continue;
                }
            };
            let (path, kind) = match without_file(&path).filter(|bare| !is_key(&path) && is_key(bare)) {
                Some(bare) => {
                    let wanted = Wanted::new(&**text);
                    let kind = draft.reference(profile, &bare, origin, "file-secret".to_owned(), wanted);
                    (bare, kind)
                }
                None => {
                    let kind = draft.text(profile, &path, origin, text, true);
                    (path, kind)
                }
            };
            if !insert(&mut table, &path, Value::new(origin, kind)) {
                let reason = "two variables give this key, or one gives a key below the other's";
                let fault = Fault::new(path, FaultKind::Setting(reason)).layer(format!("variable `{name}`"));
                draft.faults.push(fault.hint("unset one of the two"));
            }
        }
        BTreeMap::from([(profile.clone(), table)])
    }
}

/// `database.password_file` → `database.password`.
fn without_file(path: &KeyPath) -> Option<KeyPath> {
    let bare = path.last()?.strip_suffix("_file").filter(|bare| !bare.is_empty())?;
    Some(path.parent()?.child(bare))
}

/// Puts a value at a path. `false`: something is there already, or on the way.
pub(crate) fn insert(table: &mut Table, path: &KeyPath, value: Value) -> bool {
    let mut keys = path.iter();
    let Some(last) = keys.next_back() else { return false };
    let mut at = table;
    for key in keys {
        let next = at.entry(key.into()).or_insert_with(|| Value::table(value.origin));
        match &mut next.kind {
            Kind::Table(inner) => at = inner,
            _ => return false,
        }
    }
    if at.contains_key(last) {
        return false;
    }
    at.insert(last.into(), value);
    true
}

/// Whether Kubernetes injects variables of such names for a service
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>). A key of the type's own
/// may be called so all the same.
fn is_link_by_name(rest: &str) -> bool {
    let rest = format!("_{}", rest.to_uppercase());
    if rest.ends_with("_SERVICE_HOST") || rest.contains("_SERVICE_PORT") {
        return true;
    }
    let Some((_, after)) = rest.rsplit_once("_PORT_") else { return false };
    let number = after.split('_').next().unwrap_or_default();
    let is_number = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let protocol = &after[number.len()..];
    is_number && (protocol.starts_with("_TCP") || protocol.starts_with("_UDP"))
}

/// `APP_PORT=tcp://10.0.0.1:80`, for a service of the application's own name: no port, whatever the type says.
fn is_link_by_value(rest: &str, value: &OsString) -> bool {
    let value = value.as_encoded_bytes();
    format!("_{}", rest.to_uppercase()).ends_with("_PORT")
        && (value.starts_with(b"tcp://") || value.starts_with(b"udp://"))
}

/// Wipes a copy of a variable's value.
pub(crate) fn wipe(value: OsString) {
    drop(Zeroizing::new(value.into_encoded_bytes()));
}

/// The environment, or what stands in for it in a test.
#[derive(Clone, Default)]
pub(crate) enum Variables {
    #[default]
    Process,
    Given(BTreeMap<String, OsString>),
}

/// What was handed over is ours to wipe.
impl Drop for Variables {
    fn drop(&mut self) {
        if let Variables::Given(given) = self {
            given.values_mut().for_each(|value| wipe(std::mem::take(value)));
        }
    }
}

impl Variables {
    /// Given ones; of two with one name the last counts.
    pub(crate) fn given(variables: impl Iterator<Item = (String, OsString)>) -> Self {
        let mut given = BTreeMap::new();
        for (name, value) in variables {
            given.insert(name, value).into_iter().for_each(wipe);
        }
        Variables::Given(given)
    }

    /// The wanted variables, of those whose names are UTF-8; no others could be keys. The copies that the system
    /// makes of the others are wiped here.
    pub(crate) fn all(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, OsString)> {
        match self {
            // on the edge there is no environment, and asking for it panics
            Variables::Process if cfg!(all(target_family = "wasm", target_os = "unknown")) => Vec::new(),
            Variables::Process => {
                let mut taken = Vec::new();
                for (name, value) in std::env::vars_os() {
                    match name.into_string() {
                        Ok(name) if wanted(&name) => taken.push((name, value)),
                        _ => wipe(value),
                    }
                }
                taken
            }
            Variables::Given(given) => {
                let given = given.iter().filter(|(name, _)| wanted(name));
                given.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<OsString> {
        match self {
            Variables::Process if cfg!(all(target_family = "wasm", target_os = "unknown")) => None,
            Variables::Process => std::env::var_os(name),
            Variables::Given(given) => given.get(name).cloned(),
        }
    }

    /// A setting: trimmed, and none where it is empty or not UTF-8.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        let value = self.get(name)?.into_string().ok()?;
        let value = value.trim();
        (!value.is_empty()).then(|| value.to_owned())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Variables::Process => "the process environment",
            Variables::Given(_) => "given variables",
        })
    }
}

/// Names the origin of a value for explain: `APP_DATABASE__HOST`.
pub(crate) fn origin_of(draft: &Draft, id: OriginId) -> Option<&str> {
    draft.origins.get(id.0 as usize).map(|info| info.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn freeze(variables: &[(&str, &str)], is_key: &dyn Fn(&KeyPath) -> bool) -> (Draft, Table) {
        let mut draft = Draft::new(BTreeSet::new());
        let given = variables.iter().map(|(n, v)| ((*n).to_owned(), OsString::from(v))).collect();
        let env = TextEnv::prefixed("APP_").ignore(["APP_PROFILE"]);
        let mut data = env.freeze(&mut draft, &Variables::Given(given), &Profile::GLOBAL, is_key);
        (draft, data.remove(&Profile::GLOBAL).unwrap())
    }

    #[test]
    fn links_of_kubernetes_are_dropped_and_ports_are_not() {
        let (draft, table) = freeze(
            &[
                ("APP_PORT", "8080"),
                ("APP_WEB_PORT", "tcp://10.0.0.1:80"),
                ("APP_WEB_SERVICE_HOST", "10.0.0.1"),
                ("APP_WEB_SERVICE_PORT_HTTP", "80"),
                ("APP_WEB_PORT_80_TCP_ADDR", "10.0.0.1"),
                ("APP_SERVICE_HOST", "10.0.0.1"),
                ("APP_PROFILE", "x"),
                ("APP_A____B", "x"),
                ("APP_BIND_PORT_MAIN_UDP", "1"),
                ("APP_MAIN_SERVICE_HOST", "of our own"),
                ("OTHER", "x"),
            ],
            &|path| ["port", "web_port", "main_service_host"].contains(&path.to_string().as_str()),
        );
        let keys: Vec<&str> = table.keys().map(|key| &**key).collect();
        assert_eq!(keys, ["bind_port_main_udp", "main_service_host", "port"]);
        assert_eq!(draft.remarks.len(), 6);
    }

    #[test]
    fn a_file_variable_is_a_reference_unless_the_type_has_that_key() {
        let variables = [("APP_DB__PASSWORD_FILE", "/run/secrets/pw"), ("APP_LOG_FILE", "/var/log/x")];
        let keys = ["db.password", "log_file"].map(KeyPath::parse);
        let (draft, table) = freeze(&variables, &|path| keys.contains(path));
        assert_eq!(draft.references.len(), 1);
        assert_eq!(draft.references[0].path, keys[0]);
        assert_eq!(draft.references[0].wanted.name(), "/run/secrets/pw");
        assert!(table.contains_key("log_file"));
    }

    #[test]
    fn two_variables_for_one_key_are_a_fault() {
        let (draft, _) = freeze(&[("APP_A", "1"), ("APP_A__B", "2"), ("app_a", "3")], &|_| true);
        assert_eq!(draft.faults.len(), 2);
    }
}
