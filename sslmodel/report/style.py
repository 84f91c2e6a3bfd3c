"""The looks of a report: light, dark, on a phone and on paper."""

STYLE = """
:root{--ground:#fdfdfc;--panel:#f3f3f0;--ink:#1d2026;--soft:#5d636e;--rule:#d5d6d3;
--blue:#0072b2;--orange:#d55e00;--green:#00805d;--purple:#a4508b;--red:#b3261e;--good:#00704f}
@media (prefers-color-scheme:dark){:root{--ground:#14161a;--panel:#1e2127;--ink:#e7e8ea;
--soft:#a3a9b3;--rule:#3a3f48;--blue:#56b4e9;--orange:#f08a3c;--green:#35c79a;--purple:#dd93bd;
--red:#ff8a80;--good:#4cd1a3}}
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%}
body{margin:0;background:var(--ground);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif}
header,main{max-width:64rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:2.5rem}
main{padding-bottom:4rem}
h1{font-size:2rem;line-height:1.2;margin:.1rem 0 1rem;overflow-wrap:anywhere}
h2{font-size:1.4rem;line-height:1.3;margin:0 0 .8rem}
h3{font-size:1.05rem;margin:1.8rem 0 .4rem}
p{max-width:44rem;margin:.5rem 0}
small,.kind,figcaption{color:var(--soft);font-size:.86em}
.kind{margin:0}
section{border-top:1px solid var(--rule);margin-top:2.6rem;padding-top:1.6rem}
a{color:var(--blue)}
nav{display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;margin-top:1.2rem}
.verdict{font-size:1.1rem;border-left:.25rem solid var(--good);padding:.1rem 0 .1rem 1rem}
.verdict.collapsed{border-color:var(--red)}
.notes{color:var(--soft);padding-left:1.2rem;max-width:44rem}
code{font:.82em ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
li{overflow-wrap:anywhere}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,25rem),1fr));gap:1.2rem}
.charts>svg{width:100%;height:auto;max-width:31rem}
svg *{stroke-linejoin:round;stroke-linecap:butt}
svg text{font-family:inherit}
figure{margin:0}
figcaption{max-width:44rem;margin-top:.5rem}
.maps{margin:1.4rem 0}
.legend{display:flex;flex-wrap:wrap;gap:.15rem .9rem;list-style:none;margin:0;padding:0;
color:var(--ink)}
.legend span{margin-right:.35rem}
.wide{overflow-x:auto;margin:1.2rem 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums;font-size:.92rem}
caption{text-align:left;padding-bottom:.4rem;font-weight:600;font-size:1.03em;white-space:nowrap}
th,td{padding:.22rem .7rem;text-align:right;vertical-align:baseline;white-space:nowrap}
th:first-child{text-align:left;padding-left:.3rem;position:sticky;left:0;background:var(--ground);background-clip:padding-box}
.names2 tr>:nth-child(2){text-align:left}
thead th{color:var(--soft);font-weight:600;font-size:.92em;border-bottom:1px solid var(--rule);
vertical-align:bottom}
tbody th{font-weight:400;white-space:pre}
tbody th[scope=rowgroup]{padding-top:1rem;border-bottom:1px solid var(--rule);text-align:left}
tr.main th,tr.main td{font-weight:600}
tr.main small{font-weight:400}
tbody tr:hover>:not([scope=rowgroup]){background:var(--panel)}
.bar{display:inline-block;position:relative;width:8rem;height:.8rem;
background:linear-gradient(var(--rule),var(--rule)) center/100% 1px no-repeat}
.bar i{position:absolute;top:.25rem;height:.3rem;left:var(--low);
width:max(1px,calc(var(--high) - var(--low)));background:var(--blue);opacity:.35}
.bar b{position:absolute;top:.05rem;height:.7rem;width:3px;margin-left:-1.5px;left:var(--at);
background:var(--blue)}
.scale{display:inline-flex;width:8rem;justify-content:center}
.heat{display:inline-block;min-width:4rem;padding:0 .3rem;border-radius:.2rem;
background:linear-gradient(90deg,color-mix(in srgb,var(--blue) 28%,transparent) var(--share),
transparent var(--share))}
details{margin:1rem 0}
summary{cursor:pointer;font-weight:600}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.15rem 1.2rem;margin:.8rem 0}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
.matrix svg{display:block;width:100%;height:auto}
.matrix text{font-size:11px;fill:var(--ink)}
.matrix text.on{fill:var(--ground)}
.matrix .hit{fill:var(--blue)}
.matrix .miss{fill:var(--orange)}
.matrix .line{stroke:var(--rule);stroke-width:.5;fill:none}
.clips{display:flex;flex-wrap:wrap;gap:.8rem;margin:.8rem 0 1.4rem}
.clips figure{width:8rem}
.clips figcaption{margin-top:.25rem;line-height:1.3;overflow-wrap:anywhere}
.clips strong{display:block;color:var(--ink)}
.clips small{display:block}
.clips .same strong{color:var(--good)}
.clips .other strong{color:var(--red)}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(18rem,1fr));gap:.5rem 1.5rem}
.pair p{margin:.2rem 0}
.clip{display:block;width:8rem;height:8rem;border-radius:.6rem;background:#1b1e24;
object-fit:cover;object-position:calc(100%*7/15) 0}
.clip:focus-visible{outline:3px solid var(--blue);outline-offset:2px}
@keyframes play{from{object-position:0 0}to{object-position:100% 0}}
@media (prefers-reduced-motion:no-preference){
.clip:hover,.clip:focus{animation:play var(--seconds) steps(16,jump-none) infinite}}
@media (max-width:36rem){header{padding-top:1.4rem}h1{font-size:1.6rem}
dl{grid-template-columns:1fr;gap:0}dd{margin-bottom:.5rem}.clips figure,.clip{width:6.6rem}
.clip{height:6.6rem}}
@media print{:root{--ground:#fff;--panel:#fff;--ink:#111;--soft:#555;--rule:#ddd;--blue:#0072b2;
--orange:#d55e00;--green:#00805d;--purple:#a4508b;--red:#b3261e;--good:#00704f}
html{color-scheme:light}
body{font-size:10pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
header,main{max-width:none;padding:0}
nav{display:none}
section{margin-top:1.4rem;padding-top:1rem}
h2,h3,h2+p,h3+p,caption{break-after:avoid}
figure,svg,tr,p,.pair{break-inside:avoid}
thead{display:table-header-group}
.charts{grid-template-columns:1fr 1fr}
.wide{overflow:visible}
table{font-size:8pt}
th,td{padding:.12rem .4rem}
.bar{width:5rem}
.scale{width:5rem}
.clips{display:block}
.clips figure{width:auto;display:flex;gap:.6rem;align-items:center;margin-bottom:.15rem}
.clips figcaption{width:7rem;flex:none;order:-1;margin:0}
.clip{flex:1;width:0;min-width:0;height:auto;aspect-ratio:16;object-fit:fill;border-radius:0}
.pairs{display:block}
.matrix svg{min-width:0!important}}
"""
