var h=`.lv-board {
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
`;var x=`.lv-xml { display: block; }
.lv-xml-label { display: block; font-weight: bold; margin: 4px 0; }
.lv-xml-both {
  display: flex; overflow: hidden; height: 30em; resize: vertical; min-height: 8em;
  border: 1px solid var(--jp-border-color1, #888);
  font: 13px/18px var(--jp-code-font-family, ui-monospace, monospace);
  background: var(--jp-layout-color0, #fff); color: var(--jp-content-font-color1, #111);
}
.lv-xml-both:focus-within { outline: 2px solid var(--jp-brand-color1, #1565c0); }
.lv-xml-gutter {
  flex: none; min-width: 3.2em; padding: 4px 8px 40px 4px; text-align: right; user-select: none;
  color: var(--jp-content-font-color2, #555); background: var(--jp-layout-color2, #eee);
}
.lv-xml-gutter div, .lv-xml-copy div { height: 18px; line-height: 18px; }
.lv-xml-gutter .lv-bad { color: var(--jp-error-color0, #b71c1c); font-weight: bold; }
.lv-xml-gutter .lv-bad::before { content: "● "; }
.lv-xml-pane { position: relative; flex: 1; min-width: 0; overflow: hidden; }
.lv-xml-copy, .lv-xml-text {
  margin: 0; padding: 4px 6px; border: 0; font: inherit; line-height: 18px; tab-size: 2;
  white-space: pre; letter-spacing: normal;
}
.lv-xml-copy { position: absolute; top: 0; left: 0; min-width: 100%; pointer-events: none; color: inherit; background: none; overflow: visible; }
.lv-xml-copy .lv-bad {
  text-decoration: underline wavy var(--jp-error-color1, #d32f2f); text-underline-offset: 3px;
}
.lv-xml-text {
  position: absolute; inset: 0; width: 100%; height: 100%; box-sizing: border-box; resize: none;
  overflow: auto; background: transparent; color: var(--jp-content-font-color1, #111);
  -webkit-text-fill-color: transparent; caret-color: var(--jp-content-font-color1, #111); outline: none;
}
.lv-xml-text::selection { background: var(--jp-editor-selected-focused-background, #b3d4fc88); }
.lv-xml-faults { margin: 2px 0 2px 1.2em; padding: 0; }
.lv-xml-faults button { font: inherit; padding: 0 6px; cursor: pointer; }
.lv-x-tag { color: var(--jp-mirror-editor-tag-color, #117700); }
.lv-x-name { color: var(--jp-mirror-editor-attribute-color, #0000cc); }
.lv-x-value { color: var(--jp-mirror-editor-string-color, #a01515); }
.lv-x-comment { color: var(--jp-mirror-editor-comment-color, #40706f); font-style: italic; }
.lv-x-meta { color: var(--jp-mirror-editor-meta-color, #7700aa); }
.lv-x-wrong { text-decoration: underline wavy var(--jp-error-color1, #d32f2f); }
`;function n(a,o={},...r){let t=document.createElement(a);for(let[i,e]of Object.entries(o))if(i==="on")for(let[l,s]of Object.entries(e))t.addEventListener(l,s);else e===!0?t.setAttribute(i,""):e!==!1&&e!==null&&e!==void 0&&t.setAttribute(i,e);return t.append(...r.filter(i=>i!=null)),t}var u=(a,o={})=>(a??"").replace(/\{(\w+)\}/g,(r,t)=>t in o?String(o[t]):r);function p(a,o){a.textContent!==o&&(a.textContent=o)}var k=[".labvirt-details",".labvirt-manager"];function j(a){!a.ctrlKey&&!a.metaKey&&!a.altKey&&a.stopPropagation()}function v(a,o=50){let r=k.map(t=>a.closest(t)).filter(Boolean);for(let t of r)t.dataset.lvKeys||(t.dataset.lvKeys="own",t.addEventListener("keydown",j));!r.length&&o&&setTimeout(()=>v(a,o-1),100)}var m="text",E={text:[[/^<!--/,"comment","comment"],[/^<[?!][^>]*>?/,"meta","text"],[/^<\/?[\w:.-]*/,"tag","tag"],[/^&[\w#]*;?/,"meta","text"],[/^[^<&]+/,"","text"]],comment:[[/^.*?-->/,"comment","text"],[/^.+/,"comment","comment"]],tag:[[/^\/?>/,"tag","text"],[/^[\w:.-]+(?=\s*=)/,"name","tag"],[/^'[^'<]*'/,"value","tag"],[/^"[^"<]*"/,"value","tag"],[/^'[^'<]*$/,"value","single"],[/^"[^"<]*$/,"value","double"],[/^</,"wrong","text"],[/^\s+|^=/,"","tag"],[/^[^\s=/><'"]+|^./,"","tag"]],single:[[/^[^']*'/,"value","tag"],[/^.+/,"value","single"]],double:[[/^[^"]*"/,"value","tag"],[/^.+/,"value","double"]]};function f(a,o,r){let t=r,i=o;for(;i;){let[e,l,s]=E[t].map(([d,g,b])=>[d.exec(i)?.[0],g,b]).find(([d])=>d)??[i,"",t];a.append(l?n("span",{class:`lv-x-${l}`},e):e),i=i.slice(e.length),t=s}return o||a.append("​"),t}var S=350,c=class{constructor(o,r){Object.assign(this,{el:o,send:r,lines:[],faults:[],n:0});let t=crypto.randomUUID();this.label=n("label",{for:`${t}-t`,class:"lv-xml-label"}),this.gutter=n("div",{class:"lv-xml-gutter","aria-hidden":"true"}),this.copy=n("div",{class:"lv-xml-copy","aria-hidden":"true"}),this.text=n("textarea",{id:`${t}-t`,class:"lv-xml-text",spellcheck:"false",wrap:"off",rows:22,autocomplete:"off",autocapitalize:"off","aria-describedby":`${t}-s`}),this.said=n("p",{id:`${t}-s`,role:"status",class:"lv-status"}),this.list=n("ul",{class:"lv-xml-faults"});let i=n("div",{class:"lv-xml-pane"},this.copy,this.text),e=n("div",{class:"lv-xml-both"},this.gutter,i);this.root=n("section",{class:"lv-board lv-xml"},this.label,e,this.said,this.list),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",l=>l.stopPropagation()),this.text.addEventListener("input",()=>this.typed()),this.text.addEventListener("blur",()=>this.flush()),this.text.addEventListener("scroll",()=>this.follow()),o.append(this.root)}take(o){if(o.t!=="xml")return;let{text:r,faults:t,words:i,readonly:e,n:l}=o;this.words=i,p(this.label,i.label),this.text.title=i.tip,this.text.readOnly=e,r!==void 0&&r!==this.text.value&&!this.timer&&(this.text.value=r,this.draw()),l>=this.n&&this.mark(t,o.said),Object.assign(this.el.dataset,{lv:"ready",faults:String(this.faults.length),seq:String(l)})}typed(){this.draw(),clearTimeout(this.timer),this.timer=setTimeout(()=>this.flush(),S)}flush(){this.timer&&(clearTimeout(this.timer),this.timer=0,this.n+=1,this.send({t:"set",text:this.text.value,n:this.n}))}draw(){let o=this.text.value.split(`
`),r=m;o.forEach((t,i)=>{let e=this.lines[i];if(e&&e.text===t&&e.from===r){r=e.to;return}let l=n("div"),s=f(l,t,r);e?e.row.replaceWith(l):this.copy.append(l),this.lines[i]={text:t,from:r,to:s,row:l},r=s});for(let t of this.lines.splice(o.length))t.row.remove();for(;this.gutter.childElementCount>o.length;)this.gutter.lastChild.remove();for(;this.gutter.childElementCount<o.length;)this.gutter.append(n("div",{},String(this.gutter.childElementCount+1)));this.follow()}follow(){this.copy.style.transform=`translate(${-this.text.scrollLeft}px, ${-this.text.scrollTop}px)`,this.gutter.style.transform=`translateY(${-this.text.scrollTop}px)`}mark(o,r){this.faults=o;let t=new Map(o.filter(([e])=>e>0).map(([e,l])=>[e,l]));[...this.gutter.children].forEach((e,l)=>{e.classList.toggle("lv-bad",t.has(l+1)),e.title=t.get(l+1)??""}),this.lines.forEach(({row:e},l)=>e.classList.toggle("lv-bad",t.has(l+1))),this.text.setAttribute("aria-invalid",String(o.length>0)),p(this.said,r);let i=o.map(([e,l])=>{if(!e)return n("li",{},l);let s=u(this.words.line,{number:e}),d=n("button",{type:"button",title:this.words.go},s);return d.addEventListener("click",()=>this.go(e)),n("li",{},d,` ${l}`)});this.list.replaceChildren(...i)}go(o){let r=this.lines.slice(0,o-1).reduce((i,{text:e})=>i+e.length+1,0);this.text.focus(),this.text.setSelectionRange(r,r+(this.lines[o-1]?.text.length??0));let t=this.text.scrollHeight/Math.max(1,this.lines.length);this.text.scrollTop=Math.max(0,(o-4)*t)}};function P({model:a,el:o,inbox:r}){o.append(n("style",{},h+x)),v(o);let t=new c(o,l=>a.send(l)),i=l=>t.take(l),e=r.takers??=new Set;e.add(i),r.take=l=>e.forEach(s=>s(l));for(let[l]of r.messages.splice(0))i(l);return a.send({t:"hello"}),()=>{t.flush(),e.delete(i)}}export{P as render};
