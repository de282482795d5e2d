var c=`.lv-board {
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
`;var h=`.lv-xml { display: block; }
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
`;function a(n,l={},...i){let e=document.createElement(n);for(let[r,t]of Object.entries(l))if(r==="on")for(let[o,s]of Object.entries(t))e.addEventListener(o,s);else t===!0?e.setAttribute(r,""):t!==!1&&t!==null&&t!==void 0&&e.setAttribute(r,t);return e.append(...i.filter(r=>r!=null)),e}var x=(n,l={})=>(n??"").replace(/\{(\w+)\}/g,(i,e)=>e in l?String(l[e]):i);function p(n,l){n.textContent!==l&&(n.textContent=l)}var u="text",y={text:[[/^<!--/,"comment","comment"],[/^<[?!][^>]*>?/,"meta","text"],[/^<\/?[\w:.-]*/,"tag","tag"],[/^&[\w#]*;?/,"meta","text"],[/^[^<&]+/,"","text"]],comment:[[/^.*?-->/,"comment","text"],[/^.+/,"comment","comment"]],tag:[[/^\/?>/,"tag","text"],[/^[\w:.-]+(?=\s*=)/,"name","tag"],[/^'[^'<]*'/,"value","tag"],[/^"[^"<]*"/,"value","tag"],[/^'[^'<]*$/,"value","single"],[/^"[^"<]*$/,"value","double"],[/^</,"wrong","text"],[/^\s+|^=/,"","tag"],[/^[^\s=/><'"]+|^./,"","tag"]],single:[[/^[^']*'/,"value","tag"],[/^.+/,"value","single"]],double:[[/^[^"]*"/,"value","tag"],[/^.+/,"value","double"]]};function m(n,l,i){let e=i,r=l;for(;r;){let[t,o,s]=y[e].map(([d,f,g])=>[d.exec(r)?.[0],f,g]).find(([d])=>d)??[r,"",e];n.append(o?a("span",{class:`lv-x-${o}`},t):t),r=r.slice(t.length),e=s}return l||n.append("​"),e}var k=350,v=class{constructor(l,i){Object.assign(this,{el:l,send:i,lines:[],faults:[],n:0});let e=crypto.randomUUID();this.label=a("label",{for:`${e}-t`,class:"lv-xml-label"}),this.gutter=a("div",{class:"lv-xml-gutter","aria-hidden":"true"}),this.copy=a("div",{class:"lv-xml-copy","aria-hidden":"true"}),this.text=a("textarea",{id:`${e}-t`,class:"lv-xml-text",spellcheck:"false",wrap:"off",rows:22,autocomplete:"off",autocapitalize:"off","aria-describedby":`${e}-s`}),this.said=a("p",{id:`${e}-s`,role:"status",class:"lv-status"}),this.list=a("ul",{class:"lv-xml-faults"});let r=a("div",{class:"lv-xml-pane"},this.copy,this.text),t=a("div",{class:"lv-xml-both"},this.gutter,r);this.root=a("section",{class:"lv-board lv-xml"},this.label,t,this.said,this.list),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",o=>o.stopPropagation()),this.text.addEventListener("input",()=>this.typed()),this.text.addEventListener("blur",()=>this.flush()),this.text.addEventListener("scroll",()=>this.follow()),l.append(this.root)}take(l){if(l.t!=="xml")return;let{text:i,faults:e,words:r,readonly:t,n:o}=l;this.words=r,p(this.label,r.label),this.text.title=r.tip,this.text.readOnly=t,i!==void 0&&i!==this.text.value&&!this.timer&&(this.text.value=i,this.draw()),o>=this.n&&this.mark(e,l.said),Object.assign(this.el.dataset,{lv:"ready",faults:String(this.faults.length),seq:String(o)})}typed(){this.draw(),clearTimeout(this.timer),this.timer=setTimeout(()=>this.flush(),k)}flush(){this.timer&&(clearTimeout(this.timer),this.timer=0,this.n+=1,this.send({t:"set",text:this.text.value,n:this.n}))}draw(){let l=this.text.value.split(`
`),i=u;l.forEach((e,r)=>{let t=this.lines[r];if(t&&t.text===e&&t.from===i){i=t.to;return}let o=a("div"),s=m(o,e,i);t?t.row.replaceWith(o):this.copy.append(o),this.lines[r]={text:e,from:i,to:s,row:o},i=s});for(let e of this.lines.splice(l.length))e.row.remove();for(;this.gutter.childElementCount>l.length;)this.gutter.lastChild.remove();for(;this.gutter.childElementCount<l.length;)this.gutter.append(a("div",{},String(this.gutter.childElementCount+1)));this.follow()}follow(){this.copy.style.transform=`translate(${-this.text.scrollLeft}px, ${-this.text.scrollTop}px)`,this.gutter.style.transform=`translateY(${-this.text.scrollTop}px)`}mark(l,i){this.faults=l;let e=new Map(l.filter(([t])=>t>0).map(([t,o])=>[t,o]));[...this.gutter.children].forEach((t,o)=>{t.classList.toggle("lv-bad",e.has(o+1)),t.title=e.get(o+1)??""}),this.lines.forEach(({row:t},o)=>t.classList.toggle("lv-bad",e.has(o+1))),this.text.setAttribute("aria-invalid",String(l.length>0)),p(this.said,i);let r=l.map(([t,o])=>{if(!t)return a("li",{},o);let s=x(this.words.line,{number:t}),d=a("button",{type:"button",title:this.words.go},s);return d.addEventListener("click",()=>this.go(t)),a("li",{},d,` ${o}`)});this.list.replaceChildren(...r)}go(l){let i=this.lines.slice(0,l-1).reduce((r,{text:t})=>r+t.length+1,0);this.text.focus(),this.text.setSelectionRange(i,i+(this.lines[l-1]?.text.length??0));let e=this.text.scrollHeight/Math.max(1,this.lines.length);this.text.scrollTop=Math.max(0,(l-4)*e)}};function O({model:n,el:l,inbox:i}){l.append(a("style",{},c+h));let e=new v(l,o=>n.send(o)),r=o=>e.take(o),t=i.takers??=new Set;t.add(r),i.take=o=>t.forEach(s=>s(o));for(let[o]of i.messages.splice(0))r(o);return n.send({t:"hello"}),()=>{e.flush(),t.delete(r)}}export{O as render};
