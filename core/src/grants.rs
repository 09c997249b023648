//! Which rights a configuration needs of each of its sources, found out without asking any of them.

use crate::builder::Builder;
use crate::freeze;
use crate::load::{schemes, source_fault};
use crate::plan::{Draft, SecretId};
use crate::report::{LoadError, Report};
use secretfig_source::{Ask, At};
use serde::de::DeserializeOwned;
use std::collections::BTreeSet;

/// What one source has to allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SourceGrants {
    /// The source as messages name it: `vault`.
    pub source: String,
    /// Where it is.
    pub origin: String,
    /// What is asked of it: names, with `@previous` and the like.
    pub asks: Vec<String>,
    /// The least privilege under which all of that can be read, in the manager's own language. `None`: the source has no
    /// rights of its own, such as a folder of files.
    pub policy: Option<String>,
}

impl<T: DeserializeOwned + Send + Sync + 'static> Builder<T> {
    /// The least privilege under which this configuration loads and stays fresh, source by source. Reads the plain
    /// layers, and asks no source for anything: it is for whoever grants the rights, before there are any.
    ///
    /// ```
    /// # use secretfig::{Config, SecretLayer, testing::FakeSource};
    /// # #[derive(serde::Deserialize)] struct App {}
    /// # let source = FakeSource::named("fake");
    /// let layer = SecretLayer::from(source).put("database", "myapp/database");
    /// let grants = Config::<App>::builder().merge(layer).grants()?;
    /// assert_eq!((grants[0].source.as_str(), &grants[0].asks[..]), ("fake", &["myapp/database".to_owned()][..]));
    /// assert_eq!(grants[0].policy, None); // a fake has no rights of its own
    /// # Ok::<_, secretfig::LoadError>(())
    /// ```
    ///
    /// # Errors
    /// [`LoadError`] where layers cannot be read, settings of sources are wrong, or a source panics.
    pub fn grants(self) -> Result<Vec<SourceGrants>, LoadError> {
        let known = self.factories.keys().cloned().chain(schemes(&self.sources)).collect();
        let mut draft = Draft::new(known);
        let plan = freeze::plan(self, &mut draft);
        if !draft.faults.is_empty() {
            let profile = plan.profile.to_string();
            return Err(LoadError::new(Report { profile, faults: draft.faults, remarks: draft.remarks }));
        }
        let (mut each, mut faults) = (Vec::new(), Vec::new());
        for (n, named) in plan.sources.iter().enumerate() {
            let info = named.source.info();
            let mut of_source = Vec::new();
            let mut asks: BTreeSet<Ask> = BTreeSet::new();
            for (id, secret) in plan.secrets.iter().enumerate().filter(|(_, secret)| secret.source == n) {
                let mut uses = plan.uses.iter().filter(|used| used.secret.0 as usize == id);
                if info.abilities.previous && uses.any(|used| used.wanted.keep_previous) {
                    asks.insert(secret.ask.clone().at(At::Previous));
                }
                asks.insert(secret.ask.clone());
                of_source.push(SecretId::nth(id));
            }
            let asks: Vec<Ask> = asks.into_iter().collect();
            if asks.is_empty() {
                continue;
            }
            match named.source.grants(&asks) {
                Ok(policy) => each.push(SourceGrants {
                    source: named.name.clone(),
                    origin: info.origin,
                    policy,
                    asks: asks.iter().map(Ask::to_string).collect(),
                }),
                Err(e) => faults.extend(of_source.first().map(|id| source_fault(&plan, *id, &e))),
            }
        }
        if faults.is_empty() {
            return Ok(each);
        }
        Err(LoadError::new(Report { profile: plan.profile.to_string(), faults, remarks: draft.remarks }))
    }
}
