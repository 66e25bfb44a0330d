import { strict as assert } from "node:assert";
import { describe, it } from "mocha";
import { parseAccessLog } from "../../providers/observe/access-log";

const AT_MS = Date.UTC(2026, 9, 10, 11, 55, 36);

describe("access logs", () => {
  it("are read in the common, the combined and JSON formats, with sessions told apart and named by nobody", () => {
    const text = [
      '10.0.0.1 - - [10/Oct/2026:13:55:36 +0200] "GET /orders/17?x=1 HTTP/1.1" 200 2326',
      '10.0.0.1 - - [10/Oct/2026:13:55:37 +0200] "GET /cart HTTP/1.1" 200 12 "-" "Mozilla/5.0 (X11)"',
      '10.0.0.2 - ada [10/Oct/2026:13:55:38 +0200] "POST /pay HTTP/2" 201 0 "-" "curl"',
      `{"time":"2026-10-10T11:55:39Z","path":"/list","session":"s-1"}`,
      `{"ts":${String(AT_MS / 1000 + 4)},"uri":"/list","remote_ip":"10.0.0.9"}`,
      "a line of something else",
      '{"broken',
      `{"time":"2026-10-10T12:55:39Z","path":"/later","session":"s-1"}`,
    ].join("\n");
    const visits = parseAccessLog(text, AT_MS + 60_000);
    assert.deepEqual(
      visits.map(({ atMs, endpoint }) => [atMs - AT_MS, endpoint]),
      [
        [0, "/orders/:id"],
        [1000, "/cart"],
        [2000, "/pay"],
        [3000, "/list"],
        [4000, "/list"],
      ],
    );
    assert.deepEqual(
      visits.map(({ session }) => session),
      ["1", "2", "3", "4", "5"],
    );
  });
});
