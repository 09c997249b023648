//! The algorithms of RFC 7518 and RFC 8037 that sign.

use std::fmt;

macro_rules! algorithms {
    ($($(#[$doc:meta])* $Variant:ident $name:literal,)+) => {
        /// An algorithm that signs tokens. There is no `none`.
        ///
        /// Its name is what other libraries parse: `config.algorithm().as_str().parse::<jsonwebtoken::Algorithm>()`.
        ///
        /// ```
        /// use secretfig::models::Algorithm;
        /// assert_eq!(Algorithm::Es256.as_str(), "ES256");
        /// assert!(!Algorithm::Es256.is_hmac());
        /// ```
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Algorithm { $($(#[$doc])* $Variant,)+ }

        impl Algorithm {
            pub(super) const NAMES: &'static [&'static str] = &[$($name),+];

            /// The name in a token's header.
            pub fn as_str(self) -> &'static str {
                match self { $(Algorithm::$Variant => $name,)+ }
            }

            /// By its name, in any case.
            pub(super) fn read(name: &str) -> Option<Self> {
                $(if name.eq_ignore_ascii_case($name) { return Some(Algorithm::$Variant); })+
                None
            }
        }
    };
}

algorithms! {
    /// HMAC with SHA-256.
    #[default]
    Hs256 "HS256",
    /// HMAC with SHA-384.
    Hs384 "HS384",
    /// HMAC with SHA-512.
    Hs512 "HS512",
    /// RSA PKCS #1 with SHA-256.
    Rs256 "RS256",
    /// RSA PKCS #1 with SHA-384.
    Rs384 "RS384",
    /// RSA PKCS #1 with SHA-512.
    Rs512 "RS512",
    /// RSA-PSS with SHA-256.
    Ps256 "PS256",
    /// RSA-PSS with SHA-384.
    Ps384 "PS384",
    /// RSA-PSS with SHA-512.
    Ps512 "PS512",
    /// ECDSA on P-256.
    Es256 "ES256",
    /// ECDSA on P-384.
    Es384 "ES384",
    /// ECDSA on P-521.
    Es512 "ES512",
    /// Ed25519 or Ed448.
    EdDsa "EdDSA",
}

impl Algorithm {
    /// Whether one secret both signs and verifies.
    pub fn is_hmac(self) -> bool {
        matches!(self, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
