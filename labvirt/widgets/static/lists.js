var u=`.lv-board {
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
`;var f=`.lv-list { padding: 4px 0; }
.lv-list [hidden] { display: none; }
.lv-list .lv-muted { color: var(--lv-muted); }
.lv-list input[type="search"] {
  background: var(--lv-back);
  border: 1px solid var(--lv-line);
  border-radius: 3px;
  color: var(--lv-text);
  font: inherit;
  min-height: 26px;
  padding: 2px 6px;
  width: min(22em, 100%);
}
.lv-list .lv-list-scroll {
  border: 1px solid var(--lv-line);
  margin-top: 4px;
  max-height: 300px;
  overflow: auto;
  position: relative;
}
.lv-list table { min-width: 100%; width: max-content; }
.lv-list caption { height: 1px; margin: -1px; overflow: hidden; padding: 0; position: absolute; width: 1px; clip-path: inset(50%); }
.lv-list thead th { background: var(--lv-button); position: sticky; top: 0; z-index: 1; }
.lv-list thead button { background: none; border-color: transparent; font-weight: 600; margin: 0 -9px; min-height: 24px; text-align: left; }
.lv-list thead button:hover { border-color: var(--lv-line); }
.lv-list [aria-sort="ascending"] button::after { content: " ▲"; }
.lv-list [aria-sort="descending"] button::after { content: " ▼"; }
.lv-list tbody th, .lv-list tbody td {
  cursor: default;
  font-weight: 400;
  max-width: 26em;
  overflow: hidden;
  padding: 3px 10px;
  text-align: left;
  text-overflow: ellipsis;
}
.lv-list tr > :first-child { left: 0; position: sticky; z-index: 1; }
.lv-list thead tr > :first-child { z-index: 2; }
.lv-list tbody th { background: var(--lv-back); border-left: 3px solid transparent; padding-left: 7px; }
.lv-list .lv-number, .lv-list tbody td.lv-number { text-align: right; }
.lv-list tbody tr:hover > * { background: color-mix(in srgb, var(--lv-accent) 8%, var(--lv-back)); }
.lv-list tbody tr[aria-selected="true"] > * { background: color-mix(in srgb, var(--lv-accent) 20%, var(--lv-back)); }
.lv-list tbody tr[aria-selected="true"] th { border-left-color: var(--lv-accent); font-weight: 600; }
.lv-list .lv-meter {
  border: 1px solid var(--lv-muted);
  border-radius: 2px;
  display: inline-block;
  height: 9px;
  margin-right: 8px;
  overflow: hidden;
  vertical-align: -1px;
  width: 72px;
}
.lv-list .lv-meter span { background: var(--lv-accent); display: block; height: 100%; }
.lv-list .lv-meter .lv-full { background: repeating-linear-gradient(45deg, #d55e00 0 3px, transparent 3px 5px); }
/* As wide as its words, and in two rows where there is no room; ipywidgets would cut them off. */
:is(.labvirt-manager, .labvirt-host) > .widget-tab > .lm-TabBar { flex: none; min-height: 0; }
:is(.labvirt-manager, .labvirt-host) > .widget-tab > .lm-TabBar > .lm-TabBar-content { flex-wrap: wrap; }
:is(.labvirt-manager, .labvirt-host) > .widget-tab > .lm-TabBar .lm-TabBar-tab { flex: 0 0 auto; max-width: 26em; }
`;function s(n,t={},...e){let r=document.createElement(n);for(let[o,i]of Object.entries(t))if(o==="on")for(let[l,d]of Object.entries(i))r.addEventListener(l,d);else i===!0?r.setAttribute(o,""):i!==!1&&i!==null&&i!==void 0&&r.setAttribute(o,i);return r.append(...e.filter(o=>o!=null)),r}var b=(n,t={})=>(n??"").replace(/\{(\w+)\}/g,(e,r)=>r in t?String(t[r]):e);function p(n,t){n.textContent!==t&&(n.textContent=t)}var x=400,w=8,v=class{constructor(t,e){Object.assign(this,{el:t,send:e,id:crypto.randomUUID(),rows:[],shown:[],columns:[],words:{}}),this.sort={at:-1,down:!1},this.selected=null,this.find=s("input",{type:"search",on:{input:()=>this.draw()}}),this.count=s("span",{class:"lv-muted",role:"status"}),this.bar=s("div",{class:"lv-toolbar",hidden:!0},this.find,this.count),this.caption=s("caption"),this.head=s("tr",{on:{keydown:r=>this.heading(r)}}),this.body=s("tbody"),this.table=s("table",{role:"grid",tabindex:0,on:{keydown:r=>this.key(r)}},this.caption,s("thead",{},this.head),this.body),this.body.addEventListener("pointerdown",r=>this.point(r)),this.body.addEventListener("dblclick",r=>this.rowOf(r)&&this.open()),this.scroller=s("div",{class:"lv-list-scroll"},this.table),this.empty=s("p",{class:"lv-note",role:"status"}),this.more=s("p",{class:"lv-note"}),this.root=s("section",{class:"lv-board lv-list"},this.bar,this.scroller,this.more,this.empty),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",r=>r.stopPropagation()),t.append(this.root),this.watching=setInterval(()=>this.look(),1e3),this.lookedAt=Date.now()}hello(){this.send({t:"hello"})}look(){let t=!document.hidden&&this.root.offsetParent!==null;!this.every||!t||Date.now()-this.lookedAt<this.every*1e3||(this.lookedAt=Date.now(),this.send({t:"look"}))}take(t){if(t.t==="select")this.selected=t.key,this.mark(!0);else if(t.t==="table"){let{columns:e,rows:r,selected:o,label:i,words:l,tree:d,look_s:a,empty:h}=t,c=JSON.stringify(e)!==JSON.stringify(this.columns);Object.assign(this,{columns:e,rows:r,words:l,label:i,tree:d,every:a,emptyText:h}),this.selected=o,c&&this.drawHead(),this.draw()}}drawHead(){let t=this.columns.map(({title:e,tip:r,kind:o},i)=>{let l={scope:"col",class:o==="number"?"lv-number":null};if(this.tree)return s("th",{...l,title:r},e);let a=s("button",{...{type:"button",title:r,tabindex:i?-1:0},on:{click:()=>this.order(i)}},e);return s("th",l,a)});this.head.replaceChildren(...t),this.caption.textContent=this.label,this.table.setAttribute("role",this.tree?"treegrid":"grid"),this.table.setAttribute("aria-label",this.label),this.find.setAttribute("aria-label",`${this.words.filter}: ${this.label}`),this.find.placeholder=this.words.filter}draw(){let{rows:t,sort:e,words:r}=this,o=this.find.value.trim().toLowerCase().split(/\s+/).filter(Boolean),i=a=>a.cells.map(h=>h.s).join(" ").toLowerCase(),l=o.length?t.filter(a=>o.every(h=>i(a).includes(h))):[...t];e.at>=0&&!this.tree&&l.sort((a,h)=>k(a.cells[e.at],h.cells[e.at],e.down)),this.shown=l.slice(0,x),this.body.replaceChildren(...this.shown.map((a,h)=>this.row(a,h))),this.table.setAttribute("aria-rowcount",l.length+1);for(let[a,h]of[...this.head.children].entries()){let c=a===e.at?e.down?"descending":"ascending":"none";this.tree||h.setAttribute("aria-sort",c)}this.bar.hidden=t.length<w&&!o.length,p(this.count,o.length?b(r.count,{shown:l.length,all:t.length}):"");let d=l.length-this.shown.length;p(this.more,d?b(r.more,{count:d}):""),this.scroller.hidden=!t.length,p(this.empty,t.length?"":this.emptyText),this.mark(!1),Object.assign(this.el.dataset,{lv:"ready",rows:t.length})}row(t,e){let r=t.cells.map((i,l)=>{let d=this.columns[l]?.kind,a=s(l?"td":"th",{class:d==="number"?"lv-number":null,scope:l?null:"row",title:i.tip||i.s});return typeof i.bar=="number"&&a.append(y(i.bar,i.full)),a.append(s("span",{},i.s)),!l&&t.level&&(a.style.paddingLeft=`${10+16*t.level}px`),a}),o=s("tr",{id:`${this.id}-${e}`,"aria-rowindex":e+2},...r);return this.tree&&o.setAttribute("aria-level",(t.level??0)+1),o.dataset.at=e,o}mark(t){let e=this.at;for(let[h,c]of[...this.body.children].entries())c.setAttribute("aria-selected",String(h===e));let r=this.body.children[e];if(!r)return this.table.removeAttribute("aria-activedescendant");if(this.table.setAttribute("aria-activedescendant",r.id),!t)return;let{offsetTop:o,offsetHeight:i}=r,{scroller:l}=this,d=this.head.offsetHeight;o-d<l.scrollTop&&(l.scrollTop=o-d);let a=o+i-l.clientHeight;a>l.scrollTop&&(l.scrollTop=a)}get at(){return this.shown.findIndex(t=>t.key===this.selected)}rowOf(t){return t.target.closest("tr[data-at]")}point(t){let e=this.rowOf(t);e&&t.button===0&&this.choose(Number(e.dataset.at))}choose(t){let e=this.shown[Math.max(0,Math.min(t,this.shown.length-1))];!e||e.key===this.selected||(this.selected=e.key,this.mark(!0),this.send({t:"select",key:e.key}))}open(){this.at>=0&&this.send({t:"open",key:this.selected})}order(t){let e=this.sort.at===t;this.sort=e&&this.sort.down?{at:-1,down:!1}:{at:t,down:e},this.draw()}heading(t){let e=[...this.head.querySelectorAll("button")],r=e.indexOf(t.target),o=e[r+{ArrowLeft:-1,ArrowRight:1}[t.key]];if(!(r<0||!o)){for(let i of e)i.tabIndex=i===o?0:-1;o.focus(),t.preventDefault()}}key(t){if(t.target!==this.table)return;let{at:e}=this,r=10,o=this.shown.length-1,i={ArrowDown:e+1,ArrowUp:Math.max(0,e-1),Home:0,End:o,PageDown:e+r,PageUp:Math.max(0,e-r)};if(t.key in i)this.choose(i[t.key]);else if(t.key==="Enter")this.open();else if(t.key==="ArrowLeft")this.scroller.scrollLeft-=80;else if(t.key==="ArrowRight")this.scroller.scrollLeft+=80;else return;t.preventDefault()}end(){clearInterval(this.watching),this.root.remove()}};function y(n,t){let e=s("span",{class:t?"lv-full":null});return e.style.width=`${Math.max(0,Math.min(100,n*100))}%`,s("span",{class:"lv-meter","aria-hidden":"true"},e)}function k(n,t,e){let[r,o]=[n.v??n.s,t.v??t.s],l=typeof r=="number"&&typeof o=="number"?r-o:String(r).localeCompare(String(o),void 0,{numeric:!0});return e?-l:l}function D({model:n,el:t,inbox:e}){t.append(s("style",{},u+f));let r=new v(t,l=>n.send(l)),o=l=>r.take(l),i=e.takers??=new Set;i.add(o),e.take=l=>i.forEach(d=>d(l));for(let[l]of e.messages.splice(0))o(l);return r.hello(),()=>{i.delete(o),r.end()}}export{D as render};
