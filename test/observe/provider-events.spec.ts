import assert from "node:assert/strict";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { observeEvents } from "../../providers/observe/provider-events";
import { isKind } from "../../sdk/model";

describe("provider events", () => {
  let folder: string;
  before(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "events-"));
  });
  after(() => {
    fs.rmSync(folder, { recursive: true, force: true });
  });
  const write = (text: string): string => {
    const file = path.join(folder, "events.json");
    fs.writeFileSync(file, text);
    return file;
  };

  it("are those of the arguments and those of the file", async () => {
    const declared = { id: "a", hosts: ["h"], zones: [], startMs: 0, endMs: 1, reason: "work" };
    const file = write(
      JSON.stringify([{ id: "b", zones: ["z"], start: "2026-11-28T02:00:00Z", end: "2026-11-28T05:00:00+01:00" }]),
    );
    assert.deepEqual(await observeEvents({ listed: [declared] }), [declared]);
    assert.deepEqual(await observeEvents({ file, listed: [declared] }), [
      declared,
      {
        id: "b",
        hosts: [],
        zones: ["z"],
        startMs: Date.UTC(2026, 10, 28, 2),
        endMs: Date.UTC(2026, 10, 28, 4),
        reason: "announced",
      },
    ]);
  });

  it("are refused with every mistake at once", async () => {
    const text = JSON.stringify([{ id: "a", hosts: ["h"], start: "soon", end: "2026-11-28T02:00:00Z" }, { id: "b" }]);
    await assert.rejects(observeEvents({ file: write(text), listed: [] }), (error) => {
      assert.ok(isKind(error, "MistakeError"));
      assert.match(String(error), /events\[0\]\.start \("soon"\) must be a moment in ISO 8601/);
      assert.match(String(error), /events\[1\]\.start \(missing\) must be given/);
      return true;
    });
    const late = JSON.stringify([{ id: "c", start: "2026-11-28T02:00:00Z", end: "2026-11-28T02:00:00Z" }]);
    await assert.rejects(observeEvents({ file: write(late), listed: [] }), (error) => {
      assert.match(String(error), /events\[0\]\.hosts \("c"\) must be given, or zones/);
      assert.match(String(error), /events\[0\]\.end \("c"\) must be after start/);
      return true;
    });
    await assert.rejects(observeEvents({ file: write("{"), listed: [] }), /must be a JSON file that can be read/);
  });
});
