//! A role, by a file with a token: IRSA, CI. The file is read anew each time, since its token lives for minutes.

use super::{Missed, Ways, open};
use crate::settings::{Auth, Given};
use aws_credential_types::Credentials;

impl Ways {
    pub(super) async fn by_web_identity(&self, region: &str) -> Result<Credentials, Missed> {
        let material = &self.settings.material;
        let (role, session, token) =
            match (&self.settings.auth, &material.role_arn, &material.web_identity_token_file) {
                (Auth::WebIdentity { role_arn, session_name, token }, ..) => {
                    (role_arn, session_name.as_deref().unwrap_or_else(|| self.session_name()), token.clone())
                }
                (_, Some(role), Some(file)) => {
                    (role, self.session_name(), Given::File(file.as_path().into()))
                }
                (_, None, None) => {
                    return Err(Missed::Unset(
                        "AWS_ROLE_ARN and AWS_WEB_IDENTITY_TOKEN_FILE are not set".to_owned(),
                    ));
                }
                (_, None, _) => return Err(Missed::Unset("AWS_ROLE_ARN is not set".to_owned())),
                (_, _, None) => {
                    return Err(Missed::Unset("AWS_WEB_IDENTITY_TOKEN_FILE is not set".to_owned()));
                }
            };
        let token = open(&token, "the web identity token file").await?;
        Ok(self.sts(region, None).with_token(role, session, &token).await?)
    }
}
