"""The page's style sheet: light and dark, phone and paper, no file beside the page."""

STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1a1a1f; --paper: #ffffff; --soft: #f3f3f7; --rule: #d3d3dc; --faint: #575765;
  --link: #0b57a4; --mark: #ffe08a; --ins: #d3f3dd; --grid: #dcdce4;
  --curve-1: #0072b2; --curve-2: #c24f00; --curve-3: #007f5f; --curve-4: #9c4f86;
  --curve-5: #8a6d00; --curve-6: #4d4d4d;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e8e8ee; --paper: #15151a; --soft: #202028; --rule: #3b3b47; --faint: #a9a9b8;
    --link: #8ec2ff; --mark: #6b5200; --ins: #14512b; --grid: #33333e;
    --curve-1: #5bb8f0; --curve-2: #ff9a57; --curve-3: #4fd0a8; --curve-4: #e39ccc;
    --curve-5: #e0c04a; --curve-6: #c4c4cc;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1rem; max-width: 60rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word;
}
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -100vw; }
.skip:focus { position: static; }
h1, h2, h3 { line-height: 1.2; margin: 2rem 0 .75rem; }
h1 { margin-top: .5rem; }
article + article { border-top: 2px solid var(--rule); margin-top: 3rem; }
.signature, .notes, .note { color: var(--faint); font-size: .85rem; overflow-wrap: anywhere; }
code { font-family: ui-monospace, monospace; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td {
  text-align: left; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--rule);
  vertical-align: top; font-weight: 400;
}
thead th { font-weight: 600; border-bottom-width: 2px; vertical-align: bottom; max-width: 10rem; }
.number { text-align: right; }
td.number { white-space: nowrap; }
tbody th, thead th:first-child { position: sticky; left: 0; background: var(--paper); }
tbody th { max-width: 40vw; }
sup a { text-decoration: none; padding: 0 .15rem; }
figure { margin: 1.5rem 0; }
.plot { width: 100%; height: auto; font-family: inherit; }
.plot-title { font-weight: 600; }
.example {
  background: var(--soft); border-radius: .5rem; padding: 1rem; margin: 1rem 0;
  display: grid; gap: 1rem; grid-template-columns: minmax(0, 1fr);
}
.example img { width: 100%; max-width: 16rem; height: auto; border-radius: .25rem; }
@media (min-width: 40rem) {
  .example.pictured { grid-template-columns: 14rem minmax(0, 1fr); }
}
dl { margin: 0; }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0 0 .5rem; }
mark { background: var(--mark); color: inherit; border-radius: .2rem; padding: 0 .15rem; }
ins { background: var(--ins); border-radius: .2rem; padding: 0 .15rem; }
mark { text-decoration: underline wavy; text-decoration-thickness: 1px; }
@media print {
  body { max-width: none; }
  .example, figure, table { break-inside: avoid; }
}
"""
