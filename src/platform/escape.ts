// Characters that mean something to HTML or XML, written so that they stand for themselves.

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

/** A text for HTML, between tags or inside a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => HTML[character] ?? character);

const XML: Readonly<Record<string, string>> = { ...HTML, "'": '&apos;' };

/** A text for XML, between tags or inside a quoted attribute. XML has a name for the apostrophe (section 4.6); HTML 4 has none. */
export const escapeXml = (text: string): string => text.replace(/[&<>"']/g, (character) => XML[character] ?? character);

const NAMED = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);
const LAST_CODE_POINT = 0x10ffff;

/** The reverse of both, and of character references by number. A reference that means nothing here stays as it is written. */
export const unescapeMarkup = (text: string): string =>
  text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex?: string, decimal?: string, name?: string) => {
    if (name !== undefined) return NAMED.get(name) ?? whole;
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    return code > LAST_CODE_POINT ? whole : String.fromCodePoint(code);
  });
