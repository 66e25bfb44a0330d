import { strict as assert } from "node:assert";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { describe, it } from "mocha";
import { parseCrontab, programOf } from "../../../providers/agent/schedules/crontab";
import { readSchedules } from "../../../providers/agent/schedules/read-schedules";
import { cronOf, parseTimer } from "../../../providers/agent/schedules/systemd-timer";

/** As Debian ships it. */
const CRONTAB = `# /etc/crontab: system-wide crontab
SHELL=/bin/sh
# m h dom mon dow user  command
17 *	* * *	root	cd / && run-parts --report /etc/cron.hourly
25 6	* * *	root	test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.daily; }
47 6	* * 7	root	test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.weekly; }
52 6	1 * *	root	test -x /usr/sbin/anacron || { cd / && run-parts --report /etc/cron.monthly; }
#
`;
const E2SCRUB = `30 3 * * 0 root test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/x86_64-linux-gnu/e2fsprogs/e2scrub_all_cron
10 3 * * * root test -e /run/systemd/system || SERVICE_MODE=1 /sbin/e2scrub_all -A -r
`;

describe("schedules of hosts", () => {
  it("are read from Debian's crontab and cron.d, names of programs without arguments", () => {
    assert.deepEqual(
      parseCrontab(CRONTAB, true).map(({ cron }) => cron),
      ["17 * * * *", "25 6 * * *", "47 6 * * 7", "52 6 1 * *"],
    );
    assert.deepEqual(parseCrontab(E2SCRUB, true), [
      { cron: "30 3 * * 0", program: "e2scrub_all_cron" },
      { cron: "10 3 * * *", program: "e2scrub_all" },
    ]);
  });

  it("are read from crontabs of users, with names, steps, short forms and a zone; never their secrets", () => {
    const text = [
      "MAILTO=ops@example.com",
      "@reboot /usr/bin/start",
      "@weekly nice -n 10 /opt/backup.sh --password=hunter2 s3://bucket",
      "CRON_TZ=Europe/Berlin",
      "*/15 8-18 * jan,mar mon-fri TOKEN=secret /usr/bin/sync --all",
      "not a line of a crontab at all",
      "61 words too few",
    ].join("\n");
    assert.deepEqual(parseCrontab(text, false), [
      { cron: "0 0 * * 0", program: "backup.sh" },
      { cron: "*/15 8-18 * jan,mar mon-fri", program: "sync", timezone: "Europe/Berlin" },
    ]);
    assert.equal(programOf("cd /srv && ./run --key abc > /dev/null"), "run");
  });

  it("are timers of systemd by the calendar, where cron has words for them", () => {
    const crons = [
      "daily",
      "Sun *-*-* 3:10:00",
      "*-*-* 6,18:00",
      "*:0/15",
      "Mon..Fri 22:30 Europe/Berlin",
      "*-*-1,15 04:05:06",
    ];
    assert.deepEqual(
      crons.map((calendar) => cronOf(calendar)),
      [
        { cron: "0 0 * * *" },
        { cron: "10 3 * * sun" },
        { cron: "0 6,18 * * *" },
        { cron: "*/15 * * * *" },
        { cron: "30 22 * * mon-fri", timezone: "Europe/Berlin" },
        { cron: "5 4 1,15 * *" },
      ],
    );
    for (const none of ["2026-11-21 02:00", "*-02~03 00:00", "Fri *-*-13 00:00", "every day"])
      assert.equal(cronOf(none), undefined);
    const timer =
      "[Timer]\nOnCalendar=*-*-* 6,18:00\nRandomizedDelaySec=12h\nOnBootSec=5min\n[Install]\nWantedBy=timers.target\n";
    assert.deepEqual(parseTimer(timer, "apt-daily.timer"), [{ program: "apt-daily", cron: "0 6,18 * * *" }]);
    assert.deepEqual(parseTimer("[Timer]\nOnBootSec=5min\n", "x.timer"), []);
  });

  it("come from the named files and folders only; what cannot be read has none", async () => {
    const folder = await fs.mkdtemp(path.join(os.tmpdir(), "archipelago-cron-"));
    try {
      await fs.writeFile(path.join(folder, "e2scrub_all"), E2SCRUB);
      await fs.writeFile(path.join(folder, "e2scrub_all.dpkg-old"), "0 1 * * * root /old\n");
      await fs.writeFile(path.join(folder, "fstrim.timer"), "[Timer]\nOnCalendar=weekly\n");
      const found = await readSchedules("db-1", [folder, "/nowhere/at/all"]);
      assert.deepEqual(
        found.map(({ host, program, cron }) => [host, program, cron]),
        [
          ["db-1", "e2scrub_all_cron", "30 3 * * 0"],
          ["db-1", "e2scrub_all", "10 3 * * *"],
          ["db-1", "fstrim", "0 0 * * 1"],
        ],
      );
      assert.ok(found.every(({ timezone, source }) => timezone !== "" && source.startsWith(folder)));
    } finally {
      await fs.rm(folder, { recursive: true });
    }
  });
});
