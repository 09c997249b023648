//! AWS Secrets Manager as moto plays it: the same secrets, a user, and the IAM policy that the configuration needs.
//!
//! What is done here as an administrator, somebody who runs the account does beforehand. The application has the key of a user who
//! has that policy, and nothing else; on AWS it would have a role, and no key.

use crate::store::Place;
use crate::values::{database, jwt, random};
use quickstart::AppConfig;
use secretfig::{At, Builder, Config};
use secretfig_aws::Settings;
use secretfig_source::Ask;
use secretfig_test_servers::{ACCOUNT, Moto};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::ffi::OsString;
use std::path::PathBuf;

type Failed = Box<dyn Error>;

/// The server, and what the application is given for it.
pub(crate) struct Server {
    place: Place,
    moto: Moto,
    policy: String,
    keys: secretfig_test_servers::Keys,
}

impl Server {
    /// With all that `aws.toml` asks for.
    pub(crate) async fn usable(keep: Option<PathBuf>) -> Result<Self, Failed> {
        let mut asks: Vec<Ask> = ["database", "reports", "jwt", "mail"]
            .iter()
            .map(|name| Ask::new(format!("quickstart/{name}")))
            .collect();
        asks.push(Ask::new("quickstart/jwt").at(At::Previous)); // `keep_previous`
        let place = Place::new(keep, include_str!("../aws.toml"))?;
        if place.is_kept() {
            place.make_store()?;
        }
        let moto = Moto::try_start().await?;
        // what a policy allows has nothing to do with who signs in
        let settings = BTreeMap::from([
            ("account".to_owned(), ACCOUNT.to_owned()),
            ("region".to_owned(), REGION.to_owned()),
        ]);
        let policy =
            Settings::read(std::iter::empty::<(OsString, OsString)>(), &settings, true)?.grants(&asks);
        let keys = moto.user(&policy).await;
        let server = Self { place, moto, policy, keys };
        let key = json!({ "access_key_id": server.keys.access_key_id, "secret_access_key": server.keys.secret_access_key });
        server.record("role", &key)?;
        server.put("database", &database("orders")?).await?;
        server.put("reports", &database("reports")?).await?;
        server.put("jwt", &jwt(48)?).await?;
        server.put("mail", &json!({ "api_key": random(24)? })).await?;
        Ok(server)
    }

    /// For whoever looks at what the program prints.
    pub(crate) fn told(&self) -> String {
        let policy = self.policy.trim_end().replace('\n', "\n  ");
        format!(
            "made: moto at {}, a user, and the policy from the configuration:\n  {policy}",
            self.moto.address()
        )
    }

    /// The standard layers. The variables are what a deployment would set, but for the endpoints and the key: AWS has its own, and
    /// a role needs none.
    pub(crate) fn layers(&self) -> (Builder<AppConfig>, Vec<(&'static str, OsString)>) {
        let variables = vec![
            self.place.config_folder(),
            ("SECRET_PROVIDER", "aws".into()),
            ("AWS_REGION", REGION.into()),
            ("AWS_ENDPOINT_URL", self.moto.address().into()),
            ("AWS_ENDPOINT_URL_STS", self.moto.address().into()),
            ("AWS_ACCESS_KEY_ID", self.keys.access_key_id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", self.keys.secret_access_key.clone().into()),
        ];
        (Config::standard(), variables)
    }

    /// What the console does: one more version, and AWSCURRENT on it.
    pub(crate) async fn rotate_jwt(&self) -> Result<(), Failed> {
        let key = jwt(48)?;
        if self.place.is_kept() {
            self.place.rotate_jwt(key.to_string())?;
        }
        self.moto.put("quickstart/jwt", &key.to_string()).await;
        Ok(())
    }

    async fn put(&self, name: &str, document: &Value) -> Result<(), Failed> {
        self.record(name, document)?;
        self.moto.put(&format!("quickstart/{name}"), &document.to_string()).await;
        Ok(())
    }

    /// The server ends with this program, and all that it holds with it: where the folder is left behind, what was made is
    /// in there too, encrypted.
    fn record(&self, name: &str, document: &Value) -> Result<(), Failed> {
        if self.place.is_kept() { self.place.set([(name, document.to_string())]) } else { Ok(()) }
    }
}

/// The only one that moto's user knows.
const REGION: &str = "us-east-1";
