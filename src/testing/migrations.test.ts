import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { MIGRATIONS, readMigrations } from '#db/server/migration-files.ts';
import { besideFaults, frozenFaults, loadFaults, nameFaults } from './migration-rules.ts';

/** sha256 of every migration that has landed. A line is added with a new file, and no line ever changes. */
const FROZEN: Readonly<Record<string, string>> = {
  '0001_foundation.sql': 'ac0901842b52444c6a944f18b1e498eafec92d4b50847c8e0911f69bd4ffd043',
  '0002_across_tenants.sql': '71fe6cae01458c9e6e478b98009acfd1f14ddf520d75dbd7e26452dc50448f96',
  '0003_drill_words.sql': '51f5c7272859e280155a011e951467db9b4016d7ca708d3782f96da542602e18',
  '0004_ways_and_accounts.sql': 'bcf7a9b11c9a9c50a0a66ac4f41a53061d60c8d1eeab7fbafbddd36e216fdf6a',
  '0005_ways_and_accounts_hold.sql': 'e31d080ce4934256180cf43945ae825f4a3832f5fd60b3d75102b64e9624cce7',
  '0006_unread_bounces.sql': '07623b70e0d55ebce7e5c560011ea30155dc5fe9607454c337801ab79e9ad590',
  '0007_unread_bounces_hold.sql': '5393c8a8f81d0d3af960034ccb17da4b92d5319221c59e3931cd103840f4d9d6',
  '0008_temp_schema_last.sql': 'f38051c57c2b58ac703f772930fcb75e944963b54459d8e3dbae3328719f172d',
};

const files = await readMigrations(MIGRATIONS);

test('what has landed is as it was, and everything that has landed is written down', () => {
  expect(files.length).toBeGreaterThanOrEqual(2);
  expect(frozenFaults(files, FROZEN)).toEqual([]);
});

test('one changed byte, a new file and one that is gone are each told', () => {
  const frozen = Object.fromEntries(files.map(({ name, sha256 }) => [name, sha256]));
  const changed = files.map((file, i) => (i === 0 ? { name: file.name, sha256: createHash('sha256').update(`${file.text} `).digest('hex') } : file));
  expect(frozenFaults(changed, frozen)).toEqual([expect.stringMatching(/^0001_foundation\.sql: was changed/)]);
  expect(frozenFaults([...files, { name: '9999_new.sql', sha256: 'abc' }], frozen)).toEqual([expect.stringMatching(/^9999_new\.sql: is new; enter 'abc'/)]);
  expect(frozenFaults(files.slice(1), frozen)).toEqual([expect.stringMatching(/^0001_foundation\.sql: is gone/)]);
});

test('names are numbered without a gap and without a double', () => {
  expect(nameFaults(files.map((file) => file.name))).toEqual([]);
  expect(nameFaults(['0001_a.sql', '0002_b.sql', '0002_c.sql'])).toEqual(['0002_c.sql: should be 0003_words.sql']);
  expect(nameFaults(['0001_a.sql', '0003_b.sql'])).toEqual(['0003_b.sql: should be 0002_words.sql']);
  expect(nameFaults(['0001_A b.sql'])).toHaveLength(1);
});

test('each says how an old and a new process live with it, and does nothing that everybody would wait for', () => {
  expect(files.flatMap(({ name, text }) => [...besideFaults(name, text), ...loadFaults(name, text)])).toEqual([]);
});

describe('the first comment of a migration', () => {
  test.each([
    ['no comment', 'SELECT 1;\n'],
    ['a comment without it', '-- A column for the colour of boats.\nSELECT 1;\n'],
    ['nothing said', '-- Side by side: yes\nSELECT 1;\n'],
    ['said further down', 'SELECT 1;\n-- Side by side: the old one writes NULL, the new one reads it as none.\n'],
  ])('%s is refused', (_, text) => {
    expect(besideFaults('0003_x.sql', text)).toHaveLength(1);
  });

  test.each([
    ['one line', '-- Side by side: the old one writes NULL, the new one reads it as none.\nSELECT 1;\n'],
    [
      'after what it does, over two lines',
      '-- A colour.\n-- Side by side: the old one\n-- writes NULL, the new one reads it.\n-- outside a transaction\nSELECT 1;\n',
    ],
  ])('%s is well', (_, text) => {
    expect(besideFaults('0003_x.sql', text)).toEqual([]);
  });

  test('the foundation had nobody beside it', () => {
    expect(besideFaults('0002_x.sql', 'SELECT 1;\n')).toEqual([]);
  });
});

describe('a statement beside processes that send', () => {
  test.each([
    'CREATE INDEX a ON messages (id);',
    'CREATE UNIQUE INDEX a ON messages (id);',
    'ALTER TABLE messages ADD CONSTRAINT a CHECK (id > 0);',
    'ALTER TABLE waves ADD FOREIGN KEY (tenant_id) REFERENCES tenants;',
    'ALTER TABLE messages ADD CONSTRAINT a UNIQUE (id);',
    'ALTER TABLE messages ADD COLUMN a integer CHECK (a > 0);',
    'ALTER TABLE messages ADD a integer REFERENCES tenants;',
    'ALTER TABLE messages\n  ADD COLUMN a uuid NOT NULL DEFAULT gen_random_uuid();',
    'ALTER TABLE messages ADD COLUMN a integer GENERATED ALWAYS AS (1) STORED;',
    'ALTER TABLE messages ALTER COLUMN title TYPE varchar;',
    'ALTER TABLE messages ADD CONSTRAINT a CHECK (id > 0) NOT VALID; ALTER TABLE messages VALIDATE CONSTRAINT a;',
  ])('%s is refused', (text) => {
    expect(loadFaults('0003_x.sql', text)).toHaveLength(1);
    expect(loadFaults('0001_x.sql', text)).toEqual([]);
  });

  test.each([
    'CREATE INDEX CONCURRENTLY a ON messages (id);',
    'CREATE TABLE boats (id bigint PRIMARY KEY CHECK (id > 0)); CREATE INDEX a ON boats (id); ALTER TABLE boats ADD FOREIGN KEY (id) REFERENCES tenants;',
    'ALTER TABLE messages ADD CONSTRAINT a CHECK (id > 0) NOT VALID;',
    'ALTER TABLE messages VALIDATE CONSTRAINT a;',
    'ALTER TABLE messages ADD CONSTRAINT a UNIQUE USING INDEX b;',
    "ALTER TABLE messages ADD COLUMN a text NOT NULL DEFAULT 'none', ADD b integer, ADD CONSTRAINT c CHECK (b > 0) NOT VALID;",
    'CREATE FUNCTION a() RETURNS void LANGUAGE sql AS $$ CREATE INDEX b ON messages (id); $$;',
    '-- CREATE INDEX a ON messages (id);\nSELECT 1;',
  ])('%s is let pass', (text) => {
    expect(loadFaults('0003_x.sql', text)).toEqual([]);
  });
});
