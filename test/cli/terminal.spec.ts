import * as assert from "node:assert/strict";
import { renderTable } from "../../providers/cli/table";
import { createTerminal, type Terminal, type TerminalStream } from "../../providers/cli/terminal";

interface RecordedStream extends TerminalStream {
  text: string;
}

function stream(more: Partial<TerminalStream> = {}): RecordedStream {
  const recorded: RecordedStream = {
    text: "",
    ...more,
    write: (text) => {
      recorded.text += text;
    },
  };
  return recorded;
}

const ESC = "\u001b[";

describe("what commands write", () => {
  it("keeps results and what is said on the way apart", () => {
    const [output, errors] = [stream(), stream()];
    const terminal = createTerminal(output, errors, {});
    terminal.print("result");
    terminal.note("said");
    terminal.progress.line("wave 1");
    terminal.progress.status("not a terminal: nobody sees it");
    terminal.printJson({ v: 1 });
    assert.equal(output.text, 'result\n{\n  "v": 1\n}\n');
    assert.equal(errors.text, "said\nwave 1\n");
  });

  it("shows the status of the moment on a terminal, and takes it away before anything else", () => {
    const errors = stream({ isTTY: true, columns: 20 });
    const terminal = createTerminal(stream(), errors, {});
    terminal.progress.status("a status that is longer than the line");
    terminal.progress.line("done");
    assert.equal(errors.text, `a status that is lo\r${ESC}Kdone\n`);
  });

  it("redraws no more than fits", () => {
    const output = stream({ isTTY: true, columns: 10, rows: 3 });
    createTerminal(output, stream(), {}).redraw("1\n0123456789abc\n3\n4");
    assert.equal(output.text, `${ESC}H1${ESC}K\n0123456...${ESC}K\n${ESC}J`);
  });

  it("lets no text of others steer the terminal", () => {
    const output = stream({ isTTY: true });
    createTerminal(output, stream(), {}).print(`reason\r${ESC}2Jgone \u009b2J\u0007 ${ESC}31mred${ESC}39m\tend`);
    assert.equal(output.text, `reason??[2Jgone ?2J? ${ESC}31mred${ESC}39m\tend\n`);
  });

  it("has colours on terminals alone, unless NO_COLOR or FORCE_COLOR say otherwise", () => {
    const paints = (isTTY: boolean, environment: Record<string, string>): boolean =>
      createTerminal(stream({ isTTY }), stream(), environment).colours.red("x") !== "x";
    assert.equal(paints(true, {}), true);
    assert.equal(paints(false, {}), false);
    assert.equal(paints(true, { NO_COLOR: "1" }), false);
    assert.equal(paints(true, { NO_COLOR: "" }), true, "an empty NO_COLOR is none");
    assert.equal(paints(true, { TERM: "dumb" }), false);
    assert.equal(paints(false, { FORCE_COLOR: "1" }), true);
    assert.equal(paints(true, { NO_COLOR: "1", FORCE_COLOR: "1" }), false);
  });

  it("puts coloured cells into straight columns and cuts the last one to the width", () => {
    const { colours }: Terminal = createTerminal(stream({ isTTY: true }), stream(), {});
    const rows = [
      ["a", colours.green("done"), "x".repeat(100)],
      ["bbbb", "running", colours.red("y".repeat(100))],
    ];
    const lines = renderTable(["RUN", "PHASE", "NOW"], rows, 45).split("\n");
    assert.equal(lines[0], "RUN   PHASE    NOW");
    assert.equal(lines[1], `a     ${ESC}32mdone${ESC}39m     ${"x".repeat(27)}...`);
    assert.equal(lines[2], `bbbb  running  ${ESC}31m${"y".repeat(27)}...${ESC}39m`);
  });
});
