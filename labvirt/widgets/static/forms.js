var S=`.lv-board {
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
.lv-form .lv-badge { border: 1px solid var(--lv-line); border-left: 4px solid #0072b2; border-radius: 3px; margin: 6px 0; padding: 4px 10px; overflow-wrap: anywhere; }
.lv-form .lv-badge.lv-no { border-left-color: #d55e00; }
.lv-form .lv-badge strong::before { content: "✔ "; }
.lv-form .lv-badge.lv-no strong::before { content: "✖ "; }
.lv-form .lv-badge ul { margin: 2px 0 2px 18px; padding: 0; }
.lv-form .lv-mine input { flex: 0 1 16em; width: auto; }
`;function s(d,t={},...e){let i=document.createElement(d);for(let[l,a]of Object.entries(t))if(l==="on")for(let[r,o]of Object.entries(a))i.addEventListener(r,o);else a===!0?i.setAttribute(l,""):a!==!1&&a!==null&&a!==void 0&&i.setAttribute(l,a);return i.append(...e.filter(l=>l!=null)),i}var u=(d,t={})=>(d??"").replace(/\{(\w+)\}/g,(e,i)=>i in t?String(t[i]):e);function h(d,t){d.textContent!==t&&(d.textContent=t)}var $=(d,t)=>d.setAttribute("aria-pressed",String(t));function L(d,t,e){let i=d?.widget_manager?.context?.model?.sharedModel,l=t.closest(".jp-Cell");if(!i?.insertCell||!l)return!1;let a=Number(l.dataset.windowedListIndex),r=[...l.parentElement.children].filter(n=>n.classList.contains("jp-Cell")),o=Number.isInteger(a)&&l.dataset.windowedListIndex?a:r.indexOf(l);return i.insertCell(o+1,{cell_type:"code",source:e,metadata:{},outputs:[]}),!0}function E(d,t,e){let[i,l]=d.children;h(i,e.checklist),i.title=e.checklist;let a=JSON.stringify(t);if(a===d.lvKey)return;d.lvKey=a;let r=[e.parameter,e.value,e.state];l.tHead.replaceChildren(s("tr",{},...r.map(n=>s("th",{scope:"col"},n))));let o=t.map(([n,p,c,v,f])=>s("tr",{class:`lv-${v}`},s("th",{scope:"row",title:n},p),s("td",{},c||"–"),s("td",{},f)));l.tBodies[0].replaceChildren(...o)}var x=class{constructor(t,e){let i=`${t}-m`,l=(r,o)=>{let n=s("button",{type:"button",on:{click:r}});return n.dataset.do=o,n};this.label=s("label",{for:i}),this.offers=s("datalist",{id:`${i}l`}),this.name=s("input",{id:i,type:"text",list:`${i}l`,maxlength:60,autocomplete:"off"}),this.save=l(()=>e("save-preset",this.name.value),"save-preset"),this.forget=l(()=>e("delete-preset",this.name.value),"delete-preset");let a=s("div",{class:"lv-toolbar"},this.label,this.name,this.offers,this.save,this.forget);this.el=s("details",{class:"lv-fold lv-mine"},s("summary"),a)}show(t,e){if(this.el.hidden=!t,!t)return;h(this.el.firstChild,e.mine),this.el.firstChild.title=this.name.title=e.mine_tip,h(this.label,e.mine_label),h(this.save,e.mine_save),this.save.title=e.mine_tip,h(this.forget,e.mine_delete),this.forget.title=e.mine_delete_tip,this.forget.disabled=!t.length;let i=JSON.stringify(t);i!==this.key&&this.offers.replaceChildren(...t.map(l=>s("option",{value:l}))),this.key=i}};var z=0;function m(d,t,e){let i=d.lvRows??=new Map,l=new Map,a=[],r=[];for(let n of t){let p=i.get(n.path);(!p||p.kind!==n.kind||p.isOffered!==!!n.offered)&&(p?.el.remove(),p=new _(n,e)),p.update(n),l.set(n.path,p),(n.more?r:a).push(p)}for(let[n,p]of i)l.get(n)!==p&&p.el.remove();d.lvRows=l;let o=null;r.length?(o=d.lvMore??=s("details",{class:"lv-more"},s("summary",{}),s("div")),h(o.firstChild,e.words.more),o.firstChild.title=e.words.more,g(o.lastChild,r.map(n=>n.el)),r.some(n=>n.node.error)&&(o.open=!0)):d.lvMore?.remove(),g(d,[...a.map(n=>n.el),...o?[o]:[]])}function g(d,t){let e=new Set(t);for(let i of[...d.children])e.has(i)||i.remove();t.forEach((i,l)=>{d.children[l]!==i&&d.insertBefore(i,d.children[l]??null)})}var T={text:"text",number:"text",size:"text",words:"text",pairs:"text",secret:"password"},_=class{constructor(t,e){Object.assign(this,{kind:t.kind,form:e,path:t.path,id:`lv-f${++z}`,sent:0}),this.isOffered=!!t.offered,this.error=s("p",{class:"lv-error",id:`${this.id}-e`}),this.help=s("p",{class:"lv-helptext",id:`${this.id}-h`}),this.label=s("label",{for:this.id},s("span"),s("span",{class:"lv-must"})),this.box=s("div",{class:"lv-inner"}),this.control=this.makeControl();let i=this.control?this.line():null;this.kind==="list"?this.el=this.makeList():this.kind==="group"?(this.summary=s("summary",{}),this.el=s("details",{class:"lv-fold"},this.summary,this.error,this.box)):this.el=s("div",{class:"lv-field"},i,this.box),this.el.dataset.path=t.path}line(){return this.unit=s("span",{class:"lv-unit"}),s("div",{class:"lv-row"},this.label,s("div",{class:"lv-control"},s("div",{class:"lv-box"},this.control,this.unit),this.error),this.help)}makeControl(){let{kind:t,id:e}=this,i={id:e,"aria-describedby":`${e}-e ${e}-h`,spellcheck:"false"},l={change:()=>this.give(!0)};if(t==="flag"||t==="switch")return s("input",{...i,type:"checkbox",on:l});if(t==="choice"||t==="variant")return s("select",{...i,on:l});let a={...l,input:()=>this.give(!1)};if(t==="prose"||t==="lines")return s("textarea",{...i,rows:2,on:a});if(!(t in T))return null;let r=t==="secret"?{autocomplete:"new-password"}:{autocomplete:"off"};return t==="number"&&(r.inputmode="numeric"),this.isOffered&&(this.offers=s("datalist",{id:`${e}-l`}),r.list=`${e}-l`),s("input",{...i,type:T[t],...r,on:a})}makeList(){return this.legend=s("legend"),this.add=s("button",{type:"button",on:{click:()=>this.form.list("add",this.path)}}),this.none=s("p",{class:"lv-note"}),s("fieldset",{class:"lv-list"},this.legend,this.error,this.none,this.box,this.add)}get value(){return this.control.type==="checkbox"?this.control.checked:this.control.value}give(t){this.form.give(this,t)}update(t){this.node=t;let{words:e}=this.form,i=`${t.label}`;if(h(this.label.firstChild,i),h(this.label.lastChild,t.required?` (${e.required})`:""),h(this.error,t.error??""),h(this.help,t.help??""),this.control&&this.updateControl(t),this.kind==="list")return this.updateList(t);this.kind==="group"&&(h(this.summary,i),this.summary.title=t.help,(t.error||t.nodes?.some(l=>l.error))&&(this.el.open=!0)),m(this.box,t.nodes??[],this.form),this.box.hidden=!t.nodes?.length,this.kind!=="group"&&t.nodes?.length?(this.box.setAttribute("role","group"),this.box.setAttribute("aria-label",i)):(this.box.removeAttribute("role"),this.box.removeAttribute("aria-label"))}updateControl(t){let{control:e}=this;e.title=t.help??"",this.label.title=t.help??"",h(this.unit,t.unit??""),e.setAttribute("aria-invalid",String(!!t.error)),t.required&&e.setAttribute("aria-required","true"),t.choices&&this.choose(e,t),this.offers&&this.offer(t.offered),t.example&&e.type==="text"&&(e.placeholder=t.example),!(this.form.isAhead(this)||t.kind==="secret"&&t.given)&&(e.type==="checkbox"?e.checked=!!t.value:e.value!==String(t.value??"")&&(e.value=t.value??""))}choose(t,e){let i=[...e.choices];i.some(([r])=>r===e.value)||i.push([e.value,e.value]);let l=JSON.stringify(i);if(this.pairs===l)return;this.pairs=l;let a=this.form.isAhead(this)?t.value:e.value;t.replaceChildren(...i.map(([r,o])=>s("option",{value:r},o))),t.value=a}offer(t){let e=JSON.stringify(t);this.offered!==e&&(this.offered=e,this.offers.replaceChildren(...t.slice(0,1e3).map(i=>s("option",{value:i}))),this.control.after(this.offers))}updateList(t){let{words:e}=this.form;h(this.legend,t.label),this.legend.title=t.help;let i=u(e.add_tip,{label:t.one});h(this.add,`${e.add}: ${t.one}`),this.add.title=i,this.add.dataset.do=`add-${t.path}`,h(this.none,t.elements.length?"":e.empty);let l=this.elements??=new Map,a=t.elements.map(r=>{l.has(r.path)||l.set(r.path,this.element(r.path));let o=l.get(r.path);return h(o.legend,r.label),h(o.error,r.error??""),h(o.remove,e.remove),o.remove.title=u(e.remove_tip,{label:r.label}),o.remove.setAttribute("aria-label",o.remove.title),m(o.box,r.nodes,this.form),o.el});g(this.box,a)}element(t){let e=s("legend"),i=s("p",{class:"lv-error"}),l=s("div"),a=s("button",{type:"button",on:{click:()=>this.form.list("remove",t)}});return a.dataset.do=`remove-${t}`,{legend:e,error:i,box:l,remove:a,el:s("fieldset",{},e,i,l,a)}}},y=class{constructor(t,e){this.insert=e,this.list=s("div",{role:"tablist",class:"lv-tabs"}),this.text=s("pre",{tabindex:"0"}),this.copy=s("button",{type:"button",on:{click:()=>this.copyText()}}),this.cell=s("button",{type:"button",on:{click:()=>this.insertText()}}),this.cell.dataset.do="cell",this.said=s("span",{role:"status",class:"lv-note"});let i=`lv-p${++z}`;this.panel=s("div",{role:"tabpanel",id:i},this.text,this.copy," ",this.cell," ",this.said),this.el=s("div",{},this.list,this.panel),this.list.addEventListener("keydown",l=>this.key(l)),this.words=t}show(t,e){this.words=e,this.tabs=t,h(this.copy,e.copy),this.copy.title=e.copy_tip,h(this.cell,e.cell),this.cell.title=e.cell_tip,t.some(([l])=>l===this.chosen)||(this.chosen=t[0]?.[0]);let i=t.map(([l])=>l).join();i!==this.keys&&(this.keys=i,this.buttons=t.map(([l,a])=>{let r=s("button",{type:"button",role:"tab","aria-controls":this.panel.id,title:a},a);return r.addEventListener("click",()=>this.choose(l)),r}),this.list.replaceChildren(...this.buttons)),this.list.setAttribute("aria-label",e.preview),this.draw()}choose(t,e=!1){this.chosen=t,h(this.said,""),this.draw(),e&&this.buttons[this.tabs.findIndex(([i])=>i===t)].focus()}draw(){this.cell.hidden=this.chosen!=="python",this.tabs.forEach(([t,e,i],l)=>{let a=t===this.chosen;this.buttons[l].setAttribute("aria-selected",String(a)),this.buttons[l].tabIndex=a?0:-1,a&&(h(this.text,i),this.text.setAttribute("aria-label",e),this.panel.setAttribute("aria-label",e))})}key(t){let e={ArrowRight:1,ArrowLeft:-1}[t.key];if(!e)return;let i=this.tabs.findIndex(([l])=>l===this.chosen);this.choose(this.tabs.at((i+e)%this.tabs.length)[0],!0),t.preventDefault()}async copyText(){h(this.said,await this.copied()?this.words.copied:this.words.not_copied)}async copied(){try{return await navigator.clipboard.writeText(this.text.textContent),!0}catch{return getSelection().selectAllChildren(this.text),document.execCommand("copy")}}async insertText(){let t=this.words;if(this.insert?.(`${t.cell_head}${this.text.textContent}
`))return h(this.said,t.inserted);h(this.said,await this.copied()?t.no_cell:t.not_copied)}};var M=250,N=6e3,w=class{constructor(t,e,i){Object.assign(this,{el:t,send:e,insert:i,view:crypto.randomUUID(),n:0,seen:0,page:0,isPaged:!1}),this.pending=new Map,this.focused=0,this.words={},this.build(),t.append(this.root),this.root.dataset.lmSuppressShortcuts="true",this.root.addEventListener("keydown",l=>l.stopPropagation()),this.root.addEventListener("pointerdown",()=>this.isHeld=!0),this.release=()=>{this.isHeld=!1,setTimeout(()=>this.late&&this.draw(this.late))},addEventListener("pointerup",this.release),addEventListener("pointercancel",this.release)}build(){let t=(i,l)=>{let a=s("button",{type:"button",on:{click:l}});return a.dataset.do=i,a};this.title=s("h3",{class:"lv-title"}),this.presets=s("div",{class:"lv-toolbar",role:"group"}),this.paged=t("wizard",()=>this.setPaged(!this.isPaged)),this.clear=t("clear",()=>this.press("clear")),this.reload=t("reload",()=>this.press("reload")),this.loading=s("p",{class:"lv-note",role:"status"}),this.source=s("textarea",{rows:4,spellcheck:"false",id:`${this.view}-i`}),this.sourceLabel=s("label",{for:`${this.view}-i`}),this.sourceDo=t("import",()=>this.press("import",this.source.value)),this.sourceBox=s("details",{class:"lv-fold"},s("summary"),this.sourceLabel,this.source,this.sourceDo),this.mine=new x(this.view,(i,l)=>this.press(i,l)),this.tops=s("div",{class:"lv-tops"}),this.notes=s("div",{class:"lv-notes"}),this.status=s("p",{class:"lv-status",role:"status"}),this.general=s("p",{class:"lv-notice",role:"alert"}),this.pages=s("nav",{class:"lv-pages"},s("ol")),this.sections=s("div"),this.options=s("div",{class:"lv-section"}),this.back=t("back",()=>this.go(this.page-1)),this.next=t("next",()=>this.go(this.page+1)),this.verb=t("make",()=>this.press("make")),this.verb.classList.add("lv-make"),this.cancel=t("cancel",()=>this.press("cancel")),this.why=s("p",{class:"lv-note",id:`${this.view}-w`}),this.verb.setAttribute("aria-describedby",this.why.id),this.bar=s("progress",{max:1}),this.stage=s("p",{role:"status",class:"lv-status"}),this.outcome=s("pre",{class:"lv-notice",role:"alert"}),this.tabs=new y({},this.insert),this.steps=s("ol"),this.warnings=s("ul",{class:"lv-warnings"}),this.planHead=s("h4"),this.planSaid=s("p",{class:"lv-note"}),this.badge=s("div",{class:"lv-badge",role:"status"},s("strong"),s("ul")),this.plan=s("section",{class:"lv-plan"},this.planHead,this.planSaid,this.badge,this.steps,this.warnings,this.tabs.el),this.checklist=s("details",{class:"lv-fold"},s("summary"),s("table",{},s("thead"),s("tbody"))),this.lost=s("p",{class:"lv-notice",role:"alert",hidden:!0}),this.end_=s("div",{class:"lv-end"},this.options,this.plan),this.buttons=s("div",{class:"lv-toolbar lv-buttons"},this.back,this.next,this.verb,this.cancel);let e=s("div",{class:"lv-toolbar"},this.paged,this.clear,this.reload);this.root=s("section",{class:"lv-board lv-form"},this.title,e,this.presets,this.sourceBox,this.mine.el,this.loading,this.tops,this.notes,this.pages,this.sections,this.end_,this.checklist,this.general,this.status,this.buttons,this.why,this.bar,this.stage,this.outcome,this.lost)}hello(){this.send({t:"hello",view:this.view})}post(t){return this.n+=1,this.send({...t,view:this.view,n:this.n}),clearTimeout(this.waiting),this.waiting=setTimeout(()=>this.isLost(!0),N),this.n}give(t,e){clearTimeout(this.pending.get(t.path)?.timer);let i=()=>{this.pending.delete(t.path),t.sent=this.post({t:"set",path:t.path,value:t.value})};if(e){if(!this.pending.has(t.path)&&t.last===t.value)return;t.last=t.value,i()}else t.last=t.value,this.pending.set(t.path,{timer:setTimeout(i,M),flush:i})}flush(){for(let{timer:t,flush:e}of[...this.pending.values()])clearTimeout(t),e()}press(t,e=""){this.flush(),this.post({t:"press",name:t,value:e})}list(t,e){this.flush();let i=this.post({t,path:e});this.follow=t==="add"?e:"",this.followed=i}isAhead(t){return this.pending.has(t.path)||t.sent>this.seen}isLost(t){this.lost.hidden=!t,h(this.lost,t?this.words.lost:"")}take(t){if(t.t==="closed"){h(this.status,t.text);for(let e of this.root.querySelectorAll("button, input, select, textarea"))e.disabled=!0;this.el.dataset.lv="closed";return}t.t==="form"&&(this.isHeld?this.late=t:this.draw(t))}draw(t){this.late=null,this.form=t,this.words=t.words,this.seen=t.seen[this.view]??0,this.seen>=this.n&&(clearTimeout(this.waiting),this.isLost(!1)),this.root.lang=t.language,this.root.setAttribute("aria-label",t.title),h(this.title,t.title),this.drawTop(t),this.drawSections(t),this.drawEnd(t),this.drawPages(),h(this.general,t.general),this.general.hidden=!t.general,h(this.status,t.status),this.status.classList.toggle("lv-bad",t.is_wrong),t.focus[0]>this.focused?(this.focused=t.focus[0],this.goTo(t.focus[1])):this.follow&&this.seen>=this.followed&&(this.root.querySelector(`[data-path="${CSS.escape(this.follow)}"] > .lv-inner`)?.lastElementChild?.querySelector("input, select, textarea")?.focus(),this.follow=""),Object.assign(this.el.dataset,{lv:"ready",phase:t.job?.phase??"",seq:this.seen}),this.el.dataset.preview=t.preview?.state??""}label(t,e,i){h(t,e),t.title=i??e}drawTop({words:t,presets:e,mine:i,tops:l,loading:a,loading_error:r,can_import:o,notes:n}){this.label(this.paged,t.wizard,t.wizard_tip),$(this.paged,this.isPaged),this.label(this.clear,t.clear,t.clear_tip),this.label(this.reload,t.reload,t.reload_tip),this.reload.hidden=a==="none";let p=`${t.failed} ${r}`;h(this.loading,a==="loading"?t.loading:a==="failed"?p:""),this.mine.show(i,t),m(this.tops,l??[],this),this.tops.hidden=!l?.length,this.presets.hidden=!e?.length,this.presets.setAttribute("aria-label",t.presets);let c=JSON.stringify(e??[]);if(c!==this.presetKey){this.presetKey=c;let k=(e??[]).map(([b,O,P])=>{let C=s("button",{type:"button",title:P},O);return C.dataset.do=`preset-${b}`,C.addEventListener("click",()=>this.press("preset",b)),C});this.presets.replaceChildren(s("span",{},`${t.presets}:`),...k)}this.sourceBox.hidden=!o,h(this.sourceBox.firstChild,t.import),this.sourceBox.firstChild.title=t.import_tip,h(this.sourceLabel,t.import_label),this.source.title=t.import_tip,this.label(this.sourceDo,t.import_do,t.import_tip);let v=(n??[]).map(([k,b])=>s("p",{class:`lv-${k}`},b)),f=JSON.stringify(n??[]);f!==this.noteKey&&this.notes.replaceChildren(...v),this.noteKey=f}drawSections({sections:t}){let e=this.boxes??=new Map,i=t.map(({key:l,title:a,nodes:r})=>{if(!e.has(l)){let n=s("h4"),p=s("div"),c=`${this.view}-${l}`;n.id=c;let v=s("section",{class:"lv-section","aria-labelledby":c},n,p);e.set(l,{legend:n,box:p,el:v})}let o=e.get(l);return h(o.legend,a),o.legend.hidden=t.length<2&&a===this.form?.title,m(o.box,r,this),o.el});g(this.sections,i)}drawEnd({words:t,options:e,preview:i,verb:l,blocked:a,job:r,checklist:o}){m(this.options,e??[],this),this.options.hidden=!e?.length,this.verb.hidden=!l,l&&this.label(this.verb,l.label,l.tip),this.verb.disabled=!!a,h(this.why,a??"");let n=r?.phase==="planning"||r?.phase==="running";this.label(this.cancel,t.cancel,t.cancel_tip),this.cancel.hidden=!n,this.bar.hidden=!n,this.bar.setAttribute("aria-label",t.progress);let p=((r?.step||1)-1+(r?.fraction??0))/(r?.steps||1);this.bar.value=Math.min(1,Math.max(0,p));let c=r?.steps?` (${r.step}/${r.steps})`:"",v=r?.phase==="done"||r?.phase==="cancelled";h(this.stage,n?`${r.stage??""}${c}`:v?r.said:""),this.stage.classList.toggle("lv-good",r?.phase==="done"),h(this.outcome,r?.phase==="failed"?r.said:""),this.outcome.hidden=r?.phase!=="failed",this.plan.hidden=!i,i&&this.drawPlan(i,t),o&&E(this.checklist,o,t)}drawPlan(t,e){h(this.planHead,e.preview);let i={none:e.none,working:e.working,failed:t.error,ready:t.title};h(this.planSaid,i[t.state]??""),this.planSaid.classList.toggle("lv-bad",t.state==="failed");let l=(o,n)=>{let p=JSON.stringify(n??[]);o.lvKey!==p&&o.replaceChildren(...(n??[]).map(c=>s("li",{},c))),o.lvKey=p,o.hidden=!n?.length},a=t.steps&&t.state!=="none"&&t.state!=="failed",{badge:r}=t;this.badge.hidden=!a||!r,r&&(h(this.badge.firstChild,r.title),this.badge.classList.toggle("lv-no",r.is_bad),l(this.badge.lastChild,r.texts)),this.steps.setAttribute("aria-label",e.steps),this.warnings.setAttribute("aria-label",e.warnings),l(this.steps,a?t.steps:[]),l(this.warnings,a?[...t.warnings,...t.destroys]:[]),this.tabs.el.hidden=!a,a&&this.tabs.show(t.tabs,e)}get last(){return this.form.sections.length}setPaged(t){this.isPaged=t,this.page=0,$(this.paged,t),this.drawPages()}go(t,e=!0){if(this.flush(),this.page=Math.max(0,Math.min(this.last,t)),this.drawPages(),!e)return;(this.page<this.last?this.boxes.get(this.form.sections[this.page].key).el:this.end_).querySelector("input, select, textarea, summary, button")?.focus()}drawPages(){let{words:t,sections:e}=this.form,i=this.isPaged;e.forEach(({key:o},n)=>this.boxes.get(o).el.hidden=i&&n!==this.page);let l=!i||this.page===this.last;if(this.end_.hidden=!l,this.paged.hidden=e.length<2,this.checklist.hidden=!this.form.checklist||i&&this.page>0&&!l,this.pages.hidden=this.back.hidden=this.next.hidden=!i,this.label(this.back,t.back,t.back_tip),this.label(this.next,t.next,t.next_tip),this.back.disabled=this.page===0,this.next.disabled=l,this.form.verb&&(this.verb.hidden=!l),!i)return;this.pages.setAttribute("aria-label",t.pages);let a=[...e.map(({title:o,wrong:n})=>[o,n]),[t.preview,0]],r=this.pages.firstChild;for(;r.children.length>a.length;)r.lastChild.remove();a.forEach(([o,n],p)=>{if(!r.children[p]){let f=s("button",{type:"button",on:{click:()=>this.go(p)}});r.append(s("li",{},f))}let c=r.children[p].firstChild,v=n?`${o} (${u(t.errors,{count:n})})`:o;this.label(c,v,`${u(t.page,{number:p+1,count:a.length})}: ${v}`),p===this.page?c.setAttribute("aria-current","step"):c.removeAttribute("aria-current")})}goTo(t){let e=t.split(/[.[]/)[0],i=[...this.root.querySelectorAll("[data-path]")],l=i.find(o=>o.dataset.path===t)??i.find(o=>o.dataset.path===e);if(!l)return this.general.scrollIntoView({block:"nearest"});let a=this.form.sections.findIndex(({key:o})=>this.boxes.get(o).el.contains(l));this.isPaged&&a>=0&&this.go(a,!1);for(let o=l;o&&o!==this.root;o=o.parentElement)o.tagName==="DETAILS"&&(o.open=!0);let r=l.querySelector("input, select, textarea, summary, button");r?.focus(),r?.scrollIntoView({block:"center"})}end(){removeEventListener("pointerup",this.release),removeEventListener("pointercancel",this.release),clearTimeout(this.waiting);for(let{timer:t}of this.pending.values())clearTimeout(t)}};function lt({model:d,el:t,inbox:e}){t.append(s("style",{},S+A));let i=new w(t,r=>d.send(r),r=>L(d,t,r)),l=r=>i.take(r),a=e.takers??=new Set;a.add(l),e.take=r=>a.forEach(o=>o(r));for(let[r]of e.messages.splice(0))l(r);return i.hello(),()=>{a.delete(l),i.end()}}export{lt as render};
