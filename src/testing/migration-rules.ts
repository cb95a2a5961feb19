import { firstComment } from '#db/server/migration-files.ts';

/** Rules of `schemas/migrations`, each as a pure function, so that a test can seed its violation. Each gives back one line a violation. */

interface Named {
  readonly name: string;
  readonly sha256: string;
}

/** What is published stays as it is, byte for byte; a new file is written down before it lands, so that none escapes. */
export function frozenFaults(files: readonly Named[], frozen: Readonly<Record<string, string>>): string[] {
  const changed = files.flatMap(({ name, sha256 }) => {
    if (frozen[name] === undefined) return [`${name}: is new; enter '${sha256}' in FROZEN when it lands, and never change it from then on`];
    return frozen[name] === sha256 ? [] : [`${name}: was changed after it landed; take that back, and write a new file`];
  });
  const gone = Object.keys(frozen).filter((name) => !files.some((file) => file.name === name));
  return [...changed, ...gone.map((name) => `${name}: is gone; databases that have it would be refused`)];
}

/** 0001_words.sql, 0002_words.sql and so on: two branches that both write the next one are told before either lands. */
export function nameFaults(names: readonly string[]): string[] {
  return [...names].sort().flatMap((name, i) => {
    const wanted = String(i + 1).padStart(4, '0');
    return new RegExp(`^${wanted}_[a-z0-9_]+[.]sql$`).test(name) ? [] : [`${name}: should be ${wanted}_words.sql`];
  });
}

/** The last one that was written before there was anybody to live side by side with. */
const FOUNDATION = 2;

const numberOf = (name: string): number => Number(name.slice(0, 4));

export const besideFaults = (name: string, text: string): string[] =>
  numberOf(name) <= FOUNDATION || /^-- Side by side: (\S+\s+){5}/m.test(firstComment(text).replace(/\n-- (?!Side by side)/g, ' '))
    ? []
    : [`${name}: its first comment must say, after "-- Side by side: ", how an old and a new process live with it at once`];

/** What a statement must not do to a table that is in use, and what does the same safely. */
const UNSAFE: readonly { readonly is: RegExp; readonly unless?: RegExp; readonly why: string }[] = [
  {
    is: /\bCREATE (UNIQUE )?INDEX (?!CONCURRENTLY)/i,
    why: 'an index holds up every writer while it is built: CREATE INDEX CONCURRENTLY, in a file of its own "outside a transaction"',
  },
  {
    is: /\bADD (CONSTRAINT \w+ )?(CHECK|FOREIGN KEY)\b/i,
    unless: /\bNOT VALID$/i,
    why: 'a constraint reads the whole table while everybody waits: NOT VALID, and VALIDATE CONSTRAINT in the next file',
  },
  {
    is: /\bADD (CONSTRAINT \w+ )?(PRIMARY KEY|UNIQUE|EXCLUDE)\b/i,
    unless: /\bUSING INDEX\b/i,
    why: 'it builds an index while everybody waits: build that first, then USING INDEX',
  },
  {
    is: /\bADD (COLUMN )?(?!(CONSTRAINT|CHECK|FOREIGN|EXCLUDE)\b)\w+ [^,]*\b(CHECK|REFERENCES)\b/i,
    why: 'a constraint on a new column reads the whole table: add it afterwards, NOT VALID',
  },
  {
    is: /\bADD (COLUMN )?\w+ [^,]*\b(DEFAULT [^,]*\(|GENERATED\b)/i,
    why: 'a column that is worked out for each row rewrites the whole table: give it a constant default',
  },
  { is: /\bALTER (COLUMN )?\w+ (SET DATA )?TYPE\b/i, why: 'another type rewrites the whole table: add a column' },
];

/** Tables that the file itself makes are nobody's yet. */
const isNew = (statement: string, text: string): boolean => {
  const table = /\b(?:ON|TABLE)(?: ONLY| IF EXISTS)* (\w+)/i.exec(statement)?.[1];
  return table !== undefined && new RegExp(`\\bCREATE TABLE ${table}\\b`, 'i').test(text);
};

/** From 0003 on a migration runs while the processes of the version before it send. */
export function loadFaults(name: string, text: string): string[] {
  if (numberOf(name) <= FOUNDATION) return [];
  const bare = text.replace(/--.*$/gm, '').replace(/\$(\w*)\$[\s\S]*?\$\1\$/g, "''");
  const statements = bare.split(';').map((statement) => statement.replace(/\s+/g, ' ').trim());
  const unsafe = statements.flatMap((statement) =>
    UNSAFE.filter(({ is, unless }) => is.test(statement) && !unless?.test(statement) && !isNew(statement, bare)).map(({ why }) => `${name}: ${why}`),
  );
  const both = /\bNOT VALID\b/i.test(bare) && /\bVALIDATE CONSTRAINT\b/i.test(bare);
  return [...unsafe, ...(both ? [`${name}: VALIDATE CONSTRAINT reads the table under the lock of the statement before it: it belongs in the next file`] : [])];
}
