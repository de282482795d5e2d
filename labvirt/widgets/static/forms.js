var C=`.lv-board {
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
`;var A=`.lv-form { container-type: inline-size; }
.lv-form [hidden] { display: none !important; }
.lv-form .lv-section { border-top: 1px solid var(--lv-line); margin: 10px 0 0; padding: 8px 0 2px; }
.lv-form .lv-section > h4 { margin-bottom: 6px; font-size: 14px; }
.lv-form .lv-row {
  align-items: start;
  display: grid;
  gap: 2px 12px;
  grid-template-columns: minmax(9em, 13em) minmax(12em, 22em) minmax(0, 1fr);
  margin: 4px 0;
}
@container (max-width: 640px) {
  .lv-form .lv-row { grid-template-columns: minmax(0, 1fr); }
}
.lv-form label { overflow-wrap: anywhere; padding-top: 4px; }
.lv-form .lv-must { color: var(--lv-muted); font-size: 12px; }
.lv-form .lv-box { align-items: center; display: flex; gap: 6px; min-height: 28px; }
.lv-form input:not([type="checkbox"]), .lv-form textarea, .lv-form select {
  background: var(--lv-back);
  border: 1px solid color-mix(in srgb, var(--lv-text) 55%, transparent);
  border-radius: 3px;
  box-sizing: border-box;
  color: var(--lv-text);
  flex: 1;
  font: inherit;
  min-height: 28px;
  min-width: 0;
  padding: 2px 6px;
  width: 100%;
}
.lv-form textarea { font-family: var(--jp-code-font-family, monospace); resize: vertical; }
.lv-form input[type="checkbox"] { height: 18px; margin: 4px 0; width: 18px; }
.lv-form ::placeholder { color: var(--lv-muted); font-style: italic; opacity: 0.75; }
.lv-form [aria-invalid="true"] { border: 2px solid #d55e00 !important; }
.lv-form .lv-unit { color: var(--lv-muted); flex: none; }
.lv-form .lv-unit:empty, .lv-form .lv-error:empty, .lv-form .lv-note:empty, .lv-form .lv-status:empty { display: none; }
.lv-form .lv-helptext { color: var(--lv-muted); font-size: 12px; margin: 0; overflow-wrap: anywhere; padding-top: 4px; }
.lv-form .lv-error, .lv-form .lv-bad { color: var(--lv-wrong); font-weight: 600; margin: 2px 0; overflow-wrap: anywhere; white-space: pre-wrap; }
.lv-form .lv-error::before { content: "✖ "; }
.lv-form .lv-good { color: var(--lv-text); font-weight: 600; }
.lv-form .lv-good::before { content: "✔ "; }
.lv-form { --lv-wrong: #a33c00; }
body[data-jp-theme-light="false"] .lv-form { --lv-wrong: #ff9e66; }
.lv-form .lv-inner { border-left: 2px solid var(--lv-line); margin: 2px 0 6px 6px; padding-left: 10px; }
.lv-form .lv-list > .lv-inner { border: 0; margin: 0; padding: 0; }
.lv-form fieldset { border: 1px solid var(--lv-line); border-radius: 3px; margin: 6px 0; min-width: 0; padding: 4px 10px 8px; }
.lv-form legend { font-weight: 600; padding: 0 4px; width: auto; font-size: 13px; margin: 0; border: 0; color: inherit; }
.lv-form details > summary { cursor: pointer; padding: 3px 0; }
.lv-form .lv-fold, .lv-form .lv-more { margin: 4px 0; }
.lv-form .lv-toolbar { margin: 6px 0; }
.lv-form .lv-make { background: var(--lv-text); border-color: var(--lv-text); color: var(--lv-back); font-weight: 600; }
.lv-form .lv-make:disabled { background: var(--lv-button); color: var(--lv-text); opacity: 1; border-style: dashed; }
.lv-form .lv-pages ol { display: flex; flex-wrap: wrap; gap: 4px; list-style: none; margin: 6px 0; padding: 0; }
.lv-form .lv-pages [aria-current] { border-bottom: 3px solid var(--lv-text); font-weight: 600; }
.lv-form .lv-tabs { display: flex; flex-wrap: wrap; gap: 4px; margin-top: 6px; }
.lv-form [role="tab"][aria-selected="true"] { border-bottom: 3px solid var(--lv-text); font-weight: 600; }
.lv-form pre {
  background: var(--jp-layout-color1, transparent);
  border: 1px solid var(--lv-line);
  color: var(--lv-text);
  font: 12px/1.4 var(--jp-code-font-family, monospace);
  margin: 4px 0;
  max-height: 300px;
  overflow: auto;
  overflow-wrap: anywhere;
  padding: 6px;
  white-space: pre-wrap;
}
.lv-form table { border-collapse: collapse; margin: 4px 0; }
.lv-form th, .lv-form td { border-bottom: 1px solid var(--lv-line); overflow-wrap: anywhere; padding: 2px 10px 2px 0; text-align: left; vertical-align: top; }
.lv-form .lv-missing td, .lv-form .lv-given td { font-weight: 600; }
.lv-form .lv-notes p { margin: 3px 0; overflow-wrap: anywhere; }
.lv-form .lv-warning::before, .lv-form .lv-warnings li::before { content: "⚠ "; }
.lv-form .lv-warnings { list-style: none; padding-left: 4px; }
.lv-form .lv-info { color: var(--lv-muted); }
.lv-form progress { height: 12px; width: min(100%, 30em); }
`;function i(p,t={},...e){let s=document.createElement(p);for(let[l,o]of Object.entries(t))if(l==="on")for(let[r,a]of Object.entries(o))s.addEventListener(r,a);else o===!0?s.setAttribute(l,""):o!==!1&&o!==null&&o!==void 0&&s.setAttribute(l,o);return s.append(...e.filter(l=>l!=null)),s}var u=(p,t={})=>(p??"").replace(/\{(\w+)\}/g,(e,s)=>s in t?String(t[s]):e);function h(p,t){p.textContent!==t&&(p.textContent=t)}var w=(p,t)=>p.setAttribute("aria-pressed",String(t));var $=0;function m(p,t,e){let s=p.lvRows??=new Map,l=new Map,o=[],r=[];for(let n of t){let d=s.get(n.path);(!d||d.kind!==n.kind||d.isOffered!==!!n.offered)&&(d?.el.remove(),d=new k(n,e)),d.update(n),l.set(n.path,d),(n.more?r:o).push(d)}for(let[n,d]of s)l.get(n)!==d&&d.el.remove();p.lvRows=l;let a=null;r.length?(a=p.lvMore??=i("details",{class:"lv-more"},i("summary",{}),i("div")),h(a.firstChild,e.words.more),a.firstChild.title=e.words.more,g(a.lastChild,r.map(n=>n.el)),r.some(n=>n.node.error)&&(a.open=!0)):p.lvMore?.remove(),g(p,[...o.map(n=>n.el),...a?[a]:[]])}function g(p,t){let e=new Set(t);for(let s of[...p.children])e.has(s)||s.remove();t.forEach((s,l)=>{p.children[l]!==s&&p.insertBefore(s,p.children[l]??null)})}var S={text:"text",number:"text",size:"text",words:"text",secret:"password"},k=class{constructor(t,e){Object.assign(this,{kind:t.kind,form:e,path:t.path,id:`lv-f${++$}`,sent:0}),this.isOffered=!!t.offered,this.error=i("p",{class:"lv-error",id:`${this.id}-e`}),this.help=i("p",{class:"lv-helptext",id:`${this.id}-h`}),this.label=i("label",{for:this.id},i("span"),i("span",{class:"lv-must"})),this.box=i("div",{class:"lv-inner"}),this.control=this.makeControl();let s=this.control?this.line():null;this.kind==="list"?this.el=this.makeList():this.kind==="group"?(this.summary=i("summary",{}),this.el=i("details",{class:"lv-fold"},this.summary,this.error,this.box)):this.el=i("div",{class:"lv-field"},s,this.box),this.el.dataset.path=t.path}line(){return this.unit=i("span",{class:"lv-unit"}),i("div",{class:"lv-row"},this.label,i("div",{class:"lv-control"},i("div",{class:"lv-box"},this.control,this.unit),this.error),this.help)}makeControl(){let{kind:t,id:e}=this,s={id:e,"aria-describedby":`${e}-e ${e}-h`,spellcheck:"false"},l={change:()=>this.give(!0)};if(t==="flag"||t==="switch")return i("input",{...s,type:"checkbox",on:l});if(t==="choice"||t==="variant")return i("select",{...s,on:l});let o={...l,input:()=>this.give(!1)};if(t==="prose")return i("textarea",{...s,rows:2,on:o});if(!(t in S))return null;let r=t==="secret"?{autocomplete:"new-password"}:{autocomplete:"off"};return t==="number"&&(r.inputmode="numeric"),this.isOffered&&(this.offers=i("datalist",{id:`${e}-l`}),r.list=`${e}-l`),i("input",{...s,type:S[t],...r,on:o})}makeList(){return this.legend=i("legend"),this.add=i("button",{type:"button",on:{click:()=>this.form.list("add",this.path)}}),this.none=i("p",{class:"lv-note"}),i("fieldset",{class:"lv-list"},this.legend,this.error,this.none,this.box,this.add)}get value(){return this.control.type==="checkbox"?this.control.checked:this.control.value}give(t){this.form.give(this,t)}update(t){this.node=t;let{words:e}=this.form,s=`${t.label}`;if(h(this.label.firstChild,s),h(this.label.lastChild,t.required?` (${e.required})`:""),h(this.error,t.error??""),h(this.help,t.help??""),this.control&&this.updateControl(t),this.kind==="list")return this.updateList(t);this.kind==="group"&&(h(this.summary,s),this.summary.title=t.help,(t.error||t.nodes?.some(l=>l.error))&&(this.el.open=!0)),m(this.box,t.nodes??[],this.form),this.box.hidden=!t.nodes?.length,this.kind!=="group"&&t.nodes?.length?(this.box.setAttribute("role","group"),this.box.setAttribute("aria-label",s)):(this.box.removeAttribute("role"),this.box.removeAttribute("aria-label"))}updateControl(t){let{control:e}=this;e.title=t.help??"",this.label.title=t.help??"",h(this.unit,t.unit??""),e.setAttribute("aria-invalid",String(!!t.error)),t.required&&e.setAttribute("aria-required","true"),t.choices&&this.choose(e,t),this.offers&&this.offer(t.offered),t.example&&e.type==="text"&&(e.placeholder=t.example),!(this.form.isAhead(this)||t.kind==="secret"&&t.given)&&(e.type==="checkbox"?e.checked=!!t.value:e.value!==String(t.value??"")&&(e.value=t.value??""))}choose(t,e){let s=[...e.choices];s.some(([r])=>r===e.value)||s.push([e.value,e.value]);let l=JSON.stringify(s);if(this.pairs===l)return;this.pairs=l;let o=this.form.isAhead(this)?t.value:e.value;t.replaceChildren(...s.map(([r,a])=>i("option",{value:r},a))),t.value=o}offer(t){let e=JSON.stringify(t);this.offered!==e&&(this.offered=e,this.offers.replaceChildren(...t.slice(0,500).map(s=>i("option",{value:s}))),this.control.after(this.offers))}updateList(t){let{words:e}=this.form;h(this.legend,t.label),this.legend.title=t.help;let s=u(e.add_tip,{label:t.one});h(this.add,`${e.add}: ${t.one}`),this.add.title=s,this.add.dataset.do=`add-${t.path}`,h(this.none,t.elements.length?"":e.empty);let l=this.elements??=new Map,o=t.elements.map(r=>{l.has(r.path)||l.set(r.path,this.element(r.path));let a=l.get(r.path);return h(a.legend,r.label),h(a.error,r.error??""),h(a.remove,e.remove),a.remove.title=u(e.remove_tip,{label:r.label}),a.remove.setAttribute("aria-label",a.remove.title),m(a.box,r.nodes,this.form),a.el});g(this.box,o)}element(t){let e=i("legend"),s=i("p",{class:"lv-error"}),l=i("div"),o=i("button",{type:"button",on:{click:()=>this.form.list("remove",t)}});return o.dataset.do=`remove-${t}`,{legend:e,error:s,box:l,remove:o,el:i("fieldset",{},e,s,l,o)}}},b=class{constructor(t){this.list=i("div",{role:"tablist",class:"lv-tabs"}),this.text=i("pre",{tabindex:"0"}),this.copy=i("button",{type:"button",on:{click:()=>this.copyText()}}),this.said=i("span",{role:"status",class:"lv-note"});let e=`lv-p${++$}`;this.panel=i("div",{role:"tabpanel",id:e},this.text,this.copy," ",this.said),this.el=i("div",{},this.list,this.panel),this.list.addEventListener("keydown",s=>this.key(s)),this.words=t}show(t,e){this.words=e,this.tabs=t,h(this.copy,e.copy),this.copy.title=e.copy_tip,t.some(([l])=>l===this.chosen)||(this.chosen=t[0]?.[0]);let s=t.map(([l])=>l).join();s!==this.keys&&(this.keys=s,this.buttons=t.map(([l,o])=>{let r=i("button",{type:"button",role:"tab","aria-controls":this.panel.id,title:o},o);return r.addEventListener("click",()=>this.choose(l)),r}),this.list.replaceChildren(...this.buttons)),this.list.setAttribute("aria-label",e.preview),this.draw()}choose(t,e=!1){this.chosen=t,h(this.said,""),this.draw(),e&&this.buttons[this.tabs.findIndex(([s])=>s===t)].focus()}draw(){this.tabs.forEach(([t,e,s],l)=>{let o=t===this.chosen;this.buttons[l].setAttribute("aria-selected",String(o)),this.buttons[l].tabIndex=o?0:-1,o&&(h(this.text,s),this.text.setAttribute("aria-label",e),this.panel.setAttribute("aria-label",e))})}key(t){let e={ArrowRight:1,ArrowLeft:-1}[t.key];if(!e)return;let s=this.tabs.findIndex(([l])=>l===this.chosen);this.choose(this.tabs.at((s+e)%this.tabs.length)[0],!0),t.preventDefault()}async copyText(){try{await navigator.clipboard.writeText(this.text.textContent),h(this.said,this.words.copied)}catch{getSelection().selectAllChildren(this.text),h(this.said,document.execCommand("copy")?this.words.copied:this.words.not_copied)}}};var z=250,P=6e3,x=class{constructor(t,e){Object.assign(this,{el:t,send:e,view:crypto.randomUUID(),n:0,seen:0,page:0,isPaged:!1}),this.pending=new Map,this.focused=0,this.words={},this.build(),t.append(this.root),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",s=>s.stopPropagation()),this.root.addEventListener("pointerdown",()=>this.isHeld=!0),this.release=()=>{this.isHeld=!1,setTimeout(()=>this.late&&this.draw(this.late))},addEventListener("pointerup",this.release),addEventListener("pointercancel",this.release)}build(){let t=(s,l)=>{let o=i("button",{type:"button",on:{click:l}});return o.dataset.do=s,o};this.title=i("h3",{class:"lv-title"}),this.presets=i("div",{class:"lv-toolbar",role:"group"}),this.paged=t("wizard",()=>this.setPaged(!this.isPaged)),this.clear=t("clear",()=>this.press("clear")),this.reload=t("reload",()=>this.press("reload")),this.loading=i("p",{class:"lv-note",role:"status"}),this.source=i("textarea",{rows:4,spellcheck:"false",id:`${this.view}-i`}),this.sourceLabel=i("label",{for:`${this.view}-i`}),this.sourceDo=t("import",()=>this.press("import",this.source.value)),this.sourceBox=i("details",{class:"lv-fold"},i("summary"),this.sourceLabel,this.source,this.sourceDo),this.notes=i("div",{class:"lv-notes"}),this.status=i("p",{class:"lv-status",role:"status"}),this.general=i("p",{class:"lv-notice",role:"alert"}),this.pages=i("nav",{class:"lv-pages"},i("ol")),this.sections=i("div"),this.options=i("div",{class:"lv-section"}),this.back=t("back",()=>this.go(this.page-1)),this.next=t("next",()=>this.go(this.page+1)),this.verb=t("make",()=>this.press("make")),this.verb.classList.add("lv-make"),this.cancel=t("cancel",()=>this.press("cancel")),this.why=i("p",{class:"lv-note",id:`${this.view}-w`}),this.verb.setAttribute("aria-describedby",this.why.id),this.bar=i("progress",{max:1}),this.stage=i("p",{role:"status",class:"lv-status"}),this.outcome=i("pre",{class:"lv-notice",role:"alert"}),this.tabs=new b({}),this.steps=i("ol"),this.warnings=i("ul",{class:"lv-warnings"}),this.planHead=i("h4"),this.planSaid=i("p",{class:"lv-note"}),this.plan=i("section",{class:"lv-plan"},this.planHead,this.planSaid,this.steps,this.warnings,this.tabs.el),this.checklist=i("details",{class:"lv-fold"},i("summary"),i("table",{},i("thead"),i("tbody"))),this.lost=i("p",{class:"lv-notice",role:"alert",hidden:!0}),this.end_=i("div",{class:"lv-end"},this.options,this.plan),this.buttons=i("div",{class:"lv-toolbar lv-buttons"},this.back,this.next,this.verb,this.cancel);let e=i("div",{class:"lv-toolbar"},this.paged,this.clear,this.reload);this.root=i("section",{class:"lv-board lv-form"},this.title,e,this.presets,this.sourceBox,this.loading,this.notes,this.pages,this.sections,this.end_,this.checklist,this.general,this.status,this.buttons,this.why,this.bar,this.stage,this.outcome,this.lost)}hello(){this.send({t:"hello",view:this.view})}post(t){return this.n+=1,this.send({...t,view:this.view,n:this.n}),clearTimeout(this.waiting),this.waiting=setTimeout(()=>this.isLost(!0),P),this.n}give(t,e){clearTimeout(this.pending.get(t.path)?.timer);let s=()=>{this.pending.delete(t.path),t.sent=this.post({t:"set",path:t.path,value:t.value})};if(e){if(!this.pending.has(t.path)&&t.last===t.value)return;t.last=t.value,s()}else t.last=t.value,this.pending.set(t.path,{timer:setTimeout(s,z),flush:s})}flush(){for(let{timer:t,flush:e}of[...this.pending.values()])clearTimeout(t),e()}press(t,e=""){this.flush(),this.post({t:"press",name:t,value:e})}list(t,e){this.flush();let s=this.post({t,path:e});this.follow=t==="add"?e:"",this.followed=s}isAhead(t){return this.pending.has(t.path)||t.sent>this.seen}isLost(t){this.lost.hidden=!t,h(this.lost,t?this.words.lost:"")}take(t){if(t.t==="closed"){h(this.status,t.text);for(let e of this.root.querySelectorAll("button, input, select, textarea"))e.disabled=!0;this.el.dataset.lv="closed";return}t.t==="form"&&(this.isHeld?this.late=t:this.draw(t))}draw(t){this.late=null,this.form=t,this.words=t.words,this.seen=t.seen[this.view]??0,this.seen>=this.n&&(clearTimeout(this.waiting),this.isLost(!1)),this.root.lang=t.language,this.root.setAttribute("aria-label",t.title),h(this.title,t.title),this.drawTop(t),this.drawSections(t),this.drawEnd(t),this.drawPages(),h(this.general,t.general),this.general.hidden=!t.general,h(this.status,t.status),this.status.classList.toggle("lv-bad",t.is_wrong),t.focus[0]>this.focused?(this.focused=t.focus[0],this.goTo(t.focus[1])):this.follow&&this.seen>=this.followed&&(this.root.querySelector(`[data-path="${CSS.escape(this.follow)}"] > .lv-inner`)?.lastElementChild?.querySelector("input, select, textarea")?.focus(),this.follow=""),Object.assign(this.el.dataset,{lv:"ready",phase:t.job?.phase??"",seq:this.seen}),this.el.dataset.preview=t.preview?.state??""}label(t,e,s){h(t,e),t.title=s??e}drawTop({words:t,presets:e,loading:s,loading_error:l,can_import:o,notes:r}){this.label(this.paged,t.wizard,t.wizard_tip),w(this.paged,this.isPaged),this.label(this.clear,t.clear,t.clear_tip),this.label(this.reload,t.reload,t.reload_tip),this.reload.hidden=s==="none";let a=`${t.failed} ${l}`;h(this.loading,s==="loading"?t.loading:s==="failed"?a:""),this.presets.hidden=!e?.length,this.presets.setAttribute("aria-label",t.presets);let n=JSON.stringify(e??[]);if(n!==this.presetKey){this.presetKey=n;let v=(e??[]).map(([f,L,E])=>{let y=i("button",{type:"button",title:E},L);return y.dataset.do=`preset-${f}`,y.addEventListener("click",()=>this.press("preset",f)),y});this.presets.replaceChildren(i("span",{},`${t.presets}:`),...v)}this.sourceBox.hidden=!o,h(this.sourceBox.firstChild,t.import),this.sourceBox.firstChild.title=t.import_tip,h(this.sourceLabel,t.import_label),this.source.title=t.import_tip,this.label(this.sourceDo,t.import_do,t.import_tip);let d=(r??[]).map(([v,f])=>i("p",{class:`lv-${v}`},f)),c=JSON.stringify(r??[]);c!==this.noteKey&&this.notes.replaceChildren(...d),this.noteKey=c}drawSections({sections:t}){let e=this.boxes??=new Map,s=t.map(({key:l,title:o,nodes:r})=>{if(!e.has(l)){let n=i("h4"),d=i("div"),c=`${this.view}-${l}`;n.id=c;let v=i("section",{class:"lv-section","aria-labelledby":c},n,d);e.set(l,{legend:n,box:d,el:v})}let a=e.get(l);return h(a.legend,o),a.legend.hidden=t.length<2&&o===this.form?.title,m(a.box,r,this),a.el});g(this.sections,s)}drawEnd({words:t,options:e,preview:s,verb:l,blocked:o,job:r,checklist:a}){m(this.options,e??[],this),this.options.hidden=!e?.length,this.verb.hidden=!l,l&&this.label(this.verb,l.label,l.tip),this.verb.disabled=!!o,h(this.why,o??"");let n=r?.phase==="planning"||r?.phase==="running";this.label(this.cancel,t.cancel,t.cancel_tip),this.cancel.hidden=!n,this.bar.hidden=!n,this.bar.setAttribute("aria-label",t.progress);let d=((r?.step||1)-1+(r?.fraction??0))/(r?.steps||1);this.bar.value=Math.min(1,Math.max(0,d));let c=r?.steps?` (${r.step}/${r.steps})`:"",v=r?.phase==="done"||r?.phase==="cancelled";h(this.stage,n?`${r.stage??""}${c}`:v?r.said:""),this.stage.classList.toggle("lv-good",r?.phase==="done"),h(this.outcome,r?.phase==="failed"?r.said:""),this.outcome.hidden=r?.phase!=="failed",this.plan.hidden=!s,s&&this.drawPlan(s,t),a&&this.drawChecklist(a,t)}drawPlan(t,e){h(this.planHead,e.preview);let s={none:e.none,working:e.working,failed:t.error,ready:t.title};h(this.planSaid,s[t.state]??""),this.planSaid.classList.toggle("lv-bad",t.state==="failed");let l=(r,a)=>{let n=JSON.stringify(a??[]);r.lvKey!==n&&r.replaceChildren(...(a??[]).map(d=>i("li",{},d))),r.lvKey=n,r.hidden=!a?.length},o=t.steps&&t.state!=="none"&&t.state!=="failed";this.steps.setAttribute("aria-label",e.steps),this.warnings.setAttribute("aria-label",e.warnings),l(this.steps,o?t.steps:[]),l(this.warnings,o?[...t.warnings,...t.destroys]:[]),this.tabs.el.hidden=!o,o&&this.tabs.show(t.tabs,e)}drawChecklist(t,e){let[s,l]=this.checklist.children;h(s,e.checklist),s.title=e.checklist;let o=JSON.stringify(t);if(o===this.listKey)return;this.listKey=o;let r=[e.parameter,e.value,e.state];l.tHead.replaceChildren(i("tr",{},...r.map(n=>i("th",{scope:"col"},n))));let a=t.map(([n,d,c,v,f])=>i("tr",{class:`lv-${v}`},i("th",{scope:"row",title:n},d),i("td",{},c||"–"),i("td",{},f)));l.tBodies[0].replaceChildren(...a)}get last(){return this.form.sections.length}setPaged(t){this.isPaged=t,this.page=0,w(this.paged,t),this.drawPages()}go(t,e=!0){if(this.flush(),this.page=Math.max(0,Math.min(this.last,t)),this.drawPages(),!e)return;(this.page<this.last?this.boxes.get(this.form.sections[this.page].key).el:this.end_).querySelector("input, select, textarea, summary, button")?.focus()}drawPages(){let{words:t,sections:e}=this.form,s=this.isPaged;e.forEach(({key:a},n)=>this.boxes.get(a).el.hidden=s&&n!==this.page);let l=!s||this.page===this.last;if(this.end_.hidden=!l,this.paged.hidden=e.length<2,this.checklist.hidden=!this.form.checklist||s&&this.page>0&&!l,this.pages.hidden=this.back.hidden=this.next.hidden=!s,this.label(this.back,t.back,t.back_tip),this.label(this.next,t.next,t.next_tip),this.back.disabled=this.page===0,this.next.disabled=l,this.form.verb&&(this.verb.hidden=!l),!s)return;this.pages.setAttribute("aria-label",t.pages);let o=[...e.map(({title:a,wrong:n})=>[a,n]),[t.preview,0]],r=this.pages.firstChild;for(;r.children.length>o.length;)r.lastChild.remove();o.forEach(([a,n],d)=>{if(!r.children[d]){let f=i("button",{type:"button",on:{click:()=>this.go(d)}});r.append(i("li",{},f))}let c=r.children[d].firstChild,v=n?`${a} (${u(t.errors,{count:n})})`:a;this.label(c,v,`${u(t.page,{number:d+1,count:o.length})}: ${v}`),d===this.page?c.setAttribute("aria-current","step"):c.removeAttribute("aria-current")})}goTo(t){let e=t.split(/[.[]/)[0],s=[...this.root.querySelectorAll("[data-path]")],l=s.find(a=>a.dataset.path===t)??s.find(a=>a.dataset.path===e);if(!l)return this.general.scrollIntoView({block:"nearest"});let o=this.form.sections.findIndex(({key:a})=>this.boxes.get(a).el.contains(l));this.isPaged&&o>=0&&this.go(o,!1);for(let a=l;a&&a!==this.root;a=a.parentElement)a.tagName==="DETAILS"&&(a.open=!0);let r=l.querySelector("input, select, textarea, summary, button");r?.focus(),r?.scrollIntoView({block:"center"})}end(){removeEventListener("pointerup",this.release),removeEventListener("pointercancel",this.release),clearTimeout(this.waiting);for(let{timer:t}of this.pending.values())clearTimeout(t)}};function R({model:p,el:t,inbox:e}){t.append(i("style",{},C+A));let s=new x(t,r=>p.send(r)),l=r=>s.take(r),o=e.takers??=new Set;o.add(l),e.take=r=>o.forEach(a=>a(r));for(let[r]of e.messages.splice(0))l(r);return s.hello(),()=>{o.delete(l),s.end()}}export{R as render};
