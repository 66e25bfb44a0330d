import assert from "node:assert/strict";
import { WaitingRoom } from "../../providers/drivers/traffic/switch/waiting-room";
import type { Waiter } from "../../providers/drivers/traffic/switch/waiting-room";

describe("waiting room", () => {
  const log: string[] = [];
  let room: WaitingRoom;
  beforeEach(() => {
    log.length = 0;
    room = new WaitingRoom(3, () => performance.now());
  });
  afterEach(() => {
    room.close();
  });

  function waiter(name: string, forMs = 60_000, proceed?: () => void): Waiter {
    return {
      giveUpAt: performance.now() + forMs,
      proceed: proceed ?? (() => log.push(`${name} goes`)),
      giveUp: () => log.push(`${name} gives up`),
    };
  }

  it("lets go in the order of arrival and takes no more than fit", () => {
    for (const name of ["a", "b", "c"]) assert.equal(room.enter(waiter(name)), true);
    assert.equal(room.enter(waiter("d")), false);
    room.release(() => true);
    assert.deepEqual(log, ["a goes", "b goes", "c goes"]);
    assert.equal(room.size, 0);
  });

  it("stops letting go when nobody can be served any more, and tries each one once", () => {
    let places = 1;
    const again = waiter("again", 60_000, () => room.enter(again));
    room.enter(again);
    room.enter(waiter("b", 60_000, () => (places -= 1)));
    room.enter(waiter("c"));
    room.release(() => places > 0);
    assert.equal(room.size, 2, "the one that came back and the one that was not reached");
  });

  it("sends away who waited too long, also one that came later with an earlier deadline", async () => {
    const waitMs = 30;
    room.enter(waiter("patient"));
    await new Promise<void>((resolve) => {
      room.enter({
        giveUpAt: performance.now() + waitMs,
        proceed: () => log.push("never"),
        giveUp: () => {
          log.push("impatient gives up");
          resolve();
        },
      });
    });
    assert.deepEqual(log, ["impatient gives up"]);
    assert.equal(room.size, 1);
  });
});
