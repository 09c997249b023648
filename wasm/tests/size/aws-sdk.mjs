// A read by the client that AWS gives.
import { GetSecretValueCommand, SecretsManagerClient } from "@aws-sdk/client-secrets-manager";

export async function load({ region, credentials, name }) {
  const client = new SecretsManagerClient({ region, credentials });
  const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: name }));
  return JSON.parse(SecretString);
}
