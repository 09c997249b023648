// A Worker that does what it is told in JSON, one call for one request: `["load", options]`, `["get", id, path]`.
import * as secretfig from "secretfig";
import { host } from "./host.mjs";

const calls = host(secretfig);

export default {
  async fetch(request) {
    const [call, ...rest] = await request.json();
    return Response.json(await calls[call](...rest));
  },
};
