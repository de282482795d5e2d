// What travels with every widget: it fetches the real code once per page and hands over to it.
// Nothing is awaited in `initialize`: the model's messages would wait for it.
const inboxes = new Map();

function pageOf(key) {
  const pages = (globalThis.__labvirt ??= {});
  if (!pages[key]) {
    let settle;
    const code = new Promise((resolve) => (settle = resolve));
    pages[key] = { code, settle, has: false };
  }
  return pages[key];
}

function listen(model) {
  if (inboxes.has(model)) return inboxes.get(model);
  const key = model.get("_bundle");
  const page = pageOf(key);
  const inbox = { messages: [], take: null };
  inboxes.set(model, inbox);
  model.on("msg:custom", (message, buffers) => {
    if (message.t === "code") {
      if (page.has || message.key !== key) return;
      page.has = true;
      const url = URL.createObjectURL(new Blob([buffers[0]], { type: "text/javascript" }));
      import(url).then(page.settle, (error) => {
        page.has = false;
        console.error("labvirt: the code of the widget cannot be loaded", error);
      });
    } else if (inbox.take) inbox.take(message, buffers);
    // A missing number makes the stream ask again, so the oldest may go.
    else if (inbox.messages.push([message, buffers]) > 2000) inbox.messages.shift();
  });
  return inbox;
}

export default {
  initialize({ model }) {
    const inbox = listen(model);
    return () => {
      inbox.end?.();
      inboxes.delete(model);
    };
  },
  async render({ model, el }) {
    const inbox = listen(model);
    const page = pageOf(model.get("_bundle"));
    el.dataset.lv = "loading";
    // The kernel sends the code when it shows the first widget; a reloaded page has to ask.
    const ask = () => page.has || model.send({ t: "code" });
    const first = setTimeout(ask, 300);
    const again = setInterval(ask, 3000);
    const code = await page.code;
    clearTimeout(first);
    clearInterval(again);
    return code.render({ model, el, inbox });
  },
};
