/**
 * The look of every page: tokens for two colour schemes, layout from 360 px up, focus, print.
 *
 * Invariants: text has a contrast of at least 4.5:1 on its ground and graphics of 3:1 in both schemes; nothing is told
 * by colour alone (bars differ by pattern, lines by dashes, states by their word); paper is always light.
 */
import { Markup } from "./markup";

const LIGHT = `--ground:#f5f6f8;--card:#fff;--ink:#18202c;--soft:#535e70;--line:#dbe0e8;--edge:#8a94a6;--accent:#1a58b3;--band:#c4d8f5;--good:#15703f;--bad:#b3202f;--warn:#8a5700;
--good-soft:#e4f4ea;--bad-soft:#fce8ea;--warn-soft:#fbf0dc;--plain-soft:#eceff3;--on:#fff;--stripe:rgba(255,255,255,.5);
--c1:#1a58b3;--c2:#0a756f;--c3:#7b3fb3;--c4:#a84c10;--c5:#5a6577;--c6:#a3266a`;

const DARK = `--ground:#11151b;--card:#191f28;--ink:#e7ebf2;--soft:#a3afc1;--line:#2f3947;--edge:#6b778b;--accent:#7db2ff;--band:#2b4a78;--good:#57cc92;--bad:#ff8d95;--warn:#e8b354;
--good-soft:#15301f;--bad-soft:#3b1a1e;--warn-soft:#35290f;--plain-soft:#262e3a;--on:#10141a;--stripe:rgba(0,0,0,.45);
--c1:#7db2ff;--c2:#52c9c1;--c3:#c9a2f2;--c4:#f0a56f;--c5:#9fabbd;--c6:#f293c2`;

/** The style sheet of a page. */
export const STYLE = new Markup(`
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:smooth}
@media (prefers-reduced-motion:reduce){html{scroll-behavior:auto}}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
body>header,body>nav,main,body>footer{max-width:1180px;margin:0 auto;padding:0 20px}
a{color:var(--accent)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:3px}
.skip{position:absolute;left:-9999px}.skip:focus{left:8px;top:8px;z-index:1;background:var(--card);padding:8px 12px}
.hidden{position:absolute;width:1px;height:1px;margin:-1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
body>header{padding-top:28px}
h1{font-size:1rem;font-weight:600;line-height:1.4;margin:0;color:var(--soft);overflow-wrap:anywhere}
.answer{font-size:1.6rem;line-height:1.3;font-weight:650;letter-spacing:-.01em;margin:8px 0 6px;max-width:40em;text-wrap:pretty}
.meta{margin:0;color:var(--soft);font-size:.9rem;overflow-wrap:anywhere}
body>nav ul{display:flex;flex-wrap:wrap;gap:2px 18px;list-style:none;margin:16px 0 0;padding:0;font-size:.9rem}
body>nav a{display:inline-block;padding:4px 0}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:18px;scroll-margin-top:12px}
section.alarm{border-color:var(--bad);border-left-width:5px}
h2{font-size:1.15rem;line-height:1.3;margin:0 0 10px}
h3{font-size:1rem;margin:18px 0 6px}
.note{color:var(--soft);margin:-4px 0 12px;font-size:.9rem;max-width:75ch}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(148px,1fr));gap:12px;margin:20px 0 0}
.tile{background:var(--card);border:1px solid var(--line);border-left:5px solid var(--line);border-radius:8px;padding:10px 14px}
.tile.good{border-left-color:var(--good)}.tile.bad{border-left-color:var(--bad)}.tile.warn{border-left-color:var(--warn)}
.tile dt{font-size:.85rem;color:var(--soft)}.tile dd{margin:0;font-size:1.4rem;line-height:1.3;font-weight:650;font-variant-numeric:tabular-nums}
.tile small{display:block;font-size:.85rem;font-weight:400;color:var(--soft);margin-top:2px}
.tile.bad dd{color:var(--bad)}
.scroll{position:relative;overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem;font-variant-numeric:tabular-nums}
th{text-align:left;font-weight:600}
thead th{color:var(--soft);border-bottom:2px solid var(--line);padding:4px 14px 4px 0;white-space:nowrap;vertical-align:bottom}
tbody th,td{border-bottom:1px solid var(--line);padding:6px 14px 6px 0;vertical-align:top}
tbody th{font-weight:500}
tbody tr:last-child>*{border-bottom:0}
.short{white-space:nowrap}.number{text-align:right;white-space:nowrap}
.badge{display:inline-block;border-radius:99px;padding:0 10px;font-size:.8rem;line-height:1.6;font-weight:650;border:1px solid currentColor;white-space:nowrap}
.badge.good{color:var(--good);background:var(--good-soft)}.badge.bad{color:var(--bad);background:var(--bad-soft)}.badge.warn{color:var(--warn);background:var(--warn-soft)}.badge.plain{color:var(--soft);background:var(--plain-soft)}
pre{background:var(--ground);border:1px solid var(--line);border-radius:6px;padding:10px 12px;overflow-x:auto;font-size:.85rem;margin:0 0 10px}
code{overflow-wrap:anywhere;font-size:.95em}
ul.plain{list-style:none;padding:0;margin:0}ul.plain li{padding:3px 0}
summary{cursor:pointer;color:var(--accent);padding:3px 0;font-size:.9rem}
.pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,440px),1fr));gap:20px 32px}
.pair>*{min-width:0}
figure{margin:12px 0 0}figcaption{margin-bottom:8px;font-size:.9rem;color:var(--soft)}figcaption b{color:var(--ink);font-weight:600}
.legend{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:.85rem;margin:0 0 10px;padding:0;list-style:none}
.legend .bar{position:static;display:inline-block;width:22px;height:12px;margin-right:7px;vertical-align:-1px}
.legend svg{display:inline-block;width:28px;height:12px;margin-right:7px;vertical-align:-2px;overflow:visible}
.plot{display:grid;grid-template-columns:max-content minmax(0,1fr);column-gap:10px;font-size:.8rem;color:var(--soft);font-variant-numeric:tabular-nums;padding-right:1.6em}
.plot .values{position:relative;text-align:right}
.plot .values span{position:absolute;right:0;transform:translateY(-50%)}.plot .values i{visibility:hidden;font-style:normal}
.plot svg{display:block;width:100%;height:170px;overflow:visible}
.plot svg *{vector-effect:non-scaling-stroke}
.grid-line{stroke:var(--line);stroke-width:1}.mark{stroke:var(--edge);stroke-width:1;stroke-dasharray:2 4}
.times{grid-column:2;position:relative;height:1.7em;container-type:inline-size}
.times span{position:absolute;top:4px;transform:translateX(-50%);white-space:nowrap}
.lane{color:var(--ink);white-space:nowrap;padding:4px 0;line-height:20px}
.track{position:relative;height:28px;border-bottom:1px solid var(--line)}
.rules{position:absolute;inset:0;border-left:1px dotted var(--line)}
.bar{position:absolute;top:4px;bottom:4px;border-radius:3px;background-color:var(--tone);min-width:3px;overflow:hidden;white-space:nowrap;font-size:.75rem;line-height:19px;color:var(--on);font-weight:600}
.bar{container-type:inline-size}.bar b{font-weight:600;padding:0 6px}
@container (max-width:60px){.bar b{display:none}}
.bar.striped{background-image:repeating-linear-gradient(135deg,transparent 0 4px,var(--stripe) 4px 7px)}
.bar.dotted{background-image:radial-gradient(var(--stripe) 1.6px,transparent 2px);background-size:6px 6px}
.bar.lined{background-image:repeating-linear-gradient(90deg,transparent 0 3px,var(--stripe) 3px 5px)}
.bar.crossed{background-image:repeating-linear-gradient(0deg,transparent 0 3px,var(--stripe) 3px 5px)}
.bar.pale{background-color:var(--band);color:var(--ink)}
.bar.outline{background:none;border:2px dashed var(--tone);color:var(--ink)}
.why{display:block;min-width:26ch}
.score{position:relative;display:block;width:240px;height:20px;background:var(--plain-soft);border-radius:3px;overflow:hidden}
.score .bar{border-radius:0}
.score .zero{position:absolute;top:0;bottom:0;border-left:1px solid var(--ink)}.limit{border-left:2px dashed var(--bad);display:inline-block;height:14px}
.score .limit{position:absolute;top:0;bottom:0;height:auto}.legend .limit{margin:0 8px 0 2px;vertical-align:-3px}
.numbers{display:block;font-size:.8rem;color:var(--soft);min-width:240px;max-width:46ch}
.counts{display:block;width:110px}.count{position:relative;display:block;height:9px;margin-bottom:2px}.count .bar{top:0;bottom:0;left:0}
.flow{overflow-x:auto}.flow svg{width:100%;min-width:300px;max-width:640px;height:auto;display:block}.flow text{font-size:13px;fill:var(--ink)}
@container (max-width:720px){.minor{display:none}}
@container (max-width:330px){.rare{display:none}}
@media (max-width:560px){.stacks table,.stacks tbody,.stacks tr,.stacks th,.stacks td{display:block}.stacks thead{display:none}.stacks td,.stacks th{border:0;padding:3px 0}.stacks tr{border-bottom:1px solid var(--line);padding:8px 0}.stacks td::before{content:attr(data-column);display:block;color:var(--soft);font-size:.8rem}
td:not(.short):not(.number){min-width:17ch}body>header,body>nav,main,body>footer{padding-left:12px;padding-right:12px}section{padding:14px 12px}.answer{font-size:1.3rem}.tiles{grid-template-columns:1fr 1fr;gap:8px}.tile dd{font-size:1.15rem}.lane{max-width:26vw;overflow:hidden;text-overflow:ellipsis}}
body>footer{overflow-wrap:anywhere;padding-top:16px;padding-bottom:48px;color:var(--soft);font-size:.85rem}
@page{margin:14mm 12mm}
@media print{:root{color-scheme:light;${LIGHT};--ground:#fff}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
body{font-size:11px}body>header,body>nav,main,body>footer{max-width:none;padding-left:0;padding-right:0}
.skip,body>nav,.data,.screen,.numbers{display:none}
.answer{font-size:1.5rem}
section{border:0;border-top:1px solid #bbb;border-radius:0;padding:12px 0;margin-top:12px}
.scroll{overflow:visible}.plot svg{height:110px}.score{width:80px;height:12px}.why{min-width:330px}.flow svg{max-height:150px}
.tiles{grid-template-columns:repeat(3,1fr);gap:8px}.pair{grid-template-columns:1fr 1fr}
h2,h3,figcaption{break-after:avoid}figure,tr,.tile,.lane,.track,.scroll{break-inside:avoid}thead{display:table-header-group}}
`);
