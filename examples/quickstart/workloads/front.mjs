/**
 * The web front: several replicas. `GET /` asks the price service through the traffic switch; `GET /slow` answers
 * after two seconds.
 */
import { Agent, get } from "node:http";
import { replica, sendJson, serve, serviceUrl } from "./workload.mjs";

const SLOW_MS = 2_000;
const PRICE_TIMEOUT_MS = 15_000;

const pricing = serviceUrl("pricing");
/** Tells the switch who calls, so that the plan knows that prices are asked for by this workload. */
const headers = { "x-archipelago-caller": process.env["ARCHIPELAGO_WORKLOAD"] ?? "" };
/** Idle connections end before the switch would close them. */
const agent = new Agent({ keepAlive: true, maxFreeSockets: 32, timeout: 20_000 });
let asked = 0;

serve(
  {
    "GET /": async (_request, response) => {
      const price = pricing === undefined ? { cents: 0, replica: "none" } : await askPrice(asked++ % 1000);
      sendJson(response, 200, { page: "front", replica, cents: price.cents, pricedBy: price.replica });
    },
    "GET /slow": (_request, response) => {
      setTimeout(() => sendJson(response, 200, { page: "slow", replica }), SLOW_MS);
    },
  },
  { beforeExit: () => agent.destroy(), warmUp: "/" },
);

async function askPrice(item) {
  try {
    return await askOnce(item);
  } catch (error) {
    // A kept connection may have been closed at this very moment; asking for a price has no effect, so ask again.
    if (error.code !== "ECONNRESET") throw error;
    return await askOnce(item);
  }
}

function askOnce(item) {
  return new Promise((resolve, reject) => {
    const call = get(`${pricing}/price?item=${item}`, { agent, timeout: PRICE_TIMEOUT_MS, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (chunk) => (text += chunk));
      answer.on("error", reject);
      answer.on("end", () => {
        if (answer.statusCode === 200) resolve(JSON.parse(text));
        else reject(new Error(`pricing answered ${answer.statusCode}: ${text.trim()}`));
      });
    });
    call.on("timeout", () => call.destroy(new Error("pricing did not answer in time")));
    call.on("error", reject);
  });
}
