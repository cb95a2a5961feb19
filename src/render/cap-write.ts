import { CAP_NAMESPACE, type CapAlert } from '#domain/cap/cap-alert.ts';

// Texts stand between tags alone, where XML leaves quotes as they are (section 2.4), and so does every alert that was ever
// written here: with platform/escape.ts the same message would give another file than before.
const ENTITY: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
// XML 1.0 cannot hold these characters at all (production 2), not even as references.
// oxlint-disable-next-line no-control-regex
const IMPOSSIBLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu;
const escapeXml = (text: string): string => text.replace(IMPOSSIBLE, '').replace(/[&<>]/g, (c) => ENTITY[c] ?? c);

const names = (line: string): string[] => line.split(' ');

/** The order of the elements matters, since the schema is a sequence. */
const ORDER: Readonly<Record<string, readonly string[]>> = {
  alert: names('identifier sender sent status msgType source scope restriction addresses code note references incidents info'),
  info: [
    ...names('language category event responseType urgency severity certainty audience eventCode effective onset expires'),
    ...names('senderName headline description instruction web contact parameter resource area'),
  ],
  resource: names('resourceDesc mimeType size uri derefUri digest'),
  area: names('areaDesc polygon circle geocode altitude ceiling'),
};
const NAMED_VALUE = ['valueName', 'value'];

/** Writes an alert as CAP 1.2 XML in UTF-8, which is valid against the schema where the alert's values are. */
export function writeCap(alert: CapAlert): string {
  return `<?xml version="1.0" encoding="UTF-8"?>\n<alert xmlns="${CAP_NAMESPACE}">\n${children('alert', alert, '  ')}</alert>\n`;
}

function children(kind: string, value: object, indent: string): string {
  const fields = value as Readonly<Record<string, unknown>>;
  return (ORDER[kind] ?? NAMED_VALUE)
    .map((name) =>
      [fields[name] ?? []]
        .flat()
        .map((one) => element(name, one, indent))
        .join(''),
    )
    .join('');
}

const element = (name: string, value: unknown, indent: string): string =>
  typeof value === 'object' && value !== null
    ? `${indent}<${name}>\n${children(name, value, `${indent}  `)}${indent}</${name}>\n`
    : `${indent}<${name}>${escapeXml(String(value))}</${name}>\n`;
