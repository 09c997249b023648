// What one would write without a library: a login, a read, and an error that says which status came.
const call = async (address, path, token, body) => {
  const answer = await fetch(`${address}/v1/${path}`, {
    method: body ? "POST" : "GET",
    headers: { "x-vault-request": "true", ...(token && { "x-vault-token": token }) },
    body: body && JSON.stringify(body),
    redirect: "manual",
    signal: AbortSignal.timeout(3000),
  });
  if (answer.status !== 200) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
};

export async function load({ address, token, roleId, secretId, path }) {
  const as = token ?? (await call(address, "auth/approle/login", undefined, { role_id: roleId, secret_id: secretId })).auth.client_token;
  const [mount, ...rest] = path.split("/");
  return (await call(address, `${mount}/data/${rest.join("/")}`, as)).data.data;
}
