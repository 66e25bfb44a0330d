/**
 * The price service: one replica, stateless, moved by surge. `GET /price?item=N` computes a bit and answers.
 */
import { createHash } from "node:crypto";
import { replica, sendJson, serve } from "./workload.mjs";

/** Rounds of hashing: a fraction of a millisecond of real work. */
const ROUNDS = 40;

serve(
  {
    "GET /price": (request, response) => {
      const item = new URL(request.url, "http://pricing").searchParams.get("item") ?? "0";
      let digest = item;
      for (let round = 0; round < ROUNDS; round += 1) digest = createHash("sha256").update(digest).digest("hex");
      sendJson(response, 200, { item, cents: 100 + (parseInt(digest.slice(0, 6), 16) % 9900), replica });
    },
  },
  { warmUp: "/price?item=1" },
);
