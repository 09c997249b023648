//! The Secrets Manager Agent, or the Lambda extension: it listens on this machine, signs in itself, and keeps values for a while
//! ([agent](https://docs.aws.amazon.com/secretsmanager/latest/userguide/secrets-manager-agent.html),
//! [extension](https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html)).

use crate::auth::open;
use crate::error::{Doing, Refusal, SCHEME, refusal};
use crate::naming::{self, Id};
use crate::reply::{Value, Words, tree};
use crate::settings::{Given, Settings};
use http::StatusCode;
use secretfig_source::protocol::{Credential, Http, Limits, Origin, Reply, Request};
use secretfig_source::{At, ErrorKind, Fetched, SourceError, Unavailable};
use secretfig_transport::Transport;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

const HERE: &str = "http://localhost:2773";
/// Without it the agent refuses: a page, or a server that is made to fetch URLs, cannot set it.
const TOKEN: &str = "x-aws-parameters-secrets-token";

pub(super) struct Agent {
    origin: Origin,
    token: Given,
    transport: Transport,
    limits: Limits,
    /// Secrets whose value somebody has found to be wrong: the agent is told to look for news.
    distrusted: Mutex<BTreeSet<Id>>,
}

impl Agent {
    pub(super) fn new(settings: &Settings, transport: Transport) -> Result<Self, SourceError> {
        let origin = match &settings.material.agent {
            Some(origin) => origin.clone(),
            None => Origin::parse(HERE).map_err(|refused| refused.of_source(SCHEME))?,
        };
        let limits = Limits { deadline: settings.timeout, ..Limits::default() };
        let token = settings.material.agent_token();
        Ok(Self { origin, token, transport, limits, distrusted: Mutex::default() })
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The next time, it is to look for news of this secret.
    pub(super) fn distrust(&self, id: Id) {
        self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    pub(super) async fn get(&self, id: &Id, at: &At) -> Result<Fetched, Refusal> {
        let refused = |refused: secretfig_source::protocol::Refused| Refusal::from(refused.of_source(SCHEME));
        let token = open(&self.token, "the agent's token file").await?;
        let token = Credential::header(&self.origin, TOKEN, &token).map_err(refused)?;
        let request = Request::get(&self.origin, ["secretsmanager", "get"]).map_err(refused)?;
        let request = request.credential(&token).map_err(refused)?.query("secretId", id.as_str());
        let request = match (at, naming::stage(at)) {
            (At::Version(version), _) => request.query("versionId", version),
            (_, Some(stage)) => request.query("versionStage", stage),
            (_, None) => request,
        };
        let anew = self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).contains(id);
        let request = if anew { request.query("refreshNow", "true") } else { request };
        let reply = self.transport.send(request, self.limits).await;
        let reply = reply.map_err(|error| Refusal::from(error.of_source(SCHEME)))?;
        if reply.status() != StatusCode::OK {
            return Err(refused_by(&reply, id));
        }
        let fetched = Value::read(&tree(&reply)?)?.fetched(id);
        if anew {
            self.distrusted.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
        }
        Ok(fetched)
    }
}

/// It hands on what AWS says, with its status, or says of itself what is wrong in plain text.
fn refused_by(reply: &Reply, id: &Id) -> Refusal {
    let words = Words::of(reply);
    // it tells no date to wait until
    let said = words.said(reply, SystemTime::UNIX_EPOCH);
    match (said.status, said.code) {
        (401 | 403, "") => Refusal::new(
            ErrorKind::Unauthenticated,
            "the agent does not accept the token: give it by `agent_token_file`; in a Lambda function it is AWS_SESSION_TOKEN",
        ),
        (400, "") => Refusal::new(
            ErrorKind::Misconfigured,
            "the agent calls the request wrong; in a Lambda function it is not ready before the first invocation",
        ),
        (500.., "") => Refusal::new(
            ErrorKind::Unavailable(Unavailable::Failing),
            "the agent fails; look at its log, and at its role",
        ),
        _ => refusal(&said, Doing::Get(id.as_str())),
    }
}
