import { readFileSync } from 'node:fs';
import { ParseOption, XmlDocument, XmlElement, XmlParseError, XmlValidateError, XsdValidator } from 'libxml2-wasm';
import { CAP_NAMESPACE, type CapAlert } from '#domain/cap/cap-alert.ts';
import { type FieldError, Problem } from '#platform/errors.ts';
import { type ParsedCap, parseInThread } from './cap-thread.ts';
import { decodeXml, guardXml, MAX_XML_BYTES } from './xml-guard.ts';

const SCHEMA_FILE = new URL('../../schemas/cap-1.2.xsd', import.meta.url);
// Entities are never expanded (no NOENT), nothing is fetched, and the declared encoding is ignored, since the text is decoded.
const OPTIONS =
  ParseOption.XML_PARSE_NO_XXE |
  ParseOption.XML_PARSE_NONET |
  ParseOption.XML_PARSE_NO_SYS_CATALOG |
  ParseOption.XML_PARSE_IGNORE_ENC |
  ParseOption.XML_PARSE_BIG_LINES;
/** An alert may have very many faults, of which the first are told. */
const MAX_ERRORS = 20;
/** A longer reason is cut, since libxml2 repeats the wrong value, whatever its length. */
const MAX_REASON_CHARACTERS = 300;

let validator: XsdValidator | undefined;
function schema(): XsdValidator {
  if (!validator) {
    using source = XmlDocument.fromBuffer(readFileSync(SCHEMA_FILE));
    validator = XsdValidator.fromDoc(source);
  }
  return validator;
}

/**
 * Above this many tags the work moves to a thread. On 2 cores 880 kB of polygons in 30 tags took 10 ms, 2,500 tags at worst
 * 25 ms, and 20,000 wrong ones 160 ms, nearly all of it in telling the faults.
 */
const MAX_TAGS_HERE = 2_500;

/**
 * Reads CAP 1.2 XML and checks it against the schema, while it holds the event loop for less than 50 ms.
 * @throws Problem 413 above 2 MB; 400 `xml_refused`, `malformed_xml`, `not_cap`, `cap_schema`, each with `line` and
 *   `reason`; 503 `xml_too_slow`
 */
export async function parseCap(bytes: Uint8Array): Promise<ParsedCap> {
  if (bytes.byteLength > MAX_XML_BYTES)
    throw new Problem(413, 'body_too_large', `The alert is larger than the ${MAX_XML_BYTES} bytes taken here.`, { extra: { limitBytes: MAX_XML_BYTES } });
  const text = decodeXml(bytes);
  return guardXml(text) > MAX_TAGS_HERE ? parseInThread(text) : parseGuarded(text);
}

/**
 * Parses a text that `guardXml` let through, in this thread.
 * @throws Problem 400 `malformed_xml`, `not_cap` or `cap_schema`, each with `line` and `reason`
 */
export function parseGuarded(text: string): ParsedCap {
  using document = parse(text);
  const { root } = document;
  if (root.name !== 'alert' || root.namespaceUri !== CAP_NAMESPACE) throw notAnAlert(root);
  try {
    schema().validate(document);
  } catch (error) {
    if (error instanceof XmlValidateError) throw broken('cap_schema', 'The alert does not follow the CAP 1.2 schema', error.details);
    throw error;
  }
  return { alert: readElement(root, 'alert') as unknown as CapAlert, signed: hasSignature(root) };
}

function parse(text: string): XmlDocument {
  try {
    return XmlDocument.fromString(text, { option: OPTIONS });
  } catch (error) {
    if (error instanceof XmlParseError) throw broken('malformed_xml', 'The body is not well-formed XML', error.details);
    throw error;
  }
}

function notAnAlert(root: XmlElement): Problem {
  const cap = /^urn:oasis:names:tc:emergency:cap:(.+)$/.exec(root.namespaceUri)?.[1];
  const hint =
    root.name === 'feed'
      ? ' A feed lists alerts: follow its links and post the alerts themselves.'
      : root.name === 'alert' && cap
        ? ` This is CAP ${cap}.`
        : '';
  const reason = `the document is <${root.name}> of ${root.namespaceUri ? `"${root.namespaceUri}"` : 'no namespace'}, not <alert> of "${CAP_NAMESPACE}".${hint}`;
  return new Problem(400, 'not_cap', `Line ${root.line}: ${reason}`, {
    extra: { line: root.line, reason },
    errors: [{ field: root.name, code: 'not_cap', detail: reason }],
  });
}

function broken(code: string, summary: string, details: readonly { line: number; message: string }[]): Problem {
  // libxml2 says nothing at all of an empty document.
  const first = faultOf(code, details[0] ?? { line: 1, message: 'no element found' });
  const errors = [first, ...details.slice(1, MAX_ERRORS).map((detail) => faultOf(code, detail))];
  return new Problem(400, code, `${summary}: ${first.detail}`, {
    extra: { line: first.line, reason: first.reason },
    errors: errors.map(({ field, detail }) => ({ field, code, detail })),
  });
}

function faultOf(code: string, { line, message }: { line: number; message: string }): FieldError & { line: number; reason: string } {
  // libxml2 puts the namespace before every name, and only one namespace is possible here.
  const whole = message.slice(0, 5_000).replaceAll(`{${CAP_NAMESPACE}}`, '').replace(/\s+/g, ' ').trim();
  const reason = whole.length > MAX_REASON_CHARACTERS ? `${whole.slice(0, MAX_REASON_CHARACTERS)}…` : whole;
  return { line, reason, code, field: /^Element '([^']+)'/.exec(reason)?.[1] ?? `line ${line}`, detail: `line ${line}: ${reason}` };
}

/** The children that make lists, by their parent. */
const LISTS: Readonly<Record<string, readonly string[]>> = {
  alert: ['code', 'info'],
  info: ['category', 'responseType', 'eventCode', 'parameter', 'resource', 'area'],
  area: ['polygon', 'circle', 'geocode'],
};
/** The elements that hold further elements; all others are text. */
const NESTED = new Set(['info', 'eventCode', 'parameter', 'resource', 'area', 'geocode']);

type Read = { [name: string]: string | Read | (string | Read)[] };

/** The schema has been checked, so the names and places are known, and only the shape is made here. */
function readElement(element: XmlElement, kind: string): Read {
  const lists = LISTS[kind] ?? [];
  const read: Read = Object.fromEntries(lists.map((name) => [name, []]));
  for (let child = element.firstChild; child; child = child.next) {
    if (!(child instanceof XmlElement) || child.namespaceUri !== CAP_NAMESPACE) continue;
    const { name } = child;
    const value = NESTED.has(name) ? readElement(child, name) : child.content;
    const list = read[name];
    if (Array.isArray(list)) list.push(value);
    else read[name] = value;
  }
  return read;
}

function hasSignature(root: XmlElement): boolean {
  for (let child = root.lastChild; child; child = child.prev) if (child instanceof XmlElement) return child.namespaceUri !== CAP_NAMESPACE;
  return false;
}
