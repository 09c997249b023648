// The bad replies, with the package in workerd at the given port.
import assert from "node:assert/strict";
import { run } from "./corpus.mjs";

const { PORT: port, MARKER: marker } = process.env;
const call = (name) => async (...rest) => {
  const answer = await fetch(`http://127.0.0.1:${port}/`, { method: "POST", body: JSON.stringify([name, ...rest]) });
  assert.equal(answer.status, 200, `${name}: ${await answer.clone().text()}`);
  return answer.json();
};
const names = ["load", "get", "section", "explain", "refresh", "free"];
console.log(JSON.stringify(await run(Object.fromEntries(names.map((name) => [name, call(name)])), marker)));
