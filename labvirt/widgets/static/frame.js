var l=`/* Stronger than what ipywidgets say of their fields. */
.labvirt-frame.labvirt-frame.labvirt-frame :focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2) !important; outline-offset: 1px; }
.labvirt-frame .widget-tab > .lm-TabBar { min-height: 0; }
.labvirt-frame .widget-tab > .lm-TabBar > .lm-TabBar-content { flex-wrap: wrap; height: auto; }
.labvirt-frame .widget-tab > .lm-TabBar .lm-TabBar-tab {
  flex: 0 0 auto;
  margin-left: 0;
  max-width: 100%;
  min-width: 0;
}
.labvirt-frame .widget-tab > .lm-TabBar .lm-TabBar-tabLabel { overflow: hidden; text-overflow: ellipsis; }
.labvirt-frame .widget-inline-hbox, .labvirt-frame .widget-text, .labvirt-frame .widget-textarea,
.labvirt-frame .widget-select, .labvirt-frame .widget-dropdown { max-width: 100%; }
.labvirt-frame .widget-hbox { flex-wrap: wrap; }
.labvirt-frame .widget-html-content table { max-width: 100%; }
.labvirt-frame .widget-checkbox { height: auto; max-width: 100%; width: auto; }
.labvirt-frame .widget-checkbox .widget-label-basic { white-space: normal; }
.labvirt-frame .widget-hbox > .widget-text, .labvirt-frame .widget-vbox > .jupyter-widgets { max-width: calc(100% - 4px); }
/* A view inside lies on the colour of the tab. */
.labvirt-frame .lv-board { --lv-back: var(--jp-layout-color1, Canvas); }
`;function c(a,t={},...e){let i=document.createElement(a);for(let[r,o]of Object.entries(t))if(r==="on")for(let[d,b]of Object.entries(o))i.addEventListener(d,b);else o===!0?i.setAttribute(r,""):o!==!1&&o!==null&&o!==void 0&&i.setAttribute(r,o);return i.append(...e.filter(r=>r!=null)),i}var m=250,h="a[href], button, input, select, textarea, summary, [tabindex]",s=a=>a.isConnected&&!a.disabled&&a.tabIndex>=0&&a.checkVisibility({visibilityProperty:!0}),n=class{constructor(t){Object.assign(this,{root:t,past:[]});let{signal:e}=this.over=new AbortController;t.addEventListener("focusin",({target:i})=>this.note(i),{signal:e}),t.addEventListener("focusout",({relatedTarget:i})=>i||this.soon(),{signal:e}),t.addEventListener("keydown",i=>{(!i.ctrlKey&&!i.metaKey&&!i.altKey||i.key==="Enter")&&i.stopPropagation()},{signal:e}),addEventListener("pointerdown",()=>this.last=null,{signal:e,capture:!0}),addEventListener("focusin",({target:i})=>t.contains(i)||(this.last=null),{signal:e}),this.watch=new MutationObserver(()=>{this.tidy(),this.rove(),this.last&&this.soon()}),this.watch.observe(t,{attributes:!0,attributeFilter:["disabled","style","class","hidden"],childList:!0,subtree:!0}),this.tidy(),this.rove()}tidy(){for(let t of this.root.querySelectorAll('[title="null"]'))t.removeAttribute("title")}rove(){for(let t of this.root.querySelectorAll(".lm-TabBar-content")){let e=t.querySelector(":scope > .lm-mod-current");if(!(!e||e.tabIndex===0||t.contains(document.activeElement)))for(let i of t.children)i.tabIndex=i===e?0:-1}}note(t){this.last=t,this.past=[...this.past.filter(e=>e!==t&&e.isConnected),t].slice(-20),this.trail=[];for(let e=t.parentElement;e&&this.root.contains(e);e=e.parentElement)this.trail.push(e)}soon(){this.timer??=setTimeout(()=>{this.timer=null,this.look()},m)}look(){let{last:t}=this,e=document.activeElement,i=!e||e===document.body||e===t&&!s(t);if(!t||!i||!document.hasFocus())return;let r=s(t)?t:this.beside()??this.past.filter(s).at(-1)??this.first(this.root);r?.focus({preventScroll:r===t})}beside(){for(let t of this.trail.slice(0,2)){if(!t.isConnected||!t.matches(".widget-hbox, .lv-toolbar"))continue;let e=this.first(t);if(e)return e}return null}first(t){return[...t.querySelectorAll(h)].find(s)}end(){clearTimeout(this.timer),this.over.abort(),this.watch.disconnect()}},x={render({el:a}){a.append(c("style",{},l));let t,e,i=()=>{let r=a.closest(".labvirt-frame");if(!r)return e=setTimeout(i,50);r.dataset.frame="ready",r.parentElement.closest(".labvirt-frame")||(t=new n(r))};return i(),()=>{clearTimeout(e),t?.end()}}};export{x as default};
