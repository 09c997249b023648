//! Rocket's own configuration, with secrets in it.

use rocket::figment::error::{Error as Foreign, Kind};
use rocket::figment::providers::Serialized;
use rocket::figment::value::Value;
use rocket::figment::{Figment, Source};
use secretfig::Config;
use std::fmt;
use zeroize::Zeroizing;

/// Rocket's configuration (its defaults, `Rocket.toml`, `ROCKET_*`) with values of ours above it, for
/// [`rocket::custom`].
///
/// `keys` are key paths of the configuration, `databases.*` all below one, as in [`Config::expose`]: **these values
/// leave our care**. figment holds them in plain strings, Rocket as long as it runs. Name what Rocket needs, and nothing
/// else. They are of this moment: once one of these secrets has rotated, [`Config::health`] notes `restart needed`.
///
/// * The profile stays Rocket's own (`ROCKET_PROFILE`, else `debug` or `release`).
/// * `tls.key`, `tls.certs` and `tls.mutual.ca_certs` may be PEM as text, which is what managers hold: it is handed on
///   as the bytes that Rocket takes for PEM in memory. Any other text stays what it is to Rocket, a path.
///
/// ```
/// use rocket::{Build, Rocket};
/// use secretfig::Config;
/// use secretfig_rocket::{FigmentError, figment};
///
/// fn rocket<T: Send + Sync + 'static>(config: &Config<T>) -> Result<Rocket<Build>, FigmentError> {
///     let figment = figment(config, ["secret_key", "databases.*", "tls.*"])?;
///     Ok(rocket::custom(figment))
/// }
/// # rocket(&Config::fixed(())).unwrap();
/// ```
///
/// # Errors
/// [`FigmentError`], where Rocket would not take its configuration. It is tried here, since Rocket itself prints what
/// it was given.
pub fn figment<T, K>(config: &Config<T>, keys: impl IntoIterator<Item = K>) -> Result<Figment, FigmentError>
where
    T: Send + Sync + 'static,
    K: AsRef<str>,
{
    let rocket = rocket::Config::figment();
    let profile = rocket.profile().clone();
    let mut exposed = config.expose(keys);
    for key in PEM {
        if let Ok(Value::String(_, text)) = exposed.find_value(key) {
            let text = Zeroizing::new(text);
            if text.trim_start().starts_with("-----BEGIN ") {
                exposed = exposed.merge(Serialized::global(key, text.as_bytes()));
            }
        }
    }
    // a figment takes over the profile of one that is merged into it
    let figment = rocket.merge(exposed).select(profile);
    let refused = refused(figment.clone());
    if refused.is_empty() { Ok(figment) } else { Err(FigmentError(refused)) }
}

/// What Rocket refuses: it stops at the first, so that one is given its default, and all is tried again.
fn refused(mut figment: Figment) -> Vec<Refused> {
    let defaults = Figment::from(rocket::Config::debug_default());
    let mut refused: Vec<Refused> = Vec::new();
    while let Err(e) = rocket::Config::try_from(&figment) {
        let key = e.path.join(".");
        let again = refused.iter().any(|known| known.key == key);
        refused.extend(e.into_iter().map(Refused::from));
        match defaults.find_value(&key) {
            Ok(value) if !again => figment = figment.merge(Serialized::global(&key, value)),
            _ => break,
        }
    }
    refused
}

/// What Rocket takes as a path, or as the bytes of PEM.
const PEM: [&str; 3] = ["tls.key", "tls.certs", "tls.mutual.ca_certs"];

/// Rocket does not take its configuration: the keys it refuses, and no value. (All of them, but for what follows one
/// that has no default, such as `tls.key`.)
///
/// `Debug` is `Display`, so that a `main` that returns it prints it for a person.
#[derive(Clone, PartialEq, Eq)]
pub struct FigmentError(Vec<Refused>);

#[derive(Clone, PartialEq, Eq)]
struct Refused {
    key: String,
    what: &'static str,
    layer: Option<String>,
}

impl FigmentError {
    /// The keys that Rocket refuses.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|refused| &*refused.key)
    }
}

/// figment's errors own the values they are about: of each only kind, key and layer are kept.
impl From<Foreign> for Refused {
    fn from(e: Foreign) -> Self {
        let what = match &e.kind {
            Kind::Message(_) | Kind::InvalidValue(..) => "a value that it does not accept",
            Kind::InvalidType(..) => "a value of a wrong type",
            Kind::InvalidLength(..) => "a value of a wrong length",
            Kind::UnknownVariant(..) => "an unknown variant",
            Kind::UnknownField(..) => "an unknown field",
            Kind::MissingField(_) => "a missing field",
            Kind::DuplicateField(_) => "a field given twice",
            Kind::ISizeOutOfRange(_) | Kind::USizeOutOfRange(_) => "a number out of range",
            Kind::Unsupported(_) | Kind::UnsupportedKey(..) => "a type that figment does not support",
        };
        let layer = e.metadata.as_ref().map(|metadata| match &metadata.source {
            Some(Source::File(file)) => format!("{} {}", metadata.name, file.display()),
            _ => metadata.name.to_string(),
        });
        Self { key: e.path.join("."), what, layer }
    }
}

impl fmt::Display for FigmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rocket does not take its configuration:")?;
        for Refused { key, what, layer } in &self.0 {
            let key = if key.is_empty() { "(root)" } else { key };
            write!(f, "\n  {key}: {what}")?;
            if let Some(layer) = layer {
                write!(f, ", from {layer}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for FigmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Has no `source()`: figment's own error prints values.
impl std::error::Error for FigmentError {}
