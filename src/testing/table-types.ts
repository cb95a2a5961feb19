import { CHANNELS, DELIVERY_STATES, MESSAGE_CLASSES, MESSAGE_STATES, USER_ROLES } from '#schemas/delivery.ts';

/** One column, as a declaration or the catalogue has it. */
export interface ColumnFacts {
  /** `text`, `number`, `id`, `time`, `bytes`, `json`, `boolean`, an enum's name, or any of them with `[]`. */
  readonly kind: string;
  readonly nullable: boolean;
  /** True when the column may be left out of an INSERT. */
  readonly optional: boolean;
}
export type Tables = Readonly<Record<string, Readonly<Record<string, ColumnFacts>>>>;

/** Type names of schemas/database.ts and what they stand for. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'number',
  boolean: 'boolean',
  Id: 'id',
  Buffer: 'bytes',
  Date: 'time',
  Channel: 'channel',
  MessageClass: 'message_class',
  MessageState: 'message_state',
  DeliveryState: 'delivery_state',
  AnswerWay: 'text',
  UserRole: 'text',
};

/** PostgreSQL types and what they stand for. */
const POSTGRES_KINDS: Readonly<Record<string, string>> = {
  text: 'text',
  integer: 'number',
  smallint: 'number',
  oid: 'number',
  'double precision': 'number',
  bigint: 'id',
  bytea: 'bytes',
  jsonb: 'json',
  boolean: 'boolean',
  'timestamp with time zone': 'time',
  date: 'time',
};

export const kindOfPostgres = (type: string): string => (type.endsWith('[]') ? `${kindOfPostgres(type.slice(0, -2))}[]` : (POSTGRES_KINDS[type] ?? type));

/** Splits at `|` or `,` outside of brackets. */
function split(text: string, at: string): string[] {
  const parts = [''];
  let depth = 0;
  for (const c of text) {
    if ('<({['.includes(c)) depth += 1;
    if ('>)}]'.includes(c)) depth -= 1;
    if (c === at && depth === 0) parts.push('');
    else parts[parts.length - 1] += c;
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

const without = (parts: string[], ...words: string[]): string[] => parts.filter((part) => !words.includes(part));

function kindOf(type: string): string {
  const parts = without(split(type, '|'), 'null', 'undefined');
  if (parts.every((part) => /^'[^']*'$/.test(part))) return 'text';
  const [only] = parts;
  if (parts.length !== 1 || only === undefined) return `unreadable: ${type}`;
  if (only.endsWith('[]')) return `${kindOf(only.slice(0, -2).replace(/^\((.*)\)$/, '$1'))}[]`;
  if (/^(Record<|\{|unknown$)/.test(only)) return 'json';
  return KINDS[only] ?? `unreadable: ${type}`;
}

/** Reads one column's type expression: plain, Generated, GeneratedAlways, ColumnType and the aliases of the file. */
export function readColumn(type: string): ColumnFacts {
  const wrapped = /^(Generated|GeneratedAlways|Json|ColumnType)<(.*)>$/s.exec(type);
  const inner = wrapped?.[2] ?? '';
  switch (wrapped?.[1] ?? type) {
    case 'Time':
      return { kind: 'time', nullable: false, optional: true };
    case 'NullableTime':
      return { kind: 'time', nullable: true, optional: true };
    case 'Json':
      return { kind: 'json', nullable: false, optional: false };
    case 'Generated':
    case 'GeneratedAlways':
      return { kind: kindOf(inner), nullable: split(inner, '|').includes('null'), optional: true };
    case 'ColumnType': {
      const [select = '', insert = ''] = split(inner, ',');
      // A column that is written as text and read as an object is jsonb; `unknown` covers null.
      const kind = split(insert, '|').includes('string') ? (kindOf(select) === 'time' ? 'time' : 'json') : kindOf(select);
      return { kind, nullable: split(insert, '|').includes('null'), optional: split(insert, '|').includes('undefined') };
    }
    default: {
      const nullable = split(type, '|').includes('null');
      return { kind: kindOf(type), nullable, optional: nullable };
    }
  }
}

/** Reads `interface XTable { … }`, `type XTable = { … } & { [S in DeliveryState]: … }` and the `Schema` that names them. */
export function readDeclarations(text: string): Tables {
  const bodies = new Map<string, Record<string, ColumnFacts>>();
  for (const [, name = '', body = '', , mapped] of text.matchAll(
    /export (?:interface|type) (\w+) (?:= )?\{\n(.*?)\n\}( & \{ \[S in DeliveryState\]: (.*?) \})?/gs,
  )) {
    const columns: Record<string, ColumnFacts> = {};
    for (const [, column = '', type = ''] of body.matchAll(/^ {2}(\w+): (.+);$/gm))
      columns[column] = name === 'Schema' ? { kind: type, nullable: false, optional: false } : readColumn(type);
    if (mapped !== undefined) for (const state of DELIVERY_STATES) columns[state] = readColumn(mapped);
    bodies.set(name, columns);
  }
  return Object.fromEntries(Object.entries(bodies.get('Schema') ?? {}).map(([table, { kind }]) => [table, bodies.get(kind) ?? {}]));
}

/** Differences between what the code believes and what the database has, one line each. */
export function compareTables(declared: Tables, real: Tables): string[] {
  const differences: string[] = [];
  for (const table of new Set([...Object.keys(declared), ...Object.keys(real)])) {
    const a = declared[table];
    const b = real[table];
    if (!a || !b) {
      differences.push(`${table}: only in the ${a ? 'types' : 'database'}`);
      continue;
    }
    for (const column of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const x = a[column];
      const y = b[column];
      if (!x || !y) differences.push(`${table}.${column}: only in the ${x ? 'types' : 'database'}`);
      else {
        if (x.kind !== y.kind) differences.push(`${table}.${column}: ${x.kind} in the types, ${y.kind} in the database`);
        if (x.nullable !== y.nullable) differences.push(`${table}.${column}: ${y.nullable ? 'may' : 'may not'} be NULL in the database`);
        // A time may always be left out in the types, since nearly all have now() as default; the database then refuses.
        if (x.optional && !y.optional && x.kind !== 'time') differences.push(`${table}.${column}: must be given on INSERT`);
      }
    }
  }
  return differences;
}

/** The enums of the database and the words that the code has for them. */
export const ENUMS: Readonly<Record<string, readonly string[]>> = {
  channel: CHANNELS,
  message_class: MESSAGE_CLASSES,
  message_state: MESSAGE_STATES,
  delivery_state: DELIVERY_STATES,
};

/** Columns held by a CHECK over words that the code has too. */
export const CHECKED_WORDS: Readonly<Record<string, readonly string[]>> = { users_role_check: USER_ROLES };
