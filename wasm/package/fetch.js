// Carries one request by the host's `fetch`. It follows no redirect; one deadline lies over the whole of headers and
// body; a body is given up as soon as it is larger than allowed, after decompression. What no host offers to `fetch`:
// a CA or a pin of one's own, a client certificate, a proxy.

// as `Talk.failed` takes them
const NETWORK = 0, TIMEOUT = 1, TLS = 2, LARGE = 3;

const retryAfter = (text) => {
  if (!text) return -1;
  if (/^\d+$/.test(text)) return Number(text);
  const at = /GMT$/.test(text) ? Date.parse(text) : NaN;
  return at > Date.now() ? Math.ceil((at - Date.now()) / 1000) : -1;
};

/** Bytes of a reply: what JSON makes of a document of 1 MiB at worst, and some room. */
const most = 7 << 20;

/** The whole body, in one block; what it came in is wiped. */
async function read(stream) {
  if (!stream) return new Uint8Array();
  const reader = stream.getReader(), chunks = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    chunks.push(value);
    if (size > most) {
      // nobody waits for the end of it
      reader.cancel().catch(() => {});
      chunks.forEach((chunk) => chunk.fill(0));
      throw LARGE;
    }
  }
  const whole = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
    chunk.fill(0);
  }
  return whole;
}

/** By its name, and by the code of its cause; never by its message, which may quote a URL. */
const fault = (thrown) => {
  if (thrown === LARGE) return thrown;
  const code = String(thrown?.cause?.code ?? "");
  if (/^(TimeoutError|AbortError)$/.test(thrown?.name) || /^UND_ERR_(CONNECT|HEADERS|BODY)_TIMEOUT$/.test(code)) return TIMEOUT;
  // Node's own: other hosts do not tell
  return /^(CERT_|ERR_TLS_|ERR_SSL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_SELF_SIGNED_)/.test(code) ? TLS : NETWORK;
};

/** One request of a talk's step, and what came of it; `deadline` in milliseconds. */
export async function carry(talk, at, [method, url, headers, body], deadline) {
  try {
    // not `error`: Workers know no such mode
    const init = { method, headers, redirect: "manual", signal: AbortSignal.timeout(Math.min(deadline, 2 ** 31 - 1)) };
    const answer = await fetch(url, body ? { ...init, body } : init);
    if (answer.type === "opaqueredirect") return talk.reply(at, 302, -1, new Uint8Array());
    const bytes = await read(answer.body);
    talk.reply(at, answer.status, retryAfter(answer.headers.get("retry-after")), bytes);
    bytes.fill(0);
  } catch (thrown) {
    talk.failed(at, fault(thrown));
  }
}
