// A read by the smallest signer there is, without checks, cache or errors.
import { AwsClient } from "aws4fetch";

export async function load({ region, credentials, name }) {
  const aws = new AwsClient({ ...credentials, region, service: "secretsmanager" });
  const answer = await aws.fetch(`https://secretsmanager.${region}.amazonaws.com/`, {
    method: "POST",
    headers: { "content-type": "application/x-amz-json-1.1", "x-amz-target": "secretsmanager.GetSecretValue" },
    body: JSON.stringify({ SecretId: name }),
    signal: AbortSignal.timeout(3000),
  });
  if (answer.status !== 200) throw new Error(`${name}: ${answer.status}`);
  return JSON.parse((await answer.json()).SecretString);
}
