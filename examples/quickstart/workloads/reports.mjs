/**
 * The report job: sheddable, no traffic. Every half second it computes a bit and keeps a running total.
 */
import { createHash } from "node:crypto";
import { replica, sendJson, serve } from "./workload.mjs";

const INTERVAL_MS = 500;
const LINES = 200;

let reports = 0;
let digest = "";

const timer = setInterval(() => {
  const hash = createHash("sha256").update(digest);
  for (let line = 0; line < LINES; line += 1) hash.update(`${reports}:${line}\n`);
  digest = hash.digest("hex");
  reports += 1;
}, INTERVAL_MS);

serve(
  { "GET /reports": (_request, response) => sendJson(response, 200, { reports, digest, replica }) },
  { beforeExit: () => clearInterval(timer) },
);
