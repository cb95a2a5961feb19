import { Problem } from '#platform/errors.ts';

/** A real national alert takes 882 kB, nearly all of it coordinates. */
export const MAX_XML_BYTES = 2 * 1024 * 1024;
/** CAP itself needs a depth of 5, and its signature 6. */
const MAX_DEPTH = 32;
/** Real alerts have 20 to 2,000 tags; an alert that names every municipality of a country may have 15,000. */
const MAX_TAGS = 20_000;
/** CAP has no attributes other than namespaces, and a signature has a few dozen. */
const MAX_ATTRIBUTES = 1_000;
const MAX_REFERENCES = 50_000;

/**
 * The problem (400 `xml_refused`) of XML that is refused for what it could do, before any parser sees it.
 * @param line counted from 1
 */
export const refuseXml = (line: number, reason: string): Problem =>
  new Problem(400, 'xml_refused', `Line ${line}: ${reason}.`, {
    extra: { line, reason },
    errors: [{ field: `line ${line}`, code: 'xml_refused', detail: reason }],
  });

// Alerts really come in these encodings. Others (UTF-7, EBCDIC …) serve to hide things from a filter like this one.
const ENCODINGS = new Set(['utf-8', 'utf-16', 'utf-16le', 'utf-16be', 'us-ascii', 'ascii', 'iso-8859-1', 'iso-8859-15', 'windows-1252']);

/**
 * Decodes an alert by its byte order mark, else by its XML declaration, else as UTF-8, so that what is checked is what is
 * parsed.
 * @throws Problem 400 `xml_refused`
 */
export function decodeXml(bytes: Uint8Array): string {
  const [a, b] = bytes;
  const marked = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : undefined;
  const head = Buffer.from(bytes.subarray(0, 200)).toString('latin1');
  const declared = /^(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']/.exec(head)?.[1]?.toLowerCase();
  const encoding = marked ?? declared ?? 'utf-8';
  if (!ENCODINGS.has(encoding)) throw refuseXml(1, `the encoding "${encoding}" is not taken; use UTF-8`);
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw refuseXml(1, `the bytes are not ${encoding.toUpperCase()}`);
  }
}

/**
 * Looks through the text once, without a tree. It refuses document types, and with them all entities that a document could
 * declare, and whatever is deeper or has more parts than an alert can need. Whether the XML is well-formed is left to the
 * parser.
 * @returns the number of tags, comments and the like, with which the parser's work grows
 * @throws Problem 400 `xml_refused`
 */
export function guardXml(text: string): number {
  const refuse = (at: number, reason: string): Problem => refuseXml(lineAt(text, at), reason);
  let depth = 0;
  let tags = 0;
  let attributes = 0;
  for (let at = text.indexOf('<'); at >= 0; ) {
    if (++tags > MAX_TAGS) throw refuse(at, `more than ${MAX_TAGS} tags`);
    const end = endOf(text, at);
    if (end === undefined) throw refuse(at, 'a document type, entity or other declaration is not taken');
    if (end < 0) throw refuse(at, 'a tag, comment or section does not end');
    const second = text[at + 1];
    if (second === '/') depth -= 1;
    else if (second !== '!' && second !== '?') {
      attributes += countEquals(text, at, end);
      if (attributes > MAX_ATTRIBUTES) throw refuse(at, `more than ${MAX_ATTRIBUTES} attributes`);
      if (text[end - 1] !== '/' && ++depth > MAX_DEPTH) throw refuse(at, `deeper than ${MAX_DEPTH} elements`);
    }
    at = text.indexOf('<', end);
  }
  let references = 0;
  for (let at = text.indexOf('&'); at >= 0; at = text.indexOf('&', at + 1))
    if (++references > MAX_REFERENCES) throw refuse(at, `more than ${MAX_REFERENCES} references`);
  return tags;
}

/** Finds where the construct that opens at `at` ends. @returns -1 where it does not end, undefined where it is a declaration */
function endOf(text: string, at: number): number | undefined {
  const after = (mark: string, from: number): number => {
    const found = text.indexOf(mark, from);
    return found < 0 ? -1 : found + mark.length - 1;
  };
  if (text.startsWith('<!--', at)) return after('-->', at + 4);
  if (text.startsWith('<![CDATA[', at)) return after(']]>', at + 9);
  if (text[at + 1] === '!') return undefined;
  if (text[at + 1] === '?') return after('?>', at + 2);
  for (let i = at + 1; i < text.length; i++) {
    const c = text[i];
    if (c === '>') return i;
    // A ">" inside quotes does not end a tag.
    if (c === '"' || c === "'") {
      i = text.indexOf(c, i + 1);
      if (i < 0) return -1;
    }
  }
  return -1;
}

/** Counts in a copy of the tag, since a search in the whole text would look to its end for every tag without an attribute. */
function countEquals(text: string, from: number, to: number): number {
  const tag = text.slice(from, to);
  let count = 0;
  for (let at = tag.indexOf('='); at >= 0; at = tag.indexOf('=', at + 1)) count += 1;
  return count;
}

function lineAt(text: string, position: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < position; at = text.indexOf('\n', at + 1)) line += 1;
  return line;
}
