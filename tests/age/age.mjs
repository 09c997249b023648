// The independent implementation of age, for tests/age: one request as JSON on standard input, the answer on
// standard output.
//
//   { "do": "encrypt", "text": "…", "recipients": ["age1…"] or "passphrase": "…", "armor": true }  → the file
//   { "do": "decrypt", "file": "<base64>", "identity": "AGE-SECRET-KEY-1…" or "passphrase": "…" }   → the text

import { Decrypter, Encrypter, armor } from "age-encryption";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
const request = JSON.parse(Buffer.concat(chunks).toString());

if (request.do === "encrypt") {
  const encrypter = new Encrypter();
  if (request.passphrase) encrypter.setPassphrase(request.passphrase);
  for (const recipient of request.recipients ?? []) encrypter.addRecipient(recipient);
  const file = await encrypter.encrypt(request.text);
  process.stdout.write(request.armor ? armor.encode(file) : file);
} else {
  let file = Buffer.from(request.file, "base64");
  if (file.toString("latin1").startsWith("-----BEGIN")) file = armor.decode(file.toString("latin1"));
  const decrypter = new Decrypter();
  if (request.passphrase) decrypter.addPassphrase(request.passphrase);
  if (request.identity) decrypter.addIdentity(request.identity);
  process.stdout.write(await decrypter.decrypt(file, "text"));
}
