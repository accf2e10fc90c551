// xterm.js writes style elements and style attributes, which the page's content security policy forbids to all but
// those that know the nonce of this answer. Nothing here widens what markup could do.

/** Lets style elements and attributes that scripts make pass the policy. */
export function allowOwnStyles(nonce: string): void {
  const createElement = document.createElement.bind(document);
  document.createElement = ((name: string, options?: ElementCreationOptions) => {
    const element = createElement(name, options);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  }) as typeof document.createElement;

  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name: string, value: string) {
    if (name === "style" && this instanceof HTMLElement) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
}
