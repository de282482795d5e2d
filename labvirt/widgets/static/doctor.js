var m=`.lv-board {
  --lv-back: var(--jp-layout-color0, Canvas);
  --lv-text: var(--jp-ui-font-color0, CanvasText);
  --lv-muted: var(--jp-ui-font-color1, CanvasText);
  --lv-line: var(--jp-border-color1, #8888);
  --lv-button: var(--jp-layout-color2, #8882);
  --lv-accent: var(--jp-brand-color1, #1976d2);
  background: var(--lv-back);
  color: var(--lv-text);
  font: 13px/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  padding: 8px;
  position: relative;
}
.lv-board:focus-visible, .lv-board :focus-visible { outline: 2px solid var(--lv-accent); outline-offset: 1px; }
.lv-board .lv-title { font-size: 15px; font-weight: 600; margin: 0 0 6px; color: inherit; }
.lv-board h4 { font-size: 13px; font-weight: 600; margin: 0; color: inherit; }
.lv-board h4 small { font-size: 12px; font-weight: 400; color: var(--lv-muted); }
.lv-toolbar, .lv-replay { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
.lv-replay { margin-top: 6px; }
.lv-replay input { flex: 1; min-width: 120px; }
.lv-group { display: inline-flex; }
.lv-group button + button { margin-left: -1px; }
.lv-board button, .lv-board select {
  background: var(--lv-button);
  border: 1px solid var(--lv-line);
  border-radius: 3px;
  color: var(--lv-text);
  cursor: pointer;
  font: inherit;
  min-height: 26px;
  padding: 2px 9px;
}
.lv-board button:disabled { color: var(--lv-muted); cursor: default; opacity: 0.6; }
.lv-toolbar button[aria-pressed="true"] {
  background: var(--lv-text);
  border-color: var(--lv-text);
  color: var(--lv-back);
}
.lv-board .lv-status, .lv-board .lv-help { color: var(--lv-muted); margin: 6px 0; }
.lv-board .lv-help { font-size: 12px; margin-bottom: 0; }
.lv-board .lv-notice {
  border-left: 3px solid #d55e00;
  margin: 6px 0;
  padding: 2px 8px;
}
.lv-board .lv-note { color: var(--lv-muted); font-size: 12px; font-style: italic; margin: 0; }
.lv-stage { position: relative; min-height: 60px; }
.lv-grid { display: grid; gap: 14px 18px; grid-template-columns: repeat(auto-fill, minmax(min(100%, 400px), 1fr)); }
.lv-panel { min-width: 0; }
.lv-plot { min-height: 150px; overflow: hidden; }
.lv-plot[hidden] { display: none; }
.lv-legend { display: flex; flex-wrap: wrap; gap: 2px 4px; padding-left: 70px; }
.lv-board .lv-entry {
  align-items: center;
  background: none;
  border-color: transparent;
  display: inline-flex;
  gap: 6px;
  max-width: 100%;
  min-height: 24px;
  padding: 0 6px;
}
.lv-board .lv-entry:hover { border-color: var(--lv-line); }
.lv-board .lv-entry[aria-pressed="false"] .lv-name { text-decoration: line-through; }
.lv-board .lv-entry[aria-pressed="false"] .lv-swatch, .lv-board .lv-entry[aria-pressed="false"] .lv-value { opacity: 0.35; }
.lv-name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; max-width: 14em; }
.lv-value { font-variant-numeric: tabular-nums; min-width: 4.5em; text-align: left; }
.lv-swatch { border-top: 3px solid; width: 16px; flex: none; }
.lv-swatch.lv-dash { border-top-style: dashed; }
.lv-swatch.lv-dot { border-top-style: dotted; }
.lv-overlay {
  align-items: center;
  background: color-mix(in srgb, var(--lv-back) 65%, transparent);
  display: flex;
  inset: 0;
  justify-content: center;
  position: absolute;
  z-index: 5;
}
.lv-overlay[hidden] { display: none; }
.lv-overlay span {
  background: var(--lv-back);
  border: 1px solid var(--lv-line);
  border-radius: 4px;
  max-width: 80%;
  padding: 8px 14px;
}
.lv-overlay.lv-stale ~ *, .lv-stage:has(> .lv-stale:not([hidden])) .lv-grid,
.lv-stage:has(> .lv-lost:not([hidden])) .lv-grid { filter: grayscale(1); }
.lv-table { max-height: 360px; margin-top: 10px; overflow: auto; }
.lv-table[hidden] { display: none; }
.lv-board table { border-collapse: collapse; color: inherit; font-size: 12px; margin: 0; }
.lv-board caption { color: var(--lv-muted); text-align: left; padding: 2px 0; }
.lv-board th, .lv-board td { border-bottom: 1px solid var(--lv-line); padding: 2px 10px; text-align: right; white-space: nowrap; }
.lv-board th { font-weight: 600; text-align: left; vertical-align: top; }
.lv-board td { font-variant-numeric: tabular-nums; }
.lv-board .u-select { background: color-mix(in srgb, var(--lv-accent) 25%, transparent); }
.lv-board .u-cursor-x, .lv-board .u-cursor-y { border-color: var(--lv-muted); }
.lv-cursor { position: absolute; width: 0; pointer-events: none; border-left: 1px dashed var(--lv-muted); }
.lv-cursor[hidden] { display: none; }
.lv-cursor span {
  background: var(--lv-back);
  border: 1px solid var(--lv-line);
  font-size: 11px;
  left: 0;
  padding: 0 3px;
  position: absolute;
  top: 100%;
  transform: translateX(-50%);
}
/* plotly's own label at the axis: our times are plain seconds to it. */
.lv-plot .hoverlayer .axistext { display: none; }
@media (prefers-reduced-motion: reduce) {
  .lv-board *, .lv-board { animation: none !important; transition: none !important; }
}
`;var b=`.lv-doctor { --lv-fail: #b00020; --lv-warn: #8a5a00; --lv-ok: #1b6e20; }
body[data-jp-theme-light="false"] .lv-doctor { --lv-fail: #ff8a80; --lv-warn: #ffc46b; --lv-ok: #7fd483; }
.lv-doctor [hidden] { display: none !important; }
.lv-doctor p { margin: 4px 0; overflow-wrap: anywhere; }
.lv-doctor .lv-muted { color: var(--lv-muted); }
.lv-doctor label { align-items: center; display: inline-flex; gap: 4px; }
.lv-doctor .lv-make { background: var(--lv-text); border-color: var(--lv-text); color: var(--lv-back); font-weight: 600; }
.lv-doctor .lv-make:disabled { background: var(--lv-button); border-style: dashed; color: var(--lv-text); opacity: 1; }
.lv-doctor .lv-summary { font-weight: 600; }
.lv-doctor .lv-progress { align-items: center; display: flex; flex-wrap: wrap; gap: 4px 8px; overflow-wrap: anywhere; }
.lv-doctor progress { height: 12px; width: min(100%, 18em); }
.lv-doctor .lv-notice { white-space: pre-wrap; }
.lv-doctor .lv-found.lv-old .lv-tree { opacity: 0.75; }
.lv-doctor .lv-filter { margin: 6px 0; }
.lv-doctor .lv-chips { display: flex; flex-wrap: wrap; gap: 4px; }
.lv-doctor input[type="search"] {
  background: var(--lv-back);
  border: 1px solid color-mix(in srgb, var(--lv-text) 55%, transparent);
  border-radius: 3px;
  color: var(--lv-text);
  font: inherit;
  min-height: 26px;
  padding: 2px 6px;
  width: min(20em, 100%);
}
.lv-doctor input::placeholder { color: var(--lv-muted); opacity: 1; }
.lv-doctor summary { border-radius: 3px; cursor: pointer; padding: 3px 2px; }
.lv-doctor summary:hover { background: color-mix(in srgb, var(--lv-accent) 8%, var(--lv-back)); }
.lv-doctor .lv-head-line { display: inline-flex; flex-wrap: wrap; gap: 2px 10px; max-width: calc(100% - 20px); vertical-align: top; }
.lv-doctor .lv-what { font-weight: 600; overflow-wrap: anywhere; }
.lv-doctor .lv-tally { color: var(--lv-muted); font-variant-numeric: tabular-nums; }
.lv-doctor .lv-source > details, .lv-doctor .lv-topic > :not(summary), .lv-doctor .lv-thing > :not(summary), .lv-doctor .lv-well > :not(summary) { margin-left: 16px; }
.lv-doctor .lv-topic > .lv-thing:not(details) { margin-left: 0; }
.lv-doctor div.lv-source > details { margin-left: 0; }
.lv-doctor .lv-topic { border-top: 1px solid var(--lv-line); }
.lv-doctor .lv-well > summary, .lv-doctor .lv-seen > summary { color: var(--lv-muted); }
.lv-doctor .lv-finding { border-left: 3px solid var(--lv-line); margin: 4px 0; padding: 2px 8px; }
.lv-doctor .lv-finding[data-verdict="fail"] { border-left-color: var(--lv-fail); }
.lv-doctor .lv-finding[data-verdict="warning"] { border-left-color: var(--lv-warn); border-left-style: dashed; }
.lv-doctor .lv-line { display: flex; flex-wrap: wrap; gap: 2px 8px; overflow-wrap: anywhere; }
.lv-doctor .lv-question { min-width: 0; }
.lv-doctor .lv-mark { white-space: nowrap; }
.lv-doctor .lv-v-fail { color: var(--lv-fail); }
.lv-doctor .lv-v-warning { color: var(--lv-warn); }
.lv-doctor .lv-v-ok { color: var(--lv-ok); }
.lv-doctor .lv-v-unknown, .lv-doctor .lv-v-na { color: var(--lv-muted); }
.lv-doctor .lv-label { color: var(--lv-muted); }
.lv-doctor .lv-remedy { display: flex; flex-wrap: wrap; gap: 4px 8px; align-items: start; }
.lv-doctor code, .lv-doctor pre {
  background: var(--jp-layout-color2, #8882);
  border-radius: 3px;
  color: var(--lv-text);
  font: 12px/1.4 var(--jp-code-font-family, monospace);
  min-width: 0;
  overflow-wrap: anywhere;
  padding: 2px 6px;
  white-space: pre-wrap;
}
.lv-doctor pre { margin: 2px 0; max-height: 16em; overflow: auto; }
.lv-doctor .lv-knobs { display: inline-flex; gap: 4px; }
.lv-doctor .lv-knobs button { min-height: 24px; padding: 0 8px; }
.lv-doctor .lv-unseen { clip-path: inset(50%); height: 1px; overflow: hidden; position: absolute; white-space: nowrap; width: 1px; }
`;function a(d,t={},...e){let i=document.createElement(d);for(let[l,r]of Object.entries(t))if(l==="on")for(let[s,o]of Object.entries(r))i.addEventListener(s,o);else r===!0?i.setAttribute(l,""):r!==!1&&r!==null&&r!==void 0&&i.setAttribute(l,r);return i.append(...e.filter(l=>l!=null)),i}var v=(d,t={})=>(d??"").replace(/\{(\w+)\}/g,(e,i)=>i in t?String(t[i]):e);function c(d,t){d.textContent!==t&&(d.textContent=t)}var g=(d,t)=>d.setAttribute("aria-pressed",String(t));var w=new Set(["ok","n/a"]),j=new Set(["fail"]),p=class{constructor(t,e){Object.assign(this,{send:t,speak:e,words:{},sources:[],known:!1,why:""}),this.folds=new Map,this.only=new Set,this.chips=a("div",{class:"lv-chips",role:"group"}),this.find=a("input",{type:"search",on:{input:()=>this.draw()}}),this.count=a("span",{class:"lv-muted",role:"status"}),this.open=a("button",{type:"button","data-do":"unfold",on:{click:()=>this.foldAll(!0)}}),this.shut=a("button",{type:"button","data-do":"fold",on:{click:()=>this.foldAll(!1)}}),this.bar=a("div",{class:"lv-toolbar lv-filter"},this.chips,this.find,this.open,this.shut,this.count),this.body=a("div",{class:"lv-tree",role:"region",on:{keydown:i=>this.key(i)}}),this.empty=a("p",{class:"lv-note",role:"status"}),this.el=a("div",{class:"lv-found"},this.bar,this.body,this.empty)}setWords(t){this.words=t,this.find.placeholder=t.search,this.find.setAttribute("aria-label",t.search),this.chips.setAttribute("aria-label",t.filter),this.body.setAttribute("aria-label",t.tree),c(this.open,t.unfold),c(this.shut,t.fold),this.draw()}set({sources:t,known:e}){Object.assign(this,{sources:t,known:e}),this.draw()}allow(t){this.why=t;for(let e of this.body.querySelectorAll("[data-fix]"))this.tellFix(e)}tellFix(t){t.disabled=!!this.why,t.title=this.why||this.words.fix_tip}get all(){return this.sources.flatMap(t=>t.groups.flatMap(e=>e.things.flatMap(i=>i.findings)))}draw(){if(!this.words.verdicts)return;let{words:t,all:e}=this;this.wanted=this.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean),this.isNarrow=!!(this.wanted.length||this.only.size),this.shown=0,this.drawChips(e);let i=this.sources.map((r,s)=>this.source(r,s)).filter(Boolean);this.keep(()=>this.body.replaceChildren(...i)),this.bar.hidden=!e.length,this.body.hidden=!i.length;let l=e.length?t.nothing_shown:t.nothing;c(this.empty,i.length||!this.known?"":l),c(this.count,this.isNarrow?v(t.count,{shown:this.shown,all:e.length}):""),this.allow(this.why),Object.assign(this.el.dataset,{findings:e.length,shown:this.shown})}keep(t){let e=document.activeElement,i=this.body.contains(e)?e.dataset.at:null;t(),i&&this.body.querySelector(`[data-at="${CSS.escape(i)}"]`)?.focus({preventScroll:!0})}drawChips(t){for(let[e,{mark:i,word:l}]of Object.entries(this.words.verdicts)){let r=t.filter(o=>o.verdict===e).length,s=this.chips.querySelector(`[data-verdict="${e}"]`);s||(s=a("button",{type:"button","data-verdict":e,on:{click:()=>this.narrow(e)}}),this.chips.append(s)),c(s,`${i} ${l}: ${r}`),g(s,this.only.has(e)),s.hidden=!r&&!this.only.has(e)}}narrow(t){this.only.delete(t)||this.only.add(t),this.draw()}fits(t){if(this.only.size&&!this.only.has(t.verdict))return!1;if(!this.wanted.length)return!0;let e=[t.id,t.question,t.evidence,t.cause,t.remedy].join(" ").toLowerCase();return this.wanted.every(i=>e.includes(i))}source(t,e){let i=`${e}`,l=t.groups.map(s=>this.group(s,`${i}/${s.key}`,e)).filter(Boolean);if(t.error&&l.unshift(a("p",{class:"lv-notice",role:"alert","data-raw":""},t.error)),!l.length)return null;if(this.sources.length===1)return a("div",{class:"lv-source"},...l);let r=t.error?"fail":t.verdict;return this.fold(i,"lv-source",this.head(r,t.title,t.error?null:A(t)),l,!0)}group(t,e,i){let l=t.things.map(s=>this.thing(s,`${e}/${s.name}`,i)).filter(Boolean);if(!l.length)return null;let r=this.head(t.verdict,t.title,t.things.flatMap(s=>s.findings));return this.fold(e,"lv-topic",r,l,!w.has(t.verdict))}thing(t,e,i){let l=t.findings.filter(n=>this.fits(n));if(!l.length)return null;this.shown+=l.length;let r=l.filter(n=>this.isNarrow||!w.has(n.verdict)),s=l.filter(n=>!r.includes(n)),o=r.map(n=>this.finding(n,`${e}/${n.id}`,i));if(s.length){let n=a("span",{},`${this.words.verdicts.ok.mark} ${v(this.words.well,{count:s.length})}`),h=()=>s.map(u=>this.finding(u,`${e}/${u.id}`,i));o.push(this.fold(`${e}/well`,"lv-well",n,h,!1))}return t.name?this.fold(e,"lv-thing",this.head(t.verdict,t.name,t.findings,!0),o,j.has(t.verdict)||this.isNarrow):a("div",{class:"lv-thing"},...o)}head(t,e,i,l=!1){let r=Object.entries(this.words.verdicts).map(([s,{mark:o,word:n}])=>[o,n,(i??[]).filter(h=>h.verdict===s).length]).filter(([,,s])=>s).map(([s,o,n])=>a("span",{class:"lv-tally",title:o},`${s} ${n}`,a("span",{class:"lv-unseen"},` ${o}`)));return a("span",{class:"lv-head-line"},a("b",{class:`lv-mark lv-v-${x(t)}`,"aria-hidden":"true"},this.words.verdicts[t].mark),a("span",{class:"lv-what","data-raw":l?"":null},e),...r)}fold(t,e,i,l,r){let s=a("summary",{"data-at":t},i),o=a("details",{class:e,"data-key":t},s),n=()=>{if(!o.dataset.filled){o.dataset.filled="yes",o.append(...typeof l=="function"?l():l);for(let h of o.querySelectorAll("[data-fix]"))this.tellFix(h)}};return o.open=this.isNarrow?!0:this.folds.get(t)??r,(o.open||typeof l!="function")&&n(),o.fill=n,o.addEventListener("toggle",()=>{o.open&&n(),this.isNarrow||this.folds.set(t,o.open)}),o}finding(t,e,i){let{words:l}=this,{mark:r,word:s}=l.verdicts[t.verdict],o={lang:"en","data-raw":""},n=[a("div",{class:"lv-line"},a("b",{class:`lv-mark lv-v-${x(t.verdict)}`},`${r} ${s}`),a("span",{class:"lv-question",...o},t.question))];if(t.cause&&n.push(a("p",{class:"lv-cause"},a("span",{class:"lv-label"},`${l.cause}: `),a("span",o,t.cause))),(t.remedy||t.fixable)&&n.push(this.remedy(t,e,i)),t.evidence||t.guide){let h=a("summary",{"data-at":`${e}/seen`},l.evidence,a("span",{class:"lv-unseen",...o},` ${t.question}`));n.push(a("details",{class:"lv-seen"},h,t.evidence?a("pre",{tabindex:0,...o},t.evidence):null,a("p",{class:"lv-note",...o},[t.id,t.guide].filter(Boolean).join(" · "))))}return a("div",{class:"lv-finding","data-finding":t.id,"data-verdict":t.verdict},...n)}remedy(t,e,i){let{words:l}=this,r=[];if(t.fixable){let s=()=>this.send({t:"fix",key:t.id,target:i});r.push(a("button",{type:"button","data-fix":t.id,"data-raw":"","data-at":`${e}/fix`,"aria-label":`${l.fix} ${t.question}`,on:{click:s}},l.fix))}return t.remedy&&r.push(a("button",{type:"button","data-copy":t.id,"data-raw":"","data-at":`${e}/copy`,title:l.copy_tip,"aria-label":`${l.copy_tip}: ${t.question}`,on:{click:()=>this.copy(t.remedy)}},l.copy)),a("div",{class:"lv-remedy"},a("span",{class:"lv-label"},`${l.remedy}: `),t.remedy?a("code",{lang:"en","data-raw":""},t.remedy):null,a("span",{class:"lv-knobs"},...r))}async copy(t){try{await navigator.clipboard.writeText(t)}catch{let e=a("textarea",{});e.value=t;let i=document.activeElement;this.el.append(e),e.select(),document.execCommand("copy"),e.remove(),i?.focus()}this.speak(""),setTimeout(()=>this.speak(this.words.copied),50)}foldAll(t){for(let e=0;e<4;e+=1)for(let i of this.body.querySelectorAll("details:not(.lv-seen)"))t&&i.fill?.(),i.open=t}key(t){if(!t.target.matches("summary")||t.ctrlKey||t.metaKey||t.altKey)return;let e=[...this.body.querySelectorAll("summary")].filter(s=>s.checkVisibility()),i=e.indexOf(t.target),l=t.target.parentElement,r={ArrowDown:i+1,ArrowUp:i-1,Home:0,End:e.length-1}[t.key];if(r!==void 0)e[Math.max(0,Math.min(r,e.length-1))]?.focus();else if(t.key==="ArrowRight")l.open=!0;else if(t.key==="ArrowLeft"&&l.open)l.open=!1;else if(t.key==="ArrowLeft")l.parentElement.closest("details")?.querySelector("summary").focus();else return;t.preventDefault()}},x=d=>d.replace("/",""),A=d=>d.groups.flatMap(t=>t.things.flatMap(e=>e.findings));var S=8e3,y=5e3,f=class{constructor(t,e){Object.assign(this,{el:t,send:e,view:crypto.randomUUID(),words:{}});let i=(l,r)=>a("button",{type:"button","data-do":l,on:{click:r}});this.title=a("h3",{class:"lv-title"}),this.again=i("again",()=>this.ask({t:"again",deep:this.deep.checked})),this.again.classList.add("lv-make"),this.cancel=i("cancel",()=>this.ask({t:"cancel"})),this.deep=a("input",{type:"checkbox"}),this.deepLabel=a("span"),this.deepBox=a("label",{},this.deep,this.deepLabel),this.json=i("json",()=>this.ask({t:"export",what:"json",view:this.view})),this.html=i("html",()=>this.ask({t:"export",what:"html",view:this.view})),this.summary=a("p",{class:"lv-summary",role:"status"}),this.bar=a("progress",{max:1,value:0}),this.step=a("span",{class:"lv-step"}),this.asked=a("span",{class:"lv-muted",lang:"en","data-raw":""}),this.progress=a("div",{class:"lv-progress"},this.bar,this.step,this.asked),this.said=a("p",{class:"lv-said",role:"status"}),this.stale=a("p",{class:"lv-notice",role:"status"}),this.lost=a("p",{class:"lv-notice",role:"alert",hidden:!0}),this.tree=new p(l=>this.ask(l),l=>c(this.said,l)),this.root=a("section",{class:"lv-board lv-doctor"},this.title,a("div",{class:"lv-toolbar"},this.again,this.deepBox,this.cancel,this.json,this.html),this.summary,this.progress,this.said,this.stale,this.lost,this.tree.el),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",l=>l.stopPropagation()),t.append(this.root),this.heard=Date.now(),this.beating=setInterval(()=>this.watch(),y)}hello(){this.ask({t:"hello"})}ask(t){try{this.send(t)}catch{}}watch(){this.ask({t:"beat"}),Date.now()-this.heard>y+S&&(this.lost.hidden=!1)}take(t){this.heard=Date.now(),this.lost.hidden=!0,t.t==="words"?this.setWords(t):t.t==="tree"?this.tree.set(t):t.t==="state"?this.draw(t):t.t==="progress"?this.drawProgress(t):t.t==="file"&&t.view===this.view&&L(t)}setWords({words:t,title:e,lang:i}){this.words=t,this.root.lang=i,c(this.title,e);for(let l of["again","cancel"])c(this[l],t[l]),this[l].title=t[`${l}_tip`];c(this.deepLabel,t.deep),this.deepBox.title=t.deep_tip;for(let l of["json","html"])c(this[l],l.toUpperCase()),this[l].title=t[`${l}_tip`];c(this.lost,t.lost),this.bar.setAttribute("aria-label",t.looking),this.tree.setWords(t)}draw(t){let{running:e,still:i,deep:l,said:r,stale:s,summary:o,why:n,progress:h}=t;this.again.hidden=i,this.deepBox.hidden=i,this.again.disabled=e,this.deep.disabled=e,e&&(this.deep.checked=l),this.cancel.hidden=!e,this.progress.hidden=!e,this.json.disabled=this.html.disabled=e||!this.tree.known,c(this.summary,o),c(this.said,r),this.said.hidden=!r,c(this.stale,s),this.stale.hidden=!s,e&&this.drawProgress(h),this.tree.allow(n),this.tree.el.classList.toggle("lv-old",e),this.root.dataset.running=String(e),this.root.dataset.stale=String(!!s),this.el.dataset.lv="ready"}drawProgress({done:t=0,all:e=0,question:i=""}){e?this.bar.value=t/e:this.bar.removeAttribute("value"),c(this.step,v(this.words.progress,{done:t,all:e})),c(this.asked,i)}end(){clearInterval(this.beating),this.root.remove()}};function L({name:d,mime:t,text:e}){let i=URL.createObjectURL(new Blob([e],{type:`${t};charset=utf-8`}));a("a",{href:i,download:d}).click(),setTimeout(()=>URL.revokeObjectURL(i),1e4)}function N({model:d,el:t,inbox:e}){t.append(a("style",{},m+b));let i=new f(t,s=>d.send(s)),l=s=>i.take(s),r=e.takers??=new Set;return r.add(l),e.take=s=>r.forEach(o=>o(s)),e.messages.length=0,i.hello(),()=>{r.delete(l),i.end()}}export{N as render};
