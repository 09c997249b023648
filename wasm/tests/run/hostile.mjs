// A Vault that answers as one should, but where it is told to answer badly, and another host that nobody has a reason
// to ask.
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";

const json = { "content-type": "application/json" };
const says = (status, body = "", headers = json) => (reply) => reply.writeHead(status, headers).end(body);
const errors = (status, text) => says(status, JSON.stringify({ errors: [text] }));

/** What no manager has a reason to reply, each with the kind that it must become. */
function strange(marker) {
  const bomb = gzipSync(Buffer.alloc(8 << 20, 0x20), { level: 9 });
  return {
    html: [says(200, `<html>${marker}</html>`, { "content-type": "text/html" }), "malformed"],
    truncated: [says(200, `{"data": {"data": {"password": "${marker}`), "malformed"],
    empty: [says(200), "malformed"],
    "no-content": [says(204), "malformed"],
    null: [says(200, "null"), "malformed"],
    other_json: [says(200, JSON.stringify({ data: marker })), "malformed"],
    no_text: [says(200, Buffer.from([0xff, 0xfe, 0x22, 0x80])), "malformed"],
    deep: [says(200, "[".repeat(10_000) + "]".repeat(10_000)), "malformed"],
    no_gzip: [says(200, marker, { ...json, "content-encoding": "gzip" }), "unreachable"],
    gzip_bomb: [says(200, bomb, { ...json, "content-encoding": "gzip" }), "too large"],
    huge: [(reply) => {
      reply.writeHead(200, json);
      const more = () => { while (reply.write(Buffer.alloc(1 << 16, 0x20))); };
      reply.on("drain", more);
      more();
    }, "too large"],
    drip: [(reply) => {
      reply.writeHead(200, json);
      const drop = setInterval(() => reply.write(" "), 100);
      reply.on("close", () => clearInterval(drop));
    }, "timed out"],
    silent: [() => {}, "timed out"],
    stalled: [(reply) => reply.writeHead(200, json).write('{"data":'), "timed out"],
    reset: [(reply) => reply.socket.resetAndDestroy(), "unreachable"],
    broken_off: [(reply) => {
      reply.writeHead(200, { ...json, "content-length": "999" }).write('{"data":');
      setTimeout(() => reply.socket.destroy(), 20);
    }, "unreachable"],
    no_http: [(reply) => reply.socket.end("SSH-2.0-OpenSSH_9.9\r\n"), "unreachable"],
  };
}

const all = (cases) => new Map(Object.entries(cases).map(([name, [answer, read, signIn]]) => [name, { answer, read, signIn: signIn ?? read }]));

/** The bad replies, each with the kind that it must become: of a read, and of a sign-in where that differs. */
export function corpus(marker, elsewhere) {
  const cases = {
    400: [errors(400, marker), "misconfigured", "unauthenticated"],
    401: [errors(401, marker), "unauthenticated"],
    403: [errors(403, "permission denied"), "denied", "unauthenticated"],
    404: [says(404, '{"errors":[]}'), "absent", "misconfigured"],
    "404-deleted": [
      says(404, JSON.stringify({ data: { data: null, metadata: { deletion_time: "2026-01-02T03:04:05Z", destroyed: false, version: 1 } } })),
      "deleted", "misconfigured",
    ],
    "404-destroyed": [
      says(404, JSON.stringify({ data: { data: null, metadata: { deletion_time: "", destroyed: true, version: 1 } } })),
      "destroyed", "misconfigured",
    ],
    405: [errors(405, marker), "misconfigured"],
    412: [errors(412, marker), "behind"],
    418: [errors(418, marker), "malformed"],
    429: [says(429, marker, { "retry-after": "1" }), "throttled"],
    472: [errors(472, marker), "standby"],
    473: [errors(473, marker), "standby"],
    500: [errors(500, marker), "unavailable"],
    501: [errors(501, marker), "uninitialised"],
    502: [says(502, marker), "unavailable"],
    503: [errors(503, "Vault is sealed"), "sealed"],
    "503-proxy": [says(503, `<html>${marker}</html>`), "unavailable"],
    ...strange(marker),
  };
  for (const status of [301, 302, 303, 307, 308]) {
    cases[status] = [says(status, "", { location: elsewhere }), status === 307 ? "standby" : "misconfigured"];
  }
  return all(cases);
}

const listen = (server, host) => new Promise((done) => server.listen(0, host, () => done(`http://${host}:${server.address().port}`)));

/**
 * Starts both. A secret `secret/CASE/…` is answered as the case says once `bad` has it: its value alone (`value`), or
 * what is known of it too (`all`). A sign-in is bad where its token, or its role, is named after a case.
 */
export async function start(marker) {
  const stray = { requests: 0, tokens: 0 };
  const other = createServer((request, reply) => {
    stray.requests += 1;
    if (request.headers["x-vault-token"] || request.headers.authorization) stray.tokens += 1;
    reply.writeHead(200, json).end("{}");
  });
  const elsewhere = await listen(other, "127.0.0.2");
  const cases = corpus(marker, `${elsewhere}/v1/secret/data/app`);
  const bad = new Map();
  const created_time = "2026-01-01T00:00:00Z", version = { created_time, deletion_time: "", destroyed: false };
  const ok = (reply, body) => reply.writeHead(200, json).end(JSON.stringify(body));
  const server = createServer((request, reply) => {
    reply.on("error", () => {});
    const [, , ...path] = new URL(request.url, "http://vault").pathname.split("/");
    const how = path[2] === undefined ? undefined : bad.get(path[2]);
    switch (path.slice(0, 2).join("/")) {
      case "auth/token": {
        const named = cases.get(String(request.headers["x-vault-token"]).split(":")[1]);
        if (named) return named.answer(reply);
        return ok(reply, { data: { ttl: 0, creation_ttl: 0, renewable: false, display_name: "edge", accessor: "a", policies: ["edge"] } });
      }
      case "auth/approle": {
        let body = "";
        request.on("data", (chunk) => { body += chunk; });
        request.on("end", () => cases.get(JSON.parse(body).role_id).answer(reply));
        return;
      }
      case "sys/internal": return ok(reply, { data: { path: "secret/", type: "kv", options: { version: "2" } } });
      case "secret/metadata":
        if (how === "all") return cases.get(path[2]).answer(reply);
        return ok(reply, { data: { current_version: how ? 2 : 1, versions: { 1: version, ...(how && { 2: version }) } } });
      case "secret/data":
        if (path[2] === "slow") return setTimeout(() => ok(reply, { data: { data: { password: marker }, metadata: { version: 1, ...version } } }), 200);
        if (how) return cases.get(path[2]).answer(reply);
        return ok(reply, { data: { data: { password: marker }, metadata: { version: 1, ...version } } });
      default: reply.writeHead(599).end();
    }
  });
  const address = await listen(server, "127.0.0.1");
  const stop = () => [server, other].forEach((one) => { one.closeAllConnections(); one.close(); });
  return { address, cases, bad, stray, stop };
}

const refusal = (code, message = "…") => says(400, JSON.stringify({ __type: code, message }));
const xml = (status, code) => says(status, `<ErrorResponse><Error><Code>${code}</Code><Message>…</Message></Error></ErrorResponse>`);

/** The same of AWS: of a read, and of STS. */
export function corpusOfAws(marker, elsewhere) {
  const value = (more) => says(200, JSON.stringify({ Name: "a", VersionId: "00000000-0000-4000-8000-000000000002", ...more }));
  const cases = {
    denied: [refusal("AccessDeniedException", marker), "denied", "malformed"],
    "denied-kms": [refusal("AccessDeniedException", "Access to KMS is not allowed"), "denied", "malformed"],
    decryption: [refusal("DecryptionFailure", marker), "denied", "malformed"],
    absent: [refusal("ResourceNotFoundException", marker), "absent", "malformed"],
    deleted: [refusal("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion."), "deleted", "malformed"],
    "wrong-state": [refusal("InvalidRequestException", marker), "misconfigured", "malformed"],
    parameter: [refusal("InvalidParameterException", marker), "misconfigured", "malformed"],
    throttled: [refusal("ThrottlingException", marker), "throttled", "malformed"],
    internal: [says(500, JSON.stringify({ __type: "InternalServiceError", message: marker })), "unavailable"],
    expired: [refusal("ExpiredTokenException", marker), "unauthenticated", "malformed"],
    unknown: [refusal("com.amazon.coral.service#UnrecognizedClientException", marker), "unauthenticated", "malformed"],
    signature: [refusal("InvalidSignatureException", marker), "unauthenticated", "malformed"],
    undocumented: [refusal(marker, marker), "malformed"],
    "sts-denied": [xml(403, "AccessDenied"), "unauthenticated"],
    "sts-token": [xml(400, "InvalidIdentityToken"), "malformed", "unauthenticated"],
    "sts-expired": [xml(400, "ExpiredTokenException"), "malformed", "unauthenticated"],
    "sts-issuer": [xml(400, "IDPCommunicationError"), "malformed", "unavailable"],
    401: [says(401, marker), "unauthenticated"],
    403: [says(403, `<html>${marker}</html>`), "unauthenticated"],
    404: [says(404, marker), "malformed"],
    408: [says(408, marker), "timed out"],
    413: [says(413, marker), "too large"],
    418: [says(418, marker), "malformed"],
    429: [says(429, marker, { "retry-after": "1" }), "throttled"],
    502: [says(502, marker), "unavailable"],
    503: [says(503, `<html>${marker}</html>`), "unavailable"],
    "no-version": [says(200, JSON.stringify({ Name: "a", SecretString: marker })), "malformed"],
    "no-value": [value({}), "malformed"],
    "two-values": [value({ SecretString: marker, SecretBinary: "AA==" }), "malformed"],
    "no-base64": [value({ SecretBinary: `${marker}!` }), "malformed"],
    "wrong-type": [value({ SecretString: 7 }), "malformed"],
    ...strange(marker),
  };
  for (const status of [301, 302, 303, 307, 308]) cases[status] = [says(status, "", { location: elsewhere }), "misconfigured"];
  return all(cases);
}

/** Starts both, for AWS: a secret `CASE/…` is bad once `bad` has it, a sign-in where its token is named after a case. */
export async function startAws(marker) {
  const stray = { requests: 0, tokens: 0 };
  const other = createServer((request, reply) => {
    stray.requests += 1;
    if (request.headers.authorization || request.headers["x-amz-security-token"]) stray.tokens += 1;
    reply.writeHead(200, json).end("{}");
  });
  const elsewhere = await listen(other, "127.0.0.2");
  const cases = corpusOfAws(marker, `${elsewhere}/`);
  const bad = new Map();
  const server = createServer((request, reply) => {
    reply.on("error", () => {});
    let body = "";
    request.on("data", (chunk) => { body += chunk; });
    request.on("end", () => {
      if (request.headers["content-type"] === "application/x-www-form-urlencoded") {
        const named = cases.get(new URLSearchParams(body).get("WebIdentityToken").split(":")[0]);
        if (named) return named.answer(reply);
        return reply.writeHead(200, { "content-type": "text/xml" }).end(`<R><Credentials><AccessKeyId>ASIA</AccessKeyId>
          <SecretAccessKey>${marker}</SecretAccessKey><SessionToken>${marker}</SessionToken></Credentials></R>`);
      }
      const signed = /^AWS4-HMAC-SHA256 Credential=(AKIA|ASIA)\/\d{8}\/eu-central-1\/secretsmanager\/aws4_request, /;
      if (!signed.test(request.headers.authorization) || request.headers["x-amz-target"] !== "secretsmanager.GetSecretValue") return reply.writeHead(599).end();
      const { SecretId: name } = JSON.parse(body), how = name.split("/")[0];
      const value = () => reply.writeHead(200, json).end(JSON.stringify({ Name: name, VersionId: "00000000-0000-4000-8000-000000000001", SecretString: JSON.stringify({ password: marker }) }));
      if (how === "slow") return setTimeout(value, 200);
      return bad.get(how) ? cases.get(how).answer(reply) : value();
    });
  });
  const address = await listen(server, "127.0.0.1");
  const stop = () => [server, other].forEach((one) => { one.closeAllConnections(); one.close(); });
  return { address, cases, bad, stray, stop };
}
