//! Where the secrets are: in an encrypted store, in an OpenBao or a moto of our own, or in a manager of the user's.

#[cfg(feature = "aws")]
use crate::aws::Server as Aws;
#[cfg(feature = "vault")]
use crate::bao::Servers;
use crate::store::{Place, unusable, usable};
use crate::values::jwt;
use quickstart::AppConfig;
use secretfig::{Builder, Config};
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;

type Failed = Box<dyn Error>;

pub(crate) enum Secrets {
    /// Made anew.
    Store(Place),
    /// Made anew.
    #[cfg(feature = "vault")]
    OpenBao(Box<Servers>),
    /// Made anew.
    #[cfg(feature = "aws")]
    Moto(Box<Aws>),
    /// Found through the variables of whoever started the program; nothing is written there.
    #[cfg(any(feature = "vault", feature = "aws"))]
    Yours(Place),
}

/// What the command line and the environment ask for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Store,
    OpenBao,
    Moto,
    YourVault,
    YourAws,
}

impl Secrets {
    /// In a folder of its own, or in that of `QUICKSTART_KEEP`, for whoever wants to look into it afterwards.
    pub(crate) async fn new(which: Which, broken: bool) -> Result<Self, Failed> {
        let keep = std::env::var_os("QUICKSTART_KEEP").map(PathBuf::from);
        match which {
            Which::Store => {
                let (config, values) = match broken {
                    true => (include_str!("../broken.toml"), unusable()?),
                    false => (include_str!("../config.toml"), usable()?),
                };
                let place = Place::new(keep, config)?;
                place.make_store()?;
                place.set(values)?;
                Ok(Self::Store(place))
            }
            #[cfg(feature = "vault")]
            Which::OpenBao => Ok(Self::OpenBao(Box::new(match broken {
                true => Servers::broken(keep).await?,
                false => Servers::usable(keep).await?,
            }))),
            Which::YourVault | Which::YourAws if broken => {
                Err("`--break` writes secrets that are wrong: into a store, or with `--with-openbao` into a server of its \
                     own; take `SECRET_PROVIDER` out of the environment"
                    .into())
            }
            Which::Moto if broken => Err("`--break` has faults for a store and for `--with-openbao`".into()),
            #[cfg(feature = "aws")]
            Which::Moto => Ok(Self::Moto(Box::new(Aws::usable(keep).await?))),
            #[cfg(feature = "vault")]
            Which::YourVault => Ok(Self::Yours(Place::new(keep, include_str!("../vault.toml"))?)),
            #[cfg(feature = "aws")]
            Which::YourAws => Ok(Self::Yours(Place::new(keep, include_str!("../aws.toml"))?)),
            #[cfg(not(feature = "vault"))]
            Which::OpenBao | Which::YourVault => {
                Err("this is built without Vault: `cargo run -p quickstart --features vault -- …`".into())
            }
            #[cfg(not(feature = "aws"))]
            Which::Moto | Which::YourAws => {
                Err("this is built without AWS: `cargo run -p quickstart --features aws -- …`".into())
            }
        }
    }

    /// For whoever looks at what the program prints.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Store(place) => {
                format!("made: {}, encrypted to a key that was made beside it", place.store().display())
            }
            #[cfg(feature = "vault")]
            Self::OpenBao(servers) => servers.told(),
            #[cfg(feature = "aws")]
            Self::Moto(server) => server.told(),
            #[cfg(any(feature = "vault", feature = "aws"))]
            Self::Yours(_) => {
                "made: nothing; the secrets are in the server that your variables name".to_owned()
            }
        }
    }

    /// The standard layers, lowest first: `config.toml`, the secrets, the environment. A real service leaves `env` out
    /// and is given the same variables by its deployment.
    pub(crate) fn layers(&self, app: (&'static str, &str)) -> Builder<AppConfig> {
        let app = (app.0, OsString::from(app.1));
        match self {
            Self::Store(place) => Config::standard().env(place.variables().into_iter().chain([app])),
            #[cfg(feature = "vault")]
            Self::OpenBao(servers) => {
                let (layers, variables) = servers.layers();
                layers.env(variables.into_iter().chain([app]))
            }
            #[cfg(feature = "aws")]
            Self::Moto(server) => {
                let (layers, variables) = server.layers();
                layers.env(variables.into_iter().chain([app]))
            }
            #[cfg(any(feature = "vault", feature = "aws"))]
            Self::Yours(place) => {
                let (folder, value) = place.config_folder();
                // a name that is not UTF-8 is none of ours
                let given =
                    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
                let ours = [(folder.to_owned(), value), (app.0.to_owned(), app.1)];
                Config::standard().env(given.chain(ours))
            }
        }
    }

    /// How the key is rotated; none: not by us.
    pub(crate) fn how_to_rotate(&self) -> Option<&'static str> {
        match self {
            Self::Store(_) => {
                Some("as `secretfig local set jwt` does: a new file, and one rename over the old one")
            }
            #[cfg(feature = "vault")]
            Self::OpenBao(_) => {
                Some("as `bao kv put secret/quickstart/jwt` does: a new version of the secret")
            }
            #[cfg(feature = "aws")]
            Self::Moto(_) => Some("as the console does: a new version, and AWSCURRENT on it"),
            #[cfg(any(feature = "vault", feature = "aws"))]
            Self::Yours(_) => None,
        }
    }

    /// A new signing key, all else as it was.
    pub(crate) async fn rotate_jwt(&self) -> Result<(), Failed> {
        match self {
            Self::Store(place) => place.rotate_jwt(jwt(48)?.to_string()),
            #[cfg(feature = "vault")]
            Self::OpenBao(servers) => servers.rotate_jwt().await,
            #[cfg(feature = "aws")]
            Self::Moto(server) => server.rotate_jwt().await,
            #[cfg(any(feature = "vault", feature = "aws"))]
            Self::Yours(_) => Err("nothing is written into a server that is not ours".into()),
        }
    }
}
