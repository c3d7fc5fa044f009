// Media Chrome writes style elements into its shadow roots, which a policy without 'unsafe-inline' does not apply. As constructed
// style sheets the same rules are no inline styles. Media Chrome looks for its rules in elements of that name, so each sheet has
// one in the place of the element it is made from; it belongs to no namespace that a browser takes styles from.

const NAMESPACE = "urn:millrace:handle";
const hidden = new CSSStyleSheet();
hidden.replaceSync("style { display: none }");
let adopting = false;

/** From now on, what is written into shadow roots has its styles adopted. May be called again. */
export function adoptStyles() {
  if (adopting) return;
  adopting = true;
  const { prototype } = ShadowRoot;
  Object.defineProperty(prototype, "innerHTML", { ...Object.getOwnPropertyDescriptor(prototype, "innerHTML"), set: write });
  prototype.setHTMLUnsafe = write;
}

/** @this {ShadowRoot} @param {string} text */
function write(text) {
  const template = document.createElement("template");
  // Nothing in here is part of a document yet, so no style of it is looked at.
  template.innerHTML = text;
  const { content } = template;
  // Elements in it make shadow roots of their own, whose styles come by here.
  for (const root of content.querySelectorAll("template[shadowrootmode]")) root.remove();
  // Previews on the seek bar say nothing that the time beside them does not.
  for (const image of content.querySelectorAll("img:not([alt])")) image.alt = "";
  const handles = [...content.querySelectorAll("style")].map(style => {
    const handle = handleOf(style);
    style.replaceWith(handle);
    return handle;
  });
  this.replaceChildren(content);
  this.adoptedStyleSheets = [...handles.map(handle => handle.sheet), hidden];
}

/** @param {HTMLStyleElement} style */
function handleOf(style) {
  const handle = document.createElementNS(NAMESPACE, "style");
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(style.textContent);
  Object.defineProperty(handle, "sheet", { value: sheet });
  handle.setAttribute = (name, value) => {
    Element.prototype.setAttribute.call(handle, name, value);
    if (name === "media") sheet.media.mediaText = value;
  };
  for (const { name, value } of style.attributes) handle.setAttribute(name, value);
  return handle;
}
