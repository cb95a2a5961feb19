/** The header of a message as written, unfolded: name in lower case -> first value. */
export function readHeaders(raw: Buffer): ReadonlyMap<string, string> {
  const end = raw.indexOf('\r\n\r\n');
  const head = raw.toString('latin1', 0, end === -1 ? raw.length : end).replace(/\r\n[ \t]+/g, ' ');
  const headers = new Map<string, string>();
  for (const line of head.split('\r\n')) {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon).trim().toLowerCase();
    if (colon > 0 && !headers.has(name)) headers.set(name, Buffer.from(line.slice(colon + 1).trim(), 'latin1').toString('utf8'));
  }
  return headers;
}

/** Decodes encoded words (RFC 2047); parsing whole mails would be too slow to do before each answer. */
export function decodeWords(value: string): string {
  // White space between two encoded words is not part of the text (RFC 2047 section 6.2).
  const joined = value.replace(/(\?=)\s+(?==\?)/g, '$1');
  return joined.replace(/((?:=\?[^?\s]+\?[bq]\?[^?\s]*\?=)+)/gi, (run: string) => {
    const words = [...run.matchAll(/=\?([^?]+)\?([bq])\?([^?]*)\?=/gi)];
    // Bytes of neighbouring words are joined first: an encoder may split one character over two words.
    const bytes = Buffer.concat(words.map(([, , kind = '', text = '']) => (kind.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : fromQ(text))));
    return new TextDecoder(labelOf(words[0]?.[1])).decode(bytes);
  });
}

const fromQ = (text: string): Buffer =>
  Buffer.from(
    text.replace(/_/g, ' ').replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

function labelOf(charset = 'utf-8'): string {
  try {
    return new TextDecoder(charset).encoding;
  } catch {
    return 'utf-8';
  }
}
