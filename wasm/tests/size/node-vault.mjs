// The same by the client that most would pick, which needs Node's own modules.
import vault from "node-vault";

export async function load({ address, token, roleId, secretId, path }) {
  const client = vault({ apiVersion: "v1", endpoint: address, token });
  if (!token) client.token = (await client.approleLogin({ role_id: roleId, secret_id: secretId })).auth.client_token;
  const [mount, ...rest] = path.split("/");
  return (await client.read(`${mount}/data/${rest.join("/")}`)).data.data;
}
