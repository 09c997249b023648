"""moto, and what its IAM leaves out for Secrets Manager: see DEVIATIONS.md.

Resources are checked (moto takes every call for one of `*`), `?` stands for one character, a batch asks for the right to each of
its secrets, and a refusal comes as AWS says it over JSON. An administrator is known by a header.
"""

import os
import re
import sys

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMPolicyStatement, IAMRequest
from moto.secretsmanager.responses import SecretsManagerResponse
from werkzeug.exceptions import HTTPException

ADMINISTRATOR = os.environ["ADMINISTRATOR"]
SAID = {
    "AccessDenied": "AccessDeniedException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


def match(pattern, text):
    """As IAM does: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html"""
    parts = [".*" if c == "*" else "." if c == "?" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL)


def resource(self, secret_id):
    if not secret_id:
        return "*"
    known = self.backend.secrets.get(secret_id)
    if known:
        return known.arn
    if secret_id.startswith("arn:"):
        return secret_id
    return f"arn:aws:secretsmanager:{self.region}:{self.current_account}:secret:{secret_id}-000000"


def refused(error):
    text = str(error.description)
    code = re.search(r"<Code>(.*?)</Code>|\"__type\": *\"(.*?)\"", text)
    code = (code.group(1) or code.group(2)) if code else getattr(error, "error_type", "AccessDenied")
    message = re.search(r"<Message>(.*?)</Message>", text, re.DOTALL)
    return SAID.get(code, code), message.group(1) if message else "refused"


authenticate = ActionAuthenticatorMixin._authenticate_and_authorize_action


def known_administrator(self, iam_request_cls, resource="*"):
    if self.headers.get("X-Administrator") != ADMINISTRATOR:
        authenticate(self, iam_request_cls, resource)


class Secrets:
    def _determine_resource(self):
        return resource(self, self._get_param("SecretId"))

    def _authenticate_and_authorize_normal_action(self, resource="*"):
        if self.headers.get("X-Administrator") == ADMINISTRATOR:
            return
        print(f"called {self._get_action()} on {resource}", file=sys.stderr, flush=True)
        try:
            self._authenticate_and_authorize_action(IAMRequest, resource)
        except HTTPException as error:
            raise JsonRESTError(*refused(error)) from None

    def may_get(self, secret_id):
        """Whether whoever sends a batch may read this one, too."""
        if not CHECKS:
            return True
        request = IAMRequest(
            account_id=self.current_account, method=self.method, path=self.raw_path, data=self.data, body=self.raw_body,
            headers=self.headers, action="GetSecretValue",
        )
        print(f"called GetSecretValue on {resource(self, secret_id)}", file=sys.stderr, flush=True)
        try:
            request.check_action_permitted(resource(self, secret_id))
        except HTTPException:
            return False
        return True

    def batch_get_secret_value(self):
        import json

        ids = self._get_param("SecretIdList", if_none=[])
        denied = [one for one in ids if not Secrets.may_get(self, one)]
        rest = [one for one in ids if one not in denied]
        if ids and not rest:
            values, errors, token = [], [], None
        else:
            values, errors, token = self.backend.batch_get_secret_value(
                secret_id_list=rest,
                filters=self._get_param("Filters", if_none=[]),
                max_results=self._get_int_param("MaxResults"),
                next_token=self._get_param("NextToken"),
            )
        say = "no identity-based policy allows the secretsmanager:GetSecretValue action"
        errors = list(errors) + [{"SecretId": one, "ErrorCode": "AccessDeniedException", "Message": say} for one in denied]
        return json.dumps({"SecretValues": values, "Errors": errors, "NextToken": token})


CHECKS = "INITIAL_NO_AUTH_ACTION_COUNT" in os.environ
IAMPolicyStatement._match = staticmethod(match)
ActionAuthenticatorMixin._authenticate_and_authorize_action = known_administrator
for name in ["_determine_resource", "_authenticate_and_authorize_normal_action", "batch_get_secret_value"]:
    setattr(SecretsManagerResponse, name, getattr(Secrets, name))

if __name__ == "__main__":
    from moto.server import main

    main()
