//! Field types for secrets: bytes, and values that only a secret source may give.

use secrecy::{ExposeSecret, SecretSlice};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

/// Bytes that print as nothing and are wiped on drop: a key, a keystore.
///
/// It takes a sealed leaf of bytes, or the UTF-8 of text. (`secrecy` 0.10 has a bytes type and no way to
/// deserialize it.)
///
/// ```
/// use secretfig::{ExposeSecret, SecretBytes};
/// let key = SecretBytes::from(vec![1, 2, 3]);
/// assert_eq!(key.expose_secret(), [1, 2, 3]);
/// assert_eq!(format!("{key:?}"), "SecretBytes([REDACTED])");
/// ```
pub struct SecretBytes(SecretSlice<u8>);

impl SecretBytes {
    fn copied(bytes: &[u8]) -> Self {
        Self(SecretSlice::from(bytes.to_vec()))
    }
}

impl From<Vec<u8>> for SecretBytes {
    /// Takes over the buffer; with spare room it is copied at exact size, and the old one wiped.
    fn from(mut bytes: Vec<u8>) -> Self {
        if bytes.len() == bytes.capacity() {
            return Self(SecretSlice::from(bytes));
        }
        let exact = Self::copied(&bytes);
        zeroize::Zeroize::zeroize(&mut bytes);
        exact
    }
}

impl ExposeSecret<[u8]> for SecretBytes {
    fn expose_secret(&self) -> &[u8] {
        self.0.expose_secret()
    }
}

impl Clone for SecretBytes {
    fn clone(&self) -> Self {
        Self::copied(self.expose_secret())
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretBytes([REDACTED])")
    }
}

impl<'de> Deserialize<'de> for SecretBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = SecretBytes;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("bytes or text")
            }
            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<SecretBytes, E> {
                Ok(SecretBytes::copied(bytes))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<SecretBytes, E> {
                Ok(SecretBytes::copied(text.as_bytes()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A value that, in a strict profile, only a secret source may give: one from a file or the environment is a
/// fault.
///
/// ```
/// use secretfig::{SecretString, Strict};
/// # use serde::Deserialize;
/// #[derive(Deserialize)]
/// struct Payments {
///     api_key: Strict<SecretString>,
/// }
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Strict<T>(T);

impl<T> Strict<T> {
    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Strict<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Strict<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Strict<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Strict([REDACTED])")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Strict<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Part<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Part<T> {
            type Value = Strict<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value from a secret source")
            }
            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                deserializer: D,
            ) -> Result<Strict<T>, D::Error> {
                T::deserialize(deserializer).map(Strict)
            }
        }
        deserializer.deserialize_newtype_struct(crate::decode::STRICT, Part(PhantomData))
    }
}
